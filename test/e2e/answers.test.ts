/**
 * Answers of unary calls in the form that was asked for: system parameters, masks, text, protobuf, raw bytes, entity tags,
 * content codings. Over a real socket, in front of a real gRPC server that answers with what it is sent.
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { writeHttpBody } from '../../lib/transcode/http-body.js';
import { Writer } from '../../lib/wire/index.js';
import { streamRequest } from '../support/stream-client.js';
import { startTestProxy, type RequestOptions, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package answers.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service Answers {
  rpc Echo(Message) returns (Message) {
    option (google.api.http) = {
      post: "/v1/echo" body: "*"
      additional_bindings { get: "/v1/echo" }
      additional_bindings { get: "/v1/name" response_body: "name" }
      additional_bindings { get: "/v1/inner" response_body: "inner" }
      additional_bindings { get: "/v1/items" response_body: "items" }
      additional_bindings { get: "/v1/labels" response_body: "labels" }
    };
  }
  rpc Own(Own) returns (Own) { option (google.api.http) = { get: "/v1/own" additional_bindings { post: "/v1/own" body: "*" } }; }
  rpc Wrapped(google.protobuf.StringValue) returns (google.protobuf.StringValue) {
    option (google.api.http) = { get: "/v1/wrapped" };
  }
  rpc One(One) returns (One) {
    option (google.api.http) = {
      get: "/v1/one/text" response_body: "text"
      additional_bindings { get: "/v1/one/number" response_body: "number" }
      additional_bindings { get: "/v1/one/wait" response_body: "wait" }
      additional_bindings { get: "/v1/one/mask" response_body: "mask" }
      additional_bindings { get: "/v1/one/nested" response_body: "nested" }
      additional_bindings { get: "/v1/one/list" response_body: "list" }
      additional_bindings { get: "/v1/one/map" response_body: "map" }
      additional_bindings { get: "/v1/one/dynamic" response_body: "dynamic" }
      additional_bindings { get: "/v1/one/texts" response_body: "texts" }
      additional_bindings { get: "/v1/one/any" response_body: "any" }
    };
  }
  rpc Text(OneText) returns (OneText) { option (google.api.http) = { get: "/v1/only" }; }
  rpc Raw(Nothing) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/raw" }; }
  rpc RawField(Nothing) returns (Holder) { option (google.api.http) = { get: "/v1/raw-field" response_body: "file" }; }
  rpc Nested(Holder) returns (Holder) { option (google.api.http) = { post: "/v1/holder" body: "*" }; }
}
enum Color { NONE = 0; RED = 1; }
message Own { string alt = 1; string fields = 2; }
message Nothing {}
message OneText { optional string text = 1; }
message One {
  OneText text = 1;
  message Number { int64 value = 5; }
  Number number = 2;
  message Wait { google.protobuf.Duration wait = 1; }
  Wait wait = 3;
  message Mask { google.protobuf.FieldMask mask = 1; }
  Mask mask = 4;
  message Nested { OneText only = 1; }
  Nested nested = 5;
  message List { repeated string list = 1; }
  List list = 6;
  message Map { map<string, string> map = 1; }
  Map map = 7;
  message Dynamic { google.protobuf.Value dynamic = 1; }
  Dynamic dynamic = 8;
  repeated OneText texts = 9;
  google.protobuf.Any any = 10;
}
message Holder { string name = 1; google.api.HttpBody file = 2; }
message Message {
  string name = 1;
  int64 big = 2;
  Message inner = 3;
  repeated Message items = 4;
  map<string, string> labels = 5;
  map<int32, Message> by_id = 6;
  google.protobuf.Struct extra = 7;
  google.protobuf.StringValue wrapped = 8;
  Color color = 9;
  oneof pick { string left = 10; string right = 11; }
  google.protobuf.Any any = 12;
  string snake_case = 13;
  google.protobuf.Timestamp at = 14;
  bytes data = 15;
  bool flag = 16;
}
`;

const whole = {
  name: 'n',
  big: '12345678901234567',
  inner: { name: 'i', inner: { name: 'ii' }, snakeCase: 's' },
  items: [
    { name: 'x', big: '1' },
    { name: 'y', color: 'RED' },
  ],
  labels: { a: '1', 'b.c': '2' },
  byId: { 7: { name: 'seven', big: '7' }, 8: { name: 'eight' } },
  extra: { k: { z: 1, y: [{ q: 1, r: 2 }, 3] }, l: 2 },
  wrapped: 'w',
  color: 'RED',
  left: 'L',
  at: '2020-01-01T00:00:00Z',
  data: 'AQI=',
};

/** What the route answers with, sent as a body so that the answer is known. */
const post = (query: string, headers: Record<string, string> = {}): [string, RequestOptions] => [
  `POST /v1/echo${query}`,
  { body: JSON.stringify(whole), headers },
];

async function withProxy(
  t: { teardown(close: () => Promise<void>): unknown },
  options: Parameters<typeof startTestProxy>[1] = {},
): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options);
  t.teardown(() => proxy.close());
  return proxy;
}

void t.test('fields: what a mask leaves', async (t) => {
  const proxy = await withProxy(t);
  const rows: readonly [fields: string, expected: unknown][] = [
    ['name', { name: 'n' }],
    ['name,big', { name: 'n', big: whole.big }],
    ['inner.name', { inner: { name: 'i' } }],
    ['inner', { inner: whole.inner }],
    ['inner,inner.name', { inner: whole.inner }],
    ['inner.snake_case', { inner: { snakeCase: 's' } }],
    ['inner.snakeCase', { inner: { snakeCase: 's' } }],
    ['inner.inner.name', { inner: { inner: { name: 'ii' } } }],
    ['items.name', { items: [{ name: 'x' }, { name: 'y' }] }],
    ['items.color', { items: [{}, { color: 'RED' }] }],
    ['labels.a', { labels: { a: '1' } }],
    ['labels.b.c', { labels: { 'b.c': '2' } }],
    ['labels%5Bb.c%5D', { labels: { 'b.c': '2' } }],
    ['labels.none', {}],
    ['byId.7.name,by_id.8', { byId: { 7: { name: 'seven' }, 8: { name: 'eight' } } }],
    ['by_id[07].big', { byId: { 7: { big: '7' } } }],
    ['extra.k.y.q', { extra: { k: { y: [{ q: 1 }, 3] } } }],
    ['extra.l', { extra: { l: 2 } }],
    ['wrapped,at', { wrapped: 'w', at: whole.at }],
    ['left', { left: 'L' }],
    ['right', {}],
    ['flag', {}],
    ['*', whole],
    ['%20name,%20big', { name: 'n', big: whole.big }],
  ];
  for (const [fields, expected] of rows) {
    for (const parameter of ['$fields', 'fields', '%24fields']) {
      const { status, json, text } = await proxy.send(...post(`?${parameter}=${fields}`));
      t.equal(status, 200, text);
      t.strictSame(json, expected, `${parameter}=${fields}`);
    }
  }
});

void t.test('fields: relative to what is printed', async (t) => {
  const proxy = await withProxy(t);
  t.equal((await proxy.send('GET /v1/inner?name=o&inner.name=a&inner.big=1&fields=name')).text, '{"name":"a"}');
  t.equal((await proxy.send('GET /v1/items?items[0].name=a&items[0].big=1&fields=name')).text, '[{"name":"a"}]');
  t.equal((await proxy.send('GET /v1/labels?labels.a=1&labels.b=2&fields=b')).text, '{"b":"2"}');
  t.equal((await proxy.send('GET /v1/name?name=a&fields=name')).status, 400, 'a scalar has no fields');
  const enveloped = await withProxy(t, { envelope: 'photon', alwaysPrintPrimitiveFields: true, addWhitespace: true });
  const answer = await enveloped.send('GET /v1/echo?name=a&inner.big=1&fields=inner.big,flag');
  t.match(answer.json, { data: { inner: { big: '1' }, flag: false }, meta: {} });
  t.strictSame(
    Object.keys((answer.json as { data: object }).data),
    ['inner', 'flag'],
    'no more defaults than selected',
  );
  t.strictSame(Object.keys((answer.json as { data: { inner: object } }).data.inner), ['big']);
  t.equal(answer.text, JSON.stringify(answer.json, null, 2));
});

void t.test('fields: a member of a oneof that another one cleared stays away', async (t) => {
  const proxy = await withProxy(t);
  // left: "L", then right: "R", as an odd writer may send both.
  proxy.service.answer = () => ({ message: Buffer.from([0x52, 1, 0x4c, 0x5a, 1, 0x52]) });
  t.equal((await proxy.send('GET /v1/echo?fields=left')).text, '{}');
  t.equal((await proxy.send('GET /v1/echo?fields=right')).text, '{"right":"R"}');
  t.equal((await proxy.send('GET /v1/echo?fields=left&alt=proto')).bytes.length, 0);
  // name twice, and big before it.
  proxy.service.answer = () => ({ message: Buffer.from([0x10, 1, 0x0a, 1, 0x61, 0x0a, 1, 0x62]) });
  t.equal((await proxy.send('GET /v1/echo?fields=name')).text, '{"name":"b"}');
});

void t.test('system parameters that are refused, before any call', async (t) => {
  const proxy = await withProxy(t);
  const rows: readonly [query: string, message: string][] = [
    ['$fields=nam', '$fields: answers.v1.Message has no field "nam", did you mean "name"?'],
    ['fields=inner.nam', 'has no field "nam", did you mean "name"?'],
    ['fields=items.zzzzzz', 'has no field "zzzzzz"; it has name, big, inner'],
    ['fields=name.x', '"name" (string) has no fields to choose from'],
    ['fields=wrapped.value', 'has no fields to choose from'],
    ['fields=at.seconds', 'has no fields to choose from'],
    ['fields=any.x', 'has no fields to choose from'],
    ['fields=items[0].name', 'expected "." behind "items", which takes every element'],
    ['fields=byId.x.name', 'the key "x" is no integer'],
    ['fields=name,,big', 'expected field paths with commas between them, such as name,spec.cpus'],
    ['fields=labels[a', '"labels[a": expected a key behind "labels": labels.KEY or labels[KEY]'],
    ['fields=', 'expected field paths'],
    ['fields=inner..name', 'has no field ""'],
    [`fields=${'inner.'.repeat(200)}name`, 'more than 100 steps'],
    ['$alt=xml', '$alt: found "xml", expected one of json, json;enum-encoding=int, proto, text, sse, ndjson'],
    ['$alt=jsn', 'did you mean json?'],
    ['$alt=', 'found ""'],
    ['$alt=JSON', 'found "JSON"'],
    ['$alt=proto;enum-encoding=int', 'expected one of'],
    ['$alt=json&$alt=json', '$alt: given more than once, expected one value'],
    ['$alt=json&alt=json', 'alt: given more than once (also as "$alt")'],
    ['$apiVersion=1&$apiVersion=1', '$apiVersion: given more than once'],
    ['fields=name&fields=big', 'fields: given more than once'],
    ['text=', 'found "", expected the path of a field'],
    ['text=nam', 'has no field "nam", did you mean "name"?'],
    [
      'text=name&alt=text',
      'alt: "text" is given too, and text=name is short for fields=name&alt=text; write one of both',
    ],
    ['$fields=name&text=big', 'text: "$fields" is given too'],
    ['text=name&text=big', 'text: given more than once'],
    ['$prettyPrint=yes', '$prettyPrint: found "yes", expected true, false, 1 or 0'],
    ['$alt=sse', 'sse is for methods that answer with a stream'],
    ['$alt=ndjson', 'ndjson is for methods that answer with a stream'],
    ['$other=1', 'unknown query parameter'],
  ];
  for (const [query, message] of rows) {
    for (const response of [await proxy.send(`GET /v1/echo?${query}`), await proxy.send(...post(`?${query}`))]) {
      t.equal(response.status, 400, query);
      const { message: found, details } = response.json as {
        message: string;
        details: { fieldViolations: unknown[] }[];
      };
      if (!query.startsWith('$other')) t.ok(found.includes(message), `${query}: ${found}`);
      t.equal(details[0]?.fieldViolations.length, 1, query);
    }
  }
  for (const target of ['/v1/raw', '/v1/raw-field']) {
    const { status, text } = await proxy.send(`GET ${target}?fields=data`);
    t.equal(status, 400, target);
    t.match(text, '$fields: the answer of this route is raw bytes, which have no fields');
  }
  t.equal(proxy.service.calls.length, 0, 'nothing was called');
});

void t.test('system parameters that are taken', async (t) => {
  const proxy = await withProxy(t);
  const plain = JSON.stringify((await proxy.send(...post(''))).json);
  for (const query of [
    '$alt=json',
    'alt=json',
    '$apiVersion=2024-01',
    '$.xgafv=2',
    'prettyPrint=0',
    '$prettyPrint=false',
  ]) {
    const { status, text } = await proxy.send(...post(`?${query}`));
    t.equal(status, 200, `known under body "*": ${query}: ${text}`);
    t.equal(text, plain, query);
  }
  const pretty = await proxy.send(...post('?$prettyPrint=true'));
  t.equal(pretty.text, JSON.stringify(pretty.json, null, 2));
  t.equal((await proxy.send(...post('?prettyPrint=1'))).text, pretty.text);
  for (const query of ['$alt=json;enum-encoding=int', '%24alt=json%3Benum-encoding%3Dint']) {
    const ints = await proxy.send(...post(`?${query}&fields=color,items.color`));
    t.strictSame(ints.json, { items: [{}, { color: 1 }], color: 1 }, query);
  }
  t.equal((await proxy.send('GET /v1/own?alt=zz&fields=q')).text, '{"alt":"zz","fields":"q"}', 'a field of that name');
  t.equal((await proxy.send('GET /v1/own?alt=zz&fields=q&$fields=alt')).text, '{"alt":"zz"}');
  t.equal((await proxy.send('POST /v1/own?alt=json', { body: '{}' })).status, 400, 'a field of that name, in the body');
  const indented = await withProxy(t, { addWhitespace: true });
  t.equal((await indented.send('GET /v1/echo?name=a&$prettyPrint=false')).text, '{"name":"a"}');
  t.equal((await indented.send('GET /v1/echo?name=a&$alt=json')).text, '{\n  "name": "a"\n}');
});

void t.test('without system parameters, as in the Envoy preset', async (t) => {
  const proxy = await withProxy(t, { systemParameters: false });
  for (const query of ['$alt=json', 'alt=json', '$fields=name', 'prettyPrint=true', '$.xgafv=1']) {
    t.equal((await proxy.send(`GET /v1/echo?${query}`)).status, 400, query);
  }
});

void t.test('text: one value, bare', async (t) => {
  const proxy = await withProxy(t);
  const rows: readonly [query: string, text: string][] = [
    ['fields=name&alt=text', 'n'],
    ['$fields=big&$alt=text', '12345678901234567'],
    ['fields=color&alt=text', 'RED'],
    ['fields=at&alt=text', '2020-01-01T00:00:00Z'],
    ['fields=wrapped&alt=text', 'w'],
    ['fields=data&alt=text', 'AQI='],
    ['fields=flag&alt=text', 'false'],
    ['fields=inner.inner.name&alt=text', 'ii'],
    ['fields=inner.big&alt=text', '0'],
    ['fields=labels.b.c&alt=text', '2'],
    ['fields=labels.zz&alt=text', ''],
    ['fields=byId.7.name&alt=text', 'seven'],
    ['fields=right&alt=text', ''],
    ['text=name', 'n'],
    ['$text=inner.inner.name', 'ii'],
    ['text=labels.b.c', '2'],
  ];
  for (const [query, text] of rows) {
    const answer = await proxy.send(...post(`?${query}`));
    t.equal(answer.status, 200, `${query}: ${answer.text}`);
    t.equal(answer.text, text, query);
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8', query);
  }
  t.equal((await proxy.send('GET /v1/name?name=hello&alt=text')).text, 'hello', 'a lone scalar');
  t.equal((await proxy.send('GET /v1/name?name=hello', { headers: { accept: 'text/plain' } })).text, 'hello');
  proxy.service.answer = () => ({ message: Buffer.from([0x0a, 2, 0x68, 0x69]) });
  t.equal((await proxy.send('GET /v1/wrapped?alt=text')).text, 'hi', 'a wrapper is one');
  t.equal((await proxy.send('GET /v1/wrapped')).text, '"hi"');
  proxy.service.answer = () => ({});
  for (const query of [
    'alt=text',
    'text=inner',
    'fields=name,big&alt=text',
    'fields=items&alt=text',
    'text=items.inner',
  ]) {
    const answer = await proxy.send(...post(`?${query}`));
    t.equal(answer.status, 400, query);
    t.match(answer.text, /pick one with fields=…: name, big, wrapped, color.*, flag, items\.name"/, query);
  }
  proxy.service.answer = () => ({ code: 5, details: 'gone' });
  const failed = await proxy.send(...post('?fields=name&alt=text'));
  t.strictSame([failed.status, failed.json], [404, { code: 5, message: 'gone' }], 'errors keep their shape');
  const enveloped = await withProxy(t, { envelope: 'photon' });
  t.equal((await enveloped.send('GET /v1/echo?name=v&fields=name&alt=text')).text, 'v', 'inside data');
});

void t.test('text: of a list, each value on a line', async (t) => {
  const proxy = await withProxy(t);
  const rows: readonly [query: string, text: string][] = [
    ['fields=items.name&alt=text', 'x\ny\n'],
    ['text=items.big', '1\n0\n'],
    ['text=items.color', 'NONE\nRED\n'],
    ['text=items.inner.name', '\n\n'],
    ['text=items.wrapped', '\n\n'],
    ['text=items.labels.a', '\n\n'],
    ['text=inner.items.name', ''],
    ['text=items.items.name', ''],
  ];
  for (const [query, text] of rows) {
    const answer = await proxy.send(...post(`?${query}`));
    t.strictSame([answer.status, answer.text], [200, text], query);
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8', query);
  }
  const accepted = await proxy.send(...post('?fields=items.name', { accept: 'text/plain' }));
  t.equal(accepted.text, 'x\ny\n', 'by Accept, too');
  const strings = 'list.list=a%2Cb&list.list=%22%5B%5D%22&list.list=&list.list=c%5Cd';
  t.equal((await proxy.send(`GET /v1/one/list?${strings}&$text=list`)).text, 'a,b\n"[]"\n\nc\\d\n', 'of scalars');
  t.equal((await proxy.send('GET /v1/one/list?$text=list')).text, '', 'an empty list has no line');
  t.equal((await proxy.send('GET /v1/items?items[0].name=a&items[1].name=b&text=name')).text, 'a\nb\n', 'of the root');
  t.equal((await proxy.send('GET /v1/one/texts?texts[0].text=a&texts[1].text=b&$text=text')).text, 'a\nb\n');
  const refused = await proxy.send('GET /v1/one/list?$text=lists');
  t.match(refused.text, 'has no field \\"lists\\", did you mean \\"list\\"?');
});

void t.test('text: a field of that name keeps it', async (t) => {
  const proxy = await withProxy(t);
  t.equal((await proxy.send('GET /v1/only?text=hello')).text, '{"text":"hello"}');
  t.equal((await proxy.send('GET /v1/only?text=hello&$text=text')).text, 'hello');
});

void t.test('text: the only field of a type needs no name', async (t) => {
  const proxy = await withProxy(t);
  const bare: readonly [target: string, text: string][] = [
    ['/v1/only?text=hello', 'hello'],
    ['/v1/only', ''],
    ['/v1/one/text?text.text=%22a%22', '"a"'],
    ['/v1/one/number?number.value=9007199254740993', '9007199254740993'],
    ['/v1/one/number', '0'],
    ['/v1/one/wait?wait.wait=1.5s', '1.500s'],
    ['/v1/one/mask?mask.mask=a_b,c', 'aB,c'],
  ];
  for (const [target, text] of bare) {
    const separator = target.includes('?') ? '&' : '?';
    const answer = await proxy.send(`GET ${target}${separator}alt=text`);
    t.strictSame([answer.status, answer.text], [200, text], target);
    const accepted = await proxy.send(`GET ${target}`, { headers: { accept: 'text/plain' } });
    t.strictSame([accepted.text, accepted.headers['content-type']], [text, 'text/plain; charset=utf-8'], target);
  }
  t.equal((await proxy.send('GET /v1/only?text=x&fields=text&alt=text')).text, 'x');
  t.equal((await proxy.send('GET /v1/only?text=x', { headers: { accept: '*/*' } })).text, '{"text":"x"}');
  for (const name of ['nested', 'list', 'map', 'dynamic', 'texts', 'any']) {
    const { status, text } = await proxy.send(`GET /v1/one/${name}?alt=text`);
    t.equal(status, 400, `${name}: ${text}`);
    t.equal((await proxy.send(`GET /v1/one/${name}`, { headers: { accept: 'text/plain' } })).status, 200, name);
  }
});

void t.test('Accept is weighed, and never refused', async (t) => {
  const proxy = await withProxy(t);
  const json = 'application/json';
  const protobuf = 'application/x-protobuf';
  const text = 'text/plain; charset=utf-8';
  const rows: readonly [accept: string, query: string, type: string][] = [
    ['*/*', '', json],
    ['', '', json],
    ['application/*', '', json],
    [protobuf, '', protobuf],
    [`${protobuf};q=0.5, application/json`, '', json],
    [`application/json;q=0.5, ${protobuf}`, '', protobuf],
    [`${protobuf}, application/json`, '', protobuf],
    [`application/json, ${protobuf}`, '', json],
    [`${protobuf};q=0, */*`, '', json],
    [`application/json;q=0, ${protobuf};q=0.1`, '', protobuf],
    ['text/plain', '?fields=name', text],
    ['text/plain', '', json],
    ['text/plain, */*;q=0.1', '?fields=name', text],
    ['application/json, text/plain, */*', '?fields=name', json],
    [`text/plain, ${protobuf};q=0.5`, '', protobuf],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', '', json],
    ['image/png', '', json],
    ['text/event-stream', '', json],
    ['application/x-ndjson', '', json],
    ['nonsense;;;q=x', '', json],
    ['application/json;q=0', '', json],
    [protobuf, '?alt=json', json],
    ['application/json', '?alt=proto', protobuf],
  ];
  for (const [accept, query, type] of rows) {
    const answer = await proxy.send(...post(query, { accept }));
    t.equal(answer.status, 200, answer.text);
    t.equal(answer.headers['content-type'], type, `${accept} ${query}`);
  }
});

void t.test('protobuf answers', async (t) => {
  const proxy = await withProxy(t, { envelope: 'photon' });
  const headers = { accept: 'application/x-protobuf' };
  const answer = await proxy.send('GET /v1/echo?name=a&big=5', { headers });
  t.same(answer.bytes, Buffer.from([0x0a, 1, 0x61, 0x10, 5]), 'the bytes of the message, without an envelope');
  t.equal(answer.headers['content-length'], '5');
  t.same((await proxy.send('GET /v1/inner?inner.name=a', { headers })).bytes, Buffer.from([0x0a, 1, 0x61]));
  t.same((await proxy.send('GET /v1/echo?name=a&big=5&fields=big&$alt=proto')).bytes, Buffer.from([0x10, 5]));
  t.same(
    (await proxy.send('GET /v1/echo?byId[7].name=a&byId[7].big=1&by_id[8].name=b&fields=byId.7.name&$alt=proto')).bytes,
    Buffer.from([0x32, 7, 0x08, 7, 0x12, 3, 0x0a, 1, 0x61]),
  );
  const scalar = await proxy.send('GET /v1/name?name=a', { headers });
  t.equal(scalar.headers['content-type'], 'application/json', 'a string is no message');
  t.equal((await proxy.send('GET /v1/name?name=a&$alt=proto')).status, 400);
  proxy.service.answer = () => ({ message: Buffer.from([0x1a, 9]) });
  for (const target of [
    '/v1/inner?alt=proto',
    '/v1/echo?fields=name&alt=proto',
    '/v1/echo?fields=inner.name&alt=text',
  ]) {
    const broken = await proxy.send(`GET ${target}`);
    t.strictSame([broken.status, broken.text.includes('is no valid answers.v1.Message')], [500, true], target);
  }
  proxy.service.answer = () => ({ code: 5, details: 'gone' });
  const failed = await proxy.send('GET /v1/echo', { headers });
  t.equal(failed.headers['content-type'], 'application/json');
  t.match(failed.json, { error: { code: 'NOT_FOUND' } });
});

void t.test('HttpBody: raw bytes', async (t) => {
  const proxy = await withProxy(t, { envelope: 'photon', addWhitespace: true, alwaysPrintPrimitiveFields: true });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const bodyOf = (contentType: string, data: Buffer): Buffer => {
    const out = new Writer();
    writeHttpBody(out, { contentType, data });
    return out.take();
  };
  const inField = (message: Buffer): Buffer => {
    const out = new Writer();
    out.byte(0x12);
    out.bytes(message);
    return out.take();
  };
  const rows: readonly [contentType: string, status: number, expected: string][] = [
    ['image/png', 200, 'image/png'],
    ['text/csv; charset=iso-8859-1', 200, 'text/csv; charset=iso-8859-1'],
    ['', 200, 'application/octet-stream'],
    ['text/plain\r\nx-evil: 1', 500, 'application/json'],
    ['text/\u4e2d', 500, 'application/json'],
    ['a\0b', 500, 'application/json'],
  ];
  for (const [contentType, status, expected] of rows) {
    for (const path of ['/v1/raw', '/v1/raw-field']) {
      const message = bodyOf(contentType, bytes);
      proxy.service.answer = () => ({ message: path === '/v1/raw' ? message : inField(message) });
      const answer = await proxy.send(`GET ${path}`, { headers: { accept: 'application/json' } });
      t.equal(answer.status, status, JSON.stringify(contentType));
      t.equal(answer.headers['content-type'], expected);
      t.notOk('x-evil' in answer.headers);
      if (status === 200) t.same(answer.bytes, bytes, 'byte for byte, no envelope');
      else t.match(answer.json, { error: { code: 'INTERNAL', message: /cannot be sent as a header/ } });
    }
  }
  proxy.service.answer = () => ({ message: Buffer.alloc(0) });
  const empty = await proxy.send('GET /v1/raw-field');
  t.strictSame([empty.status, empty.bytes.length, empty.headers['content-length']], [200, 0, '0']);
  proxy.service.answer = () => ({ message: Buffer.from([0x12, 9]) });
  t.equal((await proxy.send('GET /v1/raw')).status, 500, 'a broken message');
  t.equal((await proxy.send('GET /v1/raw?$fields=data')).status, 400, 'bytes have no fields');
  proxy.service.answer = () => ({ message: bodyOf('text/plain', bytes), headers: { 'x-http-code': '204' } });
  const none = await proxy.send('GET /v1/raw');
  t.strictSame([none.status, none.bytes.length, none.headers['content-type']], [204, 0, undefined]);
  proxy.service.answer = () => ({ message: bodyOf('text/plain', bytes) });
  const head = await proxy.send('HEAD /v1/raw');
  t.strictSame([head.headers['content-length'], head.headers['content-type'], head.text], ['256', 'text/plain', '']);
  proxy.service.answer = () => ({});
  const nested = await proxy.send('POST /v1/holder?fields=file', {
    body: '{"name":"a","file":{"contentType":"b","data":"AQ=="}}',
  });
  t.match(nested.json, { data: { file: { contentType: 'b', data: 'AQ==' } } }, 'elsewhere it is an ordinary message');
});

void t.test('entity tags', async (t) => {
  const proxy = await withProxy(t, { etag: true, envelope: 'photon' });
  const get = (headers: Record<string, string | string[]> = {}, query = '?name=a') =>
    proxy.send(`GET /v1/echo${query}`, { headers });
  const first = await get();
  const etag = first.headers['etag']!;
  t.match(etag, /^"[\w-]{20,}"$/, 'strong');
  t.equal((await get()).headers['etag'], etag, 'of data alone: meta tells the time');
  t.not((await get({}, '?name=b')).headers['etag'], etag);
  t.not((await get({}, '?name=a&$prettyPrint=true')).headers['etag'], etag);
  t.equal((await proxy.send('HEAD /v1/echo?name=a')).headers['etag'], etag);
  const known: readonly [value: string | string[], status: number][] = [
    [etag, 304],
    [`W/${etag}`, 304],
    ['*', 304],
    [`"x", ${etag}`, 304],
    [`"a,b" , W/"x",${etag}`, 304],
    [['"x"', etag], 304],
    ['"x"', 200],
    [etag.replaceAll('"', ''), 200],
    ['', 200],
  ];
  for (const [value, status] of known) {
    const answer = await get({ 'if-none-match': value });
    t.equal(answer.status, status, String(value));
    if (status !== 304) continue;
    t.strictSame(
      [answer.text, answer.headers['content-type'], answer.headers['content-length']],
      ['', undefined, undefined],
    );
    t.equal(answer.headers['etag'], etag);
    t.ok(answer.headers['x-request-id']);
  }
  t.equal((await proxy.send('HEAD /v1/echo?name=a', { headers: { 'if-none-match': etag } })).status, 304);
  const posted = await proxy.send('POST /v1/echo', { body: '{"name":"a"}', headers: { 'if-none-match': '*' } });
  t.strictSame([posted.status, posted.headers['etag']], [200, undefined], 'GET and HEAD alone');
  proxy.service.answer = () => ({ code: 5, details: 'x' });
  t.strictSame((await get({ 'if-none-match': '*' })).status, 404);
  proxy.service.answer = () => ({ headers: { etag: '"theirs"' } });
  t.equal((await get()).headers['etag'], '"theirs"', "the service's own stays");
  t.equal((await get({ 'if-none-match': 'W/"theirs"' })).status, 304);
  proxy.service.answer = () => ({ headers: { 'x-http-code': '301', location: '/x' } });
  t.strictSame([(await get()).headers['etag'], (await get({ 'if-none-match': '*' })).status], [undefined, 301]);
});

void t.test('If-Match, and QUERY', async (t) => {
  const own = await startTestProxy(
    `syntax = "proto3"; package q.v1; import "google/api/annotations.proto";
    service Q {
      rpc Get(M) returns (M) { option (google.api.http) = { get: "/q/{name}" }; }
      rpc Find(M) returns (M) { option (google.api.http) = { custom { kind: "QUERY" path: "/find" } body: "*" }; }
    }
    message M { string name = 1; }`,
    { etag: true },
  );
  t.teardown(() => own.close());
  const get = (headers: Record<string, string | readonly string[]>) => own.send('GET /q/a', { headers });
  const etag = (await get({})).headers['etag']!;
  const rows: readonly [ifMatch: string | readonly string[], status: number][] = [
    [etag, 200],
    ['*', 200],
    [`"x", ${etag}`, 200],
    [['"x"', etag], 200],
    [etag.replace(/"$/, '-gzip"'), 200],
    ['"x"', 412],
    [`W/${etag}`, 412],
    [etag.replaceAll('"', ''), 412],
    ['', 412],
  ];
  for (const [ifMatch, status] of rows) {
    const answer = await get({ 'if-match': ifMatch });
    t.strictSame([answer.status, answer.headers['etag']], [status, etag], String(ifMatch));
    if (status === 412) t.match(answer.json, { code: 9, message: /If-Match/ });
  }
  t.equal((await get({ 'if-match': '"x"', 'if-none-match': etag })).status, 412, 'If-Match comes first');
  t.equal((await get({ 'if-match': etag, 'if-none-match': etag })).status, 304);
  own.service.answer = () => ({ headers: { etag: 'W/"theirs"' } });
  t.equal((await get({ 'if-match': 'W/"theirs"' })).status, 412, 'a weak tag of the service names nothing');
  own.service.answer = () => ({});
  const query = async (headers: Record<string, string>) => {
    const client = streamRequest(own.port, 'QUERY /find', { version: '2', headers, body: '{"name":"a"}' });
    const answer = await client.done();
    client.destroy();
    return answer;
  };
  const found = await query({ 'content-type': 'application/json' });
  t.strictSame([found.status, found.headers['etag']], [200, etag]);
  const again = await query({ 'content-type': 'application/json', 'if-none-match': etag });
  t.strictSame([again.status, again.headers['etag'], again.text], [304, etag, '']);
  t.equal((await query({ 'content-type': 'application/json', 'if-match': '"x"' })).status, 412);
});

void t.test('content codings', async (t) => {
  const proxy = await withProxy(t, { compression: ['br', 'gzip'], etag: true });
  const name = 'compress me '.repeat(100);
  const target = `/v1/echo?name=${encodeURIComponent(name)}`;
  const decode = { gzip: gunzipSync, br: brotliDecompressSync, none: (bytes: Buffer) => bytes };
  const rows: readonly [accept: string | undefined, coding: keyof typeof decode][] = [
    [undefined, 'none'],
    ['', 'none'],
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, br', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['*', 'br'],
    ['gzip;q=0, *', 'br'],
    ['identity', 'none'],
    ['identity, gzip;q=0.5', 'none'],
    ['identity;q=0.5, gzip', 'gzip'],
    ['deflate', 'none'],
    ['zstd', 'none'],
    ['gzip;q=0', 'none'],
    ['identity;q=0', 'none'],
    ['*;q=0', 'none'],
    ['GZIP', 'gzip'],
  ];
  for (const [accept, coding] of rows) {
    const headers = accept === undefined ? {} : { 'accept-encoding': accept };
    const answer = await proxy.send(`GET ${target}`, { headers });
    t.equal(answer.headers['content-encoding'], coding === 'none' ? undefined : coding, String(accept));
    t.equal(answer.headers['vary'], 'accept-encoding', String(accept));
    t.equal(answer.headers['content-length'], String(answer.bytes.length));
    t.strictSame(JSON.parse(decode[coding](answer.bytes).toString()), { name });
    t.match(answer.headers['etag'], coding === 'none' ? /^"[\w-]{27}"$/ : new RegExp(`^"[\\w-]{27}-${coding}"$`));
    const again = await proxy.send(`GET ${target}`, {
      headers: { ...headers, 'if-none-match': answer.headers['etag']! },
    });
    t.strictSame(
      [again.status, again.headers['etag'], again.headers['vary']],
      [304, answer.headers['etag'], 'accept-encoding'],
    );
    const head = await proxy.send(`HEAD ${target}`, { headers });
    for (const same of ['content-encoding', 'content-length', 'etag'] as const) {
      t.equal(head.headers[same], answer.headers[same], `HEAD ${same}`);
    }
    t.equal(head.text, '');
  }
  const gzip = { headers: { 'accept-encoding': 'gzip' } };
  t.equal((await proxy.send('GET /v1/echo?name=tiny', gzip)).headers['content-encoding'], undefined, 'a tiny body');
  proxy.service.answer = () => ({ headers: { etag: '"theirs"' } });
  t.equal((await proxy.send(`GET ${target}`, gzip)).headers['content-encoding'], undefined, 'bound to its bytes');
  proxy.service.answer = () => ({ headers: { 'cache-control': 'no-transform' } });
  t.equal((await proxy.send(`GET ${target}`, gzip)).headers['content-encoding'], undefined);
  proxy.service.answer = () => ({ headers: { 'x-http-code': '206', 'content-range': 'bytes 0-1/2' } });
  t.equal((await proxy.send(`GET ${target}`, gzip)).headers['content-encoding'], undefined);
  proxy.service.answer = () => ({ code: 3, details: name });
  const failed = await proxy.send(`GET ${target}`, gzip);
  t.match(JSON.parse(gunzipSync(failed.bytes).toString()), { message: name }, 'errors too');
  proxy.service.answer = () => ({ trailers: { 'x-tail': 't' } });
  const trailing = await proxy.send(`GET ${target}`, {
    headers: { ...gzip.headers, te: 'trailers', connection: 'te' },
  });
  t.strictSame(JSON.parse(gunzipSync(trailing.bytes).toString()), { name });
  t.equal(trailing.trailers['x-tail'], 't');
  const jpeg = new Writer();
  writeHttpBody(jpeg, { contentType: 'image/jpeg', data: Buffer.alloc(1000) });
  const picture = jpeg.take();
  proxy.service.answer = () => ({ message: picture });
  t.equal((await proxy.send('GET /v1/raw', gzip)).headers['content-encoding'], undefined, 'not compressible');
});
