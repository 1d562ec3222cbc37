/** Required fields (proto2, editions): what neither path, query nor body gives is 400 and named, at every depth that is sent. */
import t from 'tap';
import { startTestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto2";
package r.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
service R {
  rpc Get(Part) returns (Part) { option (google.api.http) = { get: "/part" additional_bindings { get: "/part/{label}" } additional_bindings { post: "/part" body: "*" } additional_bindings { post: "/part/{label}" body: "*" } }; }
  rpc Put(Whole) returns (Whole) { option (google.api.http) = { post: "/whole" body: "*" additional_bindings { get: "/whole" } additional_bindings { post: "/field" body: "part" } additional_bindings { post: "/deep/{part.label}" body: "*" } }; }
  rpc Send(stream Part) returns (stream Part) { option (google.api.http) = { post: "/send" body: "*" additional_bindings { post: "/send/{label}" body: "*" } }; }
  rpc Upload(stream File) returns (stream File) { option (google.api.http) = { post: "/upload/{name}" body: "file" additional_bindings { post: "/upload" body: "file" } }; }
}
message Part { required string label = 1; required bool flag = 2; extensions 100 to 200; }
message Whole {
  optional Part part = 1; repeated Part parts = 2; map<string, Part> by_name = 3; optional Whole inner = 4;
  optional google.protobuf.Any any = 5; optional group Group = 6 { required int32 n = 1; }
  oneof pick { Part first = 7; string second = 8; } map<int32, Whole> by_id = 9;
}
message File { required string name = 1; optional google.api.HttpBody file = 2; }
extend Part { optional Part more = 100; optional string note = 101; }
`;

const json = (body: string) => ({ body, headers: { 'content-type': 'application/json' } });
const form = (body: string) => ({ body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
const protobuf = (hex: string) => ({
  body: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
  headers: { 'content-type': 'application/x-protobuf' },
});

const inAndOut = (hex: string) => {
  const { body, headers } = protobuf(hex);
  return { body, headers: { ...headers, accept: 'application/x-protobuf' } };
};

type Send = Parameters<Awaited<ReturnType<typeof startTestProxy>>['send']>[1];

/** What is missing; none: 200. */
const cases: readonly (readonly [request: string, send: Send, missing: readonly string[]])[] = [
  ['GET /part', {}, ['label', 'flag']],
  ['GET /part?flag', {}, ['label']],
  ['GET /part/x', {}, ['flag']],
  ['GET /part/x?flag=false', {}, []],
  ['POST /part', json('{"label":"a"}'), ['flag']],
  ['POST /part', json(''), ['label', 'flag']],
  ['POST /part', json('{"label":null,"flag":false}'), ['label']],
  ['POST /part', json('{"label":"","flag":false}'), []],
  ['POST /part/x', json('{"flag":true}'), []],
  ['POST /part/x', json('{}'), ['flag']],
  ['POST /part', json('{"label":"a","flag":true,"[r.v1.more]":{"label":"b"}}'), ['[r.v1.more].flag']],
  ['POST /part', form('label=a'), ['flag']],
  ['POST /part', form('label=a&flag='), []],
  ['GET /part/x?flag&[r.v1.note]=y', {}, []],
  ['GET /part/x?flag&[r.v1.more].label=y', {}, ['[r.v1.more].flag']],
  ['POST /part', protobuf('0a0161'), ['flag']],
  ['POST /part', protobuf('0a0161 1001'), []],
  ['POST /whole', json('{}'), []],
  ['GET /whole', {}, []],
  ['POST /whole', json('{"part":{}}'), ['part.label', 'part.flag']],
  ['GET /whole?part.flag', {}, ['part.label']],
  ['GET /whole?parts[1].flag&parts[0].label=x', {}, ['parts[0].flag', 'parts[1].label']],
  ['POST /field', json('{"label":"a"}'), ['part.flag']],
  ['POST /field', json(''), []],
  ['POST /deep/x', json('{"part":{"flag":true}}'), []],
  ['POST /deep/x', json('{"parts":[{"flag":true}]}'), ['parts[0].label', 'part.flag']],
  [
    'POST /whole',
    json('{"inner":{"inner":{"parts":[{"label":"a","flag":true},{}]}}}'),
    ['inner.inner.parts[1].label', 'inner.inner.parts[1].flag'],
  ],
  ['POST /whole', json('{"byName":{"a.b":{"label":"x"},"c":{"label":"y","flag":true}}}'), ['byName["a.b"].flag']],
  ['POST /whole', json('{"byId":{"7":{"part":{"flag":true}}}}'), ['byId["7"].part.label']],
  ['GET /whole?by_name[k].flag', {}, ['byName["k"].label']],
  ['POST /whole', json('{"group":{}}'), ['group.n']],
  ['POST /whole', json('{"group":{"n":0}}'), []],
  ['POST /whole', json('{"first":{"flag":true}}'), ['first.label']],
  ['POST /whole', json('{"any":{"@type":"t/r.v1.Part","flag":true}}'), ['any.label']],
  ['POST /whole', json('{"any":{"flag":true,"label":"x","@type":"t/r.v1.Part"}}'), []],
  ['POST /whole', json('{"any":{"@type":"t/r.v1.Part"}}'), ['any.label', 'any.flag']],
  [
    'POST /whole',
    json('{"any":{"value":{"@type":"t/r.v1.Whole","part":{"label":"a"}},"@type":"t/google.protobuf.Any"}}'),
    ['any.value.part.flag'],
  ],
  // Pieces of one message, and a member of a oneof that another replaces.
  ['POST /whole', protobuf('0a03 0a0161 0a02 1001'), []],
  ['POST /whole', protobuf('0a03 0a0161 0a03 0a0162'), ['part.flag']],
  ['POST /whole', protobuf('3a00 420178'), []],
  ['POST /whole', protobuf('420178 3a00'), ['first.label', 'first.flag']],
  ['POST /whole', protobuf('1a03 0a0161'), ['byName["a"].label', 'byName["a"].flag']],
  // An Any of a known type that cannot be read is bytes.
  ['POST /whole', inAndOut('2a10 0a0b 742f722e76312e50617274 1201ff'), []],
  ['POST /send', json('[{"label":"a","flag":true},{"label":"b"}]'), ['flag']],
  ['POST /send', json('[{"label":"a"}]'), ['flag']],
  ['POST /send/x', json('[{"flag":true}]'), []],
  ['POST /send/x', json('[{"flag":true},{"flag":true}]'), ['label']],
  ['POST /upload/x', { body: 'abc' }, []],
  ['POST /upload', { body: 'abc' }, ['name']],
];

void t.test('what is missing is named', async (t) => {
  const proxy = await startTestProxy(proto);
  t.teardown(() => proxy.close());
  for (const [request, send, missing] of cases) {
    const response = await proxy.send(request, send);
    const name = `${request} ${String(send?.body ?? '')}`;
    t.equal(response.status, missing.length === 0 ? 200 : 400, `${name}: ${response.text}`);
    const { details = [] } = (response.json ?? {}) as {
      details?: readonly { fieldViolations?: { field: string }[] }[];
    };
    const fields = details.flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field));
    t.strictSame(fields, missing, `${name}: ${response.text}`);
  }
  const many = await proxy.send('POST /whole', json(`{"parts":[${new Array(1000).fill('{}').join()}]}`));
  t.match(many.text, 'and at least 17 more');
});

void t.test('names as answers have them', async (t) => {
  const proxy = await startTestProxy(proto, { preserveProtoFieldNames: true });
  t.teardown(() => proxy.close());
  t.match((await proxy.send('POST /whole', json('{"byName":{"a":{"flag":true}}}'))).text, 'by_name[\\"a\\"].label');
});
