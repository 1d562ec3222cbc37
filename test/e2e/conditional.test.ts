/** Conditional requests by the field `etag` of AIP-154, over sockets: what the service gets, and what the client is told. */
import t, { type Test } from 'tap';
import type { Settings } from '../../lib/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package c.v1;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
service C {
  rpc GetBook(Book) returns (Book) { option (google.api.http) = { get: "/books/{name}" }; }
  rpc CreateBook(Book) returns (Book) { option (google.api.http) = { post: "/books" body: "*" }; }
  rpc UpdateBook(Update) returns (Book) {
    option (google.api.http) = { patch: "/books/{book.name}" body: "book" additional_bindings { put: "/books/{book.name}" body: "*" } };
  }
  rpc DeleteBook(Delete) returns (Book) { option (google.api.http) = { delete: "/books/{name}" }; }
  rpc TouchBook(Plain) returns (Book) { option (google.api.http) = { post: "/books/{name}:touch" body: "*" }; }
  rpc ListBooks(Plain) returns (List) { option (google.api.http) = { get: "/books" response_body: "books" }; }
  rpc GetShelf(Plain) returns (Holder) { option (google.api.http) = { get: "/shelves/{name}" response_body: "book" }; }
  rpc Chosen(Choice) returns (Book) { option (google.api.http) = { post: "/choices" body: "*" }; }
}
message Book { string name = 1; string etag = 2; string title = 3; }
message Update { Book book = 1; google.protobuf.FieldMask update_mask = 2; string note = 3; }
message Delete { string name = 1; string etag = 2; }
message Plain { string name = 1; }
message List { repeated Book books = 1; string etag = 2; }
message Holder { Book book = 1; string etag = 2; }
message Choice { oneof by { string etag = 1; string id = 2; } }
`;

async function withProxy(t: Test, options: Settings['options'], yaml?: string): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

const json = { 'content-type': 'application/json' };
const text = (proxy: TestProxy): string => proxy.service.calls.at(-1)!.message.toString('latin1');

interface Row {
  readonly request: string;
  readonly ifMatch?: string | readonly string[];
  readonly ifNoneMatch?: string;
  readonly body?: string;
  readonly status: number;
  /** In the answer's text. */
  readonly has?: string;
  /** In the message that the service got; undefined: no call, where the status is an error. */
  readonly sent?: string;
}

async function run(t: Test, proxy: TestProxy, rows: readonly Row[]): Promise<void> {
  for (const { request, ifMatch, ifNoneMatch, body, status, has, sent } of rows) {
    const name = `${request} ${String(ifMatch ?? ifNoneMatch)} ${body ?? ''}`;
    const { calls } = proxy.service;
    const before = calls.length;
    const headers = {
      ...json,
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    };
    const answer = await proxy.send(request, { headers, ...(body === undefined ? {} : { body }) });
    t.equal(answer.status, status, `${name}: ${answer.text}`);
    t.equal(calls.length - before, status < 300 || sent !== undefined ? 1 : 0, `${name}: calls`);
    if (has !== undefined) t.ok(answer.text.includes(has), `${name}: ${answer.text}`);
    if (sent !== undefined) t.ok(text(proxy).includes(sent), `${name}: ${text(proxy)}`);
    if (sent === '') t.notOk(text(proxy).includes('"'), `${name}: no tag is sent`);
  }
}

void t.test('If-Match fills the field etag', async (t) => {
  const proxy = await withProxy(t, { conditionalRequests: 'quoted' });
  await run(t, proxy, [
    { request: 'DELETE /books/a', ifMatch: '"x"', status: 200, sent: '\x12\x03"x"' },
    { request: 'DELETE /books/a', ifMatch: 'W/"x"', status: 200, sent: '\x12\x05W/"x"' },
    { request: 'DELETE /books/a', ifMatch: ['"x"', '"x"'], status: 200, sent: '\x12\x03"x"' },
    { request: 'DELETE /books/a', ifMatch: '*', status: 200, sent: '' },
    { request: 'DELETE /books/a', status: 200, sent: '' },
    { request: 'DELETE /books/a', ifMatch: '"x", "y"', status: 400, has: '2 entity tags' },
    { request: 'DELETE /books/a', ifMatch: ['"x"', '"y"'], status: 400, has: '2 entity tags' },
    { request: 'DELETE /books/a', ifMatch: 'x', status: 400, has: 'expected \\"*\\" or an entity tag in quotes' },
    { request: 'DELETE /books/a', ifMatch: '', status: 400, has: 'header if-match' },
    { request: 'DELETE /books/a', ifMatch: '"x" "y"', status: 400, has: 'header if-match' },
    { request: 'DELETE /books/a?etag=%22x%22', ifMatch: '"x"', status: 200, sent: '\x12\x03"x"' },
    { request: 'DELETE /books/a?etag=%22y%22', ifMatch: '"x"', status: 400, has: 'etag has another value' },
    { request: 'PATCH /books/a', ifMatch: '"x"', body: '{"title":"t"}', status: 200, sent: '\x12\x03"x"' },
    { request: 'PATCH /books/a', ifMatch: '"x"', body: '{"etag":"\\"x\\""}', status: 200, sent: '\x12\x03"x"' },
    { request: 'PATCH /books/a', ifMatch: '"x"', body: '{"etag":"y"}', status: 400, has: 'if-match' },
    { request: 'PUT /books/a', ifMatch: '"x"', body: '{}', status: 400, has: 'has no field \\"etag\\"' },
    { request: 'POST /books/a:touch', ifMatch: '"x"', body: '{}', status: 400, has: 'POST /books/{name}:touch has no' },
    { request: 'POST /books/a:touch', ifMatch: '*', body: '{}', status: 200 },
    { request: 'POST /choices', ifMatch: '"x"', body: '{}', status: 400, has: 'has no field' },
  ]);
  await proxy.send('PATCH /books/a', { headers: { ...json, 'if-match': '"x"' }, body: '{"title":"t"}' });
  t.notOk(text(proxy).includes('etag'), 'the tag is no change: it is not in the update mask');
});

void t.test('bare: fields have no quotes', async (t) => {
  const proxy = await withProxy(t, { conditionalRequests: 'bare' });
  await run(t, proxy, [
    { request: 'DELETE /books/a', ifMatch: '"x"', status: 200, sent: '\x12\x01x' },
    { request: 'DELETE /books/a?etag=x', ifMatch: '"x"', status: 200, sent: '\x12\x01x' },
    { request: 'DELETE /books/a', ifMatch: 'W/"x"', status: 400, has: 'without W/' },
  ]);
  const tagOf = async (etag: string) =>
    (await proxy.send(`GET /books/a?etag=${encodeURIComponent(etag)}`)).headers['etag'];
  t.strictSame(await Promise.all(['x', '', '"x"', 'a b', 'é'].map(tagOf)), [
    '"x"',
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

void t.test('the tag of the answer', async (t) => {
  const proxy = await withProxy(t, { conditionalRequests: 'quoted', compression: ['gzip'] });
  const tagOf = async (request: string, body?: string) =>
    (await proxy.send(request, body === undefined ? {} : { headers: json, body })).headers['etag'];
  t.equal(await tagOf('GET /books/a?etag=%22x%22'), '"x"');
  t.equal(await tagOf('HEAD /books/a?etag=%22x%22'), '"x"');
  t.equal(await tagOf('GET /books/a?etag=W/%22x%22'), 'W/"x"');
  t.equal(await tagOf('GET /books/a?etag=x'), undefined, 'what is no tag is not sent as one');
  t.equal(await tagOf('POST /books', '{"etag":"\\"x\\""}'), '"x"');
  t.equal(await tagOf('DELETE /books/a?etag=%22x%22'), undefined, 'what is gone has none');
  const book = (etag: string) =>
    Buffer.from(`\x0a${String.fromCharCode(etag.length + 2)}\x12${String.fromCharCode(etag.length)}${etag}`);
  proxy.service.answer = () => ({ message: Buffer.concat([book('"in"'), Buffer.from('\x12\x05"out"')]) });
  t.equal(await tagOf('GET /books'), '"out"', 'of the list');
  t.equal(await tagOf('GET /shelves/a'), '"in"', 'of what is printed');
  proxy.service.answer = () => ({ message: Buffer.from('\x12\x03"x"'), headers: { etag: '"theirs"' } });
  const joined = (await fetch(`${proxy.url}/books/a`)).headers.get('etag');
  t.equal(joined, '"theirs"', "the service's own header stays, and is the only one");
  proxy.service.answer = () => ({ message: Buffer.from('\x12\x03"x"'), headers: { 'x-http-code': '204' } });
  t.equal(await tagOf('POST /books', '{}'), '"x"', 'without a body too');
  proxy.service.answer = () => ({ message: Buffer.from('\x12\x03"x"'), headers: { 'x-http-code': '303' } });
  t.equal(await tagOf('POST /books', '{}'), undefined, 'another place is not the resource');
});

void t.test("GET by the service's own tag", async (t) => {
  for (const etag of [false, true]) {
    const proxy = await withProxy(t, { conditionalRequests: 'quoted', etag });
    proxy.service.answer = () => ({ headers: { 'cache-control': 'private' } });
    const get = (headers: Record<string, string>) => proxy.send('GET /books/a?etag=%22x%22', { headers });
    const known = await get({ 'if-none-match': '"x"' });
    t.strictSame(
      [known.status, known.headers['etag'], known.headers['cache-control'], known.text],
      [304, '"x"', 'private', ''],
    );
    t.equal((await get({ 'if-none-match': '"y"' })).status, 200);
    t.equal((await get({ 'if-match': '"x"' })).status, 200);
    t.equal((await get({ 'if-match': '"y"' })).status, 412);
    const untagged = await proxy.send('GET /books/a');
    t.equal(untagged.headers['etag'] !== undefined, etag, 'an answer without a tag has that of etag: true, if any');
    const other = await proxy.send('POST /books', { headers: { ...json, 'if-match': '"x"' }, body: '{}' });
    t.equal(other.status, 200, 'a write is not judged by its answer');
  }
});

void t.test('412: the condition failed', async (t) => {
  const proxy = await withProxy(t, { conditionalRequests: 'quoted', statusMap: new Map([[10, 499]]) });
  const { service } = proxy;
  const rows: readonly [request: string, code: number, headers: Record<string, string>, status: number][] = [
    ['DELETE /books/a', 10, { 'if-match': '"x"' }, 412],
    ['DELETE /books/a', 10, {}, 499],
    ['DELETE /books/a', 9, { 'if-match': '"x"' }, 400],
    ['DELETE /books/a', 5, { 'if-match': '"x"' }, 404],
    ['DELETE /books/a', 6, { 'if-match': '"x"' }, 409],
    ['GET /books/a', 10, { 'if-match': '"x"' }, 499],
    ['POST /books', 6, { 'if-none-match': '*' }, 412],
    ['POST /books', 6, {}, 409],
    ['POST /books', 10, { 'if-none-match': '*' }, 499],
  ];
  for (const [request, code, headers, status] of rows) {
    service.answer = () => ({ code, details: 'no' });
    const answer = await proxy.send(request, {
      headers: { ...json, ...headers },
      ...(request.startsWith('POST') && { body: '{}' }),
    });
    t.strictSame(
      [answer.status, (answer.json as { code: number }).code],
      [status, code],
      `${request} ${code} ${JSON.stringify(headers)}`,
    );
  }
});

void t.test('If-None-Match of a write', async (t) => {
  const proxy = await withProxy(t, { conditionalRequests: 'quoted' });
  await run(t, proxy, [
    { request: 'POST /books', ifNoneMatch: '*', body: '{}', status: 200 },
    { request: 'POST /books', ifNoneMatch: '"x"', body: '{}', status: 400, has: 'expected \\"*\\"' },
    { request: 'PATCH /books/a', ifNoneMatch: '*', body: '{}', status: 400, has: 'no service could compare' },
    { request: 'DELETE /books/a', ifNoneMatch: '"x"', status: 400, has: 'header if-none-match' },
  ]);
});

void t.test('headers that a method binds itself are its own', async (t) => {
  const yaml = `methods: { c.v1.C.DeleteBook: { headers: [{ header: if-match, field: etag }] } }`;
  const proxy = await withProxy(t, { conditionalRequests: 'quoted' }, yaml);
  await run(t, proxy, [{ request: 'DELETE /books/a', ifMatch: 'free text', status: 200, sent: 'free text' }]);
});

void t.test('off: services get the headers as metadata, and nothing else happens', async (t) => {
  const proxy = await withProxy(t, {});
  const answer = await proxy.send('DELETE /books/a', { headers: { 'if-match': '"x", "y"', 'if-none-match': '*' } });
  t.strictSame([answer.status, text(proxy)], [200, '\x0a\x01a']);
  t.strictSame(proxy.service.calls.at(-1)!.metadata.get('if-match'), ['"x", "y"']);
  t.equal((await proxy.send('GET /books/a?etag=%22x%22')).headers['etag'], undefined);
});
