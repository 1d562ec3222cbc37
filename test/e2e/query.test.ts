/** The method QUERY (RFC 10008), over sockets: its rules, the twins of rules of GET, and how answers tell of it. */
import t, { type Test } from 'tap';
import type { ConfigError } from '../../lib/status.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package q.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Q {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" additional_bindings { delete: "/v1/{name}" } }; }
  rpc Find(M) returns (M) { option (google.api.http) = { custom { kind: "QUERY" path: "/find" } body: "*" additional_bindings { get: "/find" } }; }
  rpc Field(M) returns (M) { option (google.api.http) = { custom { kind: "QUERY" path: "/v1/{id}" } body: "inner" }; }
  rpc Raw(Search) returns (M) { option (google.api.http) = { custom { kind: "QUERY" path: "/raw" } body: "program" }; }
  rpc Empty(M) returns (M) { option (google.api.http) = { custom { kind: "QUERY" path: "/bare" } additional_bindings { get: "/bare" } }; }
  rpc List(M) returns (M) { option (google.api.http) = { get: "/lists/{name}/items" additional_bindings { post: "/lists/{name}/items" body: "*" } }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch/{name}" }; }
  rpc Upload(stream M) returns (M) { option (google.api.http) = { get: "/upload" }; }
}
message M { string name = 1; string id = 2; M inner = 3; repeated string tags = 4; }
message Search { google.api.HttpBody program = 1; }
`;

const types = 'application/json, application/x-www-form-urlencoded, multipart/form-data, application/x-protobuf';

async function withProxy(t: Test, options: Parameters<typeof startTestProxy>[1] = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options);
  t.teardown(() => proxy.close());
  return proxy;
}

const json = (body: string, headers: Record<string, string> = {}) => ({
  body,
  headers: { 'content-type': 'application/json', ...headers },
});

const told = ({ headers }: TestResponse): unknown => headers['accept-query'];

void t.test(
  'a rule of QUERY: its answers, those of GET and OPTIONS at its path, and 415 tell what it takes',
  async (t) => {
    const proxy = await withProxy(t);
    const rows: readonly [request: string, status: number, accepts: string | undefined, body?: string][] = [
      ['QUERY /find', 200, types, '{"name":"a"}'],
      ['QUERY /find', 200, types],
      ['GET /find?name=a', 200, types],
      ['HEAD /find', 200, types],
      ['OPTIONS /find', 204, types],
      ['GET /v1/a', 200, types],
      ['DELETE /v1/a', 200, undefined],
      ['OPTIONS /raw', 204, '*/*'],
      ['GET /bare', 200, undefined],
      ['OPTIONS /bare', 204, undefined],
      ['GET /lists/a/items', 200, undefined],
      ['OPTIONS /lists/a/items', 204, undefined],
      ['OPTIONS *', 204, undefined],
    ];
    for (const [request, status, accepts, body] of rows) {
      const answer = await proxy.send(request, body === undefined ? {} : json(body));
      t.strictSame([answer.status, told(answer)], [status, accepts], request);
    }
    t.equal((await proxy.send('OPTIONS /find')).headers['allow'], 'GET, HEAD, OPTIONS, QUERY');
    const wrong = await proxy.send('QUERY /find', json('x', { 'content-type': 'text/csv' }));
    t.strictSame([wrong.status, told(wrong)], [415, types]);
    const charset = await proxy.send('QUERY /find', json('x', { 'content-type': 'application/json; charset=latin1' }));
    t.strictSame([charset.status, told(charset)], [415, types]);
    const posted = await proxy.send('POST /lists/a/items', json('x', { 'content-type': 'text/csv' }));
    t.strictSame([posted.status, told(posted)], [415, undefined]);
    const refused = await proxy.send('QUERY /lists/a/items', json('{}'));
    t.strictSame([refused.status, refused.headers['allow']], [405, 'GET, HEAD, OPTIONS, POST']);
  },
);

void t.test('query_methods: each rule of GET takes QUERY with the message as its body', async (t) => {
  const proxy = await withProxy(t, { queryMethods: true, etag: true, maxBodyBytes: 200 });
  const query = (path: string, body: string, headers?: Record<string, string>) =>
    proxy.send(`QUERY ${path}`, json(body, headers));
  const listed = await query('/lists/a/items', '{"tags":["x","y"],"inner":{"id":"z"}}');
  t.strictSame(
    [listed.status, listed.json, told(listed)],
    [200, { name: 'a', inner: { id: 'z' }, tags: ['x', 'y'] }, types],
  );
  t.strictSame((await query('/lists/a/items', '{"name":"a"}')).json, { name: 'a' }, 'the same value as in the path');
  t.match((await query('/lists/a/items', '{"name":"b"}')).json, { code: 3, message: /name/ }, 'another one');
  t.match((await query('/lists/a/items?tags=x', '{}')).json, { code: 3, message: /tags/ }, 'the body has all fields');
  t.equal((await query('/lists/a/items', JSON.stringify({ id: 'x'.repeat(200) }))).status, 413);
  t.strictSame((await query('/find', '{"id":"i"}')).json, { id: 'i' }, 'a rule of its own');
  t.strictSame(
    (await query('/v1/a', '{"id":"i"}')).json,
    { id: 'a', inner: { id: 'i' } },
    'a rule of its own comes first',
  );
  t.equal((await query('/bare', '{"id":"i"}')).status, 400, 'also one without a body');

  const etag = listed.headers['etag']!;
  const same = '{"tags":["x","y"],"inner":{"id":"z"}}';
  t.equal((await query('/lists/a/items', same, { 'if-none-match': etag })).status, 304);
  t.equal((await query('/lists/a/items', '{}', { 'if-none-match': etag })).status, 200, 'another body, another answer');

  const watched = await query('/watch/a', '{"id":"1"}', { accept: 'application/x-ndjson' });
  t.strictSame([watched.status, watched.text, told(watched)], [200, '{"name":"a","id":"1"}\n', types]);
  t.equal((await query('/upload', '{}')).status, 405, 'a client stream has none');
  t.equal((await proxy.send('OPTIONS /lists/a/items')).headers['allow'], 'GET, HEAD, OPTIONS, POST, QUERY');
  t.match((await proxy.send('GET /')).text, /QUERY +\/lists\/\{name\}\/items/);
});

void t.test('CORS: QUERY is not simple, so a browser asks first', async (t) => {
  const origin = 'https://page.example';
  const proxy = await withProxy(t, { queryMethods: true, cors: { origins: [origin] } });
  const headers = { origin, 'access-control-request-method': 'QUERY' };
  const asked = await proxy.send('OPTIONS /lists/a/items', { headers });
  t.match(asked.headers['access-control-allow-methods'], /QUERY/);
  const answer = await proxy.send('QUERY /lists/a/items', json('{}', { origin }));
  t.strictSame([answer.status, answer.headers['access-control-allow-origin']], [200, origin]);
  const strange = await proxy.send('QUERY /lists/a/items', json('{}', { origin: 'https://other.example' }));
  t.equal(strange.status, 403);
});

void t.test('of two rules of GET that match the same requests, the one that counts has the twin', async (t) => {
  const two = `
syntax = "proto3";
package d.v1;
import "google/api/annotations.proto";
service D {
  rpc First(M) returns (M) { option (google.api.http) = { get: "/{a}/x" }; }
  rpc Last(M) returns (M) { option (google.api.http) = { get: "/{b}/x" }; }
}
message M { string a = 1; string b = 2; }`;
  for (const [onDuplicate, found] of [
    ['first', { a: '1' }],
    ['last', { b: '1' }],
  ] as const) {
    const proxy = await startTestProxy(two, { queryMethods: true, onDuplicate });
    t.teardown(() => proxy.close());
    t.strictSame((await proxy.send('QUERY /1/x', json('{}'))).json, found, onDuplicate);
    t.strictSame((await proxy.send('GET /1/x')).json, found, onDuplicate);
  }
  const error: unknown = await startTestProxy(two, { queryMethods: true }).catch((thrown: unknown) => thrown);
  t.equal((error as ConfigError).problems.length, 1, 'told once');
});
