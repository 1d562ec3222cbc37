/**
 * Paths, queries and bodies as data: a request and what the service must have got (the echo's answer), or the status and
 * the words of the error. One schema for all rows.
 */
export const valuesProto = `
syntax = "proto3";
package values.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "photongate/http.proto";

service Values {
  rpc Get(All) returns (All) { option (google.api.http) = { get: "/get" additional_bindings { get: "/get/{name}" } }; }
  rpc Deep(All) returns (All) { option (google.api.http) = { get: "/deep/{path=**}" }; }
  rpc Nested(All) returns (All) { option (google.api.http) = { get: "/nested/{inner.id}" }; }
  rpc Number(All) returns (All) { option (google.api.http) = { get: "/number/{i64}" }; }
  rpc Time(All) returns (All) { option (google.api.http) = { get: "/time/{time}" }; }
  rpc Post(All) returns (All) { option (google.api.http) = { post: "/post" body: "*" additional_bindings { post: "/post/{name}" body: "*" } additional_bindings { post: "/post/inner/{inner.id}" body: "*" } }; }
  rpc PostInner(All) returns (All) { option (google.api.http) = { post: "/inner" body: "inner" additional_bindings { put: "/inner/{inner.id}" body: "inner" } }; }
  rpc PostList(All) returns (All) { option (google.api.http) = { post: "/list" body: "texts" }; }
  rpc PostDeeper(All) returns (All) { option (google.api.http) = { post: "/deeper" body: "inner.inner" }; }
  rpc GetChoice(All) returns (All) { option (google.api.http) = { get: "/choice/{first}" additional_bindings { get: "/third/{third.id}" } }; }
  rpc PostChoice(All) returns (All) { option (google.api.http) = { post: "/choice/{first}" body: "*" additional_bindings { post: "/choice/third/{third.inner.id}" body: "*" } }; }
  rpc OnlyPart(All) returns (All) { option (google.api.http) = { get: "/part" response_body: "inner" additional_bindings { get: "/part/texts" response_body: "texts" } additional_bindings { get: "/part/i64" response_body: "i64" } additional_bindings { get: "/part/deeper" response_body: "inner.id" } }; }
  rpc Created(All) returns (All) {
    option (google.api.http) = { post: "/created" body: "*" };
    option (photongate.http) = { success_status: 201 response_headers { header: "location" field: "path" } };
  }
  rpc Header(All) returns (All) {
    option (google.api.http) = { get: "/header" };
    option (photongate.http) = { headers { header: "if-match" field: "i64" } headers { cookie: "session" field: "inner.id" } };
  }
  rpc Headers(All) returns (All) {
    option (google.api.http) = { get: "/headers" additional_bindings { post: "/headers" body: "*" } };
    option (photongate.http) = { headers { header: "x-first" field: "first" } headers { header: "x-text" field: "texts" } headers { cookie: "text" field: "name" } headers { header: "x-flag" field: "flag" } };
  }
}
enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 2; }
message Inner { string id = 1; int32 count = 2; Inner inner = 3; repeated string tags = 4; }
message All {
  string name = 1; string path = 2; int32 i32 = 3; int64 i64 = 4; uint64 u64 = 5; double number = 6; bool flag = 7;
  bytes data = 8; Color color = 9; Inner inner = 10; repeated string texts = 11; repeated int32 ints = 12;
  repeated Inner items = 13; map<string, string> labels = 14; map<int32, Inner> by_id = 15;
  google.protobuf.Timestamp time = 16; google.protobuf.Duration wait = 17; google.protobuf.FieldMask mask = 18;
  google.protobuf.StringValue wrapped = 19; google.protobuf.Struct struct = 20; google.protobuf.Value value = 21;
  oneof choice { string first = 22; int32 second = 23; Inner third = 24; }
  optional string maybe = 25; float small = 26; string custom_name = 27 [json_name = "other"]; google.protobuf.Int64Value big = 28;
  repeated Color colors = 29; repeated google.protobuf.Timestamp times = 30;
  google.protobuf.BoolValue sure = 31; map<bool, string> by_flag = 32; repeated bool flags = 33;
}
`;

export interface ValueCase {
  readonly name: string;
  readonly request: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** The echo's JSON. */
  readonly json?: unknown;
  /** Default 200, or 400 where `error` is. */
  readonly status?: number;
  /** The error's message must hold it. */
  readonly error?: string;
  /** Fields of its violations, in order. */
  readonly fields?: readonly string[];
}

export const good = (request: string, json: unknown, more: Partial<ValueCase> = {}): ValueCase => ({
  name: request,
  request,
  json,
  ...more,
});
export const bad = (
  request: string,
  error: string,
  fields?: readonly string[],
  more: Partial<ValueCase> = {},
): ValueCase => ({
  name: request,
  request,
  error,
  ...(fields === undefined ? {} : { fields }),
  ...more,
});
export const post = (
  target: string,
  body: string | Buffer,
  json: unknown,
  more: Partial<ValueCase> = {},
): ValueCase => ({
  name: `POST ${target} ${String(body)} ${JSON.stringify(more.headers ?? {})}`,
  request: `POST ${target}`,
  body,
  json,
  ...more,
});
export const badPost = (
  target: string,
  body: string | Buffer,
  error: string,
  fields?: readonly string[],
  more: Partial<ValueCase> = {},
): ValueCase => ({
  name: `POST ${target} ${String(body)} ${JSON.stringify(more.headers ?? {})}`,
  request: `POST ${target}`,
  body,
  error,
  ...(fields === undefined ? {} : { fields }),
  ...more,
});
export const json = { 'content-type': 'application/json' };
export const form = { 'content-type': 'application/x-www-form-urlencoded' };

export const pathCases: readonly ValueCase[] = [
  good('GET /get/a%2Fb', { name: 'a/b' }),
  good('GET /get/a%20b+c', { name: 'a b+c' }),
  good('GET /get/urn:x:1', { name: 'urn:x:1' }),
  good('GET /get/%E2%82%AC', { name: '€' }),
  good('GET /get/%2525', { name: '%25' }),
  good('GET /get/x/', { name: 'x' }),
  good('GET /deep/a%2Fb/c%20d', { path: 'a%2Fb/c d' }),
  good('GET /deep/a%2fb', { path: 'a%2fb' }),
  good('GET /deep', {}),
  good('GET /deep/a//b/', { path: 'a//b/' }),
  good('GET /nested/7?inner.count=3', { inner: { id: '7', count: 3 } }),
  good('GET /number/-9223372036854775808', { i64: '-9223372036854775808' }),
  good('GET /time/2026-01-31T10:00:00Z', { time: '2026-01-31T10:00:00Z' }),
  bad('GET /number/1.5', 'i64', ['i64']),
  bad('GET /number/9223372036854775808', 'i64', ['i64']),
  bad('GET /time/yesterday', 'time', ['time']),
  bad('GET /get/%zz', '%zz', ['name']),
  bad('GET /get/%E2%82', 'UTF-8', ['name']),
  bad('GET /get/%80', 'UTF-8', ['name']),
  bad('GET /get/x?name=y', 'given by the path /get/{name}', ['name']),
  bad('GET /nested/7?inner.id=8', 'given by the path', ['inner.id']),
  good('GET /third/x?third.count=1', { third: { id: 'x', count: 1 } }),
  bad('GET /choice/x?second=1', 'the path gives "first", and both are members of the oneof "choice"', ['second']),
  bad('GET /choice/x?third.id=1', 'the path gives "first"', ['third.id']),
  bad('GET /third/x?first=1', 'the path gives "third.id"', ['first']),
  bad('GET /nothing', 'no route for GET "/nothing"', undefined, { status: 404 }),
];

export const queryCases: readonly ValueCase[] = [
  good('GET /get?name=a%20b&i32=-2147483648', { name: 'a b', i32: -2147483648 }),
  good('GET /get?name=a+b', { name: 'a b' }),
  good('GET /get?name=a%2Bb', { name: 'a+b' }),
  good('GET /get?name=', {}),
  good('GET /get?maybe=', { maybe: '' }),
  good('GET /get?custom_name=x', { other: 'x' }),
  good('GET /get?other=x', { other: 'x' }),
  good('GET /get?inner.inner.id=x&inner.id=y', { inner: { id: 'y', inner: { id: 'x' } } }),
  good('GET /get?texts=a&texts=b&texts=', { texts: ['a', 'b', ''] }),
  good('GET /get?texts=a,b', { texts: ['a,b'] }),
  good('GET /get?ints=1&ints=2', { ints: [1, 2] }),
  good('GET /get?inner.tags=a&inner.tags=b', { inner: { tags: ['a', 'b'] } }),
  good('GET /get?items[1].id=b&items[0].id=a&items[0].count=1', { items: [{ id: 'a', count: 1 }, { id: 'b' }] }),
  good('GET /get?items%5B0%5D.id=a', { items: [{ id: 'a' }] }),
  good('GET /get?items[2].id=c&by_id[2].id=x&items[0].id=a&by_id[1].id=y&items[1].id=b&by_id[2].count=1', {
    items: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
    byId: { 1: { id: 'y' }, 2: { id: 'x', count: 1 } },
  }),
  good('GET /get?labels[k]=v&labels.x=y', { labels: { k: 'v', x: 'y' } }),
  good('GET /get?labels.a.b[c]=v', { labels: { 'a.b[c]': 'v' } }),
  good('GET /get?labels[a]b]=v', { labels: { 'a]b': 'v' } }),
  good('GET /get?labels.__proto__=v', JSON.parse('{"labels":{"__proto__":"v"}}')),
  good('GET /get?by_id[7].id=a&by_id[7].count=2&by_id[8].id=b', { byId: { 7: { id: 'a', count: 2 }, 8: { id: 'b' } } }),
  good('GET /get?flag', { flag: true }),
  good('GET /get?flag=&sure=&flags=&flags=false&flags', { flag: true, sure: true, flags: [true, false, true] }),
  bad('GET /get?by_flag[]=x', 'the key "": found "", expected true or false', ['by_flag[]']),
  good('GET /get?flag=true', { flag: true }),
  good('GET /get?flag=false', {}),
  good('GET /get?u64=18446744073709551615', { u64: '18446744073709551615' }),
  good('GET /get?number=1e3&small=0.1', { number: 1000, small: 0.1 }),
  good('GET /get?number=NaN&small=-Infinity', { number: 'NaN', small: '-Infinity' }),
  good('GET /get?data=_-8', { data: '/+8=' }),
  good('GET /get?data=/+8', { data: '/+8=' }),
  good('GET /get?color=BLUE', { color: 'BLUE' }),
  good('GET /get?color=2', { color: 'BLUE' }),
  good('GET /get?color=77', { color: 77 }),
  good('GET /get?colors=RED&colors=2', { colors: ['RED', 'BLUE'] }),
  good('GET /get?time=2026-01-31T10:00:00+09:00', { time: '2026-01-31T01:00:00Z' }),
  good('GET /get?times=2026-01-31T10:00:00Z&times=2026-02-01T10:00:00Z', {
    times: ['2026-01-31T10:00:00Z', '2026-02-01T10:00:00Z'],
  }),
  good('GET /get?wait=1.5s', { wait: '1.500s' }),
  good('GET /get?mask=fooBar,baz', { mask: 'fooBar,baz' }),
  good('GET /get?mask=foo_bar', { mask: 'fooBar' }),
  good('GET /get?wrapped=', { wrapped: '' }),
  good('GET /get?big=9223372036854775807', { big: '9223372036854775807' }),
  good('GET /get?struct={"a":[1,null]}', { struct: { a: [1, null] } }),
  good('GET /get?value=%22x%22', { value: 'x' }),
  good('GET /get?first=', { first: '' }),
  good('GET /get?third.id=x', { third: { id: 'x' } }),
  good('GET /get?&&name=x&', { name: 'x' }),
  bad('GET /get?nam=x', 'did you mean "name"', ['nam']),
  bad('GET /get?inner.nam=x', 'no field "nam" in values.v1.Inner', ['inner.nam']),
  bad('GET /get?__proto__=x', 'unknown query parameter', ['__proto__']),
  bad('GET /get?constructor.name=x', 'unknown query parameter', ['constructor.name']),
  bad('GET /get?toString=x', 'unknown query parameter', ['toString']),
  bad('GET /get?=x', 'unknown query parameter', ['=x']),
  bad('GET /get?.=x', 'unknown query parameter', ['.']),
  bad('GET /get?inner.=x', 'unknown query parameter', ['inner.']),
  bad('GET /get?inner..id=x', 'unknown query parameter', ['inner..id']),
  bad('GET /get?inner=x', 'is a message', ['inner']),
  bad('GET /get?items.id=x', 'items[0]', ['items.id']),
  bad('GET /get?items[1].id=x', 'element 0 is missing', ['items']),
  bad('GET /get?items[00].id=x', 'items[0]', ['items[00].id']),
  bad('GET /get?texts[0]=x', 'once for each element', ['texts[0]']),
  bad('GET /get?labels=x', 'is a map', ['labels']),
  bad('GET /get?by_id=x', '"by_id" is a map; write by_id[KEY].FIELD=…', ['by_id']),
  bad('GET /get?labels[k]=v&labels.k=w', 'given more than once', ['labels.k']),
  bad('GET /get?by_id[x].id=a', 'key', ['by_id[x].id']),
  bad('GET /get?by_id[7]=a', 'is a map', ['by_id[7]']),
  bad('GET /get?name=a&name=b', 'given more than once', ['name']),
  bad('GET /get?custom_name=a&other=b', 'given more than once', ['other']),
  bad('GET /get?first=a&second=1', 'oneof "choice"', ['second']),
  bad('GET /get?i32=', 'i32', ['i32']),
  bad('GET /get?i32=1.0', 'i32', ['i32']),
  bad('GET /get?i32=0x10', 'i32', ['i32']),
  bad('GET /get?i32=2147483648', 'i32', ['i32']),
  bad('GET /get?i32=%201', 'i32', ['i32']),
  bad('GET /get?flag=1', 'flag', ['flag']),
  bad('GET /get?flag=TRUE', 'flag', ['flag']),
  bad('GET /get?color=red', 'RED', ['color']),
  bad('GET /get?color=', 'color', ['color']),
  bad('GET /get?data=a', 'data', ['data']),
  bad('GET /get?data=YQ=', 'data', ['data']),
  bad('GET /get?time=2026-01-31', 'time', ['time']),
  bad('GET /get?wait=1h', 'wait', ['wait']),
  bad('GET /get?name=%ff', 'UTF-8', ['name']),
  bad('GET /get?name=%4', '%4', ['name']),
  bad('GET /get?i32=x&flag=y', 'flag', ['i32', 'flag']),
  bad(`GET /get?${'a&'.repeat(50)}`, 'a: unknown query parameter; and at least 17 more', Array<string>(20).fill('a')),
  bad(`GET /get?${'texts=&'.repeat(20)}${'ints=&'.repeat(50)}`, 'and at least 17 more', Array<string>(20).fill('ints')),
  bad('POST /inner?inner.count=1', 'given by the body', ['inner.count'], { body: '{}' }),
  bad('POST /post?name=x', 'takes everything from the body', ['name'], { body: '{}' }),
];

export const bodyCases: readonly ValueCase[] = [
  post('/post', '{"name":"x","i64":9007199254740993}', { name: 'x', i64: '9007199254740993' }, { headers: json }),
  post('/post', '{"name":"x"}', { name: 'x' }),
  post('/post', '{"name":"x"}', { name: 'x' }, { headers: form }),
  post('/post', '\ufeff {"name":"x"}', { name: 'x' }, { headers: form }),
  post('/post', '{"name":"x"}', { name: 'x' }, { headers: { 'content-type': 'application/merge-patch+json' } }),
  post('/post', '{"name":"x"}', { name: 'x' }, { headers: { 'content-type': 'application/json; charset=UTF-8' } }),
  post('/post', '', {}),
  post(
    '/post',
    'name=a+b&inner.id=7&texts=x&texts=y',
    { name: 'a b', inner: { id: '7' }, texts: ['x', 'y'] },
    { headers: form },
  ),
  post('/post/x', '{"i32":1}', { name: 'x', i32: 1 }),
  post('/post/x', '{"name":"x"}', { name: 'x' }),
  post('/post', 'flag=&sure=&name=', { flag: true, sure: true }, { headers: form }),
  post('/post/x', 'name=x&i32=1', { name: 'x', i32: 1 }, { headers: form }),
  post('/post/inner/7', '{"inner":{"count":2},"name":"n"}', { name: 'n', inner: { id: '7', count: 2 } }),
  post('/post/inner/7', '{"inner":{"id":"7"}}', { inner: { id: '7' } }),
  post('/post/inner/7', '', { inner: { id: '7' } }),
  post('/inner', '{"id":"a"}', { inner: { id: 'a' } }),
  post('/inner?name=n', '{"id":"a"}', { name: 'n', inner: { id: 'a' } }),
  post('/inner', '', {}),
  post('/inner', 'null', {}),
  post('/inner', 'id=a&count=2', { inner: { id: 'a', count: 2 } }, { headers: form }),
  {
    ...post('/inner/7', '{"count":1}', { inner: { id: '7', count: 1 } }),
    request: 'PUT /inner/7',
    name: 'PUT /inner/7',
  },
  post('/list', '["a","b"]', { texts: ['a', 'b'] }),
  post('/deeper', '{"id":"a"}', { inner: { inner: { id: 'a' } } }),
  post('/deeper?inner.id=b', '{"id":"a"}', { inner: { id: 'b', inner: { id: 'a' } } }),
  post('/created', '{"path":"/v1/x"}', { path: '/v1/x' }, { status: 201 }),
  { ...post('/get', '{}', {}), request: 'GET /get', name: 'GET with {}' },
  { ...post('/get', ' \n', {}), request: 'GET /get', name: 'GET with white space' },
  badPost('/post', '{"nam":"x"}', 'nam', ['nam']),
  badPost('/post', '{"inner":{"inner":{"idd":"x"}}}', 'inner.inner.idd', ['inner.inner.idd']),
  badPost('/inner', '{"idd":"x"}', 'inner.idd', ['inner.idd']),
  badPost('/post', '{"name":"x","name":"y"}', 'name'),
  badPost('/post', '{"name":"x"} x', 'line 1'),
  badPost('/post', '{"name":', 'line 1'),
  badPost('/post', 'null', 'null'),
  badPost('/post', '[]', 'object'),
  badPost('/post', Buffer.from('{"name":"\xff"}', 'latin1'), 'UTF-8'),
  badPost('/post', `{"value":${'['.repeat(101)}${']'.repeat(101)}}`, 'nest'),
  badPost('/post', '{"i32":1.5,"flag":"x"}', 'flag', ['i32', 'flag']),
  badPost('/post/x', '{"name":"y"}', 'another value than the path', ['name']),
  badPost('/post/inner/7', '{"inner":{"id":"8"}}', 'another value than the path', ['inner.id']),
  badPost('/post/x', 'name=y', 'another value than the path', ['name'], { headers: form }),
  badPost('/choice/x', '{"second":1}', 'oneof', ['first']),
  badPost('/choice/third/x', '{"second":1}', 'sets the oneof "choice" that the body sets by "second"', [
    'third.inner.id',
  ]),
  badPost('/post', '<x/>', '415', undefined, {
    headers: { 'content-type': 'text/xml' },
    status: 415,
    error: 'application/json',
  }),
  badPost('/post', '{}', 'utf-16', undefined, {
    headers: { 'content-type': 'application/json; charset=utf-16' },
    status: 415,
  }),
  badPost('/post', '{}', 'gzip', undefined, { headers: { ...json, 'content-encoding': 'gzip' }, status: 415 }),
  badPost('/list', 'a=b', 'JSON', undefined, { headers: form, status: 415 }),
  badPost('/post', 'nam=x', 'unknown form field, did you mean "name"?', ['nam'], { headers: form }),
  badPost('/post', Buffer.from('name=\xff', 'latin1'), 'not UTF-8', [], { headers: form }),
  badPost('/post', 'i32=x&name=y', 'i32', ['i32'], { headers: form }),
  badPost('/post', 'name=%ff', 'not UTF-8', ['name'], { headers: form }),
  badPost('/choice/x', 'second=1', 'oneof', ['first'], { headers: form }),
  post('/post', '\ufeffname=é', { name: 'é' }, { headers: form }),
  { ...badPost('/get', '{"name":"x"}', 'takes no body', ['body']), request: 'GET /get', name: 'GET with a body' },
];

export const responseCases: readonly ValueCase[] = [
  good('GET /part?inner.id=a&name=x', { id: 'a' }),
  good('GET /part?name=x', {}),
  good('GET /part/texts?texts=a', ['a']),
  good('GET /part/texts', []),
  good('GET /part/i64?i64=7', '7'),
  good('GET /part/i64', '0'),
  good('GET /part/deeper?inner.id=a', 'a'),
  good(
    'GET /header',
    { i64: '5', inner: { id: 'abc' } },
    { headers: { 'if-match': '5', cookie: 'a=b; session="abc"' } },
  ),
  bad('GET /header?i64=5', 'given by the header if-match', ['i64']),
  good(
    'GET /headers',
    { name: 'a', texts: ['x', 'y'] },
    { headers: { 'x-text': ['x', 'y'], cookie: 'text=a; text=b' } },
  ),
  good('GET /headers', { flag: true }, { headers: { 'x-flag': '' } }),
  bad('GET /headers?second=1', 'the header x-first gives "first"', ['second'], { headers: { 'x-first': 'a' } }),
  bad('GET /headers', 'given more than once', ['header x-first'], { headers: { 'x-first': ['a', 'b'] } }),
  badPost('/headers', '{"first":"b"}', 'another value than the header x-first ("a")', ['header x-first'], {
    headers: { 'x-first': 'a' },
  }),
  badPost('/headers', '{"second":1}', 'oneof', ['header x-first'], { headers: { 'x-first': 'a' } }),
  bad('GET /header', 'header if-match', ['header if-match'], { headers: { 'if-match': 'x' } }),
];
