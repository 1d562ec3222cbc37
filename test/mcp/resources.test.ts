/** GET routes as resources: what is listed, and what the official client reads, in each revision. */
import { status as grpcStatus } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { jwksOf, signed, testKey } from '../support/tokens.js';
import { until } from '../support/until.js';
import { connectClient, revisions } from './client.js';

const proto = `
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Books {
  // Returns one book.
  rpc GetBook(Request) returns (Book) {
    option (google.api.http) = {
      get: "/v1/books/{id}"
      additional_bindings { get: "/v1/{parent=shelves/*}/books/{id}:read" }
    };
  }
  // Lists books.
  rpc ListBooks(ListRequest) returns (Book) { option (google.api.http) = { get: "/v1/books" }; }
  rpc Cover(Request) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/covers/*/{id}" }; }
  rpc About(Empty) returns (Book) { option (google.api.http) = { get: "/v1/about" }; }
  rpc Watch(Empty) returns (stream Book) { option (google.api.http) = { get: "/v1/books:watch" }; }
  rpc Remove(Request) returns (Book) { option (google.api.http) = { delete: "/v1/books/{id}" }; }
}
service Secrets {
  rpc Get(Request) returns (Book) { option (google.api.http) = { get: "/v1/secrets/{id}" }; }
}
message Empty {}
message Request { string id = 1; string parent = 2; }
message ListRequest { int32 page_size = 1; repeated string tags = 2; map<string, string> labels = 3; }
message Book { string id = 1; int32 pages = 2; }
`;

const mcpResources = ['shop.v1.Books.*'];

async function start(t: Test, options: object = {}, yaml?: string): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, { mcp: true, mcpResources, ...options }, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

for (const revision of revisions) {
  void t.test(`revision ${revision}`, async (t) => {
    const proxy = await start(t);
    const client = await connectClient(proxy.url, revision);
    t.teardown(() => client.close());
    t.match(client.getServerCapabilities(), { resources: {} });

    const { resources } = await client.listResources();
    const json = 'application/json';
    const list = { name: 'Books_ListBooks', title: 'List books', description: 'Lists books.', mimeType: json };
    t.strictSame(
      resources.map(({ uri, name }) => [uri, name]),
      [
        ['photongate:/v1/books', 'Books_ListBooks'],
        ['photongate:/v1/about', 'Books_About'],
      ],
    );
    t.match(resources[0], list);

    const { resourceTemplates } = await client.listResourceTemplates();
    t.strictSame(
      resourceTemplates.map(({ uriTemplate, mimeType }) => [uriTemplate, mimeType]),
      [
        ['photongate:/v1/books/{id}{?parent}', json],
        ['photongate:/v1/{+parent}/books/{id}:read', json],
        ['photongate:/v1/books{?pageSize,tags*}', json],
        ['photongate:/v1/covers/{segment2}/{id}{?parent}', undefined],
      ],
    );

    const read = async (path: string): Promise<unknown> =>
      (await client.readResource({ uri: `photongate:${path}` })).contents;
    const uri = 'photongate:/v1/shelves/7/books/a%2Fb:read';
    proxy.service.answer = () => ({ message: Buffer.from('0a01611005', 'hex') });
    t.strictSame(await read('/v1/shelves/7/books/a%2Fb:read'), [{ uri, mimeType: json, text: '{"id":"a","pages":5}' }]);
    t.equal(proxy.service.calls.at(-1)?.path, '/shop.v1.Books/GetBook');
    t.equal(proxy.service.calls.at(-1)?.message.toString(), '\x12\tshelves/7\n\x03a/b');
    await read('/v1/books?pageSize=3&tags=x&tags=y');
    t.equal(proxy.service.calls.at(-1)?.message.toString(), '\b\x03\x12\x01x\x12\x01y');

    const png = Buffer.from('89504e470d0a1a0aff', 'hex');
    proxy.service.answer = () => ({
      message: Buffer.concat([Buffer.from('\n\timage/png\x12\x09'), png]),
    });
    t.match(await read('/v1/covers/large/a'), [{ mimeType: 'image/png', blob: png.toString('base64') }]);
    proxy.service.answer = () => ({});

    const calls = proxy.service.calls.length;
    const refused: readonly (readonly [uri: string, why: RegExp])[] = [
      ['https://example.com/v1/books', /not found: "https:\/\/example\.com\/v1\/books": expected photongate:/],
      ['photongate:v1/books', /expected photongate:/],
      ['photongate:/v1/books/a b', /expected photongate:/],
      ['photongate:/v1/books/a#b', /expected photongate:/],
      ['photongate:/v1/nothing', /no resource has this path/],
      ['photongate:/v1/secrets/a', /no resource has this path/],
      ['photongate:/v1/books:watch', /no resource has this path/],
      ['photongate:/health', /no resource has this path/],
      ['photongate:/mcp', /no resource has this path/],
      ['photongate:/shop.v1.Secrets/Get', /no resource has this path/],
    ];
    for (const [uri, why] of refused)
      await t.rejects(client.readResource({ uri }), { code: -32602, message: why }, uri);
    t.equal(proxy.service.calls.length, calls, 'nothing is called');
    await t.rejects(read('/v1/books?pageSize=x'), { code: -32602, message: /HTTP status 400.*pageSize/s });
    proxy.service.answer = () => ({ code: grpcStatus.NOT_FOUND, details: 'no such book' });
    await t.rejects(read('/v1/books/a'), { code: -32602, message: /HTTP status 404.*no such book/s });
    proxy.service.answer = () => ({ code: grpcStatus.UNAVAILABLE, details: 'down' });
    await t.rejects(read('/v1/books/a'), { code: -32603, message: /HTTP status 503.*down/s });
  });
}

void t.test('where no resources are wanted, there are none', async (t) => {
  const proxy = await start(t, { mcpResources: [] });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  t.notOk(client.getServerCapabilities()?.resources);
  await t.rejects(client.request({ method: 'resources/list', params: {} }), { code: -32601 });
});

void t.test('pages, and what is too large', async (t) => {
  const proxy = await start(t, { mcpPageSize: 1, mcpMaxResultBytes: 20 });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  const first = await client.request({ method: 'resources/list', params: {} });
  t.match(first, { resources: [{ uri: 'photongate:/v1/books' }], nextCursor: String });
  const { nextCursor: cursor } = first;
  const second = await client.request({ method: 'resources/list', params: { cursor } });
  t.match(second, { resources: [{ uri: 'photongate:/v1/about' }] });
  t.notOk('nextCursor' in second);
  await t.rejects(client.request({ method: 'resources/templates/list', params: { cursor } }), /cursor/);
  proxy.service.answer = () => ({ message: Buffer.concat([Buffer.from([10, 30]), Buffer.alloc(30, 'x')]) });
  await t.rejects(client.readResource({ uri: 'photongate:/v1/about' }), /more than 20 bytes \(mcp_max_result_bytes\)/);
});

void t.test('a path in another form does not lead to what is no resource', async (t) => {
  const options = { normalizePath: true, mergeSlashes: true };
  const proxy = await start(t, options);
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  for (const path of ['/v1/books/../secrets/a', '/v1/books/%2e%2e/secrets/a', '//v1/secrets/a']) {
    await t.rejects(client.readResource({ uri: `photongate:${path}` }), /no resource has this path/, path);
  }
  t.match(await client.readResource({ uri: 'photongate:/v1/secrets/../about' }), { contents: [{ text: '{}' }] });
});

void t.test('the tokens of REST', async (t) => {
  const key = await testKey('one');
  const jwt = { jwks: JSON.parse(jwksOf(key)) as object, issuer: 'https://idp.example.com', audiences: ['api'] };
  const proxy = await start(t, {}, JSON.stringify({ policies: { jwt } }));
  const uri = 'photongate:/v1/about';
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const refused = await proxy.send('POST /mcp', { headers, body });
  t.equal(refused.status, 401);
  t.match(refused.headers['www-authenticate'], /resource_metadata="/);
  const token = await signed(key, { iss: 'https://idp.example.com' });
  const answer = await proxy.send('POST /mcp', { headers: { ...headers, authorization: `Bearer ${token}` }, body });
  t.match(answer.json, { result: { contents: [{ uri, text: '{}' }] } });
});

void t.test('a client that goes cancels its read', async (t) => {
  const proxy = await start(t);
  proxy.service.answer = () => ({ delayMs: 2000 });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  const giveUp = new AbortController();
  const read = client.readResource({ uri: 'photongate:/v1/about' }, { signal: giveUp.signal });
  await until(() => proxy.service.calls.length === 1, 'a call');
  giveUp.abort();
  await t.rejects(read);
  await until(() => proxy.service.cancelled === 1, 'a cancelled call');
});
