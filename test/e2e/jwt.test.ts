/**
 * `policies: { jwt: … }` over real sockets: which tokens are good, what refusals say in each protocol, what services get to
 * know of the caller, and what stays open. The issuer's keys come from a server that counts who asks.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { type Config, createGateway, loadConfig, startProxy } from '../../lib/index.js';
import { startEchoService } from '../support/echo-service.js';
import { send, startTestProxy, type RequestOptions, type TestProxy, type TestResponse } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { streamRequest, waitFor } from '../support/stream-client.js';
import {
  forged,
  type JwksServer,
  jwksOf,
  now,
  signed,
  startJwksServer,
  type TestKey,
  testKey,
} from '../support/tokens.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Open {
  rpc Login(Message) returns (Message) { option (google.api.http) = { post: "/login" body: "*" }; }
  rpc Admin(Message) returns (Message) { option (google.api.http) = { get: "/open-admin" }; }
}
service Shut {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
  rpc Hidden(Message) returns (Message);
}
message Message { string name = 1; }
`;

const key = await testKey('one');
const other = await testKey('two');
const json = { 'content-type': 'application/json' };
const good = await signed(key, { roles: ['viewer'], name: 'Ada Ω 100%', ctx: { org: 'acme' } });
const admin = await signed(key, { roles: ['viewer', 'admin'] });

interface Guarded {
  readonly proxy: TestProxy;
  readonly jwks: JwksServer;
  /** Sends with a token. */
  readonly get: (methodAndTarget: string, token?: string, options?: RequestOptions) => Promise<TestResponse>;
}

/** @param policy YAML of what stands in `jwt` besides the keys, one key a line. */
async function guarded(t: Test, policy: readonly string[] = [], options: object = {}, keys = [key]): Promise<Guarded> {
  const jwks = await startJwksServer(...keys);
  const lines = [`jwks: ${jwks.url}`, 'issuer: issuer', 'audiences: [api, other]', ...policy];
  const yaml = `policies:\n  jwt:\n${lines.map((line) => `    ${line}\n`).join('')}`;
  t.teardown(() => jwks.close());
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  const get: Guarded['get'] = (target, token, { headers, ...rest } = {}) =>
    proxy.send(target, { ...rest, headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) } });
  return { proxy, jwks, get };
}

void t.test('which tokens are good', async (t) => {
  const { proxy, get } = await guarded(t, ['leeway: 10s']);
  const rsa = await testKey('one', 'RS256');
  const hmac = (secret: string): Promise<string> =>
    new SignJWT({ iss: 'issuer', aud: 'api', exp: now() + 300 })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(Buffer.from(secret));
  const rows: readonly [what: string, token: string, refused?: RegExp][] = [
    ['a good one', good],
    ['the other audience of two', await signed(key, { aud: ['else', 'other'] })],
    ['within the leeway', await signed(key, { exp: now() - 5, nbf: now() + 5 })],
    ['expired', await signed(key, { exp: now() - 60 }), /^the token expired \d{4}-.*Z; get a new one$/],
    ['not yet valid', await signed(key, { nbf: now() + 60 }), /^the token is not valid before \d{4}-/],
    ['without expiry', await signed(key, { exp: undefined }), /^the token has no claim "exp"$/],
    ['expiry that is no number', await signed(key, { exp: '2099-01-01' }), /claim "exp" is not as expected/],
    ['of another issuer', await signed(key, { iss: 'evil' }), /^the token is issued by "evil", expected "issuer"$/],
    ['of nobody', await signed(key, { iss: undefined }), /^the token has no claim "iss"$/],
    ['for another audience', await signed(key, { aud: 'web' }), /^the token is for "web", expected "api" or "other"$/],
    ['for no audience', await signed(key, { aud: undefined }), /^the token has no claim "aud"$/],
    ['signed by somebody else', await signed(other, {}, { kid: 'one' }), /^the token's signature is wrong$/],
    [
      'a key that is not published',
      await signed(other),
      /^the token is signed with a key that its issuer does not publish/,
    ],
    ['another algorithm', await signed(rsa), /does not publish/],
    ['cut short', good.slice(0, -20), /signature is wrong|not a JWT/],
    [
      'changed',
      good.replace(/\.[^.]+\./, (part) => `${part.slice(0, 9)}A${part.slice(10)}`),
      /signature is wrong|not a JWT/,
    ],
    ['alg none', forged({ alg: 'none' }), /^the token is signed in a way that is not taken here; expected RS256/],
    ['alg None', forged({ alg: 'None' }), /not taken here/],
    ['no alg', forged({ kid: 'one' }), /not a JWT/],
    ['HS256 with the public key', await hmac(key.publicJwk.x!), /not taken here/],
    ['HS256 with the key set', await hmac(jwksOf(key)), /not taken here/],
    ['a key of its own', forged({ alg: 'EdDSA', jwk: other.publicJwk }), /signature is wrong|not a JWT/],
    ['unknown crit', forged({ alg: 'EdDSA', kid: 'one', crit: ['x'], x: 1 }), /not taken here|not a JWT/],
    ['garbage', 'garbage', /^the token is not a JWT; expected three parts/],
    ['five parts', 'a.b.c.d.e', /not a JWT/],
    ['a space in it', `${good} x`, /not a JWT/],
    [
      'claims that are no object',
      `${forged({ alg: 'EdDSA', kid: 'one' }).split('.')[0]!}.W10.AAAA`,
      /signature|not a JWT/,
    ],
  ];
  for (const [what, token, refused] of rows) {
    const answer = await get('GET /v1/x', token);
    t.equal(answer.status, refused === undefined ? 200 : 401, `${what}: ${answer.text}`);
    if (refused === undefined) continue;
    const { message, code } = answer.json as { message: string; code: number };
    t.equal(code, 16, what);
    t.match(message, refused, what);
    t.match(
      answer.headers['www-authenticate'],
      /^Bearer realm="photongate", error="invalid_token", error_description="[\x20\x21\x23-\x5b\x5d-\x7e]+"$/,
      what,
    );
  }
  t.equal(proxy.service.calls.length, 3, 'no other arrived');
});

void t.test('where the token stands, and how often', async (t) => {
  const { proxy } = await guarded(t, ['query_parameter: access_token', 'max_token_bytes: 1000']);
  const bearer = { authorization: `Bearer ${good}` };
  const rows: readonly [
    what: string,
    target: string,
    headers: RequestOptions['headers'],
    status: number,
    text?: RegExp,
  ][] = [
    [
      'nowhere',
      '/v1/x',
      {},
      401,
      /this needs a token; expected the header \\"Authorization: Bearer TOKEN\\", or \?access_token=TOKEN/,
    ],
    ['header', '/v1/x', bearer, 200],
    ['scheme in another case', '/v1/x', { authorization: `bEARER  ${good} ` }, 200],
    ['another scheme', '/v1/x', { authorization: 'Basic YTpi' }, 401, /found \\"Basic\\" in it/],
    ['no token behind the scheme', '/v1/x', { authorization: 'Bearer' }, 401, /needs a token/],
    ['an empty header', '/v1/x', { authorization: '' }, 401, /needs a token/],
    ['no scheme', '/v1/x', { authorization: good }, 401, /needs a token/],
    ['twice', '/v1/x', { authorization: [`Bearer ${good}`, `Bearer ${admin}`] }, 400, /more than one token/],
    ['twice the same', '/v1/x', { authorization: [`Bearer ${good}`, `Bearer ${good}`] }, 400, /more than one token/],
    [
      'beside another scheme',
      '/v1/x',
      { authorization: ['Basic YTpi', `Bearer ${good}`] },
      400,
      /more than one token, or header/,
    ],
    ['joined by a comma', '/v1/x', { authorization: `Bearer ${good}, Bearer ${good}` }, 401, /not a JWT/],
    ['query', `/v1/x?access_token=${good}`, {}, 200],
    ['query, name escaped', `/v1/x?%61ccess_token=${good}`, {}, 200],
    ['query, twice', `/v1/x?access_token=${good}&access%5ftoken=${good}`, {}, 400, /more than one token/],
    ['query and header', `/v1/x?access_token=${good}`, bearer, 400, /more than one token/],
    ['empty in the query', '/v1/x?access_token=', {}, 401, /needs a token/],
    ['empty in the query beside a header', '/v1/x?access_token=', bearer, 200],
    ['malformed in the query', '/v1/x?access_token=%zz', {}, 401, /not a JWT/],
    [
      'too long',
      '/v1/x',
      { authorization: `Bearer ${'a'.repeat(1001)}` },
      401,
      /longer than the limit of 1000 bytes \(policies\.jwt\.max_token_bytes\)/,
    ],
    ['a protocol, but no WebSocket', '/v1/x', { 'sec-websocket-protocol': `bearer, ${good}` }, 401, /needs a token/],
    ['what is wrong besides', '/v1/x?nope=1', bearer, 400, /nope/],
  ];
  for (const [what, target, headers, status, text] of rows) {
    const answer = await proxy.send(`GET ${target}`, { headers: headers ?? {} });
    t.equal(answer.status, status, `${what}: ${answer.text}`);
    if (text !== undefined) t.match(answer.text, text, what);
  }
  const absent = await proxy.send('GET /v1/x');
  t.equal(absent.headers['www-authenticate'], 'Bearer realm="photongate"', 'no error where there was no token');
  const several = await proxy.send(`GET /v1/x?access_token=${good}`, { headers: bearer });
  t.match(several.headers['www-authenticate'], /error="invalid_request"/);
});

void t.test('what services get to know', async (t) => {
  const claims =
    'forward_claims: { sub: X-User-Id, roles: x-roles, ctx.org: x-org, name: x-name, ctx: x-ctx-bin, no: x-no }';
  const forward = await guarded(t, [claims, 'query_parameter: token']);
  const quiet = await guarded(t, [claims, 'query_parameter: token', 'forward_token: false']);
  const smuggled = {
    'x-user-id': 'eve',
    X_User_Id: 'eve',
    'x-user_id': 'eve',
    'x-roles': 'admin',
    'x-no': 'eve',
    'x-ctx-bin': 'ZXZl',
    'grpc-metadata-x-user-id': 'eve',
    'x-other': 'kept',
    // Headers that a proxy takes for the connection's own are often lost behind it, also those that it set itself.
    connection: 'close, x-user-id, x-roles',
  };
  const seen = (guard: Guarded): Metadata => guard.proxy.service.calls.at(-1)!.metadata;
  for (const [target, headers] of [
    ['GET /v1/x', { ...smuggled, authorization: `Bearer ${good}` }],
    [`GET /v1/x?token=${good}`, { ...smuggled, authorization: 'Basic YTpi' }],
  ] as const) {
    for (const guard of [forward, quiet]) {
      const answer = await guard.proxy.send(target, { headers });
      t.equal(answer.status, 200, answer.text);
      const metadata = seen(guard);
      t.strictSame(metadata.get('x-user-id'), ['ada']);
      t.strictSame(metadata.get('x_user_id'), []);
      t.strictSame(metadata.get('x-user_id'), []);
      t.strictSame(metadata.get('x-roles'), ['viewer']);
      t.strictSame(metadata.get('x-org'), ['acme']);
      t.strictSame(metadata.get('x-name'), ['Ada %CE%A9 100%25'], 'what metadata cannot carry is percent-encoded');
      t.strictSame(metadata.get('x-ctx-bin'), [Buffer.from('{"org":"acme"}')]);
      t.strictSame(metadata.get('x-no'), []);
      t.strictSame(metadata.get('x-other'), ['kept']);
      t.strictSame(metadata.get('authorization'), guard === forward ? [`Bearer ${good}`] : []);
    }
  }
  const open = await guarded(t, ['forward_token: false', 'query_parameter: token', 'except: [a.v1.Open.*]']);
  for (const authorization of [`Bearer ${good}`, 'Basic YTpi']) {
    await open.proxy.send('POST /login?token=x', { headers: { authorization }, body: '{}' });
    const passed = authorization.startsWith('Basic') ? [authorization] : [];
    t.strictSame(seen(open).get('authorization'), passed, 'tokens are kept back from open RPCs, too');
  }
  const custom = await guarded(t, ['forward_token: false', 'header: x-jwt', 'except: [a.v1.Open.*]']);
  await custom.proxy.send('POST /login', { headers: { 'x-jwt': good, authorization: 'Bearer own' }, body: '{}' });
  t.strictSame([seen(custom).get('x-jwt'), seen(custom).get('authorization')], [[], ['Bearer own']]);
  const lists = await signed(key, { sub: ' a,b ', roles: ['a,b', 'c', 7, true] });
  await forward.get('GET /v1/x', lists);
  t.strictSame(seen(forward).get('x-user-id'), ['%20a,b%20']);
  t.strictSame(seen(forward).get('x-roles'), ['a%2Cb,c,7,true']);
});

void t.test('open RPCs, and what others need', async (t) => {
  const { proxy, get } = await guarded(t, [
    'except: [a.v1.Open.*]',
    'forward_claims: { sub: x-user-id }',
    'query_parameter: token',
    'require:',
    '  "*": { ctx.org: [acme, umbrella] }',
    '  a.v1.Shut.Put: { roles: [admin, owner] }',
    '  a.v1.Open.Admin: { roles: admin, ctx.org: [] }',
    '  a.v1.Shut.Watch: { scope: "watch:all", level: 3, ctx.org: [] }',
  ]);
  const acme = { ctx: { org: 'acme' } };
  const anyone = await signed(key, acme);
  const owner = await signed(key, { ...acme, roles: 'owner' });
  const open = await get('POST /login?token=bad', 'not a token', { body: '{}', headers: { 'x-user-id': 'eve' } });
  t.equal(open.status, 200, 'what stands in the place of a token is not looked at');
  const [call] = proxy.service.calls;
  t.strictSame(call!.metadata.get('x-user-id'), [], 'and nobody is taken for somebody');
  const rows: readonly [what: string, target: string, token: string, refused?: RegExp][] = [
    ['the wide rule', 'GET /v1/x', anyone],
    [
      'lacks the claim',
      'GET /v1/x',
      await signed(key),
      /^a\.v1\.Shut\.Get needs a token whose claim "ctx\.org" has "acme" or "umbrella"; this one has no such claim$/,
    ],
    ['another value', 'GET /v1/x', await signed(key, { ctx: { org: 'x' } }), /this one has "x"$/],
    ['the name itself with a dot', 'GET /v1/x', await signed(key, { 'ctx.org': 'umbrella' })],
    ['an object is no value', 'GET /v1/x', await signed(key, { ctx: { org: { acme: 1 } } }), /no such claim/],
    ['both rules', 'PUT /v1/x', owner],
    ['a role in a list', 'PUT /v1/x', await signed(key, { ...acme, roles: ['x', 'admin'] })],
    ['the particular rule alone', 'PUT /v1/x', await signed(key, { roles: ['admin'] }), /claim "ctx\.org"/],
    [
      'the wide rule alone',
      'PUT /v1/x',
      anyone,
      /^a\.v1\.Shut\.Put needs a token whose claim "roles" has "admin" or "owner"/,
    ],
    [
      'a role inside a text',
      'PUT /v1/x',
      await signed(key, { ...acme, roles: 'no admin' }),
      /this one has "no admin"$/,
    ],
    ['a full name wins over the wildcard that opens', 'GET /open-admin', anyone, /"roles"/],
    ['a lifted claim', 'GET /open-admin', await signed(key, { roles: ['admin'] })],
    ['scopes are divided by spaces', 'GET /watch/x', await signed(key, { scope: 'a watch:all', level: '3' })],
    ['a number is compared as a text', 'GET /watch/x', await signed(key, { scope: 'watch:all', level: 3 })],
    ['both claims', 'GET /watch/x', await signed(key, { scope: 'watch:all' }), /"level"/],
  ];
  for (const [what, target, token, refused] of rows) {
    const answer = await get(target, token, target.startsWith('PUT') ? { body: '{}' } : {});
    t.equal(answer.status, refused === undefined ? 200 : 403, `${what}: ${answer.text}`);
    if (refused === undefined) continue;
    const { message, code } = answer.json as { message: string; code: number };
    t.equal(code, 7, what);
    t.match(message, refused, what);
    t.match(answer.headers['www-authenticate'], /^Bearer realm="photongate", error="insufficient_scope", /, what);
  }
});

void t.test('what stays open, and what does not', async (t) => {
  const seen: { url: string; headers: Record<string, unknown> }[] = [];
  const fallback = createServer((request, response) => {
    seen.push({ url: request.url!, headers: request.headers });
    response.end('fallback');
  });
  fallback.listen(0, '127.0.0.1');
  await once(fallback, 'listening');
  t.teardown(() => fallback.close());
  const url = `http://127.0.0.1:${(fallback.address() as AddressInfo).port}`;
  const base = ['except: [a.v1.Open.*]', 'forward_claims: { sub: x-user-id }', 'query_parameter: token'];
  const shut = await guarded(t, base, { fallback: url, cors: { origins: ['https://app.example'] } });
  const loose = await guarded(t, [...base, 'protect_fallback: false', 'protect_pages: true'], { fallback: url });
  const plain = await guarded(t, base);
  const closed = await guarded(t, [...base, 'protect_pages: true']);
  const rows: readonly [Guarded, string, number, RequestOptions['headers']?][] = [
    [plain, 'GET /health', 200],
    [plain, 'HEAD /health', 200],
    [closed, 'GET /', 401],
    [closed, 'GET /health', 200],
    [closed, 'GET /livez', 200],
    [closed, 'GET /readyz', 200],
    [plain, 'GET /openapi.json', 200],
    [plain, 'GET /docs', 200],
    [plain, 'GET /', 200],
    [loose, 'GET /health', 200],
    [loose, 'GET /openapi.json', 401],
    [loose, 'GET /openapi.yaml', 401],
    [loose, 'GET /docs', 401],
    [loose, 'GET /docs/start.js', 401],
    [loose, 'GET /', 401],
    [loose, `GET /?token=${good}`, 200],
    [plain, 'GET /none', 404],
    [plain, 'DELETE /v1/x', 405],
    [plain, 'HEAD /v1/x', 401],
    [plain, 'OPTIONS /v1/x', 204],
    [plain, 'OPTIONS *', 204],
    // Paths that name an open route to one reader and a shut one to another.
    [plain, 'GET /login/../v1/x', 404],
    [plain, 'GET //login', 404],
    [plain, 'GET /%76%31/x', 401],
    [plain, 'GET /v1/x/', 401],
    [plain, 'GET http://h.example/v1/x', 401, { host: '127.0.0.1' }],
    [plain, 'GET /v1/login', 401],
    [plain, 'GET /v1/x?/login', 401],
    [shut, 'GET /none', 401],
    [shut, 'POST /v1/x', 401],
    [loose, 'GET /none', 200],
  ];
  for (const [guard, target, status, headers] of rows) {
    const answer = await guard.proxy.send(target, { headers: headers ?? {} });
    t.equal(answer.status, status, `${target}: ${answer.text.slice(0, 200)}`);
  }
  const asked = { origin: 'https://app.example', 'access-control-request-method': 'PUT' };
  const preflight = await shut.proxy.send('OPTIONS /v1/x', { headers: asked });
  t.match(preflight, { status: 204, headers: { 'access-control-allow-origin': 'https://app.example' } });
  const refused = await shut.proxy.send('GET /v1/x', { headers: { origin: 'https://app.example' } });
  t.match(
    refused,
    { status: 401, headers: { 'access-control-allow-origin': 'https://app.example' } },
    'pages read why',
  );
  t.equal((await shut.proxy.send('OPTIONS /none', { headers: asked })).text, 'fallback', 'a preflight has no token');
  t.equal((await shut.proxy.send('OPTIONS /none')).status, 401);
  const override = await guarded(t, base, { fallback: url, methodOverride: true, checkOrigin: false });
  const disguised = { ...asked, 'x-http-method-override': 'OPTIONS' };
  const write = await override.proxy.send('POST /none', { headers: disguised, body: 'x' });
  t.equal(write.status, 401, 'a write in the guise of a preflight');
  seen.length = 0;
  const spoof = { 'x-user-id': 'eve', x_user_id: 'eve', connection: 'close, x-user-id' };
  await shut.proxy.send(`GET /none?a=1&token=${good}&b=2`, { headers: spoof });
  await loose.proxy.send('GET /none?token=bad', { headers: spoof });
  t.match(seen[0], { url: '/none?a=1&b=2', headers: { 'x-user-id': 'ada', authorization: `Bearer ${good}` } });
  t.equal(seen[0]!.headers['x_user_id'], undefined);
  t.equal(seen[1]!.url, '/none');
  t.notOk('x-user-id' in seen[1]!.headers || 'x_user_id' in seen[1]!.headers, 'nobody is somebody');
});

void t.test('gRPC, gRPC-Web and Connect', async (t) => {
  const { proxy } = await guarded(t, ['except: [a.v1.Open.*]', 'forward_claims: { sub: x-user-id }'], {
    passThrough: 'all',
  });
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (path: string, token?: string, more: Record<string, string> = {}): Promise<ServiceError | undefined> => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(more)) metadata.set(name, value);
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return new Promise((resolve) => {
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (error) => resolve(error ?? undefined));
    });
  };
  for (const path of ['/a.v1.Shut/Get', '/a.v1.Shut/Hidden']) {
    const error = await call(path, undefined, { 'x-user-id': 'eve' });
    t.equal(error?.code, 16, path);
    t.match(error?.details, /this needs a token/);
    t.match(error?.metadata.get('www-authenticate'), ['Bearer realm="photongate"']);
    t.equal((await call(path, await signed(key, { exp: 1 })))?.code, 16);
    t.equal(await call(path, good, { 'x-user-id': 'eve' }), undefined);
    t.strictSame(proxy.service.calls.at(-1)!.metadata.get('x-user-id'), ['ada']);
  }
  t.equal(await call('/a.v1.Open/Login'), undefined);
  t.equal((await call('/a.v1.Open/../Shut/Get'))?.code, 12);
  t.equal((await call('/a.v1.Shut/None'))?.code, 12);
  const count = proxy.service.calls.length;
  const stream = await new Promise<ServiceError>((resolve) => {
    const chat = client.makeBidiStreamRequest('/a.v1.Shut/Chat', same, same, new Metadata());
    chat.on('error', (error) => resolve(error as ServiceError));
    chat.on('data', () => undefined);
  });
  t.equal(stream.code, 16, 'a stream is refused before it starts');
  const web = await proxy.send('POST /a.v1.Shut/Get', {
    headers: { 'content-type': 'application/grpc-web' },
    body: Buffer.alloc(5),
  });
  t.equal(web.status, 200);
  t.match(web.bytes.toString('latin1'), /grpc-status: 16/);
  const connectJson = { ...json, 'connect-protocol-version': '1' };
  const connectCall = await proxy.send('POST /a.v1.Shut/Get', { headers: connectJson, body: '{}' });
  t.match(connectCall, { status: 401, json: { code: 'unauthenticated', message: /needs a token/ } });
  t.equal(connectCall.headers['www-authenticate'], 'Bearer realm="photongate"');
  t.equal(proxy.service.calls.length, count, 'none arrived');
  const admitted = { ...connectJson, authorization: `Bearer ${good}` };
  t.equal((await proxy.send('POST /a.v1.Shut/Get', { headers: admitted, body: '{}' })).status, 200);
});

void t.test('streams, uploads and WebSockets', async (t) => {
  const { proxy } = await guarded(t, ['query_parameter: token', 'forward_claims: { sub: x-user-id }']);
  const bearer = { authorization: `Bearer ${good}` };
  for (const version of ['1.1', '2'] as const) {
    const none = await streamRequest(proxy.port, 'GET /watch/x', { version }).done();
    t.equal(none.status, 401, version);
    const some = await streamRequest(proxy.port, 'GET /watch/x', { version, headers: bearer }).done();
    t.match(some, { status: 200, text: '[{"name":"x"}]' }, version);
    const body = `[${'{"name":"y"},'.repeat(5000)}{}]`;
    const up = await streamRequest(proxy.port, 'POST /chat', { version, headers: { ...bearer, ...json }, body }).done();
    t.equal(up.status, 200, `${version}: a body that came while the token was checked is whole`);
    t.equal(proxy.service.calls.at(-1)!.messages.length, 5001);
  }
  const waiting = connect(proxy.port, '127.0.0.1');
  t.teardown(() => waiting.destroy());
  waiting.write('PUT /v1/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  const [first] = (await once(waiting, 'data')) as [Buffer];
  t.match(first.toString(), /^HTTP\/1\.1 401 /, 'no 100 Continue before');

  const url = `ws://127.0.0.1:${proxy.port}/watch/x`;
  const opened = async (target: string, protocols: string[] = [], headers = {}): Promise<unknown[]> => {
    const socket = new WebSocket(target, protocols, { headers });
    const frames: unknown[] = [];
    let end: unknown;
    socket.on('unexpected-response', (_request, response) => (end = response.statusCode));
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())));
    socket.on('error', () => undefined);
    socket.on('close', (code) => (end ??= code));
    await waitFor(
      () => end !== undefined,
      () => target,
    );
    return [end, socket.protocol, ...frames];
  };
  t.strictSame(await opened(url), [401, ''], 'before the handshake');
  t.strictSame(await opened(url, ['bearer', good]), [1000, 'bearer', { name: 'x' }]);
  t.strictSame(proxy.service.calls.at(-1)!.metadata.get('authorization'), [`Bearer ${good}`]);
  t.strictSame(proxy.service.calls.at(-1)!.metadata.get('x-user-id'), ['ada']);
  t.strictSame(await opened(url, ['v1', 'Bearer', good]), [1000, 'v1', { name: 'x' }]);
  t.strictSame(await opened(url, ['bearer', 'bad']), [401, '']);
  t.strictSame(await opened(url, ['bearer', good], bearer), [400, ''], 'one place');
  t.strictSame(await opened(`${url}?token=${good}`), [1000, '', { name: 'x' }]);
  t.strictSame(await opened(url, [], bearer), [1000, '', { name: 'x' }]);
});

void t.test('virtual hosts: a token is checked before a cluster gets the request, and not passed on', async (t) => {
  const seen: (string | undefined)[] = [];
  const web = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end('web');
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.teardown(() => web.close());
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  const workingDirectory = t.testdir({
    'a.proto': proto,
    'photongate.yaml': `
proto: a.proto
policies: { jwt: { jwks: '${jwks.url}', issuer: issuer, audiences: [api], forward_token: false } }
clusters:
  grpc: { endpoints: '${service.target}' }
  web: { endpoints: '127.0.0.1:${(web.address() as AddressInfo).port}', protocol: http1 }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts:
      - domains: ['*']
        routes:
          - { match: { prefix: /a.v1. }, route: { cluster: grpc } }
          - { match: { prefix: / }, route: { cluster: web } }
`,
  });
  const proxy = await startProxy(loadConfig({ file: 'photongate.yaml', workingDirectory }));
  t.teardown(() => proxy.drain());
  const headers = { authorization: `Bearer ${good}` };
  for (const path of ['/v1/x', '/a/page']) {
    t.equal((await send(proxy.urls[0]!, `GET ${path}`)).status, 401, path);
    t.equal((await send(proxy.urls[0]!, `GET ${path}`, { headers })).status, 200, path);
  }
  t.strictSame(seen, [undefined]);
  t.strictSame(
    service.calls.map(({ metadata }) => metadata.get('authorization')),
    [[]],
  );
});

void t.test('keys: one fetch for many, few for unknown ones, old ones while there are no others', async (t) => {
  let elapsedMs = 0;
  const now = performance.now.bind(performance);
  t.intercept(performance, 'now', { value: () => now() + elapsedMs });
  const { jwks, get } = await guarded(t, ['jwks_cooldown: 20s']);
  const many = await Promise.all(Array.from({ length: 20 }, () => get('GET /v1/x', good)));
  t.strictSame(new Set(many.map(({ status }) => status)), new Set([200]));
  t.equal(jwks.count, 1, 'joined');
  elapsedMs += 20_000;
  const unknown = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => get('GET /v1/x', await signed({ ...other, kid: `x${index}` }))),
  );
  t.strictSame(new Set(unknown.map(({ status }) => status)), new Set([401]));
  t.equal(jwks.count, 2, 'one more for all unknown keys within the cool-down');
  jwks.answer = (_request, response) => response.end(jwksOf(key, other));
  elapsedMs += 20_000;
  t.equal((await get('GET /v1/x', await signed(other))).status, 200, 'a new key is found after it');
  t.equal(jwks.count, 3);

  const short = await guarded(t, ['jwks_cache: 200ms', 'jwks_cooldown: 10ms']);
  t.equal((await short.get('GET /v1/x', good)).status, 200);
  short.jwks.answer = (_request, response) => response.end(jwksOf(other));
  await waitForStatus(short, good, 401, 'a key that is not published any more is not taken for long');
  short.jwks.answer = (_request, response) => response.destroy();
  await waitForStatus(short, await signed(other), 503, 'old keys serve for a while, and then no more');
});

async function waitForStatus({ get }: Guarded, token: string, status: number, what: string): Promise<void> {
  let last = 0;
  for (const end = Date.now() + 60_000; Date.now() < end && last !== status;) {
    last = (await get('GET /v1/x', token)).status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.equal(last, status, what);
}

void t.test('keys that cannot be had', async (t) => {
  const rows: readonly [what: string, answer: JwksServer['answer'], RegExp][] = [
    ['refused', (_request, response) => response.destroy(), /cannot be fetched \(/],
    [
      'another status',
      (_request, response) => response.writeHead(404).end(),
      /their address answers 404, expected 200/,
    ],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/' }).end(), /answers 302/],
    ['no JSON', (_request, response) => response.end('<html>'), /are not JSON/],
    ['no key set', (_request, response) => response.end('{"key":[]}'), /are not a JSON Web Key Set/],
    ['a list of texts', (_request, response) => response.end('{"keys":["a"]}'), /a key is an object/],
    ['too many', (_request, response) => response.end(JSON.stringify({ keys: Array(101).fill({}) })), /more than 100/],
    [
      'too large',
      (_request, response) => response.end(' '.repeat(3000)),
      /larger than the limit of 2048 bytes \(max_jwks_bytes\)/,
    ],
    ['late', () => undefined, /no answer in time/],
    ['late in the middle', (_request, response) => void response.write('{'), /no answer in time/],
    ['a private key', (_request, response) => response.end('{"keys":[{"kty":"OKP","d":"x"}]}'), /hold a private key/],
    [
      'a broken key',
      (_request, response) => response.end('{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"AA"}]}'),
      /cannot be used/,
    ],
  ];
  for (const [what, answer, message] of rows) {
    const { jwks, get, proxy } = await guarded(t, ['max_jwks_bytes: 2KiB', 'jwks_timeout: 200ms']);
    jwks.answer = answer;
    const refused = await get('GET /v1/x', good);
    t.match(refused, { status: 503, json: { code: 14 } }, `${what}: ${refused.text}`);
    t.match(
      (refused.json as { message: string }).message,
      /^tokens cannot be checked now: the signing keys of the provider "default" /,
    );
    t.match((refused.json as { message: string }).message, message, what);
    t.equal(refused.headers['retry-after'], '1');
    await Promise.all([get('GET /v1/x', good), get('GET /v1/x', good)]);
    t.ok(jwks.count <= 2, `${what}: not asked for each request`);
    t.equal(proxy.service.calls.length, 0);
    t.equal((await get('GET /v1/x')).status, 401, 'no token needs no keys');
  }
});

void t.test('several issuers, keys in files and in the configuration', async (t) => {
  const rsa: TestKey = await testKey('r', 'RS256');
  const plain = await testKey('p', 'ES256');
  const { get } = await guardedBy(t, {
    providers: {
      first: { issuer: 'issuer', audiences: ['api'], jwks: JSON.parse(jwksOf(key, other)) as object },
      second: { issuer: 'https://idp.example', jwks: JSON.parse(jwksOf(rsa)) as object, algorithms: ['RS256'] },
      third: { issuer: 'third', jwks: JSON.parse(jwksOf(plain)) as object, algorithms: ['RS256', 'PS256'] },
    },
  });
  const rows: readonly [what: string, token: string, refused?: RegExp][] = [
    ['of the first', good],
    ['of the second, whose audience nobody asks for', await signed(rsa, { iss: 'https://idp.example', aud: 'x' })],
    [
      'of nobody known',
      await signed(key, { iss: 'x' }),
      /issued by "x", expected "issuer" or "https:\/\/idp\.example" or "third"/,
    ],
    ['of nobody', await signed(key, { iss: undefined }), /issued by nobody/],
    [
      'of the second, by the key of the first',
      await signed(key, { iss: 'https://idp.example' }),
      /not taken here; expected RS256/,
    ],
    ['of the first, by the key of the second', await signed(rsa), /does not publish/],
    ['an algorithm that is not taken', await signed(plain, { iss: 'third' }), /not taken here; expected RS256, PS256/],
    ['without the name of its key', await signed(other, {}, { kid: undefined })],
    [
      'without the name of its key, and of another',
      await signed(await testKey('z'), {}, { kid: undefined }),
      /signature is wrong/,
    ],
    ['an issuer that is no text', await signed(key, { iss: ['issuer'] }), /issued by/],
  ];
  for (const [what, token, refused] of rows) {
    const answer = await get('GET /v1/x', token);
    t.equal(answer.status, refused === undefined ? 200 : 401, `${what}: ${answer.text}`);
    if (refused !== undefined) t.match((answer.json as { message: string }).message, refused, what);
  }
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const weakJwk = { ...weak.publicKey.export({ format: 'jwk' }), kid: 'w', alg: 'RS256' };
  const small = await guardedBy(t, { jwks: { keys: [weakJwk] } });
  const token = await signed(rsa, {}, { kid: 'w' });
  t.match(await small.get('GET /v1/x', token), { status: 503 }, 'RSA keys below 2048 bits are not used');
});

/** @param jwt as a configuration has it. */
async function guardedBy(t: Test, jwt: object): Promise<Pick<Guarded, 'get' | 'proxy'>> {
  const proxy = await startTestProxy(proto, {}, JSON.stringify({ policies: { jwt } }));
  t.teardown(() => proxy.close());
  const get: Guarded['get'] = (target, token) => proxy.send(target, { headers: { authorization: `Bearer ${token}` } });
  return { proxy, get };
}

void t.test('another header', async (t) => {
  const { proxy } = await guarded(t, ['header: X-Assertion', 'forward_token: false']);
  const sent = (headers: Record<string, string>): Promise<TestResponse> => proxy.send('GET /v1/x', { headers });
  t.match(await sent({}), { status: 401, text: /the header \\"x-assertion: TOKEN\\"/ });
  t.equal((await sent({ authorization: `Bearer ${good}` })).status, 401);
  t.equal((await sent({ 'x-assertion': good, authorization: 'Basic YTpi' })).status, 200);
  const { metadata } = proxy.service.calls.at(-1)!;
  t.strictSame([metadata.get('x-assertion'), metadata.get('authorization')], [[], ['Basic YTpi']]);
});

void t.test('in every shape of errors', async (t) => {
  for (const [errorFormat, expected] of [
    ['status', { code: 16, message: /needs a token/ }],
    ['aip193', { error: { code: 401, status: 'UNAUTHENTICATED' } }],
    ['problem', { status: 401, code: 'UNAUTHENTICATED', title: 'Unauthorized' }],
    ['photon', { error: { code: 'UNAUTHENTICATED' }, meta: { request_id: /./ } }],
  ] as const) {
    const { proxy } = await guarded(t, [], { errorFormat });
    t.match(await proxy.send('GET /v1/x'), { status: 401, json: expected }, errorFormat);
  }
});

void t.test('OpenAPI tells who needs a token', async (t) => {
  const { proxy } = await guarded(t, [
    'except: [a.v1.Open.*]',
    'require: { a.v1.Shut.Put: { roles: [admin, owner] } }',
  ]);
  const { json: document } = await proxy.send('GET /openapi.json');
  type Operation = { security?: unknown; description?: string; 'x-codeSamples': { source: string }[] };
  const { paths, components } = document as { paths: Record<string, Record<string, Operation>>; components: object };
  t.match(components, { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } });
  t.equal(paths['/login']!['post']!.security, undefined);
  t.notMatch(paths['/login']!['post']!['x-codeSamples'][0]!.source, /Authorization/);
  t.strictSame(paths['/v1/{name}']!['get']!.security, [{ token: [] }]);
  t.match(paths['/v1/{name}']!['get']!['x-codeSamples'][0]!.source, /-H "Authorization: Bearer \$TOKEN"$/);
  t.match(paths['/v1/{name}']!['put']!.description, /Needs a token with `roles` `admin` or `owner`\./);
  const plain = await guardedBy(t, { jwks: { keys: [] }, header: 'x-assertion', issuer: 'my-idp' });
  const { json: other } = await plain.proxy.send('GET /openapi.json');
  const token = { type: 'apiKey', in: 'header', name: 'x-assertion', description: /^A JWT of `my-idp`\./ };
  t.match(other, { components: { securitySchemes: { token } } });
});

void t.test('a policy that changes while running', async (t) => {
  const { proxy, get } = await guarded(t, ['except: [a.v1.Open.*]']);
  const current = proxy.proxy.prepared.listeners[0]!.config;
  const reload = (jwt: object | undefined): Promise<unknown> =>
    proxy.proxy.reload({
      sources: sourcesOf(proxy),
      options: current.root.options,
      listeners: [{ ...current, root: { ...current.root, options: { ...current.root.options, jwt: jwt as never } } }],
    });
  const { jwt } = current.root.options;
  t.equal((await get('GET /v1/x')).status, 401);
  await reload({ ...jwt, except: [{ selector: 'a.v1.*' }] });
  t.equal((await get('GET /v1/x')).status, 200);
  await reload({ ...jwt, require: [{ selector: '*', claims: new Map([['roles', ['admin']]]) }] });
  t.equal((await get('GET /v1/x', good)).status, 403);
  t.equal((await get('GET /v1/x', admin)).status, 200);
  await t.rejects(reload({ ...jwt, except: [{ selector: 'a.v1.Nope.*' }] }), /no RPC is named/);
  t.equal((await get('GET /v1/x', good)).status, 403, 'what will not do changes nothing');
});

void t.test('embedded', async (t) => {
  const { proxy } = await guarded(t);
  const gateway = createGateway({
    proto: sourcesOf(proxy).protos,
    upstreams: proxy.service.target,
    jwt: {
      jwks: JSON.parse(jwksOf(key)) as { keys: Record<string, unknown>[] },
      audiences: 'api',
      except: 'a.v1.Open.*',
      forwardClaims: { sub: 'x-user-id' },
      leeway: 1000,
    },
  });
  t.teardown(() => gateway.close());
  const server = createServer(gateway.node);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bearer = { authorization: `Bearer ${good}`, 'x-user-id': 'eve' };
  t.equal((await send(url, 'GET /v1/x')).status, 401);
  t.equal((await send(url, 'GET /v1/x', { headers: bearer })).status, 200);
  t.strictSame(proxy.service.calls.at(-1)!.metadata.get('x-user-id'), ['ada']);
  t.equal((await send(url, 'POST /login', { body: '{}' })).status, 200);
  gateway.attach(server);
  const socketEnd = (protocols: string[]): Promise<unknown> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/watch/x`, protocols);
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.on('error', () => undefined);
      socket.on('close', (code) => resolve(code));
    });
  t.equal(await socketEnd([]), 401);
  t.equal(await socketEnd(['bearer', good]), 1000);
  const fetched = (headers: Record<string, string>): Promise<Response> =>
    gateway.fetch(new Request('http://h/v1/x', { method: 'PUT', body: '{}', headers: { ...json, ...headers } }));
  t.equal((await fetched({})).status, 401, 'before the body');
  const put = await fetched(bearer);
  t.equal(await put.text(), '{"name":"x"}');
  const next = await gateway.fetch(new Request('http://h/none'), () => new Response('next'));
  t.equal(await next.text(), 'next', 'what is not ours is not guarded');
});

function sourcesOf({ proxy }: TestProxy): Config['sources'] {
  return (proxy as unknown as { config: Config }).config.sources;
}
