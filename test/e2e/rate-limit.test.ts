/**
 * `policies.rate_limits` over real sockets: who is counted, what clients are told in each protocol, and what a reload, a mount
 * and a flood make of it. Limits are by the hour, so that nothing comes back while a test runs.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { type Config, loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { startEchoService } from '../support/echo-service.js';
import { type RequestOptions, send, startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { type RateLimitService, startRateLimitService } from '../support/rate-limit-service.js';
import { jwksOf, signed, testKey } from '../support/tokens.js';
import type { RateLimitAnswer } from '../../lib/routes/ratelimit/messages.js';

const proto = `
syntax = "proto3";
package r.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
}
service Open {
  rpc Login(Message) returns (Message) { option (google.api.http) = { post: "/login" body: "*" }; }
}
message Message { string name = 1; }
`;

type Limits = Readonly<Record<string, object>>;

/** @param more of the file besides */
async function limited(t: Test, limits: Limits, more: object = {}, policies: object = {}): Promise<TestProxy> {
  const yaml = JSON.stringify({ policies: { ...policies, rate_limits: limits }, ...more });
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

const hourly = { requests: 2, per: '1h' };

/** The statuses of requests, one after another. */
async function statuses(
  proxy: TestProxy,
  ...requests: readonly (string | [string, RequestOptions])[]
): Promise<number[]> {
  const all: number[] = [];
  for (const request of requests) {
    const [target, options] = typeof request === 'string' ? [request, {}] : request;
    all.push((await proxy.send(target, options)).status);
  }
  return all;
}

const field = ({ headers }: TestResponse, name: string): unknown => headers[name];

void t.test('what clients are told', async (t) => {
  const proxy = await limited(t, { 'per-client': { key: 'address', ...hourly } });
  const first = await proxy.send('GET /v1/a');
  t.equal(first.status, 200);
  t.equal(field(first, 'ratelimit-policy'), '"per-client";q=2;w=3600');
  t.match(field(first, 'ratelimit'), /^"per-client";r=1;t=1[78]\d\d$/);
  t.match(field(await proxy.send('GET /v1/a'), 'ratelimit'), /^"per-client";r=0;t=1[78]\d\d$/);
  const refused = await proxy.send('GET /v1/a');
  const [, wait] = /;t=(\d+)$/.exec(String(field(refused, 'ratelimit')))!;
  t.match(refused, {
    status: 429,
    headers: { 'retry-after': wait, 'ratelimit-policy': '"per-client";q=2;w=3600' },
    json: {
      code: 8,
      message: `too many requests: the limit is 2 requests in 3600 seconds (per-client); try again in ${wait} seconds`,
      details: [
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: /^1[78]\d\d\.\d+s$/ },
        {
          '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
          violations: [{ subject: 'per-client', description: '2 requests in 3600 seconds' }],
        },
      ],
    },
  });
  t.equal(proxy.service.calls.length, 2, 'the service hears nothing of it');
  t.match(await proxy.send('GET /nowhere'), { status: 429 }, 'what leads nowhere is counted, too');
  const health = await proxy.send('GET /health');
  t.same([health.status, field(health, 'ratelimit')], [200, undefined], 'probes are not counted');
});

void t.test('each protocol', async (t) => {
  const proxy = await limited(t, { all: { requests: 1, per: '1h' } });
  t.equal((await proxy.send('GET /v1/a')).status, 200);
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/r.v1.Shop/Get', same, same, Buffer.alloc(0), new Metadata(), resolve);
  });
  t.equal(error?.code, 8, 'gRPC');
  t.match(
    error?.details,
    /^too many requests: the limit is 1 request in 3600 seconds \(all\); try again in \d+ seconds$/,
  );
  t.match(error?.metadata.get('retry-after'), [/^3\d{3}$/]);
  t.match(
    String(error?.metadata.get('grpc-status-details-bin')[0]),
    /google\.rpc\.RetryInfo[^]*google\.rpc\.QuotaFailure/,
  );
  const web = { headers: { 'content-type': 'application/grpc-web+proto' }, body: Buffer.alloc(5) };
  const { headers, text } = await proxy.send('POST /r.v1.Shop/Get', web);
  t.match(`${JSON.stringify(headers)}${text}`, /grpc-status"?:\s?"?8/, 'gRPC-Web');
  t.match(headers.ratelimit, /^"all";r=0/);
  const connect = { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' };
  t.match(await proxy.send('POST /r.v1.Shop/Get', connect), { status: 429, json: { code: 'resource_exhausted' } });
  const open = once(new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x`), 'open');
  t.equal(await open.catch((thrown: Error) => thrown.message), 'Unexpected server response: 429', 'WebSocket');
  t.equal(proxy.service.calls.length, 1);
});

void t.test('whose requests are counted together', async (t) => {
  const named = (value: string): [string, RequestOptions] => ['GET /v1/a', { headers: { 'x-key': value } }];
  const forwarded = (value: string): [string, RequestOptions] => [
    'GET /v1/a',
    { headers: { 'x-forwarded-for': value } },
  ];
  const get = 'GET /v1/a';
  const put: [string, RequestOptions] = ['PUT /v1/a', { body: '{}' }];
  const connected: [string, RequestOptions] = [
    'POST /r.v1.Shop/Get',
    { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' },
  ];
  const single = { requests: 1, per: '1h' };
  const rows: readonly [
    what: string,
    limits: Limits,
    requests: readonly (string | [string, RequestOptions])[],
    number[],
  ][] = [
    ['header', { a: { key: 'header:x-key', ...single } }, [named('1'), named('2'), named('1')], [200, 200, 429]],
    ['none', { a: { key: 'header:x-key', ...single } }, [get, get, named('2')], [200, 429, 200]],
    [
      'a client that lies',
      { a: { key: 'address', ...single } },
      [forwarded('1.1.1.1'), forwarded('2.2.2.2')],
      [200, 429],
    ],
    ['rpc', { a: { key: 'rpc', ...single } }, [get, put, get, put], [200, 200, 429, 429]],
    [
      'route: all paths of a template, whatever the method',
      { a: { key: 'route', ...single } },
      [get, 'GET /v1/b', ['PUT /v1/c', { body: '{}' }], 'GET /watch/a', 'GET /watch/b', 'GET /nowhere', 'GET /nowhere'],
      [200, 429, 429, 200, 429, 404, 404],
    ],
    [
      'route: a call by gRPC or Connect is another one',
      { a: { key: 'route', ...single } },
      [get, connected, connected, get],
      [200, 200, 429, 429],
    ],
    ['pages are no calls', { a: { key: 'rpc', ...single } }, ['GET /', 'GET /', get], [200, 200, 200]],
    ['rpcs', { a: { rpcs: 'r.v1.Shop.Put', ...single } }, [get, put, get, put], [200, 200, 200, 429]],
    [
      'rpcs of a service',
      { a: { rpcs: ['r.v1.Shop.*'], ...single } },
      [get, put, ['POST /login', { body: '{}' }]],
      [200, 429, 200],
    ],
    [
      'several keys',
      { a: { key: ['rpc', 'header:x-key'], ...single } },
      [named('1'), named('2'), put, put],
      [200, 200, 200, 429],
    ],
    ['burst', { a: { ...single, burst: 3 } }, [get, get, get, get], [200, 200, 200, 429]],
    [
      'what one limit refuses costs nothing of the other',
      { a: { rpcs: 'r.v1.Shop.Get', ...single }, b: { requests: 2, per: '1h' } },
      [get, get, get, put, put],
      [200, 429, 429, 200, 429],
    ],
  ];
  for (const [what, limits, requests, expected] of rows) {
    const proxy = await limited(t, limits);
    t.same(await statuses(proxy, ...requests), expected, what);
  }
  const proxied = await limited(t, { a: { key: 'address', ...single } }, { trusted_proxies: '127.0.0.1' });
  const askedBy = ['1.1.1.1', '2.2.2.2', '1.1.1.1', '2001:db8::1', '2001:db8::2', '2001:db8:1::1'].map(forwarded);
  t.same(await statuses(proxied, ...askedBy), [200, 200, 429, 200, 429, 200], 'by trusted proxies, IPv6 by /64');
});

void t.test('tokens: their claims, and floods of bad ones', async (t) => {
  const key = await testKey('one');
  const jwt = { jwks: JSON.parse(jwksOf(key)) as object, audiences: ['api'], except: ['r.v1.Open.*'] };
  const limits = {
    'per-user': { key: 'claim:sub', requests: 1, per: '1h' },
    'per-client': { key: 'address', requests: 7, per: '1h' },
  };
  const proxy = await limited(t, limits, {}, { jwt });
  const get = async (sub: string): Promise<TestResponse> =>
    proxy.send('GET /v1/a', { headers: { authorization: `Bearer ${await signed(key, { sub })}` } });
  const ada = await get('ada');
  t.equal(ada.status, 200);
  t.match(field(ada, 'ratelimit'), /^"per-client";r=6;t=\d+, "per-user";r=0;t=\d+$/);
  t.equal((await get('ada')).status, 429);
  t.equal((await get('bob')).status, 200);
  const login: [string, RequestOptions] = ['POST /login', { body: '{}' }];
  t.same(await statuses(proxy, login, login), [200, 429], 'without a token, by address');
  t.same(await statuses(proxy, 'GET /v1/a', 'GET /v1/a', 'GET /v1/a'), [401, 401, 429], 'refused tokens are counted');
  t.equal(proxy.service.calls.length, 3);
});

void t.test('a call of a tool is counted once', async (t) => {
  const limits = {
    'per-client': { key: 'address', requests: 3, per: '1h' },
    login: { rpcs: 'r.v1.Open.Login', requests: 1, per: '1h' },
  };
  const proxy = await limited(t, limits, { mcp: true });
  const post = (method: string, params: object = {}): Promise<TestResponse> =>
    proxy.send('POST /mcp', {
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
  const login = { name: 'Open_Login', arguments: { name: 'a' } };
  const first = await post('tools/call', login);
  t.match(first.json, { result: { structuredContent: { name: 'a' } } }, first.text);
  t.match(field(first, 'ratelimit'), /^"per-client";r=2;/);
  const second = await post('tools/call', login);
  t.match(second.json, {
    result: { isError: true, content: [{ text: /^RESOURCE_EXHAUSTED: too many requests: .*\(login\)/ }] },
  });
  t.equal((await post('tools/list')).status, 200, 'lists are counted, too');
  t.equal((await post('tools/list')).status, 429);
  t.equal(proxy.service.calls.length, 1);
});

void t.test('pages of other origins may read it, and preflights are not counted', async (t) => {
  const origin = 'https://console.example.com';
  const proxy = await limited(
    t,
    { all: { requests: 1, per: '1h' } },
    {},
    { cors: { origins: [origin], expose: ['x-request-id'] } },
  );
  const preflight = { headers: { origin, 'access-control-request-method': 'GET' } };
  t.same(await statuses(proxy, ['OPTIONS /v1/a', preflight], ['OPTIONS /v1/a', preflight]), [204, 204]);
  for (const status of [200, 429]) {
    const answer = await proxy.send('GET /v1/a', { headers: { origin } });
    t.equal(answer.status, status);
    t.equal(field(answer, 'access-control-expose-headers'), 'x-request-id, ratelimit, ratelimit-policy, retry-after');
  }
});

void t.test('levels: a limit is one wherever it is inherited, and a level of its own replaces it', async (t) => {
  const more = {
    listeners: [
      {
        listen: '127.0.0.1:0',
        services: ['r.v1.Shop'],
        mounts: [
          { path: '/same', services: ['r.v1.Shop'] },
          { path: '/own', services: ['r.v1.Shop'], policies: { rate_limits: { other: { requests: 1, per: '1h' } } } },
          { path: '/free', services: ['r.v1.Shop'], policies: { rate_limits: false } },
        ],
      },
    ],
  };
  const proxy = await limited(t, { all: { requests: 2, per: '1h' } }, more);
  t.same(await statuses(proxy, 'GET /v1/a', 'GET /same/v1/a', 'GET /v1/a', 'GET /same/v1/a'), [200, 200, 429, 429]);
  t.same(await statuses(proxy, 'GET /own/v1/a', 'GET /own/v1/a', 'GET /free/v1/a'), [200, 429, 200]);
});

void t.test('a reload keeps what is counted of limits that stay', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const folder = t.testdir({ 'test.proto': proto });
  const load = (limits: Limits): Config => {
    writeFileSync(join(folder, 'p.yaml'), JSON.stringify({ policies: { rate_limits: limits }, listen: '127.0.0.1:0' }));
    const flags = { proto: ['test.proto'], upstreams: [parseUpstream(service.target)] };
    return loadConfig({ flags, file: 'p.yaml', workingDirectory: folder });
  };
  const kept = { rpcs: 'r.v1.Shop.Get', requests: 1, per: '1h' };
  const changed = { rpcs: 'r.v1.Shop.Put', requests: 1, per: '1h' };
  const proxy = await startProxy(load({ kept, changed }));
  t.teardown(() => proxy.drain());
  const both = async (): Promise<number[]> => [
    (await send(proxy.urls[0]!, 'GET /v1/a')).status,
    (await send(proxy.urls[0]!, 'PUT /v1/a', { body: '{}' })).status,
  ];
  t.same(
    [await both(), await both()],
    [
      [200, 200],
      [429, 429],
    ],
  );
  await proxy.reload(load({ kept, changed: { ...changed, requests: 2 } }));
  t.same(
    [await both(), await both(), await both()],
    [
      [429, 200],
      [429, 200],
      [429, 429],
    ],
  );
  await proxy.reload(load({}));
  await proxy.reload(load({ kept }));
  t.same(await both(), [200, 200], 'a limit that was gone begins anew');
});

/** @param more members of `rate_limit_service`; time that no machine takes for an answer, unless they say it */
async function served(t: Test, limits: Limits, more: object = {}): Promise<[TestProxy, RateLimitService]> {
  const service = await startRateLimitService();
  t.teardown(() => service.close());
  const rate_limit_service = { target: service.target, domain: 'shop', timeout: '60s', ...more };
  return [await limited(t, limits, {}, { rate_limit_service }), service];
}

const status = (code: number, limitRemaining: number): RateLimitAnswer['statuses'][number] => ({
  code,
  currentLimit: { requestsPerUnit: 5, unit: 2, name: 'theirs' },
  limitRemaining,
  durationUntilReset: { seconds: 7, nanos: 0 },
});

void t.test('a service counts', async (t) => {
  const limits = {
    mine: { key: 'address', requests: 3, per: '1h' },
    theirs: { key: ['address', 'header:x-key', 'rpc', 'route'], service: true },
    others: { service: true, rpcs: 'r.v1.Shop.Put' },
  };
  const [proxy, service] = await served(t, limits);
  service.answer = () => ({
    overallCode: 1,
    statuses: [status(1, 4)],
    responseHeadersToAdd: [
      { key: 'X-Quota', value: 'gold', rawValue: Buffer.alloc(0) },
      { key: 'content-length', value: '1', rawValue: Buffer.alloc(0) },
      { key: 'x-bad', value: 'a\nb', rawValue: Buffer.alloc(0) },
    ],
  });
  const passed = await proxy.send('GET /v1/a', { headers: { 'x-key': 'k' } });
  t.match(passed, { status: 200, headers: { 'x-quota': 'gold', 'x-bad': undefined } });
  t.match(field(passed, 'ratelimit'), /^"mine";r=2;t=\d+, "theirs";r=4;t=7$/);
  t.match(field(passed, 'ratelimit-policy'), '"mine";q=3;w=3600, "theirs";q=5;w=60');
  service.answer = () => ({ overallCode: 2, statuses: [status(2, 0), { ...status(1, 0), currentLimit: undefined }] });
  t.match(await proxy.send('PUT /v1/a', { body: '{}' }), {
    status: 429,
    headers: { 'retry-after': '7', ratelimit: /"theirs";r=0;t=7$/ },
    json: {
      code: 8,
      message: 'too many requests: the limit is 5 requests in 60 seconds (theirs); try again in 7 seconds',
    },
  });
  service.answer = () => ({ overallCode: 2 });
  t.match(await proxy.send('GET /v1/a'), { status: 429, json: { message: 'too many requests; try again later' } });
  t.same(service.asked, [
    ['shop', 'generic_key=theirs,remote_address=127.0.0.1,x-key=k,rpc=r.v1.Shop.Get,route=/v1/{name}'],
    [
      'shop',
      'generic_key=theirs,remote_address=127.0.0.1,remote_address=127.0.0.1,rpc=r.v1.Shop.Put,route=/v1/{name}',
      'generic_key=others',
    ],
    ['shop', 'generic_key=theirs,remote_address=127.0.0.1,remote_address=127.0.0.1,rpc=r.v1.Shop.Get,route=/v1/{name}'],
  ]);
  t.equal((await proxy.send('GET /v1/a')).status, 429);
  t.equal((await proxy.send('GET /health')).status, 200);
  t.equal(service.asked.length, 3, 'what is refused here, and probes, cost the service nothing');
  t.equal(proxy.service.calls.length, 1);
});

void t.test('a service that is slow, wrong or gone', async (t) => {
  const limits = { theirs: { key: 'address', service: true } };
  const wrong: readonly [what: string, answer: RateLimitService['answer']][] = [
    ['silent', () => undefined],
    ['bytes that are no message', () => Buffer.from([0xff, 0xff])],
    ['a failed call', () => 14],
  ];
  const [lax, first] = await served(t, limits, { timeout: '500ms' });
  const [strict, second] = await served(t, limits, { timeout: '500ms', failure_mode_deny: true });
  const refused = { status: 503, headers: { 'retry-after': '1' }, json: { code: 14, message: /could not be checked/ } };
  for (const [what, answer] of wrong) {
    first.answer = second.answer = answer;
    t.equal((await lax.send('GET /v1/a')).status, 200, what);
    t.match(await strict.send('GET /v1/a'), refused, what);
  }
  for (const service of [first, second]) service.close();
  t.equal((await lax.send('GET /v1/a')).status, 200, 'gone');
  t.match(await strict.send('GET /v1/a'), refused, 'gone');
});

void t.test('rate_limit_fields and rate_limit_keys', async (t) => {
  const silent = await limited(t, { all: { requests: 1, per: '1h' } }, { rate_limit_fields: false });
  for (const status of [200, 429]) {
    const answer = await silent.send('GET /v1/a');
    t.equal(answer.status, status);
    t.same([field(answer, 'ratelimit'), field(answer, 'ratelimit-policy')], [undefined, undefined]);
    t.equal(field(answer, 'retry-after') === undefined, status === 200);
  }
  const named = (value: string): [string, RequestOptions] => ['GET /v1/a', { headers: { 'x-key': value } }];
  for (const [keys, expected] of [
    [10, [200, 200, 200, 200]],
    [1, [200, 200, 200, 429]],
  ] as const) {
    const proxy = await limited(t, { a: { key: 'header:x-key', ...hourly } }, { rate_limit_keys: keys });
    t.same(await statuses(proxy, named('1'), named('2'), named('3'), named('4')), expected, `room for ${keys}`);
  }
});

void t.test('what is wrong', async (t) => {
  const rows: readonly [limits: Limits, message: RegExp][] = [
    [{ a: { requests: 1 } }, /a limit of rate has requests and per, such as \{ requests: 100, per: 1m \}/],
    [{ a: { requests: 0, per: '1s' } }, /found "0", expected a whole number from 1/],
    [{ a: { ...hourly, key: 'ip' } }, /found "ip", expected address, rpc, route, header:NAME or claim:NAME/],
    [{ a: { ...hourly, key: ['address', 'header:a b'] } }, /found "header:a b", expected address/],
    [{ a: { ...hourly, rpcs: 'r.v1.Shop.Nope' } }, /r\.v1\.Shop\.Nope/],
    [
      { a: { key: 'address', service: true } },
      /a service is to count the limit a, and policies has no rate_limit_service/,
    ],
    [{ a: { ...hourly, service: true } }, /a limit that the service counts has no requests, per and burst/],
    [{ 'a b': hourly }, /found the name "a b", expected at most 64 letters, digits and _ \. -, such as per-client/],
    [{ a: { ...hourly, limit: 7 } }, /there is no key "limit" here; a limit of rate has: requests, per/],
  ];
  for (const [limits, message] of rows) await t.rejects(limited(t, limits), { message }, String(message));
});
