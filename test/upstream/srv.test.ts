/** Targets whose hosts and ports SRV records say: which servers get calls, in which order, and names that move. */
import t, { type Test } from 'tap';
import { loadConfig } from '../../lib/config/index.js';
import { upstreamSpecsOf } from '../../lib/config/upstreams.js';
import type { Channel } from '../../lib/exchange.js';
import { Holder } from '../../lib/shared.js';
import { ConfigError } from '../../lib/status.js';
import {
  ChannelPool,
  ClusterPool,
  type ClusterSpec,
  parseTarget,
  parseUpstream,
  type UpstreamSpec,
} from '../../lib/upstream/index.js';
import { inOrder } from '../../lib/upstream/native/srv.js';
import { serverNameOf } from '../../lib/upstream/tls.js';
import { NameServer, type Srv } from '../support/name-server.js';
import { type BytesCall, callOnce, grpcService } from './service.js';

const body = Buffer.from('x');

interface Served {
  readonly srv: Pick<Srv, 'port' | 'host'>;
  calls: number;
  authority: string;
  stop(): void;
}

/** Services at `hosts`, which a name server knows as `NAME.test`. */
async function served(t: Test, names: NameServer, hosts: Readonly<Record<string, string>>): Promise<Served[]> {
  const all: Served[] = [];
  for (const [name, address] of Object.entries(hosts)) {
    const who = (call: BytesCall): void => {
      one.calls++;
      one.authority = call.getHost();
      call.on('data', () => undefined).on('end', () => call.end());
    };
    const { target, server } = await grpcService({ Who: who }, `${address}:0`);
    names.hosts.set(`${name}.test`, [address]);
    const one: Served = {
      srv: { host: `${name}.test`, port: Number(target.split(':')[1]) },
      ...{ calls: 0, authority: '' },
      stop: () => server.forceShutdown(),
    };
    t.teardown(() => one.stop());
    all.push(one);
  }
  return all;
}

const SERVICE = '_grpc._tcp.shop.test';

function targetAt(names: NameServer): string {
  return `dns+srv://127.0.0.1:${names.port}/${SERVICE}`;
}

function clusterOf(t: Test, names: NameServer, more: Partial<ClusterSpec> = {}): Channel {
  const channels = new ChannelPool();
  const pool = new ClusterPool(channels);
  const holder = new Holder();
  t.teardown(() => (pool.close(), channels.close()));
  const channel = pool.channel(
    {
      name: 'c',
      endpoints: [{ value: targetAt(names), weight: 1 }],
      policy: 'round_robin',
      protocol: 'http2',
      tls: undefined,
      options: { dnsRefreshRateMs: 50, loadBalancingPolicy: 'round_robin', initialReconnectBackoffMs: 50 },
      ...more,
    },
    holder,
  );
  pool.start(holder);
  return channel;
}

async function call(channel: Channel): Promise<number> {
  return (await callOnce(channel, { method: 'Who', send: [body], timeoutMs: 5000 })).code;
}

/** Calls until a condition holds; the test's own limit of time ends it. */
async function callUntil(channel: Channel, isDone: () => boolean): Promise<void> {
  for (let sent = 0; !isDone(); sent++) {
    if (sent > 5000) throw new Error('called in vain');
    await call(channel);
  }
}

void t.test('weights, priorities, and records that change', async (t) => {
  const names = await new NameServer().start(t);
  const [a, b, spare] = (await served(t, names, { a: '127.0.0.1', b: '127.0.0.2', spare: '127.0.0.3' })) as [
    Served,
    Served,
    Served,
  ];
  names.services.set(SERVICE, [
    { ...a.srv, priority: 10, weight: 3 },
    { ...spare.srv, priority: 20, weight: 100 },
    { ...b.srv, priority: 10, weight: 1 },
  ]);
  const channel = clusterOf(t, names);
  await callUntil(channel, () => a.calls > 0 && b.calls > 0);
  a.calls = b.calls = spare.calls = 0;
  for (let sent = 0; sent < 40; sent++) t.equal(await call(channel), 0);
  // Records come in another order each time, which may shift a turn.
  t.ok(Math.abs(a.calls - 30) <= 2, `${a.calls} and ${b.calls} by weight`);
  t.strictSame([a.calls + b.calls, spare.calls], [40, 0], 'the next priority gets nothing');
  t.equal(a.authority, 'shop.test', 'the domain is the authority');

  a.stop();
  b.stop();
  await callUntil(channel, () => spare.calls > 0);
  t.pass('the next priority takes over');

  const [c] = (await served(t, names, { c: '127.0.0.4' })) as [Served];
  names.services.set(SERVICE, [{ ...c.srv, priority: 0, weight: 0 }]);
  await callUntil(channel, () => c.calls > 0);
  const before = spare.calls;
  for (let sent = 0; sent < 4; sent++) t.equal(await call(channel), 0);
  t.equal(spare.calls, before, 'what the records do not say any more gets no calls');

  names.services.clear();
  const asked = names.asked;
  await callUntil(channel, () => names.asked > asked + 2);
  t.equal(await call(channel), 0, 'a name server that knows nothing takes no server away');
});

void t.test('pick_first: the first priority that answers gets all calls', async (t) => {
  const names = await new NameServer().start(t);
  const [a, b] = (await served(t, names, { a: '127.0.0.1', b: '127.0.0.2' })) as [Served, Served];
  names.services.set(SERVICE, [
    { ...b.srv, priority: 2, weight: 50 },
    { ...a.srv, priority: 1, weight: 0 },
    { host: 'nobody.test', port: 1, priority: 0, weight: 1 },
  ]);
  const pool = new ChannelPool();
  t.teardown(() => pool.close());
  const channel = pool.open(targetAt(names));
  for (let sent = 0; sent < 5; sent++) t.equal(await call(channel), 0);
  t.strictSame([a.calls, b.calls], [5, 0]);
  a.stop();
  await callUntil(channel, () => b.calls > 0);
  t.pass('and if it is lost, the next one');
});

void t.test('a service that is not there', async (t) => {
  const names = await new NameServer().start(t);
  const pool = new ChannelPool();
  t.teardown(() => pool.close());
  for (const records of [[], [{ host: '.', port: 0, priority: 0, weight: 0 }]]) {
    names.services.set(SERVICE, records);
    const outcome = await callOnce(pool.open(targetAt(names), { userAgent: String(records.length) }), {
      method: 'Who',
    });
    t.match(outcome, { code: 14, message: 'cannot connect to the service: the host name cannot be resolved' });
  }
});

void t.test('the order of records (RFC 2782)', (t) => {
  const records = [
    { name: 'low', priority: 2, weight: 100 },
    { name: 'light', priority: 1, weight: 0 },
    { name: 'heavy', priority: 1, weight: 9 },
    { name: 'middle', priority: 1, weight: 1 },
  ];
  const order = (random: () => number): string =>
    inOrder(records, random)
      .map(({ name }) => name)
      .join(' ');
  t.equal(
    order(() => 0),
    'light heavy middle low',
  );
  t.equal(
    order(() => 0.5),
    'heavy middle light low',
  );
  t.equal(
    order(() => 0.999),
    'middle heavy light low',
  );
  const counts = { light: 0, heavy: 0, middle: 0 };
  for (let step = 0; step < 1000; step++)
    counts[order(() => (step + 0.5) / 1000).split(' ')[0] as keyof typeof counts]++;
  t.ok(counts.heavy > 890 && counts.middle > 90 && counts.light <= 1, JSON.stringify(counts));
  t.end();
});

void t.test('upstreams of a configuration', (t) => {
  const target = 'dns+srv:///_grpc._tcp.shop.internal';
  const specsOf = (more: object): UpstreamSpec[] => {
    const { listeners } = loadConfig({
      flags: { descriptorSet: ['x'], upstreams: [parseUpstream(target)], listen: ['127.0.0.1:0'], options: more },
    });
    return upstreamSpecsOf(listeners[0]!.root);
  };
  t.match(specsOf({ loadBalancingPolicy: 'round_robin' }), [
    { target, options: { balancing: { policy: 'round_robin' } } },
  ]);
  t.equal(specsOf({})[0]?.options?.balancing, undefined);
  t.throws(() => specsOf({ upstreamClient: 'grpc-js' }), { message: /grpc-js does not ask for SRV records/ });
  t.end();
});

void t.test('targets', (t) => {
  for (const [text, uri] of [
    ['dns+srv:///_grpc._tcp.shop.internal', 'dns+srv:///_grpc._tcp.shop.internal'],
    ['dns+srv:_grpc._tcp.shop.internal', 'dns+srv:///_grpc._tcp.shop.internal'],
    ['dns+srv://10.0.0.1:53/_my-svc._tcp.shop.', 'dns+srv://10.0.0.1:53/_my-svc._tcp.shop.'],
  ] as const) {
    t.equal(parseTarget(text).uri, uri);
  }
  t.equal(serverNameOf(parseTarget('dns+srv:///_grpc._tcp.shop.internal'), undefined), 'shop.internal');
  t.equal(serverNameOf(parseTarget('dns+srv:///_grpc._tcp.shop.internal'), 'other:1'), 'other');
  for (const [text, message] of [
    ['dns+srv:///shop.internal', /names no service of a domain/],
    ['dns+srv:///_grpc._tcp.shop.internal:50051', /has a port, which the SRV records say/],
    ['dns+srv://10.0.0.1', /names no service of a domain/],
    ['dns+srv:///', /names no service of a domain/],
    [`dns+srv:///_grpc._tcp.${'a.'.repeat(200)}b`, /names no service of a domain/],
  ] as const) {
    t.throws(() => parseTarget(text), { message }, text);
    t.throws(() => parseTarget(text), ConfigError);
  }
  t.end();
});
