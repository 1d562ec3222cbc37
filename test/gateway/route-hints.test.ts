/** What 404 and 405 say of the route that was meant. */
import t from 'tap';
import { startTestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package h.v1;
import "google/api/annotations.proto";
service Shelves {
  rpc List(M) returns (M) { option (google.api.http) = { get: "/v1/shelves" }; }
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/shelves/{name}" additional_bindings { get: "/v1/{name=books/*}:read" } }; }
  rpc Delete(M) returns (M) { option (google.api.http) = { delete: "/v1/shelves/{name}" }; }
  rpc Move(M) returns (M) { option (google.api.http) = { post: "/v1/shelves/{name}/books/{other}:move" body: "*" }; }
  rpc Deep(M) returns (M) { option (google.api.http) = { get: "/deep/{name=**}" }; }
}
service Rooms {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/rooms/{name}" }; }
}
message M { string name = 1; string other = 2; }
`;

const yaml = `listeners:
  - listen: 127.0.0.1:0
    services: [h.v1.Shelves]
    mounts: { /rooms: { services: [h.v1.Rooms] } }
`;

const lists = '"GET /" lists what is served';
const rows: readonly [request: string, status: number, message: string][] = [
  ['GET /v1/shelfs', 404, `no route for GET "/v1/shelfs"; did you mean GET /v1/shelves? ${lists}`],
  ['GET /v1/shelfs/a', 404, `no route for GET "/v1/shelfs/a"; did you mean GET /v1/shelves/{name}? ${lists}`],
  ['HEAD /v1/shelfs', 404, ''],
  [
    'GET /v1/boks/a:read',
    404,
    `no route for GET "/v1/boks/a:read"; did you mean GET /v1/{name=books/*}:read? ${lists}`,
  ],
  ['GET /nothing/like/it', 404, `no route for GET "/nothing/like/it"; ${lists}`],
  ['POST /v1/shelfs', 404, `no route for POST "/v1/shelfs"; ${lists}`],
  [
    'POST /v1/shelves//books/b:move',
    404,
    `no route for POST "/v1/shelves//books/b:move"; the segment for {name} of POST /v1/shelves/{name}/books/{other}:move is empty: is a variable of the shell not set? ${lists}`,
  ],
  [
    'POST /v1/shelves/a/books/:move',
    404,
    `no route for POST "/v1/shelves/a/books/:move"; the segment for {other} of POST /v1/shelves/{name}/books/{other}:move is empty: is a variable of the shell not set? ${lists}`,
  ],
  [
    'DELETE /v1/shelves/',
    405,
    'DELETE is not allowed on "/v1/shelves/"; allowed are GET, HEAD, OPTIONS; the segment for {name} of DELETE /v1/shelves/{name} is empty: is a variable of the shell not set?',
  ],
  ['DELETE /v1/shelves', 405, 'DELETE is not allowed on "/v1/shelves"; allowed are GET, HEAD, OPTIONS'],
  ['GET /v1/rooms/a', 404, `no route for GET "/v1/rooms/a"; did you mean GET /rooms/v1/rooms/{name}? ${lists}`],
  [
    'GET /rooms/v1/room/a',
    404,
    'no route for GET "/rooms/v1/room/a"; did you mean GET /rooms/v1/rooms/{name}? "GET /rooms/" lists what is served',
  ],
  [`GET /v1/shelfs/${'a'.repeat(600)}`, 404, ''],
  [`GET ${'/v1/shelfs'.repeat(20)}`, 404, ''],
];

void t.test('what may have been meant', async (t) => {
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  for (const [request, status, message] of rows) {
    const { status: found, json } = await proxy.send(request);
    t.equal(found, status, request);
    if (message !== '') t.equal((json as { message: string }).message.slice(0, message.length), message);
  }
});

void t.test('routes that are not listed are not told', async (t) => {
  const proxy = await startTestProxy(proto, { index: false }, yaml);
  t.teardown(() => proxy.close());
  const { json } = await proxy.send('GET /v1/shelfs');
  t.match(json, { message: 'no route for GET "/v1/shelfs"; "photongate routes" lists what is served' });
});
