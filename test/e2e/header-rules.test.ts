/** `header_rules`: what services get and clients see, by RPC, alike for every protocol. */
import { once } from 'node:events';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { loadConfig } from '../../lib/config/index.js';
import { ConfigError } from '../../lib/status.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { signed, startJwksServer, testKey } from '../support/tokens.js';

const proto = `
syntax = "proto3";
package h.v1;
import "google/api/annotations.proto";
service Ruled {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
}
service Free {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/free/{name}" }; }
}
message Message { string name = 1; }
`;

const rules = `
header_rules:
  - selector: h.v1.Ruled.*
    request:
      deny: [x-internal-*, x-secret]
      rename: { X-Old: x-new }
      append: { x-via: edge }
      set: { x-tenant: acme, x-path: '%REQ(:method)% %REQ(:path)% %REQ(user-agent)%', x-none: '%REQ(x-nothing)%' }
    response:
      deny: [x-server-*]
      rename: { x-took: x-time }
      append: { x-list: two }
      set: { cache-control: no-store }
`;

async function withProxy(t: Test, yaml: string, options: object = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  proxy.service.answer = () => ({
    headers: { 'x-server-id': '7', 'x-took': '3', 'x-list': 'one', 'cache-control': 'public' },
    trailers: { 'x-server-end': '1', 'x-end': '2' },
  });
  return proxy;
}

/** Of the last call. */
function seen(proxy: TestProxy, ...names: string[]): Record<string, string> {
  const { metadata } = proxy.service.calls.at(-1)!;
  return Object.fromEntries(names.map((name) => [name, metadata.get(name).join()]));
}

const sent = {
  'x-internal-a': '1',
  'x-secret': 's',
  'x-old': 'o',
  'x-new': 'forged',
  'x-via': 'client',
  'x-tenant': 'evil',
  'x-other': 'kept',
  'x-none': 'gone',
  'user-agent': 'ua',
};

/** One unary call by each protocol; each gives the headers of its answer. */
const ways: Readonly<Record<string, (proxy: TestProxy) => Promise<Readonly<Record<string, unknown>>>>> = {
  REST: async (proxy) => (await proxy.send('GET /v1/a?x=%24', { headers: sent })).headers,
  Connect: async (proxy) => {
    const headers = { ...sent, 'content-type': 'application/json', 'connect-protocol-version': '1' };
    return (await proxy.send('POST /h.v1.Ruled/Get', { headers, body: '{"name":"a"}' })).headers;
  },
  'gRPC-Web': async (proxy) => {
    const headers = { ...sent, 'content-type': 'application/grpc-web+proto' };
    return (await proxy.send('POST /h.v1.Ruled/Get', { headers, body: Buffer.from([0, 0, 0, 0, 0]) })).headers;
  },
  gRPC: async (proxy) => {
    const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure(), {
      'grpc.primary_user_agent': 'ua',
    });
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(sent)) if (name !== 'user-agent') metadata.set(name, value);
    const same = (bytes: Buffer): Buffer => bytes;
    try {
      return await new Promise((resolve, reject) => {
        let headers: Record<string, unknown> = {};
        client
          .makeUnaryRequest('/h.v1.Ruled/Get', same, same, Buffer.alloc(0), metadata, (error) =>
            error === null ? resolve(headers) : reject(error),
          )
          .on('metadata', (given) => (headers = given.getMap()));
      });
    } finally {
      client.close();
    }
  },
  MCP: async (proxy) => {
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'Ruled_Get', arguments: { name: 'a' } },
    };
    const headers = { ...sent, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const answer = await proxy.send('POST /mcp', { headers, body: JSON.stringify(body) });
    if (!/"name":/.test(answer.text)) throw new Error(answer.text);
    return {};
  },
};

void t.test('every protocol', async (t) => {
  const proxy = await withProxy(t, rules, { mcp: true, systemParameters: false, ignoreUnknownQuery: true });
  for (const [index, [protocol, call]] of Object.entries(ways).entries()) {
    const headers = await call(proxy);
    t.equal(proxy.service.calls.length, index + 1, protocol);
    t.match(
      seen(proxy, 'x-internal-a', 'x-secret', 'x-old', 'x-new', 'x-via', 'x-tenant', 'x-other', 'x-none'),
      {
        'x-internal-a': '',
        'x-secret': '',
        'x-old': '',
        'x-new': 'o',
        'x-via': /^client,\s?edge$/,
        'x-tenant': 'acme',
        'x-other': 'kept',
        'x-none': '',
      },
      protocol,
    );
    t.match(
      seen(proxy, 'x-path')['x-path'],
      protocol === 'REST' ? /^GET \/v1\/a\?x=%24 ua$/ : /^POST \/.* ua/,
      protocol,
    );
    if (protocol === 'MCP') continue;
    const { 'x-server-id': id, 'x-took': took, 'x-time': time, 'cache-control': cache, 'x-list': list } = headers;
    t.strictSame([id, took, time, cache], [undefined, undefined, '3', 'no-store'], protocol);
    t.match(String(list), protocol === 'gRPC' ? /one|two/ : /^one, ?two$/, protocol);
  }
});

void t.test('trailers, failures, and RPCs without a rule', async (t) => {
  const proxy = await withProxy(t, rules);
  const answer = await proxy.send('GET /v1/a', { headers: { te: 'trailers' } });
  const { 'x-server-end': hidden, 'x-end': shown, 'x-list': added } = answer.trailers;
  t.strictSame(
    [hidden, shown, added],
    [undefined, '2', undefined],
    'trailers are filtered, and nothing is added to them',
  );
  const free = await proxy.send('GET /free/a', { headers: sent });
  t.match(free.headers, { 'x-server-id': '7', 'x-took': '3', 'cache-control': 'public' });
  t.match(seen(proxy, 'x-secret', 'x-tenant'), { 'x-secret': 's', 'x-tenant': 'evil' });

  proxy.service.answer = () => ({ code: 5, details: 'no' });
  const failed = await proxy.send('GET /v1/a');
  t.match([failed.status, failed.headers['cache-control']], [404, 'no-store'], 'of a service that fails at once');
  proxy.service.answer = () => ({});
  t.match((await proxy.send('GET /watch/a', { headers: sent })).headers, { 'cache-control': 'no-store' });
  t.match(seen(proxy, 'x-tenant', 'x-secret'), { 'x-tenant': 'acme', 'x-secret': '' });

  const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/watch/a`, { headers: { 'x-secret': 's' } });
  await once(socket, 'open');
  await once(socket, 'close');
  t.match(seen(proxy, 'x-tenant', 'x-secret'), { 'x-tenant': 'acme', 'x-secret': '' }, 'WebSocket');
});

void t.test('an allow list keeps what the proxy itself says', async (t) => {
  const yaml =
    'header_rules:\n  - selector: "*"\n    request: { allow: [x-other, x-in*] }\n    response: { allow: [x-end] }';
  const proxy = await withProxy(t, yaml);
  const answer = await proxy.send('GET /v1/a', { headers: { ...sent, 'x-request-id': 'r-1' } });
  t.strictSame(seen(proxy, 'x-internal-a', 'x-secret', 'x-other', 'x-request-id', 'x-forwarded-for'), {
    'x-internal-a': '1',
    'x-secret': '',
    'x-other': 'kept',
    'x-request-id': 'r-1',
    'x-forwarded-for': '127.0.0.1',
  });
  t.match(answer.headers, { 'x-request-id': 'r-1', 'x-end': '2', 'content-type': 'application/json' });
  t.notOk('x-took' in answer.headers || 'x-server-end' in answer.headers);
  proxy.service.answer = () => ({ code: 9, details: 'm', trailers: { 'grpc-status-details-bin': Buffer.alloc(0) } });
  t.strictSame((await proxy.send('GET /v1/a')).json, { code: 9, message: 'm' });
});

void t.test('claims of the token', async (t) => {
  const key = await testKey('one');
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const yaml = `
policies:
  jwt: { jwks: ${jwks.url}, issuer: issuer, audiences: api, except: [h.v1.Free.*] }
header_rules:
  - { selector: h.v1.*, request: { set_from_claims: { sub: x-user, org: x-org } } }
  - { selector: h.v1.*, request: { rename: { x-a: x-user } } }
`;
  const proxy = await withProxy(t, yaml);
  const authorization = `Bearer ${await signed(key, { sub: 'ada' })}`;
  const forged = { 'x-user': 'eve', x_user: 'eve', 'x-org': 'evil', 'x-a': 'eve' };
  await proxy.send('GET /v1/a', { headers: { ...forged, authorization } });
  const told = { 'x-user': 'ada', x_user: '', 'x-org': '' };
  t.strictSame(seen(proxy, 'x-user', 'x_user', 'x-org'), told);
  await proxy.send('GET /free/a', { headers: forged });
  t.strictSame(seen(proxy, 'x-user', 'x_user', 'x-org'), { ...told, 'x-user': '' }, 'without a token there is nobody');
});

void t.test('what a rule cannot do ends the start', (t) => {
  const rows: readonly (readonly [rule: object, message: RegExp])[] = [
    [{}, /has a selector/],
    [
      { selector: '*', request: { set: { 'grpc-timeout': '1S' } } },
      /"grpc-timeout" is written by photongate or by HTTP/,
    ],
    [{ selector: '*', request: { deny: ['Connection'] } }, /"Connection" is written by/],
    [{ selector: '*', request: { allow: ['grpc-*'] } }, /"grpc-\*" is written by/],
    [{ selector: '*', response: { rename: { 'x-a': 'content-type' } } }, /"content-type" is written by/],
    [{ selector: '*', request: { set: { 'x-forwarded-for': '1' } } }, /"x-forwarded-for" is written by/],
    [{ selector: '*', request: { set: { 'x-a': 'a\r\nb: c' } } }, /expected a printable text of ASCII/],
    [{ selector: '*', request: { set: { 'x-a': 'ö' } } }, /expected a printable text of ASCII/],
    [{ selector: '*', request: { set: { 'x-a': '%NOPE%' } } }, /%NOPE% is not known/],
    [{ selector: '*', request: { set: { 'x-*': 'a' } } }, /a whole name stands here/],
    [{ selector: '*', request: { set: { 'x-a-bin': 'a' } } }, /ends in -bin has bytes/],
    [{ selector: '*', request: { rename: { 'x-a-bin': 'x-a' } } }, /both names end in -bin, or neither/],
    [{ selector: '*', request: { set: { 'x-a': 'a', 'X-A': 'b' } } }, /"x-a" is there twice/],
    [{ selector: '*', request: { deny: ['a b'] } }, /expected a header name such as x-tenant/],
    [{ selector: '*', response: { set_from_claims: { sub: 'x-a' } } }, /set_from_claims/],
  ];
  const problemOf = (rule: object): string => {
    try {
      loadConfig({ flags: { proto: ['a.proto'], options: { headerRules: [rule] as never } } });
      return 'none';
    } catch (error) {
      return error instanceof ConfigError ? error.message : String(error);
    }
  };
  for (const [rule, message] of rows) t.match(problemOf(rule), message, JSON.stringify(rule));
  t.end();
});

void t.test('a selector that names nothing ends the start', async (t) => {
  await t.rejects(withProxy(t, 'header_rules:\n  - { selector: h.v1.Nobody.* }'), /no RPC is named "h.v1.Nobody.\*"/);
});
