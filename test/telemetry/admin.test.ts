/** The admin listener over real sockets: metrics that a strict parser reads, and that add up whatever clients do. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type AdminPages, type AdminSource, adminPages, startAdmin } from '../../lib/admin/index.js';
import { loadConfig } from '../../lib/index.js';
import type { RunningProxy } from '../../lib/live/index.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { runMain } from '../support/cli.js';
import { send } from '../support/proxy.js';
import { type Family, parseMetrics } from '../support/prometheus.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere, type ServedHere } from '../support/serve-here.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello {
  rpc Say(Msg) returns (Msg) { option (google.api.http) = { get: "/v1/hello/{name}" additional_bindings { post: "/v1/hello" body: "*" } }; }
  rpc Watch(Msg) returns (stream Msg) { option (google.api.http) = { get: "/v1/watch/{name}" }; }
  rpc Any(Msg) returns (Msg) { option (google.api.http) = { custom: { kind: "*" path: "/v1/any" } }; }
}
message Msg { string name = 1; }
`;
const schema = schemaFromText(proto);

interface Served extends ServedHere {
  readonly service: EchoService;
  readonly url: string;
  readonly admin: string;
  /** The value of a sample by its name and some of its labels, summed; 0 if there is none. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => Promise<number>;
  readonly scrape: () => Promise<ReadonlyMap<string, Family>>;
  readonly folder: string;
}

async function serve(t: Test, args: readonly string[] = [], yaml = ''): Promise<Served> {
  const folder = t.testdir({ 'a.proto': proto, 'p.yaml': yaml });
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const config = yaml === '' ? [] : ['--config', 'p.yaml'];
  const all = ['--proto', 'a.proto', '--upstream', service.target, '--listen', '0', '--admin', '0', ...config, ...args];
  const here = await serveHere(all, folder);
  t.teardown(() => here.stop());
  const admin = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!['url']);
  const scrape = async (): Promise<ReadonlyMap<string, Family>> =>
    parseMetrics((await send(admin, 'GET /metrics')).text);
  return {
    ...here,
    folder,
    service,
    url: here.urls[0]!,
    admin,
    scrape,
    value: async (name, labels = {}) => {
      const samples = [...(await scrape()).values()].flatMap((family) => family.samples);
      return samples
        .filter(
          (sample) =>
            sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
        )
        .reduce((sum, sample) => sum + sample.value, 0);
    },
  };
}

void t.test('requests and calls, by the names of OpenTelemetry', async (t) => {
  const { url, service, value, scrape } = await serve(t);
  await send(url, 'GET /v1/hello/Ada');
  await send(url, 'POST /v1/hello', { body: '{"name":"Grace"}' });
  service.answer = () => ({ code: 5 });
  await send(url, 'GET /v1/hello/Nobody');
  service.answer = () => ({ code: 5002 });
  await send(url, 'GET /v1/hello/Odd');
  await send(url, 'GET /nowhere/1');
  await send(url, 'GET /nowhere/2');
  const count = 'http_server_request_duration_seconds_count';
  const hello = { http_request_method: 'GET', http_route: '/v1/hello/{name}' };
  t.equal(await value(count, { ...hello, http_response_status_code: '200' }), 1);
  t.equal(await value(count, { ...hello, http_response_status_code: '404' }), 1);
  t.equal(await value(count, { http_route: '', http_response_status_code: '404' }), 2, 'unmatched routes are one');
  t.equal(await value('http_server_request_body_size_bytes_sum', { http_request_method: 'POST' }), 16);
  t.ok((await value('http_server_response_body_size_bytes_sum', hello)) > 0);
  const call = { rpc_service: 'a.v1.Hello', rpc_method: 'Say', upstream: service.target };
  t.equal(await value('rpc_client_duration_milliseconds_count', { ...call, rpc_grpc_status_code: '0' }), 2);
  t.equal(await value('rpc_client_duration_milliseconds_count', { ...call, rpc_grpc_status_code: '5' }), 1);
  t.equal(await value('rpc_client_duration_milliseconds_count', { ...call, rpc_grpc_status_code: '_OTHER' }), 1);
  t.equal(await value('photongate_upstream_connections', { upstream: service.target }), 1);
  t.ok((await value('photongate_open_connections')) >= 0);
  t.equal(await value('http_server_active_requests'), 0);
  t.equal(await value('photongate_build_info'), 1);
  const families = await scrape();
  for (const name of [
    'nodejs_eventloop_lag_p99_seconds',
    'process_resident_memory_bytes',
    'nodejs_gc_duration_seconds',
  ]) {
    t.ok(families.has(name), name);
  }
  t.strictSame(
    families
      .get('http_server_request_duration_seconds')!
      .samples.flatMap(({ labels, name }) =>
        name.endsWith('_bucket') && labels['http_request_method'] === 'POST' ? [labels['le']] : [],
      ),
    ['0.005', '0.01', '0.025', '0.05', '0.075', '0.1', '0.25', '0.5', '0.75', '1', '2.5', '5', '7.5', '10', '+Inf'],
  );
});

void t.test('exemplars in OpenMetrics', async (t) => {
  const { url, admin } = await serve(t);
  const trace = 'abcdef0123456789abcdef0123456789';
  await send(url, 'GET /v1/hello/Ada', { headers: { traceparent: `00-${trace}-${'1'.repeat(16)}-01` } });
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
  const { text, headers } = await send(admin, 'GET /metrics', { headers: { accept } });
  t.match(headers['content-type'], /^application\/openmetrics-text/);
  t.match(text, new RegExp(`_bucket\\{[^}]*http_route="/v1/hello/\\{name\\}"[^\\n]* # \\{trace_id="${trace}"\\}`));
  t.match(text, /\n# EOF\n$/);
  const plain = await send(admin, 'GET /metrics');
  t.match(plain.headers['content-type'], /^text\/plain/);
  t.notMatch(plain.text, 'trace_id');
});

void t.test('it adds up after streams that are cancelled and clients that leave', async (t) => {
  const { url, service, value } = await serve(t);
  const port = Number(new URL(url).port);
  service.answer = () => ({
    drive: (call) => {
      call.write(Buffer.from('0a0161', 'hex'));
      call.write(Buffer.from('0a0162', 'hex'));
    },
  });
  const sockets = Array.from({ length: 5 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /v1/watch/x HTTP/1.1\r\nhost: localhost\r\n\r\n');
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  await until(
    async () => (await value('photongate_stream_messages_total', { direction: 'received' })) === 10,
    'messages of open streams',
  );
  t.equal(await value('http_server_active_requests', { http_request_method: 'GET' }), 5);
  t.equal(await value('photongate_active_streams', { rpc_method: 'Watch' }), 5);
  t.equal(await value('photongate_upstream_active_calls'), 5);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await value('http_server_active_requests')) === 0, 'nothing under way');
  await until(async () => (await value('rpc_client_duration_milliseconds_count', { rpc_grpc_status_code: '1' })) === 5);
  t.equal(await value('photongate_active_streams'), 0);
  t.equal(await value('photongate_upstream_active_calls'), 0);
  t.equal(await value('photongate_stream_messages_total', { direction: 'received' }), 10, 'each once');
  t.equal(await value('photongate_stream_messages_total', { direction: 'sent' }), 5);
  t.equal(await value('http_server_request_duration_seconds_count', { http_route: '/v1/watch/{name}' }), 5);
});

void t.test('label sets are bounded', async (t) => {
  const { url, scrape } = await serve(t, ['--metrics-max-series', '10']);
  for (let index = 0; index < 30; index++) await send(url, `M-SEARCH /v1/any`, {}).catch(() => undefined);
  for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
    for (const path of ['/v1/any', '/nowhere', '/v1/hello/x', '/v1/watch/x']) await send(url, `${method} ${path}`);
  }
  const { samples } = (await scrape()).get('http_server_request_duration_seconds')!;
  const counts = samples.filter(({ name }) => name.endsWith('_count'));
  t.equal(
    counts.reduce((sum, { value }) => sum + value, 0),
    58,
    'nothing is lost',
  );
  t.ok(
    counts.some(({ labels }) => labels['http_route'] === '_OTHER'),
    'the rest is one route',
  );
  const own = counts.filter(({ labels }) => labels['http_route'] !== '_OTHER');
  t.ok(own.length <= 10, `${own.length} label sets`);
  t.ok(
    counts.some(({ labels }) => labels['http_request_method'] === '_OTHER'),
    'methods of clients are one',
  );
});

void t.test('a scrape as OpenMetrics changes no later one', async (t) => {
  const { admin } = await serve(t);
  const plain = async (): Promise<string[]> =>
    (await send(admin, 'GET /metrics')).text.split('\n').filter((line) => line.startsWith('# TYPE photongate'));
  const before = await plain();
  t.match(
    (await send(admin, 'GET /metrics', { headers: { accept: 'application/openmetrics-text' } })).text,
    /# EOF\n$/,
  );
  t.strictSame(await plain(), before);
  t.match(before.join('\n'), '# TYPE photongate_config_reloads_total counter');
});

void t.test('the page of the configuration shows no value of a header that a route sets', (t) => {
  const workingDirectory = t.testdir({
    'a.proto': proto,
    'p.yaml': `
proto: a.proto
clusters: { a: { endpoints: '127.0.0.1:1' } }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - domains: ['*']
        routes:
          - match: { prefix: / }
            request_headers: [{ name: x-host, value: s3cret }]
            route: { weighted_clusters: [{ name: a, weight: 1, request_headers: [{ name: x-a, value: s3cret }] }] }
            response_headers: [{ name: x-b, value: s3cret }]
header_rules:
  - { selector: '*', request: { set: { authorization: s3cret }, deny: [x-c] }, response: { append: { x-d: s3cret } } }
`,
  });
  const proxy = { config: loadConfig({ file: 'p.yaml', workingDirectory }) } as RunningProxy;
  const page = adminPages({ proxy } as AdminSource).get('GET /config')!;
  const { body } = page({ accept: undefined, body: '' }) as { body: string };
  t.notMatch(body, 's3cret');
  t.match(body, 'x-host');
  t.equal(body.split('[redacted]').length - 1, 5);
  t.end();
});

void t.test('what a reload cannot take is a warning', async (t) => {
  const { folder, lines, hangUp } = await serve(t, [], 'tracing: off\n');
  writeFileSync(join(folder, 'p.yaml'), 'tracing: auto\nmetrics_max_series: 7\nworkers: 2\n');
  hangUp();
  await until(() => lines().some(({ msg }) => msg === 'reloaded'));
  const { problems } = lines().find(({ msg }) => msg === 'reloaded') as { problems: { message: string }[] };
  t.match(problems, [
    { code: 'needs-restart', message: /^metrics_max_series, tracing changed/ },
    { code: 'needs-restart', message: /^workers changed to 2/ },
  ]);
});

void t.test('pages', async (t) => {
  const jwks = 'https://idp.example/keys?api_key=s3cret';
  const jwt = `policies: { jwt: { jwks: "${jwks}", audiences: [a], except: ["a.v1.*"] } }\n`;
  const { url, admin, service, lines, stop, finished } = await serve(t, [], jwt);
  t.match(await send(admin, 'GET /'), { status: 200, text: /GET \/metrics +for Prometheus\n/ });
  t.match(await send(admin, 'GET /livez'), { status: 200, text: 'ok\n' });
  t.match(await send(admin, 'GET /readyz'), { status: 200, text: 'ok\n' });
  const routes = (await send(admin, 'GET /routes')).json as { path: string }[];
  t.ok(routes.some(({ path }) => path === '/v1/hello/{name}'));
  const config = (await send(admin, 'GET /config')).text;
  t.match(config, 'https://idp.example/keys?[redacted]');
  t.notMatch(config, 's3cret');
  t.match(config, 'admin: 127.0.0.1:0');
  await send(url, 'GET /v1/hello/Ada');
  t.match((await send(admin, 'GET /upstreams')).json, [
    { target: service.target, state: 'READY', connections: 1, calls: 0, waiting: 0, retries: 0 },
  ]);
  t.match(await send(admin, 'GET /nowhere'), { status: 404, text: /^there is no \/nowhere; GET \/ lists/ });
  t.match(await send(admin, 'POST /livez'), { status: 405, text: /allowed are GET/ });

  t.match(await send(admin, 'PUT /log-level', { body: 'off' }), { status: 200, text: 'off\n' });
  const before = lines().length;
  service.answer = () => ({ code: 13 });
  await send(url, 'GET /v1/hello/Ada');
  t.equal(lines().length, before, 'nothing is logged');
  t.match(await send(admin, 'PUT /log-level', { body: 'loud' }), {
    status: 400,
    text: /found "loud", expected one of off/,
  });
  t.match(await send(admin, 'PUT /log-level', { body: 'x'.repeat(5000) }), { status: 413 });
  const foreign = { origin: 'https://evil.example' };
  t.match(await send(admin, 'PUT /log-level', { body: 'info', headers: foreign }), { status: 403 });
  t.match(await send(admin, 'GET /metrics', { headers: { host: 'evil.example' } }), { status: 403 }, 'DNS rebinding');
  t.match(await send(admin, 'PUT /log-level', { body: 'info' }), { status: 200 });

  service.answer = () => ({ delayMs: 500 });
  const slow = send(url, 'GET /v1/hello/slow');
  await until(() => service.calls.length === 3);
  void stop();
  await until(async () => (await send(admin, 'GET /readyz')).status === 503, 'not ready');
  t.match(await send(admin, 'GET /livez'), { status: 200 });
  t.equal((await slow).status, 200);
  t.equal(await finished, 0);
  await t.rejects(send(admin, 'GET /livez'), 'closed');
});

for (const client of ['native', 'grpc-js']) {
  void t.test(`upstreams that are there and that are not, ${client}`, async (t) => {
    const { url, admin, service, value } = await serve(t, ['--upstream-client', client]);
    const { target } = service;
    const states = async (): Promise<unknown> =>
      ((await send(admin, 'GET /upstreams')).json as { target: string; state: string; calls: number }[]).map(
        (status) => [status.target, status.state, status.calls],
      );
    t.strictSame(await states(), [[target, 'IDLE', 0]]);
    service.answer = () => ({ delayMs: 300 });
    const slow = send(url, 'GET /v1/hello/a');
    await until(() => service.calls.length === 1, 'a call');
    t.strictSame(await states(), [[target, 'READY', 1]]);
    t.equal(await value('photongate_upstream_active_calls', { upstream: target }), 1);
    t.equal(await value('photongate_upstream_failing', { upstream: target }), 0);
    await slow;
    t.strictSame(await states(), [[target, 'READY', 0]]);
    service.close();
    await until(async () => (await send(url, 'GET /v1/hello/a')).status === 503, 'a failure');
    t.strictSame(await states(), [[target, 'TRANSIENT_FAILURE', 0]]);
    t.equal(await value('photongate_upstream_failing', { upstream: target }), 1);
  });
}

void t.test('reloads are counted', async (t) => {
  const folder = t.testdir({ 'a.proto': proto });
  const here = await serveHere(
    ['--proto', 'a.proto', '--upstream', '127.0.0.1:1', '--listen', '0', '--admin', '0'],
    folder,
  );
  t.teardown(() => here.stop());
  const admin = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!['url']);
  here.hangUp();
  await until(() => here.lines().some(({ msg }) => msg === 'reloaded'));
  writeFileSync(join(folder, 'a.proto'), 'syntax = ');
  here.hangUp();
  await until(() => here.lines().some(({ msg }) => /^not reloaded/.test(String(msg))));
  const { samples } = parseMetrics((await send(admin, 'GET /metrics')).text).get('photongate_config_reloads_total')!;
  t.strictSame(
    samples.map(({ labels, value }) => [labels['outcome'], value]),
    [
      ['loaded', 1],
      ['kept', 1],
    ],
  );
});

/** A page of as many bytes as no socket buffers. */
const largePage: AdminPages = new Map([['GET /large', () => ({ body: 'x'.repeat(64 * 1024 * 1024) })]]);

void t.test('a client that does not read its answer is cut off', async (t) => {
  const admin = await startAdmin('127.0.0.1:0', largePage, { answerTimeoutMs: 200, maxAnswers: 10 });
  t.teardown(() => admin.close());
  const socket = connect(Number(new URL(admin.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await once(socket, 'connect');
  socket.pause();
  // Only a write shows that the other side is gone.
  await until(() => {
    if (!socket.destroyed) socket.write('x');
    return socket.destroyed;
  }, 'the end of the connection');
});

void t.test('a head or a body that comes slowly is 408', async (t) => {
  const { admin } = await serve(t);
  const port = Number(new URL(admin).port);
  for (const bytes of [
    'GET /livez HTTP/1.1\r\nhost:',
    'PUT /log-level HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nde',
  ]) {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString())).write(bytes);
    await once(socket, 'close');
    t.match(text, 'HTTP/1.1 408 ');
  }
});

void t.test('one connection cannot ask for more answers than it reads', async (t) => {
  const admin = await startAdmin('127.0.0.1:0', largePage, { answerTimeoutMs: 60_000, maxAnswers: 3 });
  t.teardown(() => admin.close());
  const socket = connect(Number(new URL(admin.url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(5));
  await once(socket, 'connect');
  socket.pause();
  await until(async () => (await send(admin.url, 'GET /large')).status === 503, 'a refusal');
  socket.destroy();
  await until(async () => (await send(admin.url, 'GET /large')).status === 200, 'room for others');
});

void t.test('sockets that are handed over are not for it', async (t) => {
  const folder = t.testdir({ 'a.proto': proto });
  for (const address of ['fd:3', 'systemd:9090']) {
    const { code, stderr } = await runMain(['--proto', 'a.proto', '--upstream', 'a:1', '--admin', address], folder);
    t.equal(code, 2);
    t.match(stderr, `--admin: found "${address}", expected a port or host:port, such as 9090`);
  }
});

void t.test('calls that were sent again', async (t) => {
  const { url, service, value } = await serve(t, [], 'retries: { attempts: 2, initial_backoff: 1ms }');
  const name = 'photongate_call_retries_total';
  const labels = { rpc_service: 'a.v1.Hello', rpc_method: 'Say' };
  service.answer = () => (service.calls.length === 1 ? { code: 14 } : {});
  await send(url, 'GET /v1/hello/Ada');
  t.equal(await value(name, { ...labels, outcome: 'success' }), 1);
  service.answer = () => ({ code: 14 });
  await send(url, 'GET /v1/hello/Ada');
  t.equal(await value(name, { ...labels, outcome: 'failure' }), 1);
  t.equal(await value('rpc_client_duration_milliseconds_count', labels), 2, 'attempts are no calls of their own');
});
