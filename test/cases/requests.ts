/**
 * Requests whose bodies are no plain JSON: multipart forms, protobuf, raw bytes, patches. Answers have the wire form of the
 * requests, but for the HttpBody, which is shown by its two parts.
 */
import { badPost, post, type ValueCase } from './values.js';

export const requestsProto = `
syntax = "proto3";
package requests.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "photongate/http.proto";

service Requests {
  rpc Upload(Upload) returns (Shown) { option (google.api.http) = { post: "/upload" body: "*" additional_bindings { post: "/upload/{name}" body: "*" } additional_bindings { post: "/bound/{nested.text}" body: "*" } additional_bindings { get: "/upload" } }; }
  rpc UploadNested(Upload) returns (Shown) { option (google.api.http) = { post: "/nested/{name}" body: "nested" }; }
  rpc Raw(google.api.HttpBody) returns (ShownBody) { option (google.api.http) = { post: "/raw" body: "*" additional_bindings { put: "/raw/{content_type}" body: "*" } }; }
  rpc File(Upload) returns (Shown) { option (google.api.http) = { post: "/file/{name}" body: "file" }; }
  rpc DeepFile(Upload) returns (Shown) { option (google.api.http) = { post: "/deep/{nested.text}" body: "nested.file" }; }
  rpc Blob(Upload) returns (Shown) { option (google.api.http) = { post: "/blob" body: "blob" }; }
  rpc Patch(Patch) returns (Patch) { option (google.api.http) = { patch: "/things/{thing.id}" body: "thing" additional_bindings { patch: "/deep/{thing.id}" body: "thing.part" } additional_bindings { put: "/things/{thing.id}" body: "thing" } additional_bindings { patch: "/whole" body: "*" } }; }
  rpc PatchOff(Patch) returns (Patch) {
    option (google.api.http) = { patch: "/off/{thing.id}" body: "thing" };
    option (photongate.http) = { update_mask: false };
  }
  rpc Only(OnlyMask) returns (OnlyMask) { option (google.api.http) = { patch: "/only" body: "thing" }; }
  rpc Two(TwoMasks) returns (TwoMasks) { option (google.api.http) = { patch: "/two" body: "thing" }; }
}
message Upload {
  string name = 1; google.api.HttpBody file = 2; bytes blob = 3; repeated google.api.HttpBody files = 4; Nested nested = 5;
  repeated bytes blobs = 6; google.protobuf.BytesValue wrapped = 7; int32 count = 8; map<string, bytes> by_name = 9; repeated Nested items = 10;
  repeated int32 numbers = 11; bool flag = 12; google.protobuf.Timestamp time = 13;
  oneof choice { string one = 14; google.api.HttpBody other = 15; }
  repeated google.protobuf.Value values = 16; repeated google.protobuf.FieldMask masks = 17;
  map<string, google.api.HttpBody> attached = 18; map<bool, google.protobuf.BytesValue> by_flag = 19;
}
message Nested { string text = 1; google.api.HttpBody file = 2; bytes blob = 3; Nested nested = 4; }
message Shown {
  string name = 1; ShownBody file = 2; bytes blob = 3; repeated ShownBody files = 4; ShownNested nested = 5;
  repeated bytes blobs = 6; google.protobuf.BytesValue wrapped = 7; int32 count = 8; map<string, bytes> by_name = 9; repeated ShownNested items = 10;
  repeated int32 numbers = 11; bool flag = 12; google.protobuf.Timestamp time = 13;
  oneof choice { string one = 14; ShownBody other = 15; }
  repeated google.protobuf.Value values = 16; repeated google.protobuf.FieldMask masks = 17;
  map<string, ShownBody> attached = 18; map<bool, google.protobuf.BytesValue> by_flag = 19;
}
message ShownNested { string text = 1; ShownBody file = 2; bytes blob = 3; ShownNested nested = 4; }
message ShownBody { string content_type = 1; bytes data = 2; }
enum Color { COLOR_UNSPECIFIED = 0; RED = 1; }
message Thing {
  string id = 1; string display_name = 2; Part part = 3; repeated string tags = 4; map<string, string> labels = 5;
  google.protobuf.Timestamp create_time = 6; google.protobuf.Struct extra = 7; google.protobuf.Any any = 8;
  google.protobuf.Int64Value size = 9; repeated Part parts = 10; Color color = 11; string custom = 12 [json_name = "other"];
  google.protobuf.Value value = 13; optional int32 maybe = 14;
}
message Part { int32 width = 1; Part inner_part = 2; }
message Patch { Thing thing = 1; google.protobuf.FieldMask update_mask = 2; google.protobuf.FieldMask read_mask = 3; google.protobuf.FieldMask other_mask = 4; }
message OnlyMask { Thing thing = 1; google.protobuf.FieldMask fields_to_set = 2; google.protobuf.FieldMask read_mask = 3; }
message TwoMasks { Thing thing = 1; google.protobuf.FieldMask first = 2; google.protobuf.FieldMask second = 3; }
`;

const BOUNDARY = 'x-boundary';
const multipart = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };

type Part = readonly [headers: string, data: string | Buffer];
const field = (name: string): string => `Content-Disposition: form-data; name="${name}"`;
const file = (name: string, type?: string): string =>
  `${field(name)}; filename="a b.bin"${type === undefined ? '' : `\r\nContent-Type: ${type}`}`;

/** A multipart body as clients write it. */
export function multipartBody(parts: readonly Part[], end = `--${BOUNDARY}--\r\n`): Buffer {
  const chunks = parts.flatMap(([headers, data]) => [
    Buffer.from(`--${BOUNDARY}\r\n${headers}\r\n\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...chunks, Buffer.from(end)]);
}

let count = 0;
/** A short name: the bodies are no text. */
const named = (row: ValueCase, name: string): ValueCase => ({ ...row, name: `${++count}. ${row.request}: ${name}` });
const sends = (name: string, target: string, parts: readonly Part[], json: unknown): ValueCase =>
  named(post(target, multipartBody(parts), json, { headers: multipart }), name);
const fails = (
  name: string,
  parts: readonly Part[] | Buffer,
  error: string,
  fields?: readonly string[],
  more: Partial<ValueCase> = {},
): ValueCase =>
  named(
    badPost('/upload', Buffer.isBuffer(parts) ? parts : multipartBody(parts), error, fields, {
      headers: multipart,
      ...more,
    }),
    name,
  );

const bytes = Buffer.from([0, 0xff, 0x0d, 0x0a, 0x2d, 0x2d, 0x80]);
const base64 = (data: string | Buffer): string => Buffer.from(data).toString('base64');
const octets = 'application/octet-stream';

export const multipartCases: readonly ValueCase[] = [
  sends(
    'values are taken verbatim',
    '/upload',
    [
      [field('name'), 'a+b%20c & é\r\n=x'],
      [field('count'), '7'],
      [field('numbers'), '1'],
      [field('numbers'), '2'],
      [field('flag'), ''],
      [field('nested.text'), ''],
      [field('items[0].text'), 'i'],
      [field('time'), '2026-01-31T10:00:00+09:00'],
    ],
    {
      name: 'a+b%20c & é\r\n=x',
      nested: {},
      count: 7,
      items: [{ text: 'i' }],
      numbers: [1, 2],
      flag: true,
      time: '2026-01-31T01:00:00Z',
    },
  ),
  sends('a file into bytes', '/upload', [[file('blob', 'image/png'), bytes]], { blob: base64(bytes) }),
  sends('an empty file', '/upload', [[file('file', 'image/png'), '']], { file: { contentType: 'image/png' } }),
  sends('a file into an HttpBody', '/upload', [[file('file', 'image/png; q="x;y"'), bytes]], {
    file: { contentType: 'image/png; q="x;y"', data: base64(bytes) },
  }),
  sends('a file without a type', '/upload', [[file('file'), bytes]], {
    file: { contentType: octets, data: base64(bytes) },
  }),
  sends('application/octet-stream is a file', '/upload', [[`${field('blob')}\r\ncontent-type: ${octets}`, bytes]], {
    blob: base64(bytes),
  }),
  sends('a value into bytes is base64', '/upload', [[field('blob'), '_-8']], { blob: '/+8=' }),
  sends(
    'a text into an HttpBody',
    '/upload',
    [[`${field('file')}\r\ncontent-type: text/plain; charset=latin1`, Buffer.from([0xe9])]],
    {
      file: { contentType: 'text/plain; charset=latin1', data: base64(Buffer.from([0xe9])) },
    },
  ),
  sends(
    'several files',
    '/upload',
    [
      [file('files', 'a/a'), '1'],
      [file('files', 'b/b'), '2'],
      [file('blobs'), '3'],
      [file('blobs'), '4'],
      [file('by_name[x.y]'), '5'],
      [file('wrapped'), '6'],
      [file('nested.file', 'c/c'), '7'],
      [file('nested.nested.blob'), '8'],
      [file('items[0].file', 'd/d'), '9'],
    ],
    {
      files: [
        { contentType: 'a/a', data: base64('1') },
        { contentType: 'b/b', data: base64('2') },
      ],
      nested: { file: { contentType: 'c/c', data: base64('7') }, nested: { blob: base64('8') } },
      blobs: [base64('3'), base64('4')],
      wrapped: base64('6'),
      byName: { 'x.y': base64('5') },
      items: [{ file: { contentType: 'd/d', data: base64('9') } }],
    },
  ),
  sends(
    'files into maps',
    '/upload',
    [
      [file('attached[a.png]', 'image/png'), bytes],
      [file('attached[b].c]'), '2'],
      [`${field('attached[t]')}\r\ncontent-type: text/csv`, 'a,b'],
      [field('attached[parts].content_type'), 'x/y'],
      [field('attached[parts].data'), 'YQ=='],
      [file('by_flag[true]'), '3'],
      [field('by_flag[false]'), 'Yg=='],
    ],
    {
      attached: {
        'a.png': { contentType: 'image/png', data: base64(bytes) },
        'b].c': { contentType: octets, data: base64('2') },
        t: { contentType: 'text/csv', data: base64('a,b') },
        parts: { contentType: 'x/y', data: 'YQ==' },
      },
      byFlag: { true: base64('3'), false: 'Yg==' },
    },
  ),
  sends(
    'names are relative to the body field',
    '/nested/n?count=3',
    [
      [field('text'), 't'],
      [file('blob'), 'b'],
    ],
    { name: 'n', nested: { text: 't', blob: base64('b') }, count: 3 },
  ),
  sends('the path beside it', '/upload/n', [[field('name'), 'n']], { name: 'n' }),
  sends('no parts', '/upload', [], {}),
  sends('escapes of names', '/upload', [['content-disposition: form-data; name="by_name[\\"%22]"', 'YQ==']], {
    byName: { '""': 'YQ==' },
  }),
  sends(
    'a name without quotes, other parameters, odd case',
    '/upload',
    [['CONTENT-Disposition:FORM-DATA; x=y ;name=name;', 'a']],
    { name: 'a' },
  ),
  named(
    post(
      '/upload',
      Buffer.concat([
        Buffer.from('preamble\r\n--x-boundarynot\r\n'),
        multipartBody([[field('name'), 'a\r\n--x-boundaryish\r\n--x-boundary-\r\nb']], `--${BOUNDARY}--`),
        Buffer.from('\r\nepilogue'),
      ]),
      { name: 'a\r\n--x-boundaryish\r\n--x-boundary-\r\nb' },
      { headers: multipart },
    ),
    'preamble, epilogue, lines that only begin like a delimiter',
  ),
  named(
    post(
      '/upload',
      Buffer.from(`--${BOUNDARY} \t\r\n${field('name')}\r\n\r\n--${BOUNDARY}--`),
      {},
      { headers: multipart },
    ),
    'a part without a body line',
  ),
  named(post('/upload', '', {}, { headers: multipart }), 'an empty body'),
  named(
    post(
      '/upload',
      multipartBody([[field('name'), 'a']]),
      { name: 'a' },
      { headers: { 'content-type': `multipart/form-data; charset=utf-8; boundary="${BOUNDARY}"` } },
    ),
    'a boundary in quotes',
  ),
  fails('no boundary', [], 'expected a boundary', ['content-type'], {
    headers: { 'content-type': 'multipart/form-data' },
  }),
  fails('a boundary that is too long', [], 'expected a boundary', ['content-type'], {
    headers: { 'content-type': `multipart/form-data; boundary=${'x'.repeat(71)}` },
  }),
  fails('nothing of a form', Buffer.from('name=a'), 'no line --x-boundary starts a part'),
  fails('bare line feeds', Buffer.from(`--x-boundary\n${field('name')}\n\na\n--x-boundary--\n`), 'CR LF'),
  fails('cut off', multipartBody([[field('name'), 'a']], ''), 'part 1 does not end'),
  fails('cut off in the head', Buffer.from(`--x-boundary\r\n${field('name')}`), 'the headers of part 1 have no end'),
  fails(
    'no disposition',
    [
      [field('name'), 'a'],
      ['content-type: a/b', 'a'],
    ],
    'part 2 has no content-disposition',
  ),
  fails('no headers', Buffer.from('--x-boundary\r\n\r\na\r\n--x-boundary--'), 'part 1 has no content-disposition'),
  fails('no name', [['content-disposition: form-data', 'a']], 'expected form-data; name='),
  fails('no form-data', [['content-disposition: attachment; name="name"', 'a']], 'expected form-data; name='),
  fails('open quotes', [['content-disposition: form-data; name="name', 'a']], 'expected form-data; name='),
  fails(
    'a name twice',
    [['content-disposition: form-data; name="name"; name="one"', 'a']],
    'expected form-data; name=',
  ),
  fails('no header', [[`${field('name')}\r\nnonsense`, 'a']], '"nonsense" in part 1 is no header'),
  fails('a folded header', [[`${field('name')}\r\n x: y`, 'a']], 'is no header'),
  fails('a header twice', [[`${field('name')}\r\n${field('one')}`, 'a']], 'has the header content-disposition twice'),
  fails('a long head', [[`${field('name')}\r\nx: ${'x'.repeat(16384)}`, 'a']], 'longer than 16384 bytes'),
  fails('base64', [[`${field('name')}\r\ncontent-transfer-encoding: base64`, 'YQ==']], 'content-transfer-encoding'),
  fails(
    'a head that is not UTF-8',
    Buffer.from(`--x-boundary\r\n${field('n\xe9')}\r\n\r\na\r\n--x-boundary--`, 'latin1'),
    'the headers of part 1 are not UTF-8',
  ),
  fails('a value that is not UTF-8', [[field('name'), bytes]], 'not UTF-8', ['name']),
  fails(
    'a value of another charset',
    [[`${field('name')}\r\ncontent-type: text/plain; charset=latin1`, 'a']],
    'charset',
    ['name'],
  ),
  fails('a file into a string', [[file('name'), 'a']], 'found a file, expected a string', ['name']),
  fails('a file into a message', [[file('nested'), 'a']], 'is a message', ['nested']),
  fails(
    'a file twice',
    [
      [file('file'), 'a'],
      [file('file'), 'a'],
    ],
    'given more than once',
    ['file'],
  ),
  fails(
    'a file and a field of it',
    [
      [field('file.data'), 'YQ=='],
      [file('file'), 'a'],
    ],
    'given as a whole too',
    ['file.data'],
  ),
  fails(
    'files and an element of them',
    [
      [file('files'), 'a'],
      [field('files[0].data'), 'YQ=='],
    ],
    'given as a whole too',
    ['files[0].data'],
  ),
  fails(
    'a key twice',
    [
      [file('attached[k]'), 'a'],
      [file('attached[k]'), 'a'],
    ],
    'given more than once',
    ['attached[k]'],
  ),
  fails(
    'a file under a key and a field of it',
    [
      [file('attached[k]'), 'a'],
      [field('attached[other].data'), 'YQ=='],
      [field('attached[k].data'), 'YQ=='],
    ],
    '"attached[k]" is given as a whole too',
    ['attached[k].data'],
  ),
  fails(
    'a file into a map',
    [[file('attached'), 'a']],
    'write attached[KEY].FIELD=…, or give attached[KEY] as a file',
    ['attached'],
  ),
  fails('a file into an element', [[file('files[0]'), 'a']], 'or give "files" once for each file', ['files[0]']),
  fails(
    'a file into a list of messages',
    [[file('items[0]'), 'a']],
    '"items" is a list of messages; write items[0].…, items[1].…',
    ['items[0]'],
  ),
  named(
    badPost('/upload', 'attached[k]=a', '"attached" is a map; write attached[KEY].FIELD=…', ['attached[k]'], {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
    'a map of files in a form without files',
  ),
  fails(
    'two of a oneof',
    [
      [field('one'), 'a'],
      [file('other'), 'a'],
    ],
    'oneof "choice"',
    ['other'],
  ),
  fails('an unknown name', [[field('nam'), 'a']], 'unknown form field, did you mean "name"?', ['nam']),
  fails('a hostile name', [[field('__proto__'), 'a']], 'unknown form field', ['__proto__']),
  fails(
    'bad values, all of them',
    [
      [field('count'), 'x'],
      [field('flag'), 'x'],
    ],
    'count',
    ['count', 'flag'],
  ),
  fails('another value than the path', [[field('name'), 'b']], 'another value than the path', ['name'], {
    request: 'POST /upload/a',
  }),
  named(
    badPost('/blob', multipartBody([[file('x'), 'a']]), 'is no message; send it as JSON', undefined, {
      headers: multipart,
      status: 415,
    }),
    'a body that is no message',
  ),
];

const protobuf = { 'content-type': 'application/x-protobuf' };
const wire = (...chunks: readonly (string | number)[]): Buffer =>
  Buffer.concat(chunks.map((chunk) => (typeof chunk === 'number' ? Buffer.from([chunk]) : Buffer.from(chunk))));
const wireSends = (name: string, target: string, body: Buffer, json: unknown): ValueCase =>
  named(post(target, body, json, { headers: protobuf }), name);
const wireFails = (name: string, body: Buffer, error: string, more: Partial<ValueCase> = {}): ValueCase =>
  named(badPost('/upload', body, error, undefined, { headers: protobuf, ...more }), name);
/** `nested` in each other, `depth` deep; the outermost is field 5 of Upload. */
const nest = (depth: number): Buffer => {
  let inner = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) {
    const tag = level === depth - 1 ? 0x2a : 0x22;
    const length = inner.length < 128 ? [inner.length] : [(inner.length & 0x7f) | 0x80, inner.length >> 7];
    inner = Buffer.concat([Buffer.from([tag, ...length]), inner]);
  }
  return inner;
};
const nestedJson = (depth: number): object => (depth === 0 ? {} : { nested: nestedJson(depth - 1) });

export const protobufCases: readonly ValueCase[] = [
  wireSends('a message', '/upload', wire(0x0a, 1, 'a', 0x40, 7), { name: 'a', count: 7 }),
  named(
    post('/upload', wire(0x0a, 1, 'a'), { name: 'a' }, { headers: { 'content-type': 'application/protobuf' } }),
    'its other name',
  ),
  wireSends('an empty one', '/upload', Buffer.alloc(0), {}),
  wireSends('the path beside it', '/upload/a', wire(0x40, 7), { name: 'a', count: 7 }),
  wireSends('the same as the path', '/upload/a', wire(0x0a, 1, 'a'), { name: 'a' }),
  wireSends('the body field, with path and query', '/nested/a?count=7', wire(0x0a, 1, 't'), {
    name: 'a',
    nested: { text: 't' },
    count: 7,
  }),
  wireSends(
    'a message in pieces, and the path into it',
    '/bound/t',
    wire(0x2a, 3, 0x1a, 1, 'a', 0x40, 7, 0x2a, 2, 0x22, 0),
    { nested: { text: 't', blob: base64('a'), nested: {} }, count: 7 },
  ),
  wireSends(
    'unknown fields, groups among them',
    '/upload',
    wire(0xf8, 0x7f, 1, 0xfb, 0x7f, 8, 1, 0xfc, 0x7f, 0x40, 7),
    {
      count: 7,
    },
  ),
  wireSends('lists packed and not', '/upload', wire(0x58, 1, 0x5a, 2, 2, 3), { numbers: [1, 2, 3] }),
  wireSends('white space is not skipped', '/upload', wire(0x0a, 2, ' \n'), { name: ' \n' }),
  wireSends('a map', '/upload', wire(0x4a, 6, 0x0a, 1, 'k', 0x12, 1, 'v'), { byName: { k: base64('v') } }),
  wireSends('as deep as may be', '/upload', nest(99), nestedJson(99)),
  wireFails('too deep', nest(100), 'nested deeper than 100 levels'),
  wireFails('not UTF-8', wire(0x2a, 3, 0x0a, 1, 0xff), 'is not UTF-8 (at byte'),
  wireFails('not UTF-8, its path', wire(0x2a, 3, 0x0a, 1, 0xff), 'in nested.text'),
  wireFails('a key that is not UTF-8', Buffer.from([0x4a, 3, 0x0a, 1, 0xff]), 'not UTF-8'),
  wireFails('cut off', wire(0x0a, 5, 'a'), 'ends in the middle'),
  wireFails('a child that is longer than its parent', wire(0x2a, 2, 0x0a, 5, 'abcde'), 'ends in the middle'),
  wireFails('a length beyond 32 bits', Buffer.from([0x0a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x61]), 'ends in the middle'),
  wireFails('an endless varint', Buffer.from([0x40, ...Array<number>(11).fill(0xff)]), 'longer than ten bytes'),
  wireFails('field number 0', wire(0x00, 1), 'invalid field number'),
  wireFails('another wire type', wire(0x08, 1), 'found wire type 0, expected 2'),
  wireFails('a varint for a message', wire(0x28, 1), 'found wire type 0, expected 2'),
  wireFails('an end without a start', wire(0x0c), 'found wire type 4'),
  wireFails('a group without an end', wire(0xfb, 0x7f), 'ends in the middle'),
  wireFails('half a number in a packed list', Buffer.from([0x5a, 1, 0x80]), 'ends in the middle'),
  wireFails('JSON', Buffer.from('{"name":"a"}'), "in protobuf's wire format"),
  wireFails('another value than the path', wire(0x0a, 1, 'b'), 'another value than the path', {
    request: 'POST /upload/a',
  }),
  wireFails('a body that is no message', wire(1), 'is no message', { request: 'POST /blob', status: 415 }),
];

const raw = (name: string, target: string, body: string | Buffer, json: unknown, type?: string): ValueCase =>
  named(post(target, body, json, type === undefined ? {} : { headers: { 'content-type': type } }), name);
const every = Buffer.from(Array.from({ length: 256 }, (_, index) => index));

export const rawCases: readonly ValueCase[] = [
  raw('every byte', '/raw', every, { contentType: 'image/png', data: base64(every) }, 'image/png'),
  raw('no type', '/raw', every, { contentType: octets, data: base64(every) }),
  raw(
    'JSON as it is',
    '/raw',
    '{ "a": 1 ',
    { contentType: 'application/json', data: base64('{ "a": 1 ') },
    'application/json',
  ),
  raw(
    'any charset',
    '/raw',
    'a',
    { contentType: 'text/plain; charset=UTF-16', data: 'YQ==' },
    'text/plain; charset=UTF-16',
  ),
  raw('a BOM and white space', '/raw', '\ufeff \n', { contentType: 'a/b', data: base64('\ufeff \n') }, 'a/b'),
  raw(
    'a form',
    '/raw',
    'a=b',
    { contentType: 'application/x-www-form-urlencoded', data: base64('a=b') },
    'application/x-www-form-urlencoded',
  ),
  raw(
    'protobuf',
    '/raw',
    Buffer.from([0xff]),
    { contentType: 'application/x-protobuf', data: '/w==' },
    'application/x-protobuf',
  ),
  raw(
    'a multipart form',
    '/raw',
    '--x',
    { contentType: 'multipart/form-data', data: base64('--x') },
    'multipart/form-data',
  ),
  raw('nothing', '/raw', '', {}),
  raw(
    'the body field',
    '/file/a?count=7',
    every,
    { name: 'a', file: { contentType: 'a/b', data: base64(every) }, count: 7 },
    'a/b',
  ),
  raw(
    'a nested body field',
    '/deep/t?name=a',
    every,
    {
      name: 'a',
      nested: { text: 't', file: { contentType: 'a/b', data: base64(every) } },
    },
    'a/b',
  ),
  raw('an empty body field', '/file/a', '', { name: 'a' }),
  {
    ...raw('the path gives the type', '/raw', 'a', { contentType: 'text', data: 'YQ==' }, 'text'),
    request: 'PUT /raw/text',
  },
  {
    ...named(
      badPost('/raw', 'a', 'another value than the path', ['content_type'], { headers: { 'content-type': 'b' } }),
      'the path gives another type',
    ),
    request: 'PUT /raw/text',
  },
  named(badPost('/raw?data=YQ', 'a', 'takes everything from the body', ['data']), 'a query beside it'),
  named(badPost('/file/a?file.data=YQ', 'a', 'given by the body', ['file.data']), 'a query into it'),
  named(
    badPost('/file/a', 'a', 'content-encoding "gzip"', undefined, {
      headers: { 'content-encoding': 'gzip' },
      status: 415,
    }),
    'a coding is not its content',
  ),
];

const patch = (
  target: string,
  body: string | Buffer,
  json: unknown,
  headers?: Readonly<Record<string, string>>,
): ValueCase => ({
  name: `PATCH ${target} ${String(body)}`,
  request: `PATCH ${target}`,
  body,
  json,
  ...(headers === undefined ? {} : { headers }),
});
/** What the mask is that a body fills. */
const fills = (body: string, mask: string, thing: object): ValueCase =>
  patch('/things/1', body, { thing: { id: '1', ...thing }, ...(mask === '' ? {} : { updateMask: mask }) });
const form = { 'content-type': 'application/x-www-form-urlencoded' };

export const patchCases: readonly ValueCase[] = [
  fills('{"displayName":"a"}', 'displayName', { displayName: 'a' }),
  fills('{"display_name":"a","other":"b"}', 'displayName,custom', { displayName: 'a', other: 'b' }),
  fills('{"part":{"width":1,"innerPart":{"width":2}}}', 'part.width,part.innerPart.width', {
    part: { width: 1, innerPart: { width: 2 } },
  }),
  fills('{"part":{}}', 'part', { part: {} }),
  fills('{"part":null,"displayName":null,"tags":null,"size":null}', 'part,displayName,tags,size', {}),
  fills('{"tags":[],"parts":[{"width":1}],"labels":{"a":"b"}}', 'tags,parts,labels', {
    parts: [{ width: 1 }],
    labels: { a: 'b' },
  }),
  fills(
    '{"createTime":"2026-01-31T10:00:00Z","extra":{"a":{"b":1}},"size":"7","value":null,"maybe":0,"any":{"@type":"type.googleapis.com/requests.v1.Part","width":1}}',
    'createTime,extra,size,value,maybe,any',
    {
      createTime: '2026-01-31T10:00:00Z',
      extra: { a: { b: 1 } },
      size: '7',
      value: null,
      maybe: 0,
      any: { '@type': 'type.googleapis.com/requests.v1.Part', width: 1 },
    },
  ),
  fills('{"id":"1","color":"RED"}', 'color', { color: 'RED' }),
  fills('{"id":"1"}', '', {}),
  fills('{}', '', {}),
  fills('', '', {}),
  patch('/things/1?update_mask=', '{"color":1}', { thing: { id: '1', color: 'RED' }, updateMask: 'color' }),
  patch('/things/1?updateMask', '{"color":1}', { thing: { id: '1', color: 'RED' }, updateMask: 'color' }),
  patch('/things/1?update_mask=display_name', '{"color":1}', {
    thing: { id: '1', color: 'RED' },
    updateMask: 'displayName',
  }),
  patch('/things/1?read_mask=color', '{"color":1}', {
    thing: { id: '1', color: 'RED' },
    updateMask: 'color',
    readMask: 'color',
  }),
  patch('/deep/1', '{"width":1,"innerPart":{"width":2}}', {
    thing: { id: '1', part: { width: 1, innerPart: { width: 2 } } },
    updateMask: 'width,innerPart.width',
  }),
  { ...patch('/things/1', '{"color":1}', { thing: { id: '1', color: 'RED' } }), request: 'PUT /things/1', name: 'PUT' },
  patch('/whole', '{"thing":{"color":1}}', { thing: { color: 'RED' } }),
  patch('/off/1', '{"color":1}', { thing: { id: '1', color: 'RED' } }),
  patch('/only', '{"color":1}', { thing: { color: 'RED' }, fieldsToSet: 'color' }),
  patch('/two', '{"color":1}', { thing: { color: 'RED' } }),
  patch(
    '/things/1',
    'display_name=a&part.width=1&tags=x&tags=y&labels.k=v',
    {
      thing: { id: '1', displayName: 'a', part: { width: 1 }, tags: ['x', 'y'], labels: { k: 'v' } },
      updateMask: 'displayName,tags,part.width,labels',
    },
    form,
  ),
  patch('/things/1', '{"color":1}', { thing: { id: '1', color: 'RED' }, updateMask: 'color' }, form),
  named(
    patch(
      '/things/1',
      multipartBody([[field('display_name'), 'a']]),
      { thing: { id: '1', displayName: 'a' }, updateMask: 'displayName' },
      multipart,
    ),
    'a multipart form',
  ),
  named(
    patch(
      '/things/1',
      wire(0x12, 1, 'a', 0x1a, 2, 8, 1, 0x1a, 0, 0x0a, 1, '1'),
      { thing: { id: '1', displayName: 'a', part: { width: 1 } }, updateMask: 'displayName,part.width' },
      protobuf,
    ),
    'protobuf',
  ),
];
