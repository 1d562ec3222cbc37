/**
 * Bodies in single bytes, as chunks of HTTP/1.1 or frames of HTTP/2 may cut them: what is held of them while they come is
 * worth their bytes, whoever collects them.
 */
import t from 'tap';
import { MemoryExchange } from '../support/exchange.js';
import { heldMemory } from '../support/memory.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Pieces {
  rpc Unary(Message) returns (Message) { option (google.api.http) = { post: "/unary" body: "*" }; }
  rpc Raw(google.api.HttpBody) returns (Message) { option (google.api.http) = { post: "/raw" body: "*" }; }
  rpc Down(Message) returns (stream Message) { option (google.api.http) = { post: "/down" body: "*" }; }
  rpc Up(stream Message) returns (Message) { option (google.api.http) = { post: "/up" body: "*" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
}
message Message { string name = 1; }
`;

const BYTES = 100_000;
/** A body is held twice at most, and what is measured differs by some hundred kilobytes; single bytes would cost 12 MB. */
const MAX_HELD = 20 * BYTES;

/** A gRPC frame that is not complete. */
const frameHead = Buffer.of(0, 0, 0x10, 0, 0).toString('latin1');

const rows: readonly [path: string, type: string, start: string][] = [
  ['/unary', 'application/json', '{"name":"'],
  ['/unary', 'application/x-www-form-urlencoded', 'name='],
  ['/unary', 'multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="name"\r\n\r\n'],
  ['/raw', 'image/png', ''],
  ['/down', 'application/json', '{"name":"'],
  ['/up', 'application/json', '{"name":"'],
  ['/up', 'application/x-ndjson', '{"name":"'],
  ['/up', 'application/x-www-form-urlencoded', 'name='],
  ['/chat', 'application/x-protobuf', '\x0a'],
  ['/a.v1.Pieces/Unary', 'application/grpc-web', frameHead],
  ['/a.v1.Pieces/Unary', 'application/grpc-web-text', Buffer.from(frameHead + '\0', 'latin1').toString('base64')],
  ['/a.v1.Pieces/Chat', 'application/connect+proto', frameHead],
];

/** A request whose body has come so far, and has not ended. */
function upload({ proxy }: TestProxy, [path, type, start]: (typeof rows)[number]): MemoryExchange {
  const headers = ['host', 'localhost', 'content-type', type, 'transfer-encoding', 'chunked'];
  const exchange = new MemoryExchange({ method: 'POST', target: path, headers, open: true });
  proxy.prepared.listeners[0]!.handler.handle(exchange);
  exchange.push(Buffer.from(start, 'latin1'));
  for (let sent = 0; sent < BYTES; sent++) exchange.push(Buffer.alloc(1, 'A'));
  return exchange;
}

void t.test('held memory', async (t) => {
  const proxy = await startTestProxy(proto, { passThrough: 'all' });
  t.teardown(() => proxy.close());
  // What is made for the first request stays.
  for (const row of rows) upload(proxy, row).goAway();
  for (const row of rows) {
    const before = await heldMemory();
    const exchange = upload(proxy, row);
    const held = (await heldMemory()) - before;
    t.equal(exchange.sentHead, undefined, `${row[0]} ${row[1]} takes it`);
    t.ok(held < MAX_HELD, `${row[0]} ${row[1]}: ${held} bytes are held for ${BYTES}`);
    exchange.goAway();
  }
});
