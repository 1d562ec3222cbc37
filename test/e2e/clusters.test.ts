/** What a configuration says of the servers of clusters and upstreams: read, printed, served, told to operators, and reloaded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { settingsOf } from '../../lib/cli/flags.js';
import { printConfig } from '../../lib/config/index.js';
import { type Config, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { ConfigError } from '../../lib/status.js';
import { bootstrapOf, endpointsAt } from '../envoy/bootstrap.js';
import { descriptorSetOf } from '../support/descriptor-set.js';
import { HealthServer } from '../support/health-server.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere } from '../support/serve-here.js';
import { waitFor } from '../support/stream-client.js';
import { until } from '../support/until.js';

const proto = `
syntax = "proto3";
package echo.v1;
import "google/api/annotations.proto";
service Echo { rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things/{name}" }; } }
message Thing { string name = 1; }
`;

async function serversOf(t: Test, count: number): Promise<HealthServer[]> {
  const servers: HealthServer[] = [];
  for (let index = 0; index < count; index++) servers.push(await new HealthServer().start());
  t.teardown(() => servers.forEach((server) => server.stop()));
  return servers;
}

/** The configuration of a file with `more`. */
function configOf(t: Test, more: string): Config {
  const workingDirectory = t.testdir({ 'e.proto': proto, 'p.yaml': `proto: e.proto\n${more}` });
  return loadConfig({ file: 'p.yaml', workingDirectory });
}

/** The same, as it is printed. */
function printed(t: Test, config: Config): Config {
  const workingDirectory = t.testdir({ 'e.proto': proto, 'p.yaml': printConfig(config) });
  return loadConfig({ file: 'p.yaml', workingDirectory });
}

async function run(t: Test, config: Config): Promise<RunningProxy> {
  const proxy = await startProxy(config);
  t.teardown(() => proxy.drain());
  return proxy;
}

/** Which server each of the users got. */
async function serversOfUsers(url: string, servers: readonly HealthServer[]): Promise<number[]> {
  const found: number[] = [];
  for (let user = 0; user < 20; user++) {
    for (const server of servers) server.calls = 0;
    const headers = { 'x-user': `user ${user}` };
    if ((await send(url, 'GET /v1/things/a', { headers })).status !== 200) throw new Error('no answer');
    found.push(servers.findIndex(({ calls }) => calls > 0));
  }
  return found;
}

const upstreamOf = (servers: readonly HealthServer[], more: string): string => `
upstreams:
  default: { target: 'ipv4:${servers.map(({ address }) => address).join()}', ${more} }
listen: 127.0.0.1:0
`;

void t.test(
  'an upstream of several addresses: checks, and the same server for the same value of a header',
  async (t) => {
    const servers = await serversOf(t, 2);
    const config = configOf(
      t,
      upstreamOf(
        servers,
        'load_balancing_policy: ring_hash, hash_header: X-User, health_check: { kind: grpc, interval: 20ms }, outlier_detection: {}, slow_start: 1s, panic_threshold: 10%',
      ),
    );
    const again = printed(t, config);
    t.strictSame(again.listeners[0]!.root.upstreams, config.listeners[0]!.root.upstreams);
    const { urls } = await run(t, again);
    const first = await serversOfUsers(urls[0]!, servers);
    t.strictSame([...new Set(first)].sort(), [0, 1]);
    t.strictSame(await serversOfUsers(urls[0]!, servers), first);
  },
);

void t.test('circuit breakers: as a file has them, and as a bootstrap does', async (t) => {
  const [server] = (await serversOf(t, 1)) as [HealthServer];
  const limits = { maxCalls: 5, maxPendingCalls: 1024, maxRetries: 3 };
  const file = `
clusters:
  c: { endpoints: '${server.address}', circuit_breaker: { max_calls: 5, max_pending_calls: 1024, max_retries: 3 } }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - { domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c } }] }
`;
  t.strictSame(printed(t, configOf(t, file)).clusters?.[0]?.circuitBreaker, limits);
  const text = bootstrapOf({
    cluster:
      'circuit_breakers: { thresholds: [{ priority: HIGH, max_requests: 1 }, { max_requests: 5, max_connections: 100000 }] }',
  });
  const envoy = { sources: [{ name: 'envoy.yaml', text }], lenient: false };
  const ofEnvoy = { ...limits, header: 'x-envoy-overloaded' };
  t.strictSame(loadConfig({ envoy }).clusters?.[0]?.circuitBreaker, ofEnvoy, "Envoy's defaults for what is not given");
  t.throws(() => configOf(t, file.replace(/circuit_breaker: \{.*?\}/, 'circuit_breaker: {}')), /limits nothing/);
  const plain = `upstreams: { default: { target: '${server.address}', circuit_breaker: { max_calls: 1 } } }\nlisten: 127.0.0.1:0\n`;
  const { urls } = await run(t, configOf(t, plain));
  for (let count = 0; count < 3; count++) t.equal((await send(urls[0]!, 'GET /v1/things/a')).status, 200);
});

void t.test('a cluster of priorities; a route says by what it balances', async (t) => {
  const servers = await serversOf(t, 3);
  const [one, two, spare] = servers as [HealthServer, HealthServer, HealthServer];
  const file = `
clusters:
  c:
    endpoints: ['${one.address}', { target: '${two.address}', weight: 2 }, { target: '${spare.address}', priority: 1 }]
    load_balancing_policy: ring_hash
    health_check: { kind: grpc, interval: 20ms }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - { domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c, hash_header: x-user } }] }
`;
  const config = printed(t, configOf(t, file));
  const proxy = await run(t, config);
  const url = proxy.urls[0]!;
  const first = await serversOfUsers(url, servers);
  t.strictSame([...new Set(first)].sort(), [0, 1]);
  t.strictSame(await serversOfUsers(url, servers), first);
  for (const server of [one, two]) server.isWell = false;
  const isSpare = async (): Promise<boolean> => (await serversOfUsers(url, servers)).every((server) => server === 2);
  for (let tries = 0; !(await isSpare()); tries++)
    if (tries > 1000) throw new Error('the second priority has no calls');
  // The reload has no checks: the first priority counts as well again, and nobody watches it any more.
  await proxy.reload(configOf(t, file.replace(/ *health_check.*\n/, '')));
  await waitFor(
    () => servers.every(({ openWatches }) => openWatches === 0),
    () => 'the end of the checks',
  );
  t.strictSame(await serversOfUsers(url, servers), first);
});

const refused: readonly (readonly [name: string, file: string, message: RegExp])[] = [
  [
    'a kind is missing',
    'upstreams: { default: { target: "a:1", health_check: { interval: 1s } } }',
    /a health_check has a kind: grpc, http or tcp/,
  ],
  [
    'a name of a code',
    'upstreams: { default: { target: "a:1", outlier_detection: { codes: [BAD] } } }',
    /found "BAD", expected the name of a gRPC code/,
  ],
  [
    'an endpoint of a control plane',
    'clusters: { c: { endpoints: "xds:///greeter" } }',
    /an endpoint of a cluster is no xDS target, such as xds:\/\/\/greeter/,
  ],
  [
    'a ring without a header',
    'upstreams: { default: { target: "a:1", load_balancing_policy: ring_hash } }',
    /ring_hash and hash_header go together/,
  ],
  [
    'a header without a ring',
    'clusters: { c: { endpoints: "a:1", hash_header: x-user } }',
    /hash_header needs load_balancing_policy: ring_hash/,
  ],
  [
    'gRPC over HTTP/1',
    'clusters: { c: { endpoints: "a:1", protocol: http1, health_check: { kind: grpc } } }',
    /protocol: http1 has a health_check of the kind http or tcp/,
  ],
  [
    'times of ejection',
    'clusters: { c: { endpoints: "a:1", outlier_detection: { base_ejection_time: 2m, max_ejection_time: 1m } } }',
    /max_ejection_time is shorter than base_ejection_time/,
  ],
];
for (const [name, file, message] of refused) {
  void t.test(`refused: ${name}`, (t) => {
    t.throws(() => configOf(t, `${file}\nlisten: 127.0.0.1:0\n`), { message });
    t.end();
  });
}

void t.test('what grpc-js does not know is refused at the start', async (t) => {
  const cases: readonly (readonly [given: string, name: RegExp])[] = [
    ['upstreams: { default: { target: "a:1", health_check: { kind: grpc } } }', /grpc-js knows no health_check/],
    ['upstreams: a:1\nload_balancing_policy: least_request', /grpc-js knows no load_balancing_policy: least_request/],
  ];
  for (const [given, name] of cases) {
    const config = configOf(t, `${given}\nupstream_client: grpc-js\nlisten: 127.0.0.1:0\n`);
    const error = await startProxy(config).then(
      () => undefined,
      (problem: unknown) => problem,
    );
    if (!(error instanceof ConfigError)) throw new Error(`${given} starts`);
    t.match(error.problems, [{ code: 'grpc-js-balancing', message: name }]);
  }
});

void t.test('an xDS target needs grpc-js, and a package that users of it install', async (t) => {
  const cases: readonly (readonly [options: string, code: string, message: RegExp])[] = [
    ['', 'xds-client', /which upstream_client: native cannot ask/],
    ['upstream_client: grpc-js\n', 'xds-package', /needs the package @grpc\/grpc-js-xds, which is not installed/],
  ];
  for (const [options, code, message] of cases) {
    const config = configOf(t, `upstreams: xds:///greeter\n${options}listen: 127.0.0.1:0\n`);
    const error = await startProxy(config).then(
      () => undefined,
      (problem: unknown) => problem,
    );
    t.match(error, { problems: [{ code, message }] });
  }
});

void t.test('operators are told: /upstreams, /metrics, the log, and the /clusters of Envoy', async (t) => {
  const servers = await serversOf(t, 2);
  const [one, two] = servers as [HealthServer, HealthServer];
  one.isWell = false;
  const ports = servers.map(({ address }) => Number(address.split(':')[1]));
  const folder = t.testdir({});
  writeFileSync(join(folder, 'echo.pb'), descriptorSetOf(schemaFromText(proto)));
  const text = bootstrapOf({
    port: 0,
    endpoints: endpointsAt(ports),
    cluster:
      'health_checks: [{ timeout: 5s, interval: 0.02s, unhealthy_threshold: 2, healthy_threshold: 1, grpc_health_check: {} }]\n    outlier_detection: { enforcing_success_rate: 0 }',
  });
  const admin = 'admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n';
  writeFileSync(join(folder, 'envoy.yaml'), text + admin);
  const here = await serveHere(['--envoy', 'envoy.yaml'], folder);
  t.teardown(() => here.stop());
  const url = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))?.['url']);
  const get = async (path: string): Promise<string> => (await send(url, `GET ${path}`)).text;
  await waitFor(
    () => here.errors().includes('its health check fails: it answers NOT_SERVING'),
    () => here.errors(),
  );
  while (!(await get('/clusters')).includes(`grpc::${two.address}::health_flags::healthy\n`));
  t.match(await get('/clusters'), `grpc::${one.address}::health_flags::/failed_active_hc\n`);
  t.match((await send(url, 'GET /clusters?format=json')).json, {
    cluster_statuses: [
      {
        host_statuses: [
          { health_status: { failed_active_health_check: true } },
          { health_status: { eds_health_status: 'HEALTHY' } },
        ],
      },
    ],
  });
  const metrics = await get('/metrics');
  t.match(metrics, `photongate_upstream_healthy{cluster="grpc",upstream="${one.address}"} 0\n`);
  t.match(metrics, `photongate_upstream_healthy{cluster="grpc",upstream="${two.address}"} 1\n`);
  t.match(metrics, `photongate_upstream_ejected{cluster="grpc",upstream="${two.address}"} 0\n`);
  t.match((await send(url, 'GET /upstreams')).json, [
    { target: one.address, hosts: [{ cluster: 'grpc', health: 'unhealthy', problem: 'it answers NOT_SERVING' }] },
    { target: two.address, hosts: [{ cluster: 'grpc', health: 'healthy' }] },
  ]);
});

void t.test('zones: the own one first, and others if it is lost', async (t) => {
  const [far, near] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  const yaml = (zone: string): string => `
${zone}
clusters:
  c:
    endpoints: [{ target: ${far.address}, zone: b }, { target: ${near.address}, zone: a }]
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts: [{ domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c } }] }]
`;
  const callsOf = async (url: string): Promise<number[]> => {
    far.calls = near.calls = 0;
    for (let sent = 0; sent < 20; sent++) t.equal((await send(url, 'GET /v1/things/a')).status, 200);
    return [far.calls, near.calls];
  };
  const config = configOf(t, yaml('zone: a'));
  t.strictSame(printed(t, config).clusters, config.clusters, 'it is printed');
  const proxy = await run(t, config);
  t.strictSame(await callsOf(proxy.urls[0]!), [0, 20]);
  near.stop();
  await until(async () => (await send(proxy.urls[0]!, 'GET /v1/things/a')).status === 200);
  t.strictSame(await callsOf(proxy.urls[0]!), [20, 0]);
  await near.start();

  for (const zone of ['', 'zone: c']) {
    const even = await run(t, configOf(t, yaml(zone)));
    // Who is connected already may have more of the first calls.
    await callsOf(even.urls[0]!);
    t.strictSame(await callsOf(even.urls[0]!), [10, 10], zone === '' ? 'without a zone' : 'of another zone');
  }
});

void t.test('zones: by a flag', (t) => {
  const workingDirectory = t.testdir({
    'e.proto': proto,
    'p.yaml': `proto: e.proto\nzone: b\nclusters: { c: { endpoints: 'a:1' } }\nupstreams: { default: 'a:1' }`,
  });
  const { clusters } = loadConfig({ flags: settingsOf({ zone: 'a' }), file: 'p.yaml', workingDirectory });
  t.match(clusters, [{ name: 'c', zone: 'a' }]);
  t.end();
});
