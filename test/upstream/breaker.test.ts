/** Circuit breakers of clusters before real servers: calls, waiting calls and retries that are one too many. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { Connections } from '../../lib/connections.js';
import type { CallStatus, Channel } from '../../lib/exchange.js';
import { Code } from '../../lib/status.js';
import type { ClusterSpec } from '../../lib/upstream/index.js';
import { type Answer, startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';

const schema = schemaFromText(`
  syntax = "proto3"; package b.v1;
  service B { rpc Get(M) returns (M); rpc Watch(M) returns (stream M); }
  message M { string name = 1; }
`);

function open(t: Test, targets: string | readonly string[], circuitBreaker: ClusterSpec['circuitBreaker']): Channel {
  const connections = new Connections();
  t.teardown(() => connections.close());
  const lease = connections.lease();
  const { channel } = lease.cluster({
    ...{
      name: 'c',
      endpoints: [targets].flat().map((value) => ({ value, weight: 1 })),
      protocol: 'http2',
      policy: 'round_robin',
      tls: undefined,
    },
    options: { loadBalancingPolicy: 'round_robin', connectTimeoutMs: 60_000 },
    circuitBreaker,
  });
  lease.start();
  return channel;
}

interface Started {
  readonly ended: Promise<CallStatus>;
  cancel(): void;
}

function start(channel: Channel, path: string): Started {
  let call: ReturnType<Channel['start']> | undefined;
  const ended = new Promise<CallStatus>((resolve) => {
    const listener = { onHeaders() {}, onMessage() {}, onEnd: resolve };
    call = channel.start({ path, metadata: [], timeoutMs: undefined }, listener);
    call.send({ compressed: false, payload: Buffer.alloc(0) });
    call.halfClose();
  });
  return { ended, cancel: () => call?.cancel() };
}

void t.test('max_calls: one more fails at once, and a place that is free again is taken', async (t) => {
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const held: Answer = { drive: () => undefined };
  service.answer = () => held;
  const channel = open(t, service.target, { maxCalls: 2 });
  const calls = [start(channel, '/b.v1.B/Watch'), start(channel, '/b.v1.B/Watch')];
  await until(() => service.calls.length === 2, 'both calls');
  const refused = await start(channel, '/b.v1.B/Get').ended;
  t.same(
    [refused.code, refused.message, refused.failure],
    [Code.UNAVAILABLE, 'the service is overloaded', 'local'],
    'the client is not told the numbers, and it is not sent again',
  );
  t.match(refused.diagnosis, /c is overloaded: 2 calls are under way \(max_calls\)/);
  t.equal(service.calls.length, 2, 'the service sees nothing of it');
  calls[0]?.cancel();
  t.equal((await calls[0]?.ended)?.code, Code.CANCELLED);
  service.answer = () => ({});
  for (let count = 0; count < 5; count++) t.equal((await start(channel, '/b.v1.B/Get').ended).code, Code.OK);
  calls[1]?.cancel();
});

void t.test('max_pending_calls: nobody waits behind those that wait', async (t) => {
  // A server that says nothing: the connection is never ready, nor refused.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const channel = open(t, `127.0.0.1:${(silent.address() as AddressInfo).port}`, { maxPendingCalls: 2 });
  const waiting = [start(channel, '/b.v1.B/Get'), start(channel, '/b.v1.B/Get')];
  const refused = await start(channel, '/b.v1.B/Get').ended;
  t.match(refused.diagnosis, /2 calls wait for a connection \(max_pending_calls\)/);
  waiting[0]?.cancel();
  await waiting[0]?.ended;
  const next = start(channel, '/b.v1.B/Get');
  waiting[1]?.cancel();
  next.cancel();
  t.same(
    (await Promise.all([waiting[1]?.ended, next.ended])).map((status) => status?.code),
    [Code.CANCELLED, Code.CANCELLED],
  );
});

void t.test('max_pending_calls: who can go to a server that is there does not wait', async (t) => {
  const service = await startEchoService(schema);
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => (silent.close(), service.close()));
  const targets = [`127.0.0.1:${(silent.address() as AddressInfo).port}`, service.target];
  const channel = open(t, targets, { maxPendingCalls: 1 });
  const waiting = start(channel, '/b.v1.B/Get');
  // Meanwhile the other server is connected, and takes calls.
  let code: number | undefined;
  for (let tries = 0; code !== Code.OK && tries < 1000; tries++) {
    code = (await start(channel, '/b.v1.B/Get').ended).code;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  t.equal(code, Code.OK);
  waiting.cancel();
  t.equal((await waiting.ended).code, Code.CANCELLED, 'the first call waits all the time');
});

void t.test('max_retries: so many at once', (t) => {
  const channel = open(t, '127.0.0.1:1', { maxRetries: 1 });
  t.equal(channel.retryLimit?.take(), true);
  t.equal(channel.retryLimit?.take(), false);
  channel.retryLimit?.release();
  t.equal(channel.retryLimit?.take(), true);
  t.equal(open(t, '127.0.0.1:1', { maxCalls: 1 }).retryLimit, undefined, 'any number');
  t.end();
});
