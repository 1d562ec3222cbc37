/** Targets of several addresses: which of them get calls, who takes over, and names that move. */
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Channel } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import { ChannelPool, type UpstreamOptions } from '../../lib/upstream/index.js';
import { goAway, settings } from '../support/http2-peer.js';
import { NameServer } from '../support/name-server.js';
import { setWallClock } from '../support/wall-clock.js';
import { callOnce, ClientPool, testClients } from './service.js';

const roundRobin = {
  loadBalancingPolicy: 'round_robin',
  initialReconnectBackoffMs: 50,
  maxReconnectBackoffMs: 100,
} as const;

/** A service that says in its answer which one it is. */
class Service {
  readonly sessions = new Set<ServerHttp2Session>();
  calls = 0;
  /** Streams are refused before they are looked at. */
  refuses = false;
  private server!: Http2Server;
  port = 0;

  constructor(readonly host = '127.0.0.1') {}

  async start(port = this.port): Promise<this> {
    this.server = createServer();
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined);
    });
    this.server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      if (this.refuses) return stream.close(7);
      this.calls++;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
      stream.resume();
    });
    this.server.listen(port, this.host);
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** As a process that is killed. */
  stop(): void {
    this.server.close();
    for (const session of this.sessions) session.destroy();
    this.sessions.clear();
  }
}

async function services(t: Test, hosts: readonly string[]): Promise<Service[]> {
  const started: Service[] = [];
  for (const host of hosts) started.push(await new Service(host).start());
  t.teardown(() => started.forEach((service) => service.stop()));
  return started;
}

const call = async (channel: Channel): Promise<number> =>
  (await callOnce(channel, { method: 'X', send: [Buffer.alloc(0)], timeoutMs: 5000 })).code;

/** Calls until a service has had one. */
async function untilCalled(service: Service, channel: Channel): Promise<void> {
  const before = service.calls;
  while (service.calls === before) {
    await call(channel);
    await sleep(10);
  }
}

function open(t: Test, pool: ChannelPool, target: string, options: Partial<UpstreamOptions> = {}): Channel {
  t.teardown(() => pool.close());
  return pool.open(target, options);
}

testClients('pick_first: one address has all calls, and another when it is gone', async (t, client) => {
  const [one, two] = (await services(t, ['127.0.0.1', '127.0.0.1'])) as [Service, Service];
  const channel = open(t, new ClientPool(client), `ipv4:${one.address},${two.address}`);
  for (let count = 0; count < 4; count++) t.equal(await call(channel), 0);
  t.strictSame([one.calls, two.calls], [4, 0]);
  one.stop();
  await untilCalled(two, channel);
});

testClients('round_robin: calls go to all in turn; the others take over from one that dies', async (t, client) => {
  const three = await services(t, ['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  const channel = open(t, new ClientPool(client), `ipv4:${three.map(({ address }) => address).join()}`, roundRobin);
  for (const service of three) await untilCalled(service, channel);
  three.forEach((service) => (service.calls = 0));
  for (let count = 0; count < 9; count++) t.equal(await call(channel), 0);
  t.strictSame(
    three.map(({ calls }) => calls),
    [3, 3, 3],
  );
  const dead = three[1]!;
  dead.stop();
  await sleep(20);
  for (let count = 0; count < 6; count++) t.equal(await call(channel), 0, 'the survivors');
  await dead.start();
  await untilCalled(dead, channel);
  three.forEach((service) => service.stop());
  await sleep(20);
  t.match(await callOnce(channel, { method: 'X', send: [Buffer.alloc(0)], timeoutMs: 5000 }), {
    code: Code.UNAVAILABLE,
    failure: 'unconnected',
    message: /^cannot connect to the service: /,
  });
  await three[2]!.start();
  await untilCalled(three[2]!, channel);
});

testClients('a server that gives connections up at once is called on a later one', async (t, client) => {
  for (const loadBalancingPolicy of ['pick_first', 'round_robin'] as const) {
    const [one] = (await services(t, ['127.0.0.1'])) as [Service];
    let connections = 0;
    const front = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      if (++connections <= 3) return void socket.resume().write(Buffer.concat([settings(), goAway(0)]));
      const back = connect(one.port, one.host).on('error', () => undefined);
      socket.pipe(back).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    t.teardown(() => front.close());
    const target = `127.0.0.1:${(front.address() as AddressInfo).port}`;
    await untilCalled(one, open(t, new ClientPool(client), target, { ...roundRobin, loadBalancingPolicy }));
    t.pass(loadBalancingPolicy);
  }
});

testClients('a service is found again, whatever happens to the wall clock meanwhile', async (t, client) => {
  for (const hours of [-1, 1]) {
    for (const loadBalancingPolicy of ['pick_first', 'round_robin'] as const) {
      const [one] = (await services(t, ['127.0.0.1'])) as [Service];
      const options = { ...roundRobin, loadBalancingPolicy, dnsRefreshRateMs: 50 };
      const channel = open(t, new ClientPool(client), one.address, options);
      t.equal(await call(channel), 0);
      one.stop();
      await sleep(20);
      t.equal(await call(channel), Code.UNAVAILABLE);
      const restore = setWallClock(hours * 3_600_000);
      t.teardown(restore);
      // It backs off by the clock of before, and by that of after.
      for (let count = 0; count < 3; count++) t.equal(await call(channel), Code.UNAVAILABLE);
      await one.start();
      t.equal(await channel.connect(5000), true);
      await untilCalled(one, channel);
      restore();
    }
  }
});

void t.test('round_robin: a call that one server refuses goes to the next', async (t) => {
  const [one, two] = (await services(t, ['127.0.0.1', '127.0.0.1'])) as [Service, Service];
  const channel = open(t, new ChannelPool(), `ipv4:${one.address},${two.address}`, roundRobin);
  for (const service of [one, two]) await untilCalled(service, channel);
  one.refuses = true;
  for (let count = 0; count < 4; count++) t.equal(await call(channel), 0);
});

void t.test('a name with several addresses, which move', async (t) => {
  const names = await new NameServer().start(t);
  const [one] = (await services(t, ['127.0.0.1'])) as [Service];
  const two = await new Service('127.0.0.2').start(one.port);
  const three = await new Service('127.0.0.3').start(one.port);
  t.teardown(() => [two, three].forEach((service) => service.stop()));
  const target = `dns://127.0.0.1:${names.port}/svc.test:${one.port}`;

  names.hosts.set('svc.test', ['127.0.0.1', '127.0.0.2']);
  const channel = open(t, new ChannelPool(), target, { ...roundRobin, dnsRefreshRateMs: 50 });
  for (const service of [one, two]) await untilCalled(service, channel);
  names.hosts.set('svc.test', ['127.0.0.2', '127.0.0.3']);
  await untilCalled(three, channel);
  const before = one.calls;
  for (let count = 0; count < 4; count++) t.equal(await call(channel), 0);
  t.equal(one.calls, before, 'what the name does not say any more gets no calls');
  names.hosts.set('svc.test', []);
  const asked = names.asked;
  while (names.asked < asked + 2) await sleep(20);
  t.equal(await call(channel), 0, 'a name server that knows nothing takes no server away');

  const slow = open(t, new ChannelPool(), target, { ...roundRobin, dnsRefreshRateMs: undefined });
  t.equal(await call(slow), Code.UNAVAILABLE);
  names.hosts.set('svc.test', ['127.0.0.2', '127.0.0.3']);
  for (const service of [two, three]) await untilCalled(service, slow);
  names.hosts.set('svc.test', ['127.0.0.1']);
  two.stop();
  await untilCalled(one, slow);
  t.pass('without a time between, it is resolved anew when a server is lost');

  names.hosts.set('svc.test', ['127.0.0.9', '127.0.0.3']);
  const first = open(t, new ChannelPool(), target);
  t.equal(await call(first), 0, 'pick_first: the second address, where nobody is at the first');
  names.hosts.set('svc.test', ['127.0.0.1']);
  three.stop();
  await untilCalled(one, first);
});
