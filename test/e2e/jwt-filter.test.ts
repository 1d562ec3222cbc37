/**
 * `filters: [{ jwt: … }]` over real sockets: which paths need which tokens, however they are spelt, in each protocol; what
 * services get to know; and what clients cannot say themselves.
 */
import { once } from 'node:events';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { forged, type JwksServer, now, signed, startJwksServer, testKey } from '../support/tokens.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Admin(Message) returns (Message) { option (google.api.http) = { get: "/admin/{name}" }; }
  rpc Open(Message) returns (Message) { option (google.api.http) = { get: "/open/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
}
message Message { string name = 1; }
`;

const key = await testKey('one');
const stranger = await testKey('one');
const good = await signed(key, { name: 'Ada Ω 100%', roles: ['a'] });
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** @param lines members of the provider, one each */
async function guarded(
  t: Test,
  lines: readonly string[] = [],
  rules?: string,
  more = '',
  listener = '',
): Promise<[TestProxy, JwksServer]> {
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const { host } = new URL(jwks.url);
  const yaml = `
clusters: { keys: { endpoints: '${host}', protocol: http1 } }
listeners:
  - listen: 127.0.0.1:0
    ${listener}
    filters:
      - jwt:
          ${more}
          providers:
            p:
              issuer: issuer
              audiences: [api]
              jwks: http://idp.test/jwks.json
              jwks_cluster: keys
              ${lines.join('\n              ')}
          rules: ${rules ?? '[{ match: { prefix: /open } }, { match: { path: / } }, { match: { prefix: / }, requires: { provider: p } }]'}
`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  return [proxy, jwks];
}

void t.test('good, forged, expired and missing tokens', async (t) => {
  const [proxy, jwks] = await guarded(t, [], undefined, 'max_token_bytes: 1000');
  const rows: readonly [what: string, token: string | undefined, status: number, text: string][] = [
    ['none', undefined, 401, 'Jwt is missing'],
    ['a good one', good, 200, ''],
    ['an expired one', await signed(key, { exp: now() - 3600 }), 401, 'Jwt is expired'],
    ['one for others', await signed(key, { aud: 'web' }), 403, 'Audiences in Jwt are not allowed'],
    ['one of another issuer', await signed(key, { iss: 'evil' }), 401, 'Jwt issuer is not configured'],
    ['one with another signature', await signed(stranger), 401, 'Jwt verification fails'],
    ['one without', forged({ alg: 'none' }, {}, 'AAAA'), 401, 'Jwt header [alg] is not supported'],
    [
      'HS256',
      forged({ alg: 'HS256', kid: 'one' }, {}, 'AAAA'),
      401,
      "Jwks doesn't have key to match kid or alg from Jwt",
    ],
    ['a long one', `${good}${'A'.repeat(1000)}`, 401, 'Jwt is longer than its limit (max_token_bytes)'],
  ];
  for (const [what, token, status, text] of rows) {
    const answer = await proxy.send('GET /v1/x', { headers: token === undefined ? {} : bearer(token) });
    const { message } = answer.json as { message?: string };
    t.same([answer.status, message ?? ''], [status, text], what);
    if (status === 200) continue;
    const error = text === 'Jwt is missing' ? '' : ', error="invalid_token"';
    const realm = `http://127.0.0.1:${proxy.port}/v1/x`;
    t.equal(answer.headers['www-authenticate'], `Bearer realm="${realm}"${error}`, what);
  }
  t.equal(proxy.service.calls.length, 1, 'the service hears of the good one alone');
  t.equal(jwks.count, 1, 'the keys come from the cluster, once');
  t.same(proxy.service.calls[0]?.metadata.get('authorization'), [], 'the token is not passed on');
});

void t.test('another spelling of a path needs the same token', async (t) => {
  const rules =
    '[{ match: { path: /admin/x }, requires: { provider: p } }, { match: { prefix: /open } }, { match: { prefix: /admin }, requires: { provider: p } }]';
  const [proxy] = await guarded(t, [], rules);
  const refused = [
    ...['/admin/x', '/%61dmin/x', '/admi%6E/x', '/admin/x/', '/admin/%78', '/%2561dmin/x', '//admin/x', '/./admin/x'],
    ...['/admin;a/x', '/open/..;/admin/x', '/open/..%3ba/admin/x'],
    ...['/open/../admin/x', '/open/%2e%2e/admin/x', '/open%2F..%2Fadmin/x', '/open\\..\\admin/x', '/%6Fpen/..%2fadmin'],
  ];
  for (const path of refused) {
    const { status, text } = await proxy.send(`GET ${path}`);
    t.equal(status, 401, `${path}: ${text}`);
  }
  t.equal(proxy.service.calls.length, 0);
  for (const path of ['/open/x', '/%6Fpen/x', '/open/a%20b', '/open/x/', '/v1/x']) {
    t.equal((await proxy.send(`GET ${path}`)).status, 200, path);
  }
});

void t.test('what services are told, they are told by the proxy alone', async (t) => {
  const lines = ['claim_headers: { x-name: name, x-roles: roles, x-none: none }', 'payload_header: x-payload'];
  const rules =
    '[{ match: { prefix: /open }, requires: { allow_missing: true } }, { match: { prefix: / }, requires: { provider: p } }]';
  const [proxy] = await guarded(t, lines, rules);
  const forgery = { 'x-name': 'eve', x_name: 'eve', 'x-none': 'eve', 'x-payload': 'eve', 'x-other': 'kept' };
  for (const [path, headers, expected] of [
    [
      '/v1/x',
      bearer(good),
      { 'x-name': ['Ada %CE%A9 100%25'], 'x-roles': ['WyJhIl0='], 'x-payload': [good.split('.')[1]] },
    ],
    ['/open/x', {}, { 'x-name': [], 'x-roles': [], 'x-payload': [] }],
  ] as const) {
    const { status } = await proxy.send(`GET ${path}`, { headers: { ...headers, ...forgery } });
    t.equal(status, 200);
    const seen = proxy.service.calls.at(-1)?.metadata;
    for (const [name, values] of Object.entries({ ...expected, x_name: [], 'x-none': [], 'x-other': ['kept'] })) {
      t.same(seen?.get(name), values, `${path}: ${name}`);
    }
  }
});

void t.test('a method that no rule takes is not the one that is judged', async (t) => {
  const [proxy] = await guarded(
    t,
    [],
    undefined,
    'bypass_cors_preflight: true',
    'method_override: true\n    check_origin: false',
  );
  const preflight = { origin: 'https://a.test', 'access-control-request-method': 'POST' };
  const headers = { ...preflight, 'x-http-method-override': 'OPTIONS' };
  for (const type of ['application/proto', 'application/grpc', 'application/json']) {
    const answer = await proxy.send('POST /a.v1.Shop/Get', { headers: { ...headers, 'content-type': type } });
    t.equal(answer.status === 401 || answer.headers['grpc-status'] === '16', true, `${type}: ${answer.status}`);
  }
  t.equal(proxy.service.calls.length, 0);
  const got = { ...bearer(good), 'x-http-method-override': 'GET' };
  t.equal((await proxy.send('POST /v1/x', { headers: got })).status, 200, 'a rule of REST takes it');
});

void t.test('gRPC that virtual hosts pass on is judged, also if it looks like a preflight', async (t) => {
  const policy = '{ origins: ["https://a.test"] }';
  const hosts = `policies: { cors: ${policy} }\n    virtual_hosts: [{ domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: keys } }] }]`;
  const [proxy, jwks] = await guarded(t, [], undefined, '', hosts);
  const preflight = { origin: 'https://a.test', 'access-control-request-method': 'POST' };
  const headers = { ...preflight, 'content-type': 'application/grpc' };
  t.equal((await proxy.send('OPTIONS /any', { headers })).status, 401);
  t.equal(jwks.count, 0, 'the cluster hears nothing of it');
});

void t.test('tools of agents: the token of the request for /mcp is that of the call', async (t) => {
  const [proxy] = await guarded(t, [], undefined, '', 'mcp: true');
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'Shop_Get', arguments: { name: 'x' } } };
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const body = JSON.stringify(call);
  t.equal((await proxy.send('POST /mcp', { headers, body })).status, 401);
  const answer = await proxy.send('POST /mcp', { headers: { ...headers, ...bearer(good) }, body });
  t.match(answer.json, { result: { structuredContent: { name: 'x' } } });
});

void t.test('in each protocol', async (t) => {
  const [proxy] = await guarded(t);
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const call = (headers: Record<string, string>): Promise<string> =>
    new Promise((resolve) => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const same = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest('/a.v1.Shop/Get', same, same, Buffer.alloc(0), metadata, (error: ServiceError | null) => {
        resolve(error === null ? 'ok' : `${error.code} ${error.details}`);
      });
    });
  t.same([await call({}), await call(bearer(good))], ['16 Jwt is missing', 'ok'], 'gRPC');
  const web = { headers: { 'content-type': 'application/grpc-web+proto' }, body: Buffer.alloc(5) };
  const { headers, text } = await proxy.send('POST /a.v1.Shop/Get', web);
  t.match(`${JSON.stringify(headers)}${text}`, /grpc-status"?:\s?"?16/, 'gRPC-Web');
  const connect = { headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' };
  const refused = await proxy.send('POST /a.v1.Shop/Get', connect);
  t.match(refused, { status: 401, json: { code: 'unauthenticated', message: 'Jwt is missing' } }, 'Connect');
  const socketTo = (token: string): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${proxy.port}/watch/x?access_token=${token}`);
  // `once` rejects with the error that it waits for.
  const error = await once(socketTo(await signed(stranger)), 'open').catch((thrown: Error) => thrown.message);
  t.equal(error, 'Unexpected server response: 401', 'WebSocket');
  const socket = socketTo(good);
  const [message] = (await once(socket, 'message')) as [Buffer];
  t.same(JSON.parse(message.toString()), { name: 'x' }, 'the token in the query is no parameter of the route');
  socket.terminate();
});

void t.test('keys that cannot be fetched let nobody pass', async (t) => {
  const [proxy, jwks] = await guarded(t);
  jwks.answer = (_request, response) => response.writeHead(500).end();
  const { status, json } = await proxy.send('GET /v1/x', { headers: bearer(good) });
  t.match({ status, json }, { status: 401, json: { message: 'Jwks remote fetch is failed' } });
  jwks.close();
  t.equal((await proxy.send('GET /open/x', { headers: bearer(good) })).status, 200, 'what needs no token is served');
});

void t.test('a preflight that is answered here needs no token', async (t) => {
  const yaml = `
policies: { cors: { origins: ['https://a.test'] } }
listeners:
  - listen: 127.0.0.1:0
    filters: [{ access: { action: deny, rules: [{ requests: { always: true }, callers: { always: true } }] } }]
`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  const headers = { origin: 'https://a.test', 'access-control-request-method': 'GET' };
  t.equal((await proxy.send('OPTIONS /v1/x', { headers })).status, 204);
  t.equal((await proxy.send('OPTIONS /v1/x', { headers: { origin: 'https://a.test' } })).status, 403);
  t.equal((await proxy.send('GET /v1/x', { headers: { origin: 'https://a.test' } })).status, 403);
});

void t.test('filters hold for mounts, and see the whole path', async (t) => {
  const yaml = `
listeners:
  - listen: 127.0.0.1:0
    filters: [{ access: { action: deny, rules: [{ requests: { path: { prefix: /shop/v1 } }, callers: { always: true } }] } }]
    mounts: { /shop: { services: [a.v1] } }
`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  t.equal((await proxy.send('GET /shop/v1/x')).status, 403);
  t.equal((await proxy.send('GET /%73hop/%76%31/x')).status, 403);
  t.equal((await proxy.send('GET /shop/open/x')).status, 200);
});
