/** Requests that never become one: the access log and the metrics have them, by raw sockets over HTTP/1, HTTP/2 and TLS. */
import { once } from 'node:events';
import { connect as http2Connect } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import t, { type Test } from 'tap';
import { certificate } from '../support/certificates.js';
import { parseMetrics } from '../support/prometheus.js';
import { send } from '../support/proxy.js';
import { serveHere, type ServedHere } from '../support/serve-here.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello { rpc Say(Msg) returns (Msg) { option (google.api.http) = { get: "/v1/hello/{name}" }; } }
message Msg { string name = 1; }
`;

interface Served extends ServedHere {
  readonly port: number;
  /** Lines of the access log. */
  readonly requests: () => Record<string, unknown>[];
  /** Counts by reason, those of all requests besides. */
  readonly counts: () => Promise<Record<string, number>>;
}

async function serve(t: Test, args: readonly string[] = []): Promise<Served> {
  const folder = t.testdir({ 'a.proto': proto });
  const common = ['--proto', 'a.proto', '--upstream', '127.0.0.1:1', '--listen', '0', '--admin', '0'];
  const here = await serveHere([...common, '--access-log', 'json', ...args], folder);
  t.teardown(() => here.stop());
  const admin = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!['url']);
  return {
    ...here,
    port: Number(new URL(here.urls[0]!).port),
    requests: () => here.lines().filter(({ msg }) => msg === 'request'),
    async counts() {
      const families = parseMetrics((await send(admin, 'GET /metrics')).text);
      const { samples } = families.get('photongate_refused_requests_total')!;
      const all = families.get('http_server_request_duration_seconds')!.samples;
      const served = all.filter(({ name }) => name.endsWith('_count')).reduce((sum, { value }) => sum + value, 0);
      return { ...Object.fromEntries(samples.map(({ labels, value }) => [labels['reason']!, value])), served };
    },
  };
}

/** Sends bytes, and reads until the server closes. */
async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

const host = 'host: localhost\r\n';

interface Row {
  readonly name: string;
  readonly bytes: string;
  readonly reason: string;
  readonly line: Readonly<Record<string, unknown>>;
}

const rows: readonly Row[] = [
  {
    name: 'no HTTP at all',
    bytes: 'HELO example\r\n\r\n',
    reason: 'malformed',
    line: { status: 400, method: '-', path: '-', error: /./ },
  },
  {
    name: 'a space in the URL',
    bytes: `GET /a b HTTP/1.1\r\n${host}\r\n`,
    reason: 'malformed',
    line: { status: 400, method: '-', path: '-', error: /write it as %20/ },
  },
  {
    name: 'no Host',
    bytes: 'GET /v1/hello/a?token=s3cret&x=1 HTTP/1.1\r\n\r\n',
    reason: 'malformed',
    line: { status: 400, method: 'GET', path: '/v1/hello/a', query: 'token=[redacted]&x=1', error: /no Host header/ },
  },
  {
    name: 'headers that are too long for us',
    bytes: `GET /v1/hello/a HTTP/1.1\r\n${host}x: ${'x'.repeat(20_000)}\r\nuser-agent: me\r\n\r\n`,
    reason: 'headers_too_large',
    line: { status: 431, method: 'GET', path: '/v1/hello/a', user_agent: 'me' },
  },
  {
    name: 'headers that are too long for the parser',
    bytes: `GET /v1/hello/a HTTP/1.1\r\n${host}x: ${'x'.repeat(200_000)}\r\n\r\n`,
    reason: 'headers_too_large',
    line: { status: 431, method: '-', path: '-' },
  },
  {
    name: 'a URL that is too long',
    bytes: `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
    reason: 'url_too_long',
    line: { status: 414, method: 'GET', path: /^\/x{999}…$/ },
  },
  {
    name: 'a head that never ends',
    bytes: 'GET /v1/hello/a HTTP/1.1\r\nhost: loc',
    reason: 'timeout',
    line: { status: 408, method: '-', path: '-' },
  },
  {
    name: 'CONNECT',
    bytes: 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n',
    reason: 'not_implemented',
    line: { status: 501, method: 'CONNECT', path: 'example.com:443' },
  },
  {
    name: 'an expectation',
    bytes: `GET /v1/hello/a HTTP/1.1\r\n${host}expect: more\r\n\r\n`,
    reason: 'expectation',
    line: { status: 417, method: 'GET', path: '/v1/hello/a' },
  },
];

void t.test('HTTP/1', async (t) => {
  const { port, requests, counts } = await serve(t, ['--header-timeout', '300ms']);
  const expected: Record<string, number> = {};
  for (const [index, { name, bytes, reason, line }] of rows.entries()) {
    const answer = await exchange(port, bytes);
    t.match(answer, `HTTP/1.1 ${String(line['status'])} `, name);
    await until(() => requests().length === index + 1, `a line for ${name}`);
    const found = requests()[index]!;
    t.match(found, { client: '127.0.0.1', level: found['status'] === 501 ? 'error' : 'info', ...line }, name);
    t.match(answer, String(found['request_id']), 'the id of the answer');
    expected[reason] = (expected[reason] ?? 0) + 1;
  }
  t.strictSame(await counts(), { ...expected, served: 0 });
});

void t.test('a body that breaks is one of a request, and counts once', async (t) => {
  const { port, requests, counts } = await serve(t);
  await exchange(port, `POST /v1/hello/a HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nxyz\r\n`);
  await until(() => requests().length === 1, 'a line');
  t.match(requests(), [{ method: 'POST', path: '/v1/hello/a' }]);
  t.strictSame(await counts(), { served: 1 });
});

void t.test('a connection that says nothing, or is reset, is no request', async (t) => {
  const { port, requests, counts } = await serve(t, ['--header-timeout', '100ms']);
  const silent = connect(port, '127.0.0.1');
  await once(silent.resume(), 'close');
  const kept = connect(port, '127.0.0.1').on('error', () => undefined);
  kept.write(`GET /v1/hello/a HTTP/1.1\r\n${host}\r\n`);
  await once(kept, 'data');
  kept.resetAndDestroy();
  await until(() => requests().length === 1, 'the one request');
  t.match(requests(), [{ status: 503 }]);
  t.strictSame(await counts(), { served: 1 });
});

void t.test('HTTP/2', async (t) => {
  const { port, requests, counts } = await serve(t);
  const session = http2Connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':method': 'GET', ':path': `/${'y'.repeat(20_000)}` });
  const [headers] = (await once(stream.resume(), 'response')) as [Record<string, unknown>];
  t.equal(headers[':status'], 414);
  await until(() => requests().length === 1, 'a line');
  t.match(requests()[0], { status: 414, method: 'GET', path: /^\/y{999}…$/, client: '127.0.0.1' });
  // A preface that is none, and an increment of the window by 0.
  await exchange(port, 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n');
  await until(() => requests().length === 2, 'a line');
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
  await exchange(port, Buffer.concat([preface, Buffer.from('\0\0\x04\x08\0\0\0\0\0\0\0\0\0', 'latin1')]));
  await until(() => requests().length === 3, 'a line');
  for (const line of requests().slice(1)) {
    t.match(line, { method: '-', path: '-', client: '127.0.0.1', error: /broke the protocol/ });
    t.notOk('status' in line);
    t.notOk('request_id' in line);
  }
  t.strictSame(await counts(), { url_too_long: 1, http2: 2, served: 0 });
});

void t.test('TLS', async (t) => {
  const tls = ['--tls-cert', certificate('server'), '--tls-key', certificate('server-key')];
  const clients = ['--tls-client-ca', certificate('ca')];
  const { port, requests, counts } = await serve(t, [...tls, ...clients]);
  t.match(await exchange(port, `GET / HTTP/1.1\r\n${host}\r\n`), 'HTTP/1.1 400 ');
  await until(() => requests().length === 1, 'a line');
  t.match(requests()[0], { status: 400, error: /accepts only TLS/ });
  await exchange(port, Buffer.from('160301000201000000', 'hex'));
  await until(() => requests().length === 2, 'a line');
  t.match(requests()[1], { method: '-', path: '-', client: '127.0.0.1', error: /^the TLS handshake failed: / });
  const old = tlsConnect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.1', minVersion: 'TLSv1' });
  await new Promise((resolve) => void old.on('error', resolve).on('close', resolve));
  await until(() => requests().length === 3, 'a line');
  t.notOk('status' in requests()[2]!);
  const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.write(`GET /v1/hello/a HTTP/1.1\r\n${host}\r\n`);
  await once(socket.resume(), 'close');
  await until(() => requests().length === 4, 'a line');
  t.match(requests()[3], { status: 403, method: 'GET', path: '/v1/hello/a' });
  t.strictSame(await counts(), { tls: 3, client_certificate: 1, served: 0 });
});
