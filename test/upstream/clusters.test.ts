/** Clusters before real servers: health checks of each kind, ejection, and what is left of them after their last user. */
import { once } from 'node:events';
import { createServer as createHttp1Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Connections, type Lease } from '../../lib/connections.js';
import type { Channel } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import type { ClusterSpec, HealthCheckOptions, OutlierOptions } from '../../lib/upstream/index.js';
import { HealthServer } from '../support/health-server.js';
import { waitFor } from '../support/stream-client.js';
import { callOnce } from './service.js';

async function serversOf(t: Test, count: number): Promise<HealthServer[]> {
  const servers: HealthServer[] = [];
  for (let index = 0; index < count; index++) servers.push(await new HealthServer().start());
  t.teardown(() => servers.forEach((server) => server.stop()));
  return servers;
}

const check: HealthCheckOptions = {
  kind: 'grpc',
  service: '',
  watch: true,
  path: '/healthz',
  host: '',
  expectedStatuses: [200],
  httpVersion: 'cluster',
  intervalMs: 20,
  unhealthyIntervalMs: 20,
  timeoutMs: 10_000,
  unhealthyThreshold: 2,
  healthyThreshold: 2,
};

const outliers: OutlierOptions = {
  consecutiveFailures: 3,
  codes: ['UNAVAILABLE', 'INTERNAL'],
  consecutiveGatewayFailures: 0,
  baseEjectionTimeMs: 60_000,
  maxEjectionTimeMs: 60_000,
  maxEjectionPercent: 50,
};

function specOf(servers: readonly { readonly address: string }[], more: Partial<ClusterSpec>): ClusterSpec {
  return {
    name: 'c',
    endpoints: servers.map(({ address }) => ({ value: address, weight: 1 })),
    protocol: 'http2',
    policy: 'round_robin',
    tls: undefined,
    options: { loadBalancingPolicy: 'round_robin', initialReconnectBackoffMs: 20, maxReconnectBackoffMs: 40 },
    ...more,
  };
}

interface Opened {
  readonly connections: Connections;
  readonly lease: Lease;
  readonly channel: Channel;
}

function open(t: Test, spec: ClusterSpec): Opened {
  const connections = new Connections();
  t.teardown(() => connections.close());
  const lease = connections.lease();
  const { channel } = lease.cluster(spec);
  lease.start();
  return { connections, lease, channel };
}

const call = (channel: Channel): ReturnType<typeof callOnce> =>
  callOnce(channel, { method: 'X', send: [Buffer.alloc(0)], timeoutMs: 60_000 });

function healthOf({ connections }: Opened, { address }: { readonly address: string }): string | undefined {
  return connections.upstreams.find(({ target }) => target === address)?.hosts?.[0]?.health;
}

async function untilHealth(opened: Opened, server: { readonly address: string }, health: string): Promise<void> {
  await waitFor(
    () => healthOf(opened, server) === health,
    () => `${server.address} to be ${health}: ${JSON.stringify(opened.connections.upstreams)}`,
  );
}

const kinds: readonly {
  readonly name: string;
  readonly check: HealthCheckOptions;
  readonly has?: HealthServer['has'];
}[] = [
  { name: 'gRPC, Watch', check: { ...check, intervalMs: 100_000 } },
  { name: 'gRPC, Check alone', check, has: ['Check'] },
  { name: 'gRPC, Check where Watch is not wanted', check: { ...check, watch: false } },
  { name: 'HTTP/2', check: { ...check, kind: 'http' } },
];
for (const { name, check: healthCheck, has } of kinds) {
  void t.test(`${name}: a server that is not well gets no calls until it is`, async (t) => {
    const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
    if (has !== undefined) for (const server of [one, two]) server.has = has;
    const opened = open(t, specOf([one, two], { healthCheck }));
    for (const server of [one, two]) await untilHealth(opened, server, 'healthy');
    if (healthCheck.watch && has === undefined && healthCheck.kind === 'grpc') {
      await waitFor(
        () => one.openWatches + two.openWatches === 2,
        () => 'Watch',
      );
    }
    one.isWell = false;
    await untilHealth(opened, one, 'unhealthy');
    one.calls = two.calls = 0;
    for (let count = 0; count < 6; count++) t.equal((await call(opened.channel)).code, 0);
    t.strictSame([one.calls, two.calls], [0, 6]);
    one.isWell = true;
    await untilHealth(opened, one, 'healthy');
    for (let count = 0; count < 6; count++) t.equal((await call(opened.channel)).code, 0);
    t.strictSame([one.calls, two.calls], [3, 9]);
  });
}

void t.test('a server that was never well, and one that cannot be reached', async (t) => {
  const [one, two, gone] = (await serversOf(t, 3)) as [HealthServer, HealthServer, HealthServer];
  gone.stop();
  two.isWell = false;
  const opened = open(t, specOf([one, two, gone], { healthCheck: { ...check, unhealthyThreshold: 1000 } }));
  await untilHealth(opened, one, 'healthy');
  for (const server of [two, gone]) await untilHealth(opened, server, 'unhealthy');
  for (let count = 0; count < 6; count++) t.equal((await call(opened.channel)).code, 0);
  t.strictSame([one.calls, two.calls], [6, 0]);
  await gone.start();
  await untilHealth(opened, gone, 'healthy');
});

void t.test('a server that is not well is asked more often', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  one.stop();
  const healthCheck = { ...check, intervalMs: 60 * 60_000 };
  const opened = open(t, specOf([one, two], { healthCheck }));
  await untilHealth(opened, one, 'unhealthy');
  await one.start();
  await untilHealth(opened, one, 'healthy');
  await untilHealth(opened, two, 'healthy');
  t.equal(two.checks, 1, 'one that is well is asked at its interval');
});

void t.test('checks without an answer decide by the threshold', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  const healthCheck = { ...check, watch: false, timeoutMs: 20, unhealthyThreshold: 4 };
  const opened = open(t, specOf([one, two], { healthCheck }));
  for (const server of [one, two]) await untilHealth(opened, server, 'healthy');
  one.isSilent = true;
  one.checks = 0;
  await untilHealth(opened, one, 'unhealthy');
  t.ok(one.checks >= 4, `${one.checks} checks`);
  t.match(opened.connections.upstreams.find(({ target }) => target === one.address)?.hosts, [
    { cluster: 'c', health: 'unhealthy', problem: /^no answer within 0\.02s$/ },
  ]);
});

void t.test('a server without a health service that answers is well', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  one.has = [];
  const opened = open(t, specOf([one, two], { healthCheck: check }));
  for (const server of [one, two]) await untilHealth(opened, server, 'healthy');
});

void t.test('none is well: calls fail at once, and say why; or all get calls', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  for (const server of [one, two]) server.isWell = false;
  const opened = open(t, specOf([one, two], { healthCheck: check }));
  const panicking = open(t, specOf([one, two], { healthCheck: check, panicThreshold: 0.5 }));
  for (const each of [opened, panicking]) for (const server of [one, two]) await untilHealth(each, server, 'unhealthy');
  const { code, message, diagnosis } = await call(opened.channel);
  t.equal(code, Code.UNAVAILABLE);
  t.equal(message, 'no server of the service is healthy');
  t.match(diagnosis, `no server of c is healthy (${one.address}: it answers NOT_SERVING; ${two.address}: `);
  t.strictSame([one.calls, two.calls], [0, 0]);
  for (let count = 0; count < 4; count++) t.equal((await call(panicking.channel)).code, 0);
  t.strictSame([one.calls, two.calls], [2, 2]);
});

void t.test('a server comes to its calls by TCP, and by HTTP/1', async (t) => {
  const [one] = (await serversOf(t, 1)) as [HealthServer];
  let status = 200;
  const page = createHttp1Server((_request, response) => response.writeHead(status).end()).listen(0, '127.0.0.1');
  await once(page, 'listening');
  t.teardown(() => page.close());
  const tcp = open(t, specOf([one], { healthCheck: { ...check, kind: 'tcp' } }));
  await untilHealth(tcp, one, 'healthy');
  one.stop();
  await untilHealth(tcp, one, 'unhealthy');
  const address = `127.0.0.1:${(page.address() as AddressInfo).port}`;
  const http = open(t, specOf([{ address }], { healthCheck: { ...check, kind: 'http' }, protocol: 'http1' }));
  await untilHealth(http, { address }, 'healthy');
  status = 500;
  await untilHealth(http, { address }, 'unhealthy');
});

void t.test('a server whose calls fail is left out, but no more than half of them', async (t) => {
  const three = await serversOf(t, 3);
  const [one, two] = three as [HealthServer, HealthServer, HealthServer];
  const opened = open(t, specOf(three, { outlierDetection: outliers }));
  const isEjected = (): unknown[] =>
    three.map(
      ({ address }) => opened.connections.upstreams.find(({ target }) => target === address)?.hosts?.[0]?.ejected,
    );
  for (const server of three) {
    await waitFor(
      () => (void call(opened.channel), server.calls > 0),
      () => 'each to be called',
    );
  }
  one.code = Code.NOT_FOUND;
  for (let count = 0; count < 20; count++) await call(opened.channel);
  t.strictSame(isEjected(), [false, false, false], 'the service is well if it finds nothing');
  one.code = Code.INTERNAL;
  for (let count = 0; count < 12; count++) await call(opened.channel);
  t.strictSame(isEjected(), [true, false, false]);
  const { calls } = one;
  two.code = Code.UNAVAILABLE;
  for (let count = 0; count < 20; count++) await call(opened.channel);
  t.strictSame(isEjected(), [true, false, false], 'two of three were too many');
  t.equal(one.calls, calls);
});

void t.test('it gets calls again after its time', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  const outlierDetection = { ...outliers, baseEjectionTimeMs: 20, maxEjectionTimeMs: 20 };
  const { channel } = open(t, specOf([one, two], { outlierDetection }));
  one.code = Code.UNAVAILABLE;
  await waitFor(
    () => (void call(channel), one.calls >= 3),
    () => 'calls',
  );
  one.code = 0;
  const { calls } = one;
  await waitFor(
    () => (void call(channel), one.calls > calls + 3),
    () => 'calls after the ejection',
  );
});

void t.test('a name is resolved: each address is a server', async (t) => {
  const [one] = (await serversOf(t, 1)) as [HealthServer];
  const target = one.address.replace('127.0.0.1', 'localhost');
  const opened = open(t, specOf([{ address: target }], { healthCheck: check }));
  await untilHealth(opened, one, 'healthy');
  t.equal((await call(opened.channel)).code, 0);
  t.notOk(
    opened.connections.upstreams.some((status) => status.target === target),
    'the name itself is none any more',
  );
});

void t.test('what is known of servers outlives a reload; checks end with the last that uses them', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  const spec = specOf([one, two], { healthCheck: check });
  const opened = open(t, spec);
  for (const server of [one, two]) await untilHealth(opened, server, 'healthy');
  const next = opened.connections.lease();
  next.cluster({ ...spec });
  next.start();
  opened.lease.release();
  t.equal(healthOf(opened, one), 'healthy');
  t.strictSame(opened.connections.counts, {
    channels: 2,
    clusters: 1,
    fallbacks: 0,
    keySets: 0,
    apiKeyFiles: 0,
    shedders: 0,
  });
  await waitFor(
    () => one.openWatches === 1 && two.openWatches === 1,
    () => 'one Watch each',
  );
  next.release();
  t.strictSame(opened.connections.counts, {
    channels: 0,
    clusters: 0,
    fallbacks: 0,
    keySets: 0,
    apiKeyFiles: 0,
    shedders: 0,
  });
  await waitFor(
    () => one.sessions.size + two.sessions.size === 0,
    () => 'the end of all connections',
  );
});

void t.test('nothing is asked of servers before a configuration serves', async (t) => {
  const [one, two] = (await serversOf(t, 2)) as [HealthServer, HealthServer];
  const connections = new Connections();
  const lease = connections.lease();
  const { channel } = lease.cluster(specOf([one, two], { healthCheck: check }));
  t.equal((await call(channel)).code, 0);
  t.strictSame([one.checks, two.checks], [0, 0]);
  connections.close();
});
