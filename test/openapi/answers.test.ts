/** What a document says of answers is what comes, whatever the options: of messages, of streams, and of what goes wrong. */
import t from 'tap';
import type { Settings } from '../../lib/index.js';
import { ask } from '../support/exchange.js';
import { AnswerJudge, type JsonObject, requestsOf } from '../support/openapi.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "photongate/http.proto";

// Each method answers with its request.
service Echo {
  rpc Whole(All) returns (All) {
    option (google.api.http) = { post: "/v1/whole" body: "*" };
    option (photongate.http) = { success_status: 201 response_headers { header: "x-count" field: "long_count" } };
  }
  rpc Stream(All) returns (stream All) { option (google.api.http) = { post: "/v1/stream" body: "*" }; }
  rpc PartOfStream(All) returns (stream All) { option (google.api.http) = { post: "/v1/stream/part" body: "*" response_body: "inner_one" }; }
  rpc None(All) returns (All) {
    option (google.api.http) = { post: "/v1/none" body: "*" };
    option (photongate.http) = { success_status: 204 };
  }
  rpc Empty(google.protobuf.Empty) returns (google.protobuf.Empty) { option (google.api.http) = { get: "/v1/empty" }; }
  rpc Value(google.protobuf.Value) returns (google.protobuf.Value) { option (google.api.http) = { post: "/v1/value" body: "*" }; }
  rpc Wrapped(google.protobuf.Int64Value) returns (google.protobuf.Int64Value) { option (google.api.http) = { post: "/v1/wrapped" body: "*" }; }
  rpc Raw(google.api.HttpBody) returns (google.api.HttpBody) { option (google.api.http) = { post: "/v1/raw" body: "*" }; }
${[
  ...['any', 'struct', 'value', 'list_value', 'time', 'for_time', 'some_mask', 'empty_one', 'file', 'files'],
  ...['wrapped_text', 'wrapped_long', 'wrapped_flags', 'long_count', 'long_counts', 'color', 'nothing', 'raw_data'],
  ...['inner_one', 'inner_list', 'by_name', 'by_number', 'maybe', 'picked_one', 'ratio', 'anys'],
]
  .map(
    (field, index) =>
      `  rpc Part${index}(All) returns (All) { option (google.api.http) = { post: "/v1/part/${field}" body: "${field}" response_body: "${field}" }; }`,
  )
  .join('\n')}
}
enum Color { COLOR_UNSPECIFIED = 0; RED = 1; }
message Inner { string display_name = 1; All all_again = 2; }
message All {
  google.protobuf.Any any = 1;
  google.protobuf.Struct struct = 2;
  google.protobuf.Value value = 3;
  google.protobuf.ListValue list_value = 4;
  google.protobuf.Timestamp time = 5;
  google.protobuf.Duration for_time = 6;
  google.protobuf.FieldMask some_mask = 7;
  google.protobuf.Empty empty_one = 8;
  google.api.HttpBody file = 9;
  repeated google.api.HttpBody files = 10;
  google.protobuf.StringValue wrapped_text = 11;
  google.protobuf.Int64Value wrapped_long = 12;
  repeated google.protobuf.BoolValue wrapped_flags = 13;
  int64 long_count = 14;
  repeated uint64 long_counts = 15;
  Color color = 16;
  google.protobuf.NullValue nothing = 17;
  bytes raw_data = 18;
  Inner inner_one = 19;
  repeated Inner inner_list = 20;
  map<string, google.protobuf.Struct> by_name = 21;
  map<int64, Color> by_number = 22;
  optional string maybe = 23;
  oneof pick { string picked_one = 24; Inner picked_two = 25; }
  double ratio = 26;
  repeated google.protobuf.Any anys = 27;
}
`;

type Options = NonNullable<Settings['options']>;
const variants: readonly Options[] = [
  {},
  { preserveProtoFieldNames: true, alwaysPrintEnumsAsInts: true, int64AsNumbers: true },
  { alwaysPrintPrimitiveFields: true, addWhitespace: true, errorFormat: 'aip193' },
  { envelope: 'photon', streamFormat: 'ndjson' },
  { envelope: 'photon', errorFormat: 'problem', closeErrorArray: true },
  { streamFormat: 'grpc-gateway', errorFormat: 'status' },
  { streamFormat: 'sse', errorFormat: 'problem' },
  { preset: 'grpc-gateway' },
  { preset: 'google' },
  { preset: 'envoy', openapi: true },
  { etag: true, openapiNames: 'short' },
];

/** How a stream may be asked for; the first says nothing. */
const accepted = ['*/*', 'application/json', 'application/x-ndjson', 'text/event-stream'];

/** Sends the examples. */
async function judge({ proxy }: TestProxy, only = /./): Promise<string[]> {
  const { handler } = proxy.prepared.listeners[0]!;
  const document = (await ask(handler, { target: '/openapi.json' })).json() as JsonObject;
  const answers = new AnswerJudge(document);
  const faults: string[] = [];
  for (const { where, request } of requestsOf(document)) {
    if (/ (?:body\.|least|\?)/.test(where) || !only.test(where)) continue;
    const { method, target, headers = [] } = request;
    for (const accept of target.startsWith('/v1/stream') ? accepted : ['*/*']) {
      const answer = await ask(handler, { ...request, headers: [...headers, 'accept', accept] });
      // An array that is cut short says by that what is wrong.
      if (answer.aborted) continue;
      const { status } = answer;
      const text = answer.body.toString();
      const problem = answers.problem({
        method,
        target,
        status,
        contentType: answer.header('content-type') ?? '',
        text,
      });
      if (problem !== undefined) faults.push(`${where} ${accept}: ${status} ${text.slice(0, 300)}: ${problem}`);
    }
  }
  return faults.slice(0, 10);
}

t.setTimeout(120_000);
for (const options of variants) {
  const name = JSON.stringify(options);
  void t.test(name, async (t) => {
    const proxy = await startTestProxy(proto, options);
    t.teardown(() => proxy.close());
    t.strictSame(await judge(proxy), [], 'what the service was asked');
    proxy.service.answer = () => ({ message: Buffer.alloc(0) });
    t.strictSame(await judge(proxy), [], 'messages without anything');
    proxy.service.answer = () => ({ code: 5, details: 'not here' });
    t.strictSame(await judge(proxy, /whole|stream|raw/), [], 'a failed call');
    proxy.service.answer = ({ message }) => ({
      message,
      drive: (call) => {
        call.write(message);
        setImmediate(() => call.emit('error', { code: 5, details: 'gone' }));
      },
    });
    t.strictSame(await judge(proxy, /stream/), [], 'a stream that fails after its first message');
  });
}
