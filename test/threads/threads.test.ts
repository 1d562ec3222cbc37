/**
 * Large messages are transcoded in a thread: whatever is asked, the answer is the one that the event loop gives, and the event
 * loop goes on meanwhile. Needs the build that `npm test` makes first.
 */
import { statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { createGateway, loadConfig, type Settings, startProxy } from '../../lib/index.js';
import { LargeCall } from '../../lib/gateway/index.js';
import { MessageThreads, type ThreadFailure, threadsChannel } from '../../lib/threads/index.js';
import { startEchoService } from '../support/echo-service.js';
import { type RequestOptions, send, startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/field_mask.proto";
service Shop {
  rpc Put(Order) returns (Order) {
    option (google.api.http) = {
      post: "/v1/orders/{name}" body: "*"
      additional_bindings { get: "/v1/orders/{name}" }
      additional_bindings { put: "/v1/shops/{shop}/orders" body: "items" }
      additional_bindings { get: "/v1/orders/{name}/items" response_body: "items" }
    };
  }
  rpc Change(ChangeRequest) returns (ChangeRequest) {
    option (google.api.http) = { patch: "/v1/changes/{order.name}" body: "order" };
  }
  rpc Upload(Blob) returns (Blob) { option (google.api.http) = { post: "/v1/blobs" body: "body" response_body: "body" }; }
}
message Order { string name = 1; string shop = 2; repeated Item items = 3; int32 count = 4; }
message Item { int64 id = 1; string label = 2; bytes data = 3; }
message ChangeRequest { Order order = 1; google.protobuf.FieldMask update_mask = 2; }
message Blob { google.api.HttpBody body = 1; }
`;

/** Over the limit of these tests, 64 KiB. */
const items = Array.from({ length: 4000 }, (_, id) => ({ id: String(id), label: `item "${id}"`, data: 'AAEC' }));
const order = { items, count: 7 };
const json = { 'content-type': 'application/json' };
const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestOptions => ({
  headers: { ...json, ...headers },
  body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
});

/** Counts what threads are asked to do. */
function countWork(t: Test): { requests: number; replies: number } {
  const count = { requests: 0, replies: 0 };
  const counted = (name: 'request' | 'reply', onCall: () => void): void => {
    const descriptor = Object.getOwnPropertyDescriptor(MessageThreads.prototype, name)!;
    const original = descriptor.value as (this: MessageThreads, ...given: unknown[]) => unknown;
    const value = function (this: MessageThreads, ...given: unknown[]): unknown {
      onCall();
      return original.apply(this, given);
    };
    Object.defineProperty(MessageThreads.prototype, name, { ...descriptor, value });
    t.teardown(() => Object.defineProperty(MessageThreads.prototype, name, descriptor));
  };
  counted('request', () => count.requests++);
  counted('reply', () => count.replies++);
  return count;
}

const small = { largeMessageBytes: 64 * 1024 };

async function start(t: Test, options: Settings['options'] = {}, yaml?: string): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, { ...small, ...options }, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

interface Case {
  readonly name: string;
  readonly request: string;
  readonly given?: RequestOptions;
  readonly options?: Settings['options'];
  readonly yaml?: string;
  /** Default: the service answers with its request. */
  readonly answer?: Buffer;
  readonly status: number;
  /** How often a thread is asked for a request, and for an answer. Default: once for each. */
  readonly work?: readonly [requests: number, replies: number];
}

const bigAnswer = Buffer.from(`\x12\x04Rome${'\x1a\x07\x08\x07\x12\x03abc'.repeat(9000)}`, 'latin1');

const cases: readonly Case[] = [
  { name: 'body "*" and a path variable', request: 'POST /v1/orders/a', given: post(order), status: 200 },
  {
    name: 'a body of the size of the limit',
    request: 'POST /v1/orders/a',
    given: post(JSON.stringify({ count: 1 }).padEnd(64 * 1024)),
    status: 200,
    work: [0, 0],
  },
  {
    name: 'one byte more',
    request: 'POST /v1/orders/a',
    given: post(JSON.stringify({ count: 1 }).padEnd(64 * 1024 + 1)),
    status: 200,
    work: [1, 0],
  },
  { name: 'body "items"', request: 'PUT /v1/shops/s/orders?count=3', given: post(items), status: 200 },
  { name: 'PATCH fills the mask', request: 'PATCH /v1/changes/a', given: post(order), status: 200 },
  {
    name: 'gzip both ways',
    request: 'POST /v1/orders/a',
    given: post(gzipSync(JSON.stringify(order)), { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' }),
    options: { requestCompression: ['gzip'] },
    status: 200,
  },
  { name: 'a large answer alone', request: 'GET /v1/orders/a', answer: bigAnswer, status: 200, work: [0, 1] },
  { name: 'response_body', request: 'GET /v1/orders/a/items', answer: bigAnswer, status: 200, work: [0, 1] },
  { name: 'fields', request: 'GET /v1/orders/a?fields=shop', answer: bigAnswer, status: 200, work: [0, 1] },
  { name: 'pretty', request: 'GET /v1/orders/a?prettyPrint=true', answer: bigAnswer, status: 200, work: [0, 1] },
  { name: 'HEAD', request: 'HEAD /v1/orders/a', answer: bigAnswer, status: 200, work: [0, 1] },
  {
    name: 'an entity tag',
    request: 'GET /v1/orders/a',
    options: { etag: true },
    answer: bigAnswer,
    status: 200,
    work: [0, 1],
  },
  {
    name: 'the envelope, with the id of the request',
    request: 'POST /v1/orders/a',
    given: post(order, { 'x-request-id': 'r1' }),
    options: { envelope: 'photon' },
    status: 200,
  },
  {
    name: 'what is wrong in the body, with its place',
    request: 'POST /v1/orders/a?count=x',
    given: post({ items: [...items, { id: 1.5 }] }),
    status: 400,
    work: [1, 0],
  },
  {
    name: 'no JSON',
    request: 'POST /v1/orders/a',
    given: post(JSON.stringify(order).slice(0, -1)),
    status: 400,
    work: [1, 0],
  },
  {
    name: 'no UTF-8',
    request: 'POST /v1/orders/a',
    given: post(Buffer.concat([Buffer.from(`{"shop":"${'x'.repeat(70_000)}`), Buffer.from([0xff, 0x22, 0x7d])])),
    status: 400,
    work: [1, 0],
  },
  {
    name: 'an unknown field, for which the request would go elsewhere',
    request: 'POST /v1/orders/a',
    given: post({ ...order, nope: 1 }),
    options: { passUnknownQuery: true },
    status: 400,
    work: [1, 0],
  },
  {
    name: 'an answer that is no message',
    request: 'GET /v1/orders/a',
    answer: Buffer.alloc(70_000, 0x1a),
    status: 500,
    work: [0, 1],
  },
  {
    name: 'raw bytes have nothing to be transcoded',
    request: 'POST /v1/blobs',
    given: { headers: { 'content-type': 'image/png' }, body: Buffer.alloc(100_000, 7) },
    status: 200,
    work: [0, 0],
  },
  {
    name: 'a mount',
    request: 'POST /shop/v1/orders/a',
    given: post(order),
    yaml: 'listeners: [{ listen: 127.0.0.1:0, mounts: { /shop: { services: [shop.v1], envelope: photon } } }]\n',
    status: 200,
  },
  {
    name: 'a body over max_body_bytes',
    request: 'POST /v1/orders/a',
    given: post(order),
    options: { maxBodyBytes: 70_000 },
    status: 413,
    work: [0, 0],
  },
];

/** Without what is the time of an answer or the name of a request. */
function comparable({ status, headers, text }: Awaited<ReturnType<TestProxy['send']>>): object {
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { status, headers: rest, text: text.replace(/"timestamp":"[^"]*"|"request_id":"[^"]*"/g, '') };
}

void t.test('the answer is that of the event loop', async (t) => {
  const count = countWork(t);
  const started = new Map<string, Promise<readonly [threaded: TestProxy, plain: TestProxy]>>();
  const startBoth = async (
    options: Settings['options'] = {},
    yaml?: string,
  ): Promise<readonly [TestProxy, TestProxy]> =>
    [await start(t, options, yaml), await start(t, { ...options, largeMessageThreads: 0 }, yaml)] as const;
  for (const { name, request, given = {}, options, yaml, answer, status, work = [1, 1] } of cases) {
    const key = JSON.stringify([options, yaml]);
    const both = await (started.get(key) ?? startBoth(options, yaml));
    started.set(key, Promise.resolve(both));
    const [threaded, plain] = both;
    for (const { service } of both) {
      service.calls.length = 0;
      service.answer = () => (answer === undefined ? {} : { message: answer });
    }
    const expected = comparable(await plain.send(request, given));
    const [requests, replies] = [count.requests, count.replies];
    t.strictSame(comparable(await threaded.send(request, given)), expected, name);
    t.match(expected, { status }, name);
    t.strictSame([count.requests - requests, count.replies - replies], work, name);
    t.strictSame(
      threaded.service.calls.map(({ message }) => message),
      plain.service.calls.map(({ message }) => message),
      name,
    );
  }
});

void t.test('routes with a transcoder of their own', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  const route = 'match: { prefix: / }, route: { cluster: c }, transcoder: enveloped';
  const workingDirectory = t.testdir({
    'shop.proto': proto,
    'p.yaml': `
proto: shop.proto
large_message_bytes: 64KiB
clusters: { c: { endpoints: ['${service.target}'] } }
listeners:
  - listen: 127.0.0.1:0
    transcoders: { enveloped: { services: [shop.v1], envelope: photon } }
    virtual_hosts: [{ domains: ['*'], routes: [{ ${route} }] }]
`,
  });
  const proxy = await startProxy(loadConfig({ file: 'p.yaml', workingDirectory }));
  t.teardown(async () => {
    await proxy.drain();
    service.close();
  });
  const count = countWork(t);
  const answer = await send(proxy.urls[0]!, 'POST /v1/orders/a', post(order));
  t.match(answer.json, { data: { name: 'a', count: 7 } });
  t.strictSame(count, { requests: 1, replies: 1 });
});

void t.test('chunks of every size make the same body', async (t) => {
  const { url, service } = await start(t);
  const body = Buffer.from(JSON.stringify(order));
  for (const size of [1000, 65_535, 65_536, 65_537, 100_000]) {
    await new Promise<void>((resolve, reject) => {
      const outgoing = httpRequest(`${url}/v1/orders/a`, { method: 'POST', headers: json }, (answer) => {
        answer.resume().on('end', resolve);
      });
      outgoing.on('error', reject);
      for (let at = 0; at < body.length; at += size) outgoing.write(body.subarray(at, at + size));
      outgoing.end();
    });
  }
  t.equal(service.calls.length, 5);
  for (const { message } of service.calls) t.ok(message.equals(service.calls[0]!.message));
});

void t.test('the event loop turns while a message is read and written', async (t) => {
  const turnsWith = async (largeMessageThreads: number): Promise<number> => {
    const proxy = await start(t, { largeMessageThreads, maxBodyBytes: 64 * 1024 ** 2 });
    const body = JSON.stringify({ items: Array.from({ length: 40 }, () => items).flat() });
    await proxy.send('POST /v1/orders/a', post(body));
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    proxy.service.answer = () => {
      isOver = true;
      return {};
    };
    turn();
    await proxy.send('POST /v1/orders/a', post(body));
    return turns;
  };
  const [without, with1] = [await turnsWith(0), await turnsWith(1)];
  t.ok(with1 > 20 * without, `${without} turns without a thread, ${with1} with one`);
});

const workers = (): { count: number; stop: () => void } => {
  const seen = { count: 0, stop: () => process.off('worker', onWorker) };
  const onWorker = (): void => void seen.count++;
  process.on('worker', onWorker);
  return seen;
};

void t.test('a thread starts when it is needed, and is there for the next message', async (t) => {
  const started = workers();
  t.teardown(started.stop);
  const proxy = await start(t);
  t.equal((await proxy.send('POST /v1/orders/a', post({ count: 1 }))).status, 200);
  t.equal(started.count, 0);
  for (let index = 0; index < 3; index++) t.equal((await proxy.send('POST /v1/orders/a', post(order))).status, 200);
  t.equal(started.count, 1);
});

void t.test('no more than large_message_threads, and the rest waits', async (t) => {
  const started = workers();
  t.teardown(started.stop);
  const proxy = await start(t, { largeMessageThreads: 2 });
  const answers = await Promise.all(Array.from({ length: 12 }, () => proxy.send('POST /v1/orders/a', post(order))));
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]));
  t.equal(started.count, 2);
});

interface World {
  readonly threads: MessageThreads;
  readonly call: (name?: string) => LargeCall;
  readonly folder: string;
}

/** Threads alone, for the one route of a proto. */
function world(t: Test, settings: { readonly idleMs?: number; readonly loadedAtMs?: number } = {}): World {
  const folder = t.testdir({ 'shop.proto': proto });
  const config = loadConfig({
    flags: { proto: ['shop.proto'], upstreams: ['127.0.0.1:1'], listen: ['127.0.0.1:0'] },
    workingDirectory: folder,
  });
  const threads = new MessageThreads({
    ...{ aboveBytes: 0, maxThreads: 1, config, reflected: [], loadedAtMs: Date.now() + 10 },
    ...settings,
  });
  t.teardown(() => threads.close());
  const head = {
    ...{ method: 'POST', path: '/v1/orders/a', query: undefined, headers: ['content-type', 'application/json'] },
    ...{ httpVersion: '1.1' as const, hasBody: true, requestId: 'r', caller: { address: 'unknown', forwarded: [] } },
  };
  const plan = '0.0 0 POST /v1/orders/{name} shop.v1.Shop.Put';
  return { threads, folder, call: (name = plan) => new LargeCall(threads, name, head, [11, 12]) };
}

const body = (): Buffer[] => [Buffer.from(new Uint8Array(Buffer.from('{"count": 1}')))];
const message = Buffer.from('20010a0161', 'hex');
const notElsewhere = { name: 'NotElsewhere' };

void t.test('a thread ends when it has had nothing to do, and the next message starts another', async (t) => {
  const { threads, call } = world(t, { idleMs: 1 });
  for (let round = 0; round < 2; round++) {
    t.strictSame(await threads.request(call(), body()), message);
    await until(() => threads.size === 0);
  }
});

void t.test('who has left is not worked for', async (t) => {
  const { threads, call } = world(t);
  const gone = call();
  const first = threads.request(call(), body());
  const second = threads.request(gone, body());
  gone.isWanted = false;
  t.strictSame(await first, message);
  await t.rejects(second, notElsewhere);
});

void t.test('a thread that dies fails its message alone', async (t) => {
  const { threads, call } = world(t);
  const started: Worker[] = [];
  const onWorker = (worker: Worker): void => void started.push(worker);
  process.on('worker', onWorker);
  t.teardown(() => process.off('worker', onWorker));
  t.strictSame(await threads.request(call(), body()), message);
  const failed = threads.request(call(), [Buffer.from(new Uint8Array(5_000_000).fill(32))]);
  const next = threads.request(call(), body());
  await started[0]!.terminate();
  await t.rejects(failed, { code: 13, message: 'internal error' });
  t.strictSame(await next, message);
  t.equal(started.length, 2);
});

void t.test('a plan that is not there is a fault of ours', async (t) => {
  const { threads, call } = world(t);
  await t.rejects(threads.request(call('0.0 9 GET /nope a.B.C'), body()), { message: /no plan 0\.0 9/ });
  t.strictSame(await threads.request(call(), body()), message);
});

void t.test('closed: what waits is done elsewhere', async (t) => {
  const { threads, call } = world(t);
  const waits = threads.request(call(), body());
  threads.close();
  await t.rejects(waits, notElsewhere);
  await t.rejects(threads.request(call(), body()), notElsewhere);
  t.equal(threads.size, 0);
});

function failures(t: Test): string[] {
  const reasons: string[] = [];
  const onFailure = (failure: unknown): void => void reasons.push((failure as ThreadFailure).reason);
  threadsChannel.subscribe(onFailure);
  t.teardown(() => threadsChannel.unsubscribe(onFailure));
  return reasons;
}

void t.test('files that have changed since are not those of the owner', async (t) => {
  const reasons = failures(t);
  const { threads, call } = world(t, { loadedAtMs: 0 });
  const given = body();
  const { length } = given[0]!;
  await t.rejects(threads.request(call(), given), notElsewhere);
  t.equal(given[0]!.length, length, 'the body is still there');
  t.match(reasons, [/^the file ".*" has changed since it was loaded$/]);
  await t.rejects(threads.request(call(), given), notElsewhere);
  t.equal(reasons.length, 1);
});

void t.test('then the event loop does it, until a reload', async (t) => {
  const reasons = failures(t);
  const service = await startEchoService(schemaFromText(proto));
  const folder = t.testdir({ 'shop.proto': proto });
  const load = (): ReturnType<typeof loadConfig> =>
    loadConfig({
      flags: {
        ...{ proto: ['shop.proto'], upstreams: [service.target], listen: ['127.0.0.1:0'] },
        options: small,
      },
      workingDirectory: folder,
    });
  const proxy = await startProxy(load());
  const startedAtMs = Date.now();
  t.teardown(async () => {
    await proxy.drain();
    service.close();
  });
  const started = workers();
  t.teardown(started.stop);
  const file = join(folder, 'shop.proto');
  await until(() => {
    writeFileSync(file, proto.replace('int32 count = 4', 'int32 count = 5'));
    return statSync(file).ctimeMs > startedAtMs;
  });
  const callWith = async (): Promise<Buffer> => {
    const answer = await send(proxy.urls[0]!, 'POST /v1/orders/a', post(order));
    t.match(answer.json, { name: 'a', count: 7 });
    return service.calls.at(-1)!.message.subarray(-5, -3);
  };
  t.strictSame(await callWith(), Buffer.from([0x20, 7]), 'the fields that were loaded');
  t.equal(started.count, 1);
  t.equal(reasons.length, 1);
  t.strictSame(await callWith(), Buffer.from([0x20, 7]));
  t.equal(started.count, 1);
  await proxy.reload(load());
  t.strictSame(await callWith(), Buffer.from([0x28, 7]), 'those of now');
  t.equal(started.count, 2);
  t.equal(reasons.length, 1);
});

void t.test('after a reload the old threads end with the last request on the old routes', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  const folder = t.testdir({ 'shop.proto': proto });
  const load = (): ReturnType<typeof loadConfig> =>
    loadConfig({
      flags: { proto: ['shop.proto'], upstreams: [service.target], listen: ['127.0.0.1:0'], options: small },
      workingDirectory: folder,
    });
  const proxy = await startProxy(load());
  t.teardown(async () => {
    await proxy.drain();
    service.close();
  });
  const ended: boolean[] = [];
  const onWorker = (worker: Worker): void => {
    const index = ended.push(false) - 1;
    worker.on('exit', () => (ended[index] = true));
  };
  process.on('worker', onWorker);
  t.teardown(() => process.off('worker', onWorker));
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  service.answer = () => ({ after: held });
  const flying = send(proxy.urls[0]!, 'POST /v1/orders/a', post(order));
  await until(() => service.calls.length === 1);
  await proxy.reload(load());
  t.strictSame(ended, [false]);
  release();
  t.match((await flying).json, { name: 'a', count: 7 });
  await until(() => ended[0] === true);
});

void t.test('in an application too, but for one whose errors are a function', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const started = workers();
  t.teardown(started.stop);
  const folder = t.testdir({ 'shop.proto': proto });
  const ask = async (more: object): Promise<number> => {
    const upstreams = service.target;
    const gateway = createGateway({
      proto: join(folder, 'shop.proto'),
      upstreams,
      largeMessageBytes: '64KiB',
      ...more,
    });
    const request = { method: 'POST', headers: json, body: JSON.stringify(order) };
    const answer = await gateway.fetch(new Request('http://example/v1/orders/a', request));
    t.match(await answer.json(), { name: 'a', count: 7 });
    await gateway.close();
    return started.count;
  };
  t.equal(await ask({}), 1);
  t.equal(await ask({ errorFormat: () => ({ status: 500 }) }), 1);
  t.equal(await ask({ largeMessageThreads: 0 }), 1);
});
