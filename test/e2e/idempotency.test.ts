/** Idempotency keys over sockets: who calls the service, what the others are answered, and what is kept of it. */
import { request as httpRequest } from 'node:http';
import t, { type Test } from 'tap';
import type { Settings } from '../../lib/index.js';
import type { Answer } from '../support/echo-service.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package i.v1;
import "google/api/annotations.proto";
service I {
  rpc Create(M) returns (M) { option (google.api.http) = { post: "/v1/{name}" body: "*" additional_bindings { patch: "/v1/{name}" body: "*" } additional_bindings { put: "/v1/{name}" body: "*" } additional_bindings { get: "/v1/{name}" } }; }
  rpc Other(M) returns (M) { option (google.api.http) = { post: "/other/{name}" body: "*" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { post: "/watch/{name}" body: "*" }; }
}
message M { string name = 1; string text = 2; int32 number = 3; }
`;

async function withProxy(
  t: Test,
  settings: Record<string, unknown> = {},
  options: Settings['options'] = {},
  policies: Record<string, unknown> = {},
): Promise<TestProxy> {
  const yaml = JSON.stringify({ policies: { idempotency: settings, ...policies } });
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

const post = (
  proxy: TestProxy,
  key: string | readonly string[] | undefined,
  body = '{"text":"x"}',
  { request = 'POST /v1/a', headers = {} }: { request?: string; headers?: Record<string, string> } = {},
): Promise<TestResponse> =>
  proxy.send(request, {
    body,
    headers: {
      'content-type': 'application/json',
      ...headers,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });

const isReplay = ({ headers }: TestResponse): boolean => headers['idempotent-replayed'] === 'true';

void t.test('the first request calls, and the others get its answer', async (t) => {
  const proxy = await withProxy(t, {}, { compression: ['gzip'], etag: true });
  proxy.service.answer = () => ({ headers: { 'x-http-code': '201', location: '/v1/a' }, trailers: { 'x-cost': '7' } });
  const first = await post(proxy, '"k 1"');
  const again = await post(proxy, '"k 1"');
  t.equal(proxy.service.calls.length, 1);
  t.strictSame(proxy.service.calls[0]!.metadata.get('idempotency-key'), ['"k 1"'], 'the service may use it, too');
  t.strictSame(
    [first.status, first.headers['location'], first.headers['x-cost'], isReplay(first)],
    [201, '/v1/a', '7', false],
  );
  t.strictSame([again.status, again.text, isReplay(again)], [201, first.text, true]);
  t.strictSame([again.headers['location'], again.headers['x-cost']], ['/v1/a', '7']);
  const ids = [first, again].map(({ headers }) => String(headers['x-request-id']));
  t.notOk(ids[1]!.includes(ids[0]!), 'a request has an id of its own');
  t.match(ids[1], /^[\w-]{8,}$/);

  t.ok(isReplay(await post(proxy, '"k 1";x=1')), 'parameters mean nothing');
  await post(proxy, 'bare');
  t.ok(isReplay(await post(proxy, '"bare"')), 'a bare text is the same key');
  t.ok(isReplay(await post(proxy, 'bare', '{ "text": "x" }')), 'white space makes no other request');
  await post(proxy, undefined);
  await post(proxy, undefined);
  t.equal(proxy.service.calls.length, 4, 'without a key each request calls');
});

void t.test('another request with the same key is 422', async (t) => {
  const proxy = await withProxy(t);
  await post(proxy, '"k"');
  const rows: readonly [name: string, Promise<TestResponse>][] = [
    ['body', post(proxy, '"k"', '{"text":"y"}')],
    ['path', post(proxy, '"k"', undefined, { request: 'POST /v1/b' })],
    ['query', post(proxy, '"k"', undefined, { request: 'POST /v1/a?$fields=name' })],
    ['method', post(proxy, '"k"', undefined, { request: 'PATCH /v1/a' })],
    ['RPC', post(proxy, '"k"', undefined, { request: 'POST /other/a' })],
    ['client', post(proxy, '"k"', undefined, { headers: { authorization: 'Bearer other' } })],
    ['cookie', post(proxy, '"k"', undefined, { headers: { cookie: 'session=other' } })],
  ];
  for (const [name, answer] of rows) {
    const { status, json } = await answer;
    t.match([status, json], [422, { code: 3, message: /"k" was sent with another request/ }], name);
  }
  t.equal(proxy.service.calls.length, 1);
});

void t.test('what is no key', async (t) => {
  const proxy = await withProxy(t, { max_key_bytes: 5 });
  for (const key of ['', '""', '"a', 'a b', '"a"b', '"é"', '"\\a"', 'abcdef', '"abcdef"', ['"a"', '"b"']]) {
    const answer = await post(proxy, typeof key === 'string' ? Buffer.from(key).toString('latin1') : key);
    t.match([answer.status, answer.json], [400, { message: /^header idempotency-key: / }], JSON.stringify(key));
  }
  t.equal((await post(proxy, '"a\\"\\\\b"')).status, 200);
  t.equal(proxy.service.calls.length, 1);
});

void t.test('which requests take one', async (t) => {
  const twice = async (proxy: TestProxy, request: string): Promise<boolean> => {
    await post(proxy, '"k"', request.startsWith('GET') ? '' : undefined, { request });
    return isReplay(await post(proxy, '"k"', request.startsWith('GET') ? '' : undefined, { request }));
  };
  const usual = await withProxy(t);
  t.strictSame(
    [await twice(usual, 'PUT /v1/a'), await twice(usual, 'GET /v1/a'), await twice(usual, 'POST /watch/a')],
    [false, false, false],
  );
  t.equal(await twice(usual, 'PATCH /v1/a'), true);
  const chosen = await withProxy(t, { rpcs: 'i.v1.I.Other', methods: 'POST' });
  t.strictSame([await twice(chosen, 'POST /v1/a'), await twice(chosen, 'POST /other/a')], [false, true]);
  const required = await withProxy(t, { required: true });
  const missing = await post(required, undefined);
  t.match([missing.status, missing.json], [400, { message: /is missing, and this request needs one/ }]);
  t.equal((await post(required, undefined, '', { request: 'GET /v1/a' })).status, 200);
  const connect = await proxyCall(required);
  t.equal(connect.status, 200, 'other protocols need none');
});

const proxyCall = (proxy: TestProxy): Promise<TestResponse> =>
  proxy.send('POST /i.v1.I/Create', {
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: '{"name":"a"}',
  });

void t.test('an answer is kept if it is final', async (t) => {
  const rows: readonly [name: string, Answer, keeps: boolean, retries: boolean][] = [
    ['OK', {}, true, true],
    ['INVALID_ARGUMENT', { code: 3 }, true, true],
    ['ALREADY_EXISTS', { code: 6 }, true, true],
    ['a code of the service', { code: 5002 }, true, true],
    ['UNAVAILABLE', { code: 14 }, false, false],
    ['RESOURCE_EXHAUSTED', { code: 8 }, false, false],
    ['ABORTED', { code: 10 }, false, false],
    ['UNAUTHENTICATED', { code: 16 }, false, false],
    ['INTERNAL', { code: 13 }, true, false],
    ['UNKNOWN', { code: 2 }, true, false],
    ['DEADLINE_EXCEEDED', { code: 4 }, true, false],
    ['an answer that is no message', { message: Buffer.from('\x0a\xff') }, true, false],
  ];
  const keeping = await withProxy(t);
  const retrying = await withProxy(t, { unknown_outcome: 'retry' });
  for (const [name, answer, keeps, retries] of rows) {
    for (const [proxy, isKept] of [
      [keeping, keeps],
      [retrying, retries],
    ] as const) {
      proxy.service.answer = () => answer;
      const first = await post(proxy, name.replaceAll(' ', '-'));
      const again = await post(proxy, name.replaceAll(' ', '-'));
      t.strictSame([isReplay(again), again.status], [isKept, first.status], name);
    }
  }
});

void t.test('what no service has seen is not kept', async (t) => {
  const proxy = await withProxy(t);
  const { target } = proxy.service;
  proxy.service.close();
  const failed = await post(proxy, '"k"');
  t.equal(failed.status, 503, target);
  t.notOk(isReplay(await post(proxy, '"k"')));
});

/** A service that answers when the test says so. */
function held(proxy: TestProxy): { readonly arrived: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  proxy.service.answer = () => {
    arrive();
    return { after: gate };
  };
  return { arrived, release: () => release() };
}

void t.test('while the first runs, the others are 409', async (t) => {
  const proxy = await withProxy(t);
  const service = held(proxy);
  const first = post(proxy, '"k"');
  await service.arrived;
  const other = await post(proxy, '"k"');
  t.match(
    [other.status, other.headers['retry-after'], other.json],
    [409, '1', { code: 10, message: /still under way/ }],
  );
  t.equal((await post(proxy, '"k"', '{"text":"y"}')).status, 422);
  service.release();
  t.equal((await first).status, 200);
  t.ok(isReplay(await post(proxy, '"k"')));
  t.equal(proxy.service.calls.length, 1);
});

void t.test('a call goes on without its client, who comes again for the answer', async (t) => {
  const proxy = await withProxy(t);
  const service = held(proxy);
  const headers = { 'content-type': 'application/json', 'idempotency-key': '"k"' };
  const gone = httpRequest(`${proxy.url}/v1/a`, { method: 'POST', headers, agent: false });
  gone.on('error', () => undefined);
  gone.end('{"text":"x"}');
  await service.arrived;
  gone.socket!.resetAndDestroy();
  for (let asked = 0; asked < 3; asked++) t.equal((await post(proxy, '"k"')).status, 409, 'it is still under way');
  service.release();
  let answer = await post(proxy, '"k"');
  while (answer.status === 409) answer = await post(proxy, '"k"');
  t.strictSame([answer.status, isReplay(answer), answer.json], [200, true, { name: 'a', text: 'x' }]);
  t.equal(proxy.service.calls.length, 1);
});

void t.test('an answer that is too large is not kept, and its call is not made again', async (t) => {
  const proxy = await withProxy(t, { max_answer_bytes: 100 });
  const body = JSON.stringify({ text: 'x'.repeat(100) });
  t.equal((await post(proxy, '"k"', body)).status, 200);
  const again = await post(proxy, '"k"', body);
  t.match([again.status, again.json], [409, { message: /too large to be kept/ }]);
  t.equal(proxy.service.calls.length, 1);
});

void t.test('callers that the proxy knows have keys of their own', async (t) => {
  const keys = ['one', 'two'].map((name) => ({ name, key: `${name}-${'0'.repeat(20)}` }));
  const folder = t.testdir({ 'keys.json': JSON.stringify({ keys }) });
  const proxy = await withProxy(t, {}, {}, { api_keys: { file: `${folder}/keys.json` } });
  const as = (index: number, body?: string) => post(proxy, '"k"', body, { headers: { 'x-api-key': keys[index]!.key } });
  await as(0);
  const stranger = await as(1, '{"text":"y"}');
  t.strictSame([stranger.status, isReplay(stranger), stranger.json], [200, false, { name: 'a', text: 'y' }]);
  t.ok(isReplay(await as(0)));
  t.strictSame((await as(1, '{"text":"y"}')).json, { name: 'a', text: 'y' });
  t.equal((await post(proxy, '"k"')).status, 401, 'nobody gets an answer without a key of the API');
});
