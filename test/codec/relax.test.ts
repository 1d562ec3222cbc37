/** What `lenient_json` takes besides strict JSON, and what it still refuses. test/envoy holds the same against Envoy. */
import fc from 'fast-check';
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { relaxJson } from '../../lib/codec/relax.js';
import { StatusError } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';

const schema = schemaFromText(`
  syntax = "proto3"; package r; import "google/protobuf/struct.proto";
  enum Kind { NONE = 0; LARGE = 2; }
  message M {
    string text = 1; int32 count = 2; bool flag = 3; Kind kind = 4; repeated string tags = 5; repeated M many = 6; M one = 7;
    map<string, bool> flags = 8; google.protobuf.Struct any = 9; repeated google.protobuf.Value values = 10;
  }
`);
const message = schema.message('r.M')!;
const lenient = new Codec(schema, { lenientJson: true, envoyValues: true, ignoreUnknownFields: true });

function read(json: string | Buffer): unknown {
  const out = new Writer(16);
  try {
    lenient.reader(message)(Buffer.from(json), out);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return 'refused';
  }
  const printed = new Writer(16);
  lenient.writer(message)(out.take(), printed);
  return JSON.parse(printed.take().toString('utf8'));
}

const cases: readonly (readonly [json: string, expected: unknown])[] = [
  [`{'text':"it's"}`, { text: "it's" }],
  [`{'text':'say \\'a\\''}`, { text: "say 'a'" }],
  ['{text:"a",$x:{y_1:[1,],},}', { text: 'a' }],
  ['{"text":"a\\v\\q\\u00e9"}', { text: 'a\u000bqé' }],
  ['{"text":"a\tb"}', { text: 'a\tb' }],
  ['{"tags":"a"}', { tags: ['a'] }],
  ['{"tags":[null,"a",[["b"],null],]}', { tags: ['a', 'b'] }],
  ['{"tags":null}', {}],
  ['{"many":{text:"a"}}', { many: [{ text: 'a' }] }],
  ['{"values":[null,[1,],]}', { values: [null, [1]] }],
  ['{"flag":"yes","flags":{"a":"T",b:false}}', { flag: true, flags: { a: true, b: false } }],
  ['{"kind":"2"}', { kind: 'LARGE' }],
  ['{"kind":"nope"}', 'refused'],
  [`{any:{'a':[1,{b:'c',},],}}`, { any: { a: [1, { b: 'c' }] } }],
  ['{"one":{"one":{tags:"deep"}}}', { one: { one: { tags: ['deep'] } } }],
  ['{"text":}', 'refused'],
  ['{,}', 'refused'],
  ['{"text":"a"} x', 'refused'],
  ['{"text":"a', 'refused'],
  ['{"text":"a\\', 'refused'],
  ["{'text':'\\u12'}", 'refused'],
  ["{'text':'\\ud83d'}", 'refused'],
  ['{count:1.5}', 'refused'],
  ['{tags:[,]}', 'refused'],
  ['', 'refused'],
  [`${'{one:'.repeat(200)}{}${'}'.repeat(200)}`, 'refused'],
  ['['.repeat(100_000), 'refused'],
];

void t.test('what is taken, and what is not', (t) => {
  for (const [json, expected] of cases) t.same(read(json), expected, json.slice(0, 60));
  // Bytes that are no text must not become replacement characters.
  t.equal(read(Buffer.from([...Buffer.from("{'text':'"), 0xff, ...Buffer.from("'}")])), 'refused');
  t.end();
});

void t.test('the first error is the one that is told', (t) => {
  t.throws(
    () => lenient.reader(message)(Buffer.from('{"count":"x",}'), new Writer(16)),
    /invalid JSON at line 1, column 14/,
  );
  t.end();
});

void t.test('strict JSON means the same, and any text ends', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      const relaxed = relaxJson(Buffer.from(text), undefined, 500);
      return JSON.stringify(JSON.parse(relaxed!.toString('utf8'))) === JSON.stringify(JSON.parse(text));
    }),
  );
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    "'",
    '\\',
    'a',
    '1',
    'null',
    ' ',
    'text',
    'tags',
    'u00',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      read(pieces.join(''));
      return true;
    }),
    { numRuns: 2000 },
  );
  t.end();
});
