/** TLS through the whole proxy, by flags and by a file: https to the client, TLS to the service, and what is wrong with either. */
import { ServerCredentials } from '@grpc/grpc-js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import t from 'tap';
import { type RunningCli, runMain, serveCli } from '../support/cli.js';
import { certificate, pem, RenewableFiles } from '../support/certificates.js';
import { startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package t.v1;
import "google/api/annotations.proto";
service T { rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; }
`;

const folder = mkdtempSync(join(tmpdir(), 'photongate-tls-'));
writeFileSync(join(folder, 't.proto'), proto);
t.teardown(() => rmSync(folder, { recursive: true }));

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of the listener's certificate. */
  readonly subject: string;
}

function get(url: string, path: string, client?: string): Promise<Answer> {
  const own = client === undefined ? {} : { cert: pem(client), key: pem(`${client}-key`) };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${url}${path}`, { ca: pem('ca'), agent: false, ...own }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, text, subject: String(subject.CN) }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function service(name: string, clientCa?: string): Promise<string> {
  const pair = { cert_chain: pem(name), private_key: pem(`${name}-key`) };
  const credentials = ServerCredentials.createSsl(
    clientCa === undefined ? null : pem(clientCa),
    [pair],
    clientCa !== undefined,
  );
  const echo = await startEchoService(schemaFromText(proto), credentials);
  t.teardown(() => echo.close());
  return echo.target;
}

async function stop({ child, finished }: RunningCli): Promise<void> {
  child.kill('SIGTERM');
  await finished;
}

const serve = (args: readonly string[], listeners = 1): Promise<RunningCli> =>
  serveCli(['--proto', 't.proto', ...(args.includes('--config') ? [] : ['--listen', '0']), ...args], folder, listeners);

const ownCertificate = ['--tls-cert', certificate('server'), '--tls-key', certificate('server-key')];
const trust = ['--upstream-tls', '--upstream-ca', certificate('ca')];

void t.test('https in, TLS out', async (t) => {
  const proxy = await serve([...ownCertificate, '--upstream', await service('server'), ...trust]);
  const url = proxy.urls[0]!;
  t.match(url, /^https:\/\/127\.0\.0\.1:\d+$/);
  t.match(await get(url, '/v1/Ada'), { status: 200, text: '{"name":"Ada"}', subject: 'server' });
  const session = connectHttp2(url, { ca: pem('ca') });
  const stream = session.request({ ':path': '/v1/Ada' });
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  t.equal(headers[':status'], 200);
  session.destroy();
  await stop(proxy);
});

void t.test('a service whose certificate will not do is 503, in words', async (t) => {
  for (const [name, words, extra] of [
    ['expired', /expired/, []],
    ['wrong-name', /for another name/, []],
    ['wrong-ca', /authority|issuer|CA/, []],
    ['server', /for another name/, ['--upstream-authority', 'elsewhere.example']],
  ] as const) {
    const target = await service(name);
    const proxy = await serve([...ownCertificate, '--upstream', target, ...trust, ...extra]);
    const answer = await get(proxy.urls[0]!, '/v1/Ada');
    t.equal(answer.status, 503, `${name}: ${answer.text}`);
    t.match(answer.text, words, name);
    t.notMatch(answer.text, / at .*\.js/, name);
    t.notMatch(answer.text, /127\.0\.0\.1|\.example/, 'no client reads names and addresses of upstreams');
    t.equal((await get(proxy.urls[0]!, '/health')).status, 503, name);
    await stop(proxy);
    const { stderr } = await proxy.finished;
    t.ok(stderr.includes(`cannot connect to ${target}: its certificate`), `operators are told: ${stderr}`);
    if (words.source.includes('name')) t.match(stderr, /expected (127\.0\.0\.1|elsewhere\.example)/);
  }
  const named = await serve([
    ...[...ownCertificate, '--upstream', await service('wrong-name'), ...trust],
    ...['--upstream-authority', 'other.example'],
  ]);
  t.equal((await get(named.urls[0]!, '/v1/Ada')).status, 200, 'the authority is the name that is checked');
  await stop(named);
});

void t.test('client certificates on both sides, by a file', async (t) => {
  const target = await service('server', 'ca');
  const tls = (name: string): string =>
    `{ ca: ${certificate('ca')}, cert: ${certificate(name)}, key: ${certificate(`${name}-key`)} }`;
  const file = join(folder, 'p.yaml');
  writeFileSync(
    file,
    `
listeners:
  - listen: 127.0.0.1:0
    tls: { cert: ${certificate('server')}, key: ${certificate('server-key')}, client_ca: ${certificate('ca')} }
    upstreams: { t.v1: { target: "${target}", tls: ${tls('client')} } }
  - listen: 127.0.0.1:0
    tls: { cert: ${certificate('server')}, key: ${certificate('server-key')} }
    upstreams: { t.v1: { target: "${target}", tls: ${tls('foreign-client')} } }
`,
  );
  const proxy = await serve(['--config', file], 2);
  const [mutual, open] = proxy.urls as [string, string];
  t.equal((await get(mutual, '/v1/Ada', 'client')).status, 200);
  t.match(await get(mutual, '/v1/Ada'), { status: 403, text: /none was given/ }, 'no certificate');
  t.match(await get(mutual, '/v1/Ada', 'foreign-client'), { status: 403, text: /CN=foreign-client/ }, 'of another CA');
  t.equal((await get(open, '/v1/Ada')).status, 503, 'the service does not take ours');
  await stop(proxy);
});

void t.test('a renewed certificate is taken while running', async (t) => {
  const files = new RenewableFiles('server');
  t.teardown(() => files.remove());
  const args = ['--tls-cert', files.cert, '--tls-key', files.key, '--upstream', await service('server'), ...trust];
  const proxy = await serve(args);
  t.equal((await get(proxy.urls[0]!, '/v1/Ada')).subject, 'server');
  files.replace('renewed');
  let subject = '';
  for (let tries = 0; tries < 100 && subject !== 'renewed'; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    ({ subject } = await get(proxy.urls[0]!, '/v1/Ada'));
  }
  t.equal(subject, 'renewed');
  await stop(proxy);
});

void t.test('files that do not fit together', async (t) => {
  const start = ['--proto', 't.proto', '--listen', '0', '--upstream', '127.0.0.1:1'];
  for (const [args, code] of [
    [['--tls-cert', certificate('server'), '--tls-key', certificate('renewed-key')], 'tls-key-mismatch'],
    [['--tls-cert', certificate('server')], 'tls-incomplete'],
    [['--tls-cert', 'none.pem', '--tls-key', certificate('server-key')], 'tls-file'],
    [['--tls-cert', 't.proto', '--tls-key', certificate('server-key')], 'tls-pem'],
    [['--tls-cert', certificate('server'), '--tls-key', certificate('encrypted-key')], 'tls-key-encrypted'],
    [['--upstream-ca', certificate('ca')], 'tls-off'],
  ] as const) {
    const finished = await runMain([...start, ...args], folder);
    t.equal(finished.code, 1, `${code}: ${finished.stderr}`);
    t.match(finished.stderr, `error[${code}]`);
  }
  const late = await runMain(
    [...start, '--tls-cert', certificate('expired'), '--tls-key', certificate('expired-key')],
    folder,
  );
  t.equal(late.code, 0, 'an expired certificate is served, with a warning');
  t.match(late.stderr, '"code":"certificate-validity"');
});
