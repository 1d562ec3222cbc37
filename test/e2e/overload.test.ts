/**
 * `max_event_loop_delay` over real sockets: what is refused of an overloaded process, and what never is. The event loop is late
 * because the test keeps it busy.
 */
import { channel } from 'node:diagnostics_channel';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { Overload } from '../../lib/overload/index.js';
import { send, startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { parseMetrics } from '../support/prometheus.js';
import { serveHere } from '../support/serve-here.js';
import { until } from '../support/until.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service A {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message M { string name = 1; }
`;

/** Keeps the event loop busy until `stop`: each turn of it takes longer than the limits of these tests. */
function busy(): { stop(): void } {
  let timer: NodeJS.Timeout;
  const work = (): void => {
    const end = performance.now() + 60;
    while (performance.now() < end);
    timer = setTimeout(work, 0);
  };
  work();
  return { stop: () => clearTimeout(timer) };
}

/** Most requests are refused from now on, until the test ends. */
async function overloaded(t: Test, options: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, { maxEventLoopDelayMs: 10, ...options });
  t.teardown(() => proxy.close());
  t.equal((await proxy.send('GET /v1/x')).status, 200, 'an idle process refuses nothing');
  const work = busy();
  t.teardown(() => work.stop());
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => proxy.send('GET /v1/x')));
    return answers.every(({ status }) => status === 503);
  }, 'an overload');
  return proxy;
}

/** What is refused, of several tries: one of ten is answered. */
async function refused<T>(ask: () => Promise<T>, isRefused: (answer: T) => boolean): Promise<T> {
  let answer: T;
  await until(async () => isRefused((answer = await ask())), 'a refusal');
  return answer!;
}

const is503 = ({ status }: TestResponse): boolean => status === 503;

const message = 'this server is overloaded; try again in 3 seconds';

void t.test('refused in each protocol', async (t) => {
  const proxy = await overloaded(t, { overloadRetryAfterMs: 2500 });
  t.match(await refused(() => proxy.send('GET /v1/x'), is503), {
    headers: { 'retry-after': '3' },
    json: {
      code: 14,
      message,
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2.500s' }],
    },
  });
  for (const target of ['GET /nowhere', 'GET /openapi.json']) await refused(() => proxy.send(target), is503);
  const connect = await refused(
    () =>
      proxy.send('POST /a.v1.A/Get', {
        headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
        body: '{}',
      }),
    is503,
  );
  t.match(connect, { headers: { 'retry-after': '3' }, json: { code: 'unavailable', message } });
  const failed = await refused(
    () => unary(proxy, '/a.v1.A/Get'),
    (error) => error !== null,
  );
  t.match(failed, { code: 14, details: message });
  t.strictSame(failed?.metadata.get('retry-after'), ['3']);
  await refused(
    () =>
      new Promise<unknown>((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`);
        socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
        socket.on('open', () => {
          socket.terminate();
          resolve('open');
        });
      }),
    (status) => status === 503,
  );
});

void t.test('what is refused is no call, and some are answered all the time', async (t) => {
  const proxy = await overloaded(t);
  proxy.service.calls.length = 0;
  let answered = 0;
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => proxy.send('GET /v1/x')));
    answered += answers.filter(({ status }) => status === 200).length;
    return answered > 0;
  }, 'an answer');
  t.equal(proxy.service.calls.length, answered);
});

void t.test('checks of health are never refused', async (t) => {
  const proxy = await overloaded(t);
  for (const path of ['/health', '/livez', '/readyz']) {
    for (let time = 0; time < 5; time++) t.equal((await proxy.send(`GET ${path}`)).status, 200, path);
  }
  for (let time = 0; time < 5; time++) {
    const error = await unary(proxy, '/grpc.health.v1.Health/Check');
    t.not(error?.code, 14, 'whatever the service says');
  }
  await refused(() => proxy.send('GET /v1/x'), is503);
});

void t.test('a path of health that a rule has is a call', async (t) => {
  const proxy = await startTestProxy(proto.replace('/v1/{name}', '/health'), { maxEventLoopDelayMs: 10 });
  t.teardown(() => proxy.close());
  const work = busy();
  t.teardown(() => work.stop());
  await until(async () => (await proxy.send('GET /health')).status === 503, 'a refusal');
});

void t.test('/health is not refused for too many requests either', async (t) => {
  const proxy = await startTestProxy(proto, { maxConcurrentRequests: 1, overloadRetryAfterMs: 1000 });
  t.teardown(() => proxy.close());
  proxy.service.answer = () => ({ drive: () => undefined });
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`);
  await new Promise((resolve) => socket.on('open', resolve));
  t.match(await proxy.send('GET /v1/x'), {
    status: 503,
    headers: { 'retry-after': '1' },
    json: { code: 14, message: '1 requests are under way already; try again in 1 second' },
  });
  t.equal((await proxy.send('GET /readyz')).status, 200);
  socket.terminate();
});

void t.test('the log and the metrics tell of it', async (t) => {
  const folder = t.testdir({ 'a.proto': proto });
  const args = ['--proto', 'a.proto', '--upstream', '127.0.0.1:1', '--listen', '0', '--admin', '0'];
  const here = await serveHere([...args, '--max-event-loop-delay', '10ms'], folder);
  t.teardown(() => here.stop());
  const line = (text: RegExp): Record<string, unknown> | undefined =>
    here.lines().find(({ msg }) => text.test(String(msg)));
  const admin = String(line(/admin listener/)!['url']);
  const work = busy();
  t.teardown(() => work.stop());
  await until(async () => /overloaded/.test((await send(here.urls[0]!, 'GET /v1/x')).text), 'a refusal');
  t.match(line(/^overloaded: the event loop is \d+ ms late, limit 10 ms; a share of the requests is refused$/), {
    level: 'warn',
    delay_ms: Number,
    max_event_loop_delay_ms: 10,
  });
  t.equal(line(/this server is overloaded/), undefined, 'what is refused has no lines of its own');
  const families = parseMetrics((await send(admin, 'GET /metrics')).text);
  const counted = families
    .get('photongate_policy_refusals_total')!
    .samples.find(({ labels }) => labels['reason'] === 'max_event_loop_delay')!.value;
  t.ok(counted > 0);
  const ended: Overload = { state: 'ends', delayMs: 0.4, maxDelayMs: 10, refused: 7 };
  channel('photongate:overload').publish(ended);
  t.match(line(/^no longer overloaded, 7 requests were refused$/), { level: 'info', refused: 7, delay_ms: 0 });
});

function unary(proxy: TestProxy, path: string): Promise<ServiceError | null> {
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (failed) => {
      client.close();
      resolve(failed);
    });
  });
}
