/** Tools need the tokens that their RPCs need, and clients learn where to get one (RFC 9728). */
import t, { type Test } from 'tap';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { forged, jwksOf, now, signed, testKey } from '../support/tokens.js';
import { connectClient, proto, textOf } from './client.js';

const key = await testKey('one');
const other = await testKey('one');
const good = await signed(key, { iss: 'https://idp.example.com' });
const admin = await signed(key, { iss: 'https://idp.example.com', roles: ['admin'] });
const issuer = { iss: 'https://idp.example.com' };

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const rpc = (method: string, params: object = {}): string => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
const call = (name: string): string => rpc('tools/call', { name, arguments: { id: 'a' } });

async function guarded(t: Test, policy: object, options: object = {}): Promise<TestProxy> {
  const jwt = {
    jwks: JSON.parse(jwksOf(key)) as object,
    issuer: 'https://idp.example.com',
    audiences: ['api'],
    ...policy,
  };
  const proxy = await startTestProxy(proto, { mcp: true, ...options }, JSON.stringify({ policies: { jwt } }));
  t.teardown(() => proxy.close());
  return proxy;
}

function post(proxy: TestProxy, body: string, headers: Readonly<Record<string, string>> = {}): Promise<TestResponse> {
  return proxy.send('POST /mcp', { headers: { ...json, ...headers }, body });
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

const badTokens: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ['none', {}, /needs a token/],
  ['no JWT', bearer('x'), /not a JWT/],
  ['unsigned', bearer(forged({ alg: 'none' }, issuer)), /signed in a way|not a JWT/],
  ['signed by another', bearer(await signed(other, issuer)), /signature is wrong/],
  ['expired', bearer(await signed(key, { ...issuer, exp: now() - 300 })), /expired/],
  ['for others', bearer(await signed(key, { ...issuer, aud: 'other' })), /the token is for/],
  ['of another issuer', bearer(await signed(key, { iss: 'x' })), /issued by/],
];

void t.test('every RPC needs a token: so does the endpoint', async (t) => {
  const proxy = await guarded(t, {});
  const metadata = `${proxy.url}/.well-known/oauth-protected-resource/mcp`;
  for (const [name, headers, text] of badTokens) {
    for (const body of [rpc('initialize'), rpc('tools/list'), call('Books_GetBook')]) {
      const answer = await post(proxy, body, headers);
      t.equal(answer.status, 401, name);
      t.match(answer.headers['www-authenticate'], /^Bearer realm="/);
      t.match(answer.headers['www-authenticate'], `resource_metadata="${metadata}"`);
      t.match(answer.json, { jsonrpc: '2.0', error: { code: -32600, message: text } }, name);
    }
  }
  t.equal(proxy.service.calls.length, 0);
  const found = await proxy.send(`GET ${new URL(metadata).pathname}`);
  t.match(found.json, {
    resource: `${proxy.url}/mcp`,
    authorization_servers: ['https://idp.example.com'],
    bearer_methods_supported: ['header'],
  });
  t.strictSame((await proxy.send('GET /.well-known/oauth-protected-resource')).json, found.json);
  const client = await connectClient(proxy.url, '2026-07-28', { headers: bearer(good) });
  t.teardown(() => client.close());
  t.match(await client.callTool({ name: 'Books_GetBook', arguments: { id: 'a' } }), { structuredContent: { id: 'a' } });
});

void t.test('some RPCs need none: a call says what it needs', async (t) => {
  const proxy = await guarded(t, { except: ['shop.v1.Books.GetBook'] });
  t.equal((await post(proxy, rpc('tools/list'))).status, 200);
  t.match((await post(proxy, call('Books_GetBook'))).json, { result: { structuredContent: { id: 'a' } } });
  for (const [name, headers, text] of badTokens) {
    const answer = await post(proxy, call('Books_AddBook'), headers);
    t.equal(answer.status, 401, name);
    t.match(answer.headers['www-authenticate'], /resource_metadata=/);
    t.match(answer.json, { id: 1, error: { message: text } });
  }
  t.strictSame(
    proxy.service.calls.map(({ path }) => path),
    ['/shop.v1.Books/GetBook'],
  );
  t.match((await post(proxy, call('Books_AddBook'), bearer(good))).json, {
    result: { structuredContent: { id: 'a' } },
  });
});

void t.test('claims, and what services learn of a caller', async (t) => {
  const proxy = await guarded(t, {
    require: { 'shop.v1.Books.DeleteBook': { roles: ['admin'] } },
    forward_claims: { sub: 'x-user' },
    forward_token: false,
  });
  const refused = await post(proxy, call('Books_DeleteBook'), bearer(good));
  t.equal(refused.status, 200);
  t.match(refused.json, {
    result: { isError: true, content: [{ text: /^PERMISSION_DENIED: shop.v1.Books.DeleteBook needs/ }] },
  });
  t.equal(proxy.service.calls.length, 0);
  await post(proxy, call('Books_DeleteBook'), { ...bearer(admin), 'x-user': 'mallory' });
  const { metadata } = proxy.service.calls[0]!;
  t.strictSame(metadata.get('x-user'), ['ada'], 'a client cannot say who it is');
  t.strictSame(metadata.get('authorization'), []);
});

void t.test('a call found by search needs its own token', async (t) => {
  const proxy = await guarded(t, { except: ['shop.v1.Books.GetBook'] }, { mcpMaxListed: 1 });
  const found = (name: string): string =>
    rpc('tools/call', { name: 'call_tool', arguments: { name, arguments: { id: 'a' } } });
  t.match((await post(proxy, found('Books_GetBook'))).json, { result: { structuredContent: { id: 'a' } } });
  t.equal((await post(proxy, found('Books_AddBook'))).status, 401);
});

void t.test('pages behind a token, and metadata before it', async (t) => {
  const proxy = await guarded(t, { except: ['shop.v1.*'], protect_pages: true });
  t.equal((await post(proxy, rpc('tools/list'))).status, 401);
  t.equal((await proxy.send('GET /.well-known/oauth-protected-resource/mcp')).status, 200);
  t.equal((await post(proxy, rpc('tools/list'), bearer(good))).status, 200);
});

void t.test('without tokens there are no metadata', async (t) => {
  const proxy = await startTestProxy(proto, { mcp: true });
  t.teardown(() => proxy.close());
  t.equal((await proxy.send('GET /.well-known/oauth-protected-resource/mcp')).status, 404);
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  t.equal(textOf(await client.callTool({ name: 'Books_GetBook', arguments: { id: 'a' } })), '{"id":"a"}');
});
