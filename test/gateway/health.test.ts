/** Rounds of health checks: how many calls services get, however many ask, by a clock that moves when told. */
import t from 'tap';
import { settingsOf } from '../../lib/cli/flags.js';
import { HealthChecks } from '../../lib/builtin/health.js';
import { Connections } from '../../lib/connections.js';
import type { CallListener, Channel } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import { UpstreamTable } from '../../lib/upstream/index.js';
import { ManualClock } from '../support/manual-clock.js';
import { startTestProxy } from '../support/proxy.js';
import { fileOf, type ReflectionServerOptions, startReflectionServer } from '../support/reflection.js';

/** A server that answers when told. */
class Server {
  calls = 0;
  private readonly open: CallListener[] = [];

  readonly channel: Channel = {
    target: 'none',
    start: ({ path }, listener) => {
      if (path.startsWith('/grpc.reflection.')) listener.onEnd({ code: Code.UNIMPLEMENTED, message: '', trailers: [] });
      else {
        this.calls++;
        this.open.push(listener);
      }
      return { send: () => true, halfClose() {}, pause() {}, resume() {}, cancel() {} };
    },
    connect: () => Promise.resolve(true),
    close() {},
  };

  /** Ends all calls under way; without health service, and so SERVING, by default. */
  answer(code: number = Code.UNIMPLEMENTED): void {
    for (const listener of this.open.splice(0)) listener.onEnd({ code, message: '', trailers: [] });
  }
}

function setUp(healthCacheMs: number | undefined, count = 60) {
  const server = new Server();
  const clock = new ManualClock();
  const services = Array.from({ length: count }, (_, index) => ({ name: `a.S${index}`, channel: server.channel }));
  const checks = new HealthChecks(services, { healthTimeoutMs: 3000, healthCacheMs }, () => clock.now());
  return { server, clock, checks };
}

void t.test('sixty services, ten requests at once, sixty calls', async (t) => {
  const { server, checks } = setUp(1000);
  const asked = Array.from({ length: 10 }, () => checks.ask());
  t.equal(server.calls, 60);
  server.answer();
  const answers = await Promise.all(asked);
  t.equal(new Set(answers).size, 1, 'one answer for all');
  t.equal(answers[0]!.serving, true);
  for (let more = 0; more < 10; more++) await checks.ask();
  t.equal(server.calls, 60, 'and for those who come later');
});

void t.test('the answer is kept as long as the option says, from the end of the round on', async (t) => {
  const { server, clock, checks } = setUp(1000, 1);
  const first = checks.ask();
  clock.advance(5000);
  server.answer();
  await first;
  clock.advance(999);
  t.equal((await checks.ask()).serving, true);
  t.equal(server.calls, 1);
  clock.advance(1);
  const second = checks.ask();
  t.equal(server.calls, 2, 'a new round');
  server.answer(Code.UNAVAILABLE);
  t.match(await second, { serving: false, json: '{"status":"NOT_SERVING","services":{"a.S0":"NOT_SERVING"}}' });
  t.equal((await checks.ask()).serving, false, 'what is bad is kept as well');
  t.equal(server.calls, 2);
});

void t.test('kept not at all, there is still one round at a time', async (t) => {
  const { server, checks } = setUp(undefined, 3);
  const asked = [checks.ask(), checks.ask()];
  t.equal(server.calls, 3);
  server.answer();
  await Promise.all(asked);
  const next = checks.ask();
  t.equal(server.calls, 6);
  server.answer();
  await next;
});

void t.test('a round that failed is not kept, and does not stand in the way', async (t) => {
  let broken = true;
  const server = new Server();
  const channel: Channel = {
    ...server.channel,
    start: (request, listener) => {
      if (broken) throw new Error('no such thing');
      return server.channel.start(request, listener);
    },
  };
  const checks = new HealthChecks([{ name: 'a.S', channel }], { healthTimeoutMs: 3000, healthCacheMs: 1000 });
  await t.rejects(checks.ask(), { message: 'no such thing' });
  broken = false;
  const again = checks.ask();
  server.answer();
  t.equal((await again).serving, true);
});

const proto = `
syntax = "proto3";
package grpc.health.v1;
import "google/api/annotations.proto";
service Health {
  rpc Check(Request) returns (Response) { option (google.api.http) = { get: "/check" }; }
}
message Request { string service = 1; }
message Response { int32 status = 1; }
`;

void t.test('GET /health of a proxy', async (t) => {
  const rows: readonly [health_cache: string, calls: number][] = [
    ['10m', 1],
    ['none', 4],
  ];
  for (const [health_cache, calls] of rows) {
    const proxy = await startTestProxy(proto, settingsOf({ 'health-cache': health_cache }).options);
    proxy.service.answer = () => ({ message: Buffer.of(8, 1), delayMs: 20 });
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) {
      const { status, headers } = await proxy.send(id === 'd' ? 'HEAD /health' : 'GET /health', {
        headers: { 'x-request-id': id },
      });
      t.strictSame([status, headers['x-request-id']], [200, id], 'each answer has its own request id');
    }
    t.equal(proxy.service.calls.length, calls, `one after the other, health_cache ${health_cache}`);
    await proxy.close();
  }
});

void t.test('a server without the health of a service: what its reflection lists decides', async (t) => {
  const greeter = fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v1/hello/{name}' });
  const rows: readonly [
    what: string,
    options: ReflectionServerOptions,
    services: readonly string[],
    expected: string,
  ][] = [
    ['it has the service', {}, ['greeter.v1.Greeter'], 'SERVING'],
    ['by the older protocol', { versions: ['v1alpha'] }, ['greeter.v1.Greeter'], 'SERVING'],
    ['it has another', {}, ['other.v1.Other'], 'NOT_SERVING'],
    ['by the older protocol', { versions: ['v1alpha'] }, ['other.v1.Other'], 'NOT_SERVING'],
    ['it does not tell', { versions: [] }, [], 'SERVING'],
  ];
  for (const [what, options, services, expected] of rows) {
    const server = await startReflectionServer({ files: [greeter], services }, options);
    const connections = new Connections();
    const table = new UpstreamTable([{ name: undefined, target: server.target, options: {} }], connections.lease());
    const channel = table.named(undefined)!;
    const of = ['greeter.v1.Greeter', 'greeter.v1.Second'].map((name) => ({ name, channel }));
    const { json } = await new HealthChecks(of, { healthTimeoutMs: 3000, healthCacheMs: undefined }).ask();
    const second = options.versions?.length === 0 ? 'SERVING' : 'NOT_SERVING';
    t.match(JSON.parse(json), { services: { 'greeter.v1.Greeter': expected, 'greeter.v1.Second': second } }, what);
    t.ok(server.looks <= 1, 'asked once for both');
    connections.close();
    server.close();
  }
});
