/** The official client of MCP, and a service of books for it, behind a proxy of this process. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

export const proto = `
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/timestamp.proto";
// Keeps books.
service Books {
  // Returns one book.
  rpc GetBook(GetBookRequest) returns (Book) { option (google.api.http) = { get: "/v1/books/{id}" }; }
  rpc AddBook(Book) returns (Book) { option (google.api.http) = { post: "/v1/books" body: "*" }; }
  rpc PutBook(Book) returns (Book) { option (google.api.http) = { put: "/v1/books" body: "*" }; }
  // Removes a book for ever.
  rpc DeleteBook(GetBookRequest) returns (Book) { option (google.api.http) = { delete: "/v1/books/{id}" }; }
  rpc Count(Book) returns (Book) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { post: "/v1/books:count" body: "*" };
  }
  rpc WatchBooks(Book) returns (stream Book) { option (google.api.http) = { get: "/v1/books:watch" }; }
  rpc AddAll(stream Book) returns (Book) { option (google.api.http) = { post: "/v1/books:all" body: "*" }; }
  rpc Chat(stream Book) returns (stream Book) { option (google.api.http) = { post: "/v1/books:chat" body: "*" }; }
  rpc Echo(google.protobuf.StringValue) returns (google.protobuf.Timestamp) {
    option (google.api.http) = { post: "/v1/echo" body: "*" };
  }
  rpc Native(Book) returns (Book);
}
enum Kind { KIND_UNSPECIFIED = 0; NOVEL = 1; }
message GetBookRequest { string id = 1 [(google.api.field_behavior) = REQUIRED]; }
message Book {
  string id = 1 [(google.api.field_behavior) = REQUIRED];
  // How many pages it has.
  int32 pages = 2;
  Kind kind = 3;
  int64 sold = 4;
  double weight = 5;
  repeated Book related = 6;
}
`;

/** What the client negotiates: a revision with a handshake, or the stateless one. */
export const revisions = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof revisions)[number];

export interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

export async function connectClient(
  url: string,
  revision: Revision,
  { headers = {}, path = '/mcp' }: ConnectOptions = {},
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, versionOf(revision));
  await client.connect(new StreamableHTTPClientTransport(new URL(url + path), { requestInit: { headers } }));
  return client;
}

/** The options that make a client speak a revision. */
export function versionOf(revision: Revision): ConstructorParameters<typeof Client>[1] {
  return { versionNegotiation: revision === '2026-07-28' ? { mode: { pin: revision } } : { mode: 'legacy' } };
}

/** The texts of a result. */
export function textOf(result: { readonly content?: unknown }): string {
  const content = result.content as readonly { readonly text?: string }[];
  return content.map(({ text = '' }) => text).join('\n');
}
