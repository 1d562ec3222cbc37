/** The option `retries`: where it may stand, whom it is for, and what operators see of it. */
import t from 'tap';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package r.v1;
import "google/api/annotations.proto";
service R {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Post(Message) returns (Message) { option (google.api.http) = { post: "/v1" body: "*" }; }
  rpc Put(Message) returns (Message) {
    option idempotency_level = IDEMPOTENT;
    option (google.api.http) = { put: "/v1" body: "*" };
  }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc Upload(stream Message) returns (Message) { option (google.api.http) = { post: "/upload" body: "*" }; }
}
message Message { string name = 1; }
`;

const get = ['GET /v1/x'] as const;
const post = ['POST /v1', { body: '{"name":"x"}' }] as const;
const put = ['PUT /v1', { body: '{"name":"x"}' }] as const;
const watch = ['GET /watch?name=x'] as const;
const upload = ['POST /upload', { body: '{"name":"x"}' }] as const;
const connect = [
  'POST /r.v1.R/Post',
  { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{"name":"x"}' },
] as const;

interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly request: Readonly<Parameters<TestProxy['send']>>;
  /** Of the attempts before one that succeeds. */
  readonly codes: readonly number[];
  readonly status: number;
  readonly attempts: number;
}

const fast = 'initial_backoff: 1ms, max_backoff: 1ms';

const cases: readonly Case[] = [
  { name: 'off', yaml: '{}', request: get, codes: [14], status: 503, attempts: 1 },
  { name: 'at the top', yaml: `retries: { ${fast} }`, request: get, codes: [14, 14], status: 200, attempts: 3 },
  { name: 'a body', yaml: `retries: { ${fast} }`, request: post, codes: [14, 14], status: 200, attempts: 3 },
  { name: 'a stream', yaml: `retries: { ${fast} }`, request: watch, codes: [14], status: 200, attempts: 2 },
  { name: 'an upload', yaml: `retries: { ${fast} }`, request: upload, codes: [14], status: 200, attempts: 2 },
  { name: 'Connect', yaml: `retries: { ${fast} }`, request: connect, codes: [14], status: 200, attempts: 2 },
  {
    name: 'codes count if a rule is for GET',
    yaml: `retries: { ${fast}, codes: [ABORTED, unavailable] }`,
    request: get,
    codes: [10, 14],
    status: 200,
    attempts: 3,
  },
  {
    name: 'or if the schema says so',
    yaml: `retries: { ${fast}, codes: ABORTED }`,
    request: put,
    codes: [10],
    status: 200,
    attempts: 2,
  },
  {
    name: 'and not for others',
    yaml: `retries: { ${fast}, codes: ABORTED }`,
    request: post,
    codes: [10],
    status: 409,
    attempts: 1,
  },
  {
    name: 'methods, member by member',
    yaml: `retries: { ${fast}, attempts: 2 }\nmethods: { r.v1.R.Get: { retries: { attempts: 4 } } }`,
    request: get,
    codes: [14, 14, 14],
    status: 200,
    attempts: 4,
  },
  {
    name: 'methods, without an outer option',
    yaml: `methods: { r.v1.*: { retries: { ${fast}, attempts: 2 } } }`,
    request: post,
    codes: [14],
    status: 200,
    attempts: 2,
  },
  {
    name: 'off for some',
    yaml: `retries: { ${fast} }\nmethods: { r.v1.R.Post: { retries: false } }`,
    request: post,
    codes: [14],
    status: 503,
    attempts: 1,
  },
  {
    name: 'idempotent, by the word of the operator',
    yaml: `methods: { r.v1.R.Post: { retries: { ${fast}, codes: ABORTED, idempotent: true } } }`,
    request: post,
    codes: [10],
    status: 200,
    attempts: 2,
  },
  {
    name: 'budget',
    yaml: `retries: { ${fast}, attempts: 10, budget: { max_tokens: 4 } }`,
    request: get,
    codes: [14, 14, 14, 14],
    status: 503,
    attempts: 2,
  },
];

void t.test('where it stands, and whom it is for', async (t) => {
  for (const { name, yaml, request, codes, status, attempts } of cases) {
    const proxy = await startTestProxy(proto, {}, yaml);
    // Without a message the first thing that comes is the status.
    proxy.service.answer = () => {
      const code = codes[proxy.service.calls.length - 1];
      return code === undefined ? {} : { code, messages: [] };
    };
    const response = await proxy.send(...request);
    t.equal(response.status, status, `${name}: ${response.text}`);
    t.equal(proxy.service.calls.length, attempts, name);
    await proxy.close();
  }
});

void t.test('of a mount', async (t) => {
  const yaml = `
listeners:
  - listen: 127.0.0.1:0
    mounts:
      /a: { services: [r.v1], retries: { ${fast} } }
      /b: { services: [r.v1] }
`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  proxy.service.answer = () => (proxy.service.calls.length % 2 === 1 ? { code: 14 } : {});
  t.equal((await proxy.send('GET /a/v1/x')).status, 200);
  t.equal((await proxy.send('GET /b/v1/x')).status, 503);
});

void t.test('the budget is one for all RPCs of an upstream', async (t) => {
  const proxy = await startTestProxy(proto, {}, `retries: { ${fast}, attempts: 2, budget: { max_tokens: 4 } }`);
  t.teardown(() => proxy.close());
  proxy.service.answer = () => ({ code: 14 });
  await proxy.send(...get);
  await proxy.send(...put);
  t.equal(proxy.service.calls.length, 3, 'the second call finds two tokens of four');
});

void t.test('what is wrong with it', async (t) => {
  for (const [yaml, message] of [
    [
      'methods: { r.v1.R.Post: { retries: { codes: ABORTED } } }',
      'r.v1.R.Post is to be sent again after ABORTED, and nothing says that it may be done twice',
    ],
    ['retries: { codes: [SOMETIMES] }', 'expected the name of a gRPC code'],
    ['retries: { codes: OK }', 'expected the name of a gRPC code'],
    ['retries: { attempts: 0 }', 'expected a whole number from 1 to 100'],
    ['retries: { initial_backoff: 2s, max_backoff: 1s }', 'initial_backoff is longer than max_backoff'],
    ['retries: { tries: 3 }', '"retries" has: attempts, codes'],
    ['retries: yes please', '"retries" is false or a map such as { attempts: 3 }'],
  ] as const) {
    await t.rejects(startTestProxy(proto, {}, yaml), { message: new RegExp(message.replace(/[{}]/g, '\\$&')) }, yaml);
  }
});

void t.test('programs', async (t) => {
  const proxy = await startTestProxy(proto, { retries: { attempts: 2, initialBackoffMs: 1 } });
  t.teardown(() => proxy.close());
  proxy.service.answer = () => (proxy.service.calls.length === 1 ? { code: 14 } : {});
  t.equal((await proxy.send(...get)).status, 200);
});
