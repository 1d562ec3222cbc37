/**
 * The rules of buf.validate: a value that keeps a rule, one that breaks it, and what is said of that. protovalidate's conformance suite,
 * which CI runs, has all others.
 */
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { ConfigError } from '../../lib/status.js';
import { pathText, RuleFault, Validator } from '../../lib/validate/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';

const head = `
syntax = "proto3";
package v;
import "buf/validate/validate.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Color { NONE = 0; RED = 1; }
message Inner { string id = 1 [(buf.validate.field).string.min_len = 2]; Inner next = 2; }
`;

/** Field and rule of each violation: `tags[1] string.min_len: must be …`. */
function broken(declaration: string, json: object): string[] {
  const schema = schemaFromText(`${head}message M { ${declaration} }`);
  const type = schema.message('v.M')!;
  const out = new Writer();
  new Codec(schema).reader(type)(Buffer.from(JSON.stringify(json)), out);
  const check = new Validator(schema, Infinity).checkOf(type)!;
  return check(out.take()).map(({ way, id, message, forKey }) => {
    const field = pathText(way, ({ name }) => name);
    return `${field}${forKey ? ' (key)' : ''} ${id}: ${message}`;
  });
}

const field = (type: string, rules: string): string => `${type} f = 1 [(buf.validate.field).${rules}];`;

const rows: readonly (readonly [declaration: string, good: readonly object[], bad: object, ...said: string[]])[] = [
  [field('string', 'required = true'), [{ f: 'x' }], {}, 'f required: value is required'],
  [field('optional string', 'required = true'), [{ f: '' }], {}, 'f required: value is required'],
  [
    field('string', 'string.min_len = 2'),
    [{ f: '😀a' }],
    { f: '😀' },
    'f string.min_len: must be at least 2 characters',
  ],
  [field('string', 'string.max_bytes = 3'), [{ f: 'abc' }], { f: '😀' }, 'f string.max_bytes: must be at most 3 bytes'],
  [field('optional string', 'string.min_len = 2'), [{}], { f: '' }, 'f string.min_len: must be at least 2 characters'],
  [
    field('string', 'string.pattern = "^a+$"'),
    [{ f: 'aa' }],
    { f: 'ab' },
    'f string.pattern: does not match regex pattern `^a+$`',
  ],
  [field('string', 'string.prefix = "a"'), [{ f: 'ab' }], { f: 'b' }, 'f string.prefix: does not have prefix `a`'],
  [field('string', 'string = { in: ["a", "b"] }'), [{ f: 'b' }], { f: 'c' }, 'f string.in: must be in list [a, b]'],
  [
    field('string', 'string.email = true'),
    [{ f: 'a@b.c' }],
    { f: 'a' },
    'f string.email: must be a valid email address',
  ],
  [
    field('string', 'string.email = true'),
    [{ f: 'a@b.c' }],
    {},
    'f string.email_empty: value is empty, which is not a valid email address',
  ],
  [
    'string f = 1 [(buf.validate.field).string.uuid = true, (buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE];',
    [{}],
    { f: 'x' },
    'f string.uuid: must be a valid UUID',
  ],
  [
    field('string', 'string.well_known_regex = KNOWN_REGEX_HTTP_HEADER_NAME'),
    [{ f: 'x-a' }],
    { f: 'x a' },
    'f string.well_known_regex.header_name: must be a valid HTTP header name',
  ],
  [
    field('int32', 'int32 = { gte: 1, lt: 5 }'),
    [{ f: 1 }, { f: 4 }],
    { f: 5 },
    'f int32.gte_lt: must be greater than or equal to 1 and less than 5',
  ],
  [
    field('int64', 'int64 = { gt: 5, lt: 1 }'),
    [{ f: 6 }, { f: 0 }],
    { f: 5 },
    'f int64.gt_lt_exclusive: must be greater than 5 or less than 1',
  ],
  [
    field('uint64', 'uint64.const = 18446744073709551615'),
    [{ f: '18446744073709551615' }],
    { f: '1' },
    'f uint64.const: must equal 18446744073709551615',
  ],
  [field('sint32', 'sint32.not_in = -3'), [{ f: 3 }], { f: -3 }, 'f sint32.not_in: must not be in list [-3]'],
  [field('double', 'double.finite = true'), [{ f: 1.5 }], { f: 'NaN' }, 'f double.finite: must be finite'],
  [field('float', 'float.lt = 2'), [{ f: 1 }], { f: 'NaN' }, 'f float.lt: must be less than 2'],
  [field('bool', 'bool.const = true'), [{ f: true }], {}, 'f bool.const: must equal true'],
  [field('bytes', 'bytes.prefix = "\\x01"'), [{ f: 'AQI=' }], { f: 'AgI=' }, 'f bytes.prefix: does not have prefix 01'],
  [
    field('Color', 'enum.defined_only = true'),
    [{ f: 'RED' }],
    { f: 7 },
    'f enum.defined_only: value must be one of the defined enum values',
  ],
  [
    field('repeated string', 'repeated = { min_items: 1, items: { string: { min_len: 1 } } }'),
    [{ f: ['a'] }],
    { f: ['a', ''] },
    'f[1] string.min_len: must be at least 1 characters',
  ],
  [
    field('repeated int32', 'repeated.unique = true'),
    [{ f: [1, 2] }],
    { f: [1, 1] },
    'f repeated.unique: repeated value must contain unique items',
  ],
  [
    field('map<string, int32>', 'map = { keys: { string: { max_len: 1 } }, values: { int32: { gt: 0 } } }'),
    [{ f: { a: 1 } }],
    { f: { ab: 0 } },
    'f["ab"] (key) string.max_len: must be at most 1 characters',
    'f["ab"] int32.gt: must be greater than 0',
  ],
  [
    field('google.protobuf.Duration', 'duration.lte.seconds = 2'),
    [{}, { f: '2s' }],
    { f: '2.5s' },
    'f duration.lte: must be less than or equal to 2s',
  ],
  [
    field('google.protobuf.Timestamp', 'timestamp.lt_now = true'),
    [{ f: '2001-01-01T00:00:00Z' }],
    { f: '9000-01-01T00:00:00Z' },
    'f timestamp.lt_now: must be less than now',
  ],
  [
    field('google.protobuf.StringValue', 'string.len = 2'),
    [{}, { f: 'ab' }],
    { f: '' },
    'f string.len: must be 2 characters',
  ],
  [
    field('google.protobuf.FieldMask', 'field_mask.in = "a"'),
    [{ f: 'a.b' }],
    { f: 'b' },
    'f field_mask.in: must only contain paths in [a]',
  ],
  [
    field('google.protobuf.Any', 'any.not_in = "type.googleapis.com/v.Inner"'),
    [{}],
    { f: { '@type': 'type.googleapis.com/v.Inner' } },
    'f any.not_in: type URL must not be in the block list',
  ],
  [
    'Inner f = 1;',
    [{ f: { id: 'ab' } }],
    { f: { id: 'ab', next: { id: 'a' } } },
    'f.next.id string.min_len: must be at least 2 characters',
  ],
  [
    'Inner f = 1 [(buf.validate.field).ignore = IGNORE_ALWAYS]; Inner g = 2;',
    [{ f: {} }],
    { g: {} },
    'g.id string.min_len: must be at least 2 characters',
  ],
  [
    'oneof o { option (buf.validate.oneof).required = true; string a = 1; int32 b = 2; }',
    [{ b: 0 }],
    {},
    'o required: exactly one field is required in oneof',
  ],
  [
    'option (buf.validate.message).oneof = { fields: ["a", "b"] required: true }; string a = 1; string b = 2;',
    [{ a: 'x' }],
    { a: 'x', b: 'y' },
    ' message.oneof: only one of a, b can be set',
  ],
  [
    'option (buf.validate.message).cel = { id: "order" message: "a is less than b" expression: "this.a < this.b" }; int32 a = 1; int32 b = 2;',
    [{ b: 1 }],
    { a: 1 },
    ' order: a is less than b',
  ],
  [
    'int32 f = 1 [(buf.validate.field).cel = { id: "even" expression: "this % 2 == 0 ? \'\' : \'%d is odd\'.format([this])" }];',
    [{ f: 2 }],
    { f: 3 },
    'f even: 3 is odd',
  ],
  [
    'repeated Inner f = 1 [(buf.validate.field).cel_expression = "this.all(x, x.id != \'no\')"];',
    [{ f: [{ id: 'ab' }] }],
    { f: [{ id: 'no' }] },
    `f this.all(x, x.id != 'no'): "this.all(x, x.id != 'no')" returned false`,
  ],
];

void t.test('what keeps a rule passes, what breaks it is named', (t) => {
  for (const [declaration, good, bad, ...said] of rows) {
    for (const json of good) t.same(broken(declaration, json), [], `${declaration} ${JSON.stringify(json)}`);
    t.same(broken(declaration, bad), said, declaration);
  }
  t.end();
});

void t.test('rules that cannot be applied are problems at the field', (t) => {
  const faults: readonly (readonly [declaration: string, message: RegExp])[] = [
    [
      field('int32', 'string.min_len = 1'),
      /^v\.M\.f: the rules of string do not fit this field; its rules are those of int32$/,
    ],
    [
      field('Inner', 'string.min_len = 1'),
      /^v\.M\.f: the rules of string do not fit this field; such a message has no rules but cel$/,
    ],
    [field('string', 'string.pattern = "(?=a)"'), /^v\.M\.f: "\(\?=a\)" is no regular expression/],
    [
      'string f = 1 [(buf.validate.field).cel = { id: "x" expression: "this +" }];',
      /^v\.M\.f: the CEL expression of "x" is wrong/,
    ],
    [
      'option (buf.validate.message).oneof = { fields: ["a"] }; string b = 1;',
      /^v\.M: a rule oneof names a, which is no field of v\.M$/,
    ],
  ];
  for (const [declaration, message] of faults) {
    const schema = schemaFromText(`${head}message M { ${declaration} }`);
    try {
      new Validator(schema, 1).checkOf(schema.message('v.M')!);
      t.fail(`${declaration} compiles`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const [problem] = error.problems;
      t.match(problem, { code: 'validation-rule', message, place: { line: Number } }, declaration);
    }
  }
  t.end();
});

void t.test('the last value counts, pieces of a message are one, and a oneof has one member', (t) => {
  const schema = schemaFromText(
    `${head}message M { oneof o { Inner a = 1; string b = 2 [(buf.validate.field).string.min_len = 1]; } int32 n = 3 [(buf.validate.field).int32.gt = 0]; }`,
  );
  const check = new Validator(schema, Infinity).checkOf(schema.message('v.M')!)!;
  const ids = (hex: string): string[] => check(Buffer.from(hex, 'hex')).map(({ id }) => id);
  t.same(ids('18001801'), [], 'n = 0, then 1');
  t.same(ids('18011800'), ['int32.gt']);
  t.same(ids('1801' + '0a030a0161' + '0a040a026162'), [], 'a in two pieces, its id given twice');
  t.same(ids('1801' + '0a030a0161' + '120178'), [], 'b unsets a, whose id is too short');
  t.same(ids('1801' + '120178' + '0a030a0161'), ['string.min_len']);
  t.same(ids('1a0101'), ['int32.gt'], 'a wrong wire type is an unknown field');
  t.end();
});

void t.test('only messages with rules are checked, and the number of violations is limited', (t) => {
  const schema = schemaFromText(
    `${head}message Plain { string a = 1; Plain b = 2; } message M { repeated Inner f = 1; }`,
  );
  const validator = new Validator(schema, 3);
  t.equal(validator.checkOf(schema.message('v.Plain')!), undefined);
  t.equal(validator.checkOf(schema.message('v.M')!)!(Buffer.from('0a00'.repeat(9), 'hex')).length, 3);
  t.end();
});

void t.test('an expression that fails on a value is neither right nor wrong', (t) => {
  const declaration = 'repeated int32 f = 1 [(buf.validate.field).cel = { id: "x" expression: "this[3] == 1" }];';
  let thrown: unknown;
  try {
    broken(declaration, { f: [1] });
  } catch (error) {
    thrown = error;
  }
  t.ok(thrown instanceof RuleFault && thrown.id === 'x' && pathText(thrown.way, ({ name }) => name) === 'f');
  t.end();
});

void t.test('a message that comes in parts is one, also as the value of a map, at the cost of its bytes', (t) => {
  const rule = '[(buf.validate.field).int32.lte = 10]';
  const schema = schemaFromText(
    `${head}message P { int32 x = 1 ${rule}; int32 y = 2; } message M { P one = 1; map<string, P> map = 2; }`,
  );
  const check = new Validator(schema, Infinity).checkOf(schema.message('v.M')!)!;
  const found = (hex: string): string[] =>
    check(Buffer.from(hex, 'hex')).map(({ way }) => pathText(way, ({ name }) => name));
  t.same(found('0a020864' + '0a021001'), ['one.x'], 'x = 100, then y = 1');
  t.same(found('0a020864' + '0a020801'), [], 'the last x counts');
  t.same(found('1209' + '0a0161' + '12020864' + '1200'), ['map["a"].x'], 'x = 100, then nothing');
  t.same(found('0a021001'.repeat(100_000)), []);
  t.end();
});
