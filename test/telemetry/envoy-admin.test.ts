/** Envoy's paths on the admin listener, as scripts and probes ask for them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { descriptorSetOf } from '../support/descriptor-set.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere, type ServedHere } from '../support/serve-here.js';
import { bootstrapOf } from '../envoy/bootstrap.js';

const schema = schemaFromText(`
  syntax = "proto3";
  package echo.v1;
  import "google/api/annotations.proto";
  service Echo { rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things/{name}" }; } }
  message Thing { string name = 1; }
`);

const health =
  '- { name: health, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck, pass_through_mode: false, headers: [{ name: ":path", string_match: { exact: /healthz } }] } }';

interface Served extends ServedHere {
  readonly url: string;
  readonly admin: string;
  readonly service: EchoService;
}

async function serve(t: Test): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-admin-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schema));
  const text = bootstrapOf({ filters: health, port: 0, servicePort: Number(service.target.split(':')[1]) });
  const admin = 'admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n';
  writeFileSync(join(folder, 'envoy.yaml'), text + admin);
  const here = await serveHere(['--envoy', 'envoy.yaml'], folder);
  t.teardown(() => here.stop());
  const line = here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!;
  return { ...here, service, url: here.urls[0]!, admin: String(line['url']) };
}

void t.test('what is told', async (t) => {
  const { url, admin, service } = await serve(t);
  await send(url, 'GET /v1/things/a');
  const get = async (path: string): Promise<string> => (await send(admin, `GET ${path}`)).text;
  t.equal(await get('/ready'), 'LIVE\n');
  t.match(await get('/stats/prometheus'), /^# HELP /);
  t.match(await get('/stats'), /^http_server_request_duration_seconds_count\{.*\}: 1$/m);
  t.match((await send(admin, 'GET /stats?format=json&filter=^process_')).json, {
    stats: [{ name: /^process_/, value: Number }],
  });
  t.notMatch(await get('/stats?filter=^process_'), /^(?!process_)./m);
  t.notMatch(await get('/stats?usedonly'), /: 0$/m);
  t.equal((await send(admin, 'GET /stats?filter=(')).status, 400);
  t.equal((await send(admin, 'GET /stats?format=html')).status, 400);
  const clusters = await get('/clusters');
  t.match(clusters, `grpc::${service.target}::cx_active::1\n`);
  t.match(clusters, `grpc::${service.target}::health_flags::healthy\n`);
  const [host, port] = service.target.split(':');
  t.match((await send(admin, 'GET /clusters?format=json')).json, {
    cluster_statuses: [
      { name: 'grpc', host_statuses: [{ address: { socket_address: { address: host, port_value: Number(port) } } }] },
    ],
  });
  t.equal(await get('/listeners'), `listener_0::${new URL(url).host}\n`);
  t.match((await send(admin, 'GET /listeners?format=json')).json, { listener_statuses: [{ name: 'listener_0' }] });
  t.match((await send(admin, 'GET /config_dump')).json, { configs: [{ clusters: { grpc: {} } }] });
  t.match((await send(admin, 'GET /server_info')).json, {
    version: /^photongate\//,
    state: 'LIVE',
    uptime_current_epoch: /^\d+s$/,
  });
  t.match(await get('/help'), /GET \/metrics[^]*POST \/quitquitquit/);
  t.equal((await send(admin, 'GET /quitquitquit')).status, 405, 'what changes something is no GET');
});

void t.test('the log level', async (t) => {
  const { admin } = await serve(t);
  t.equal((await send(admin, 'POST /logging')).text, 'active loggers:\n  photongate: info\n');
  t.equal((await send(admin, 'POST /logging?level=warning')).text, 'active loggers:\n  photongate: warn\n');
  t.equal((await send(admin, 'POST /logging?level=constructor')).status, 400);
  t.equal((await send(admin, 'POST /logging?http=debug')).status, 400);
});

void t.test('health checks fail when an operator says so', async (t) => {
  const { url, admin } = await serve(t);
  const states = async (): Promise<unknown[]> => [
    (await send(url, 'GET /healthz')).status,
    (await send(admin, 'GET /ready')).text,
    (await send(admin, 'GET /readyz')).status,
    (await send(url, 'GET /v1/things/a')).status,
  ];
  t.same(await states(), [200, 'LIVE\n', 200, 200]);
  t.equal((await send(admin, 'POST /healthcheck/fail')).text, 'OK\n');
  t.same(await states(), [503, 'DRAINING\n', 503, 200]);
  t.equal((await send(admin, 'POST /healthcheck/ok')).text, 'OK\n');
  t.same(await states(), [200, 'LIVE\n', 200, 200]);
});

void t.test('listeners are drained, and the process stays', async (t) => {
  const { url, admin, stop } = await serve(t);
  t.equal((await send(admin, 'POST /drain_listeners?inboundonly')).status, 400);
  t.equal((await send(admin, 'POST /drain_listeners?graceful')).text, 'OK\n');
  await t.rejects(send(url, 'GET /v1/things/a'), { code: 'ECONNREFUSED' });
  t.equal((await send(admin, 'GET /ready')).text, 'DRAINING\n');
  t.equal(await stop(), 0);
});

void t.test('the process is ended', async (t) => {
  const { admin, finished } = await serve(t);
  t.equal((await send(admin, 'POST /quitquitquit')).text, 'OK\n');
  t.equal(await finished, 0);
});
