/** JSON ↔ wire by tables, the options, single fields, limits. Text values have a file of their own. */
import t from 'tap';
import { Codec, defaultCodecOptions, indentJson, type CodecOptions } from '../../lib/codec/index.js';
import type { FieldDescriptor } from '../../lib/schema/index.js';
import { StatusError } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { accepted, rejected } from '../cases/json/read.js';
import { proto2, proto3, wide } from '../cases/json/schema.js';
import { printed, unprintable } from '../cases/json/write.js';
import { schemaFromText } from '../support/schema.js';
import { watchCalls } from '../support/watch-calls.js';

const optional = `
  syntax = "proto3"; package o; import "j.proto";
  message Optional { j.Disk disk = 1; optional j.Disk maybe = 2; optional int32 number = 3; repeated j.Disk many = 4; oneof pick { j.Disk one = 5; string two = 6; } }
`;
const schema = schemaFromText({ 'j.proto': proto3, 'k.proto': proto2, 'w.proto': wide, 'o.proto': optional });
const codec = new Codec(schema);
const messageOf = (name: string) => schema.message(name)!;

function read(type: string, json: string | Buffer, using = codec): Buffer {
  const out = new Writer(16);
  using.reader(messageOf(type))(Buffer.from(json), out);
  return out.take();
}

function print(type: string, wire: Buffer, using = codec): string {
  const out = new Writer(16);
  using.writer(messageOf(type))(wire, out);
  return out.take().toString('utf8');
}

function failure(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  return new StatusError(0, 'nothing was thrown');
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

void t.test('JSON that is accepted', (t) => {
  for (const [name, type, json, canonical = json] of accepted) t.equal(print(type, read(type, json)), canonical, name);
  t.end();
});

void t.test('JSON that is refused', (t) => {
  for (const [name, type, json, message] of rejected) {
    const error = failure(() => read(type, json));
    t.equal(error.message, message, name);
    t.equal(error.code, 3);
    t.equal(error.httpStatus, undefined, 'the status map decides');
  }
  t.end();
});

void t.test('wire that is printed', (t) => {
  for (const [name, type, wire, json] of printed) t.equal(print(type, hex(wire)), json, name);
  t.end();
});

void t.test('wire that is not', (t) => {
  for (const [name, type, wire, message] of unprintable) {
    const error = failure(() => print(type, hex(wire)));
    t.equal(error.message, message, name);
    t.equal(error.code, 13);
  }
  t.end();
});

void t.test('exact wire bytes', (t) => {
  const cases: readonly (readonly [json: string, type: string, wire: string])[] = [
    ['{"i32":0,"st":"","bo":false}', 'j.Scalars', '0800 7200 6800'],
    ['{"st":"a","i32":-1}', 'j.Scalars', '720161 08ffffffffffffffffff01'],
    ['{"s32":-1,"s64":"-2","f32":1,"sf64":"-1"}', 'j.Scalars', '2801 3003 3d01000000 51ffffffffffffffff'],
    ['{"numbers":[1,300],"loose":[1,2],"texts":["a"]}', 'j.Lists', '0a0301ac02 3801 3802 120161'],
    ['{"ss":{"a":""}}', 'j.Maps', '0a050a01611200'],
    [
      '{"time":"1970-01-01T00:00:00Z","span":"-1.5s"}',
      'j.Known',
      '1200 1a1608ffffffffffffffffff011080b6ca91feffffffff01',
    ],
    ['{"bool":false}', 'j.Known', '52020800'],
    ['{"part":{"n":1},"id":2}', 'k.Old', '23080124 0802'],
    ['{"value":null}', 'j.Known', '32020800'],
  ];
  for (const [json, type, wire] of cases) t.equal(read(type, json).toString('hex'), hex(wire).toString('hex'), json);
  t.end();
});

void t.test('violations are listed with their paths, twenty at most', (t) => {
  const error = failure(() => read('j.Vm', '{"name":1,"spec":{"disks":[{"size":"a"},{"sise":1}]}}'));
  t.strictSame(error.violations, [
    { field: 'name', description: 'found 1, expected a string in double quotes (line 1, column 9)' },
    {
      field: 'spec.disks[0].size',
      description: 'found "a", expected a decimal integer from -2147483648 to 2147483647 (line 1, column 36)',
    },
    {
      field: 'spec.disks[1].sise',
      description: 'j.Disk has no field "sise"; did you mean "size"? (line 1, column 42)',
    },
  ]);
  const many = failure(() => read('j.Lists', JSON.stringify({ texts: new Array(1000).fill(0) })));
  t.equal(many.violations.length, 20);
  t.match(many.message, /; and at least 17 more$/);
  t.end();
});

void t.test('a failure leaves what was written before', (t) => {
  const out = new Writer(16);
  out.utf8('before');
  t.throws(() => codec.reader(messageOf('j.Vm'))(Buffer.from('{"name":"x","tags":["y"'), out));
  t.throws(() => codec.reader(messageOf('j.Vm'))(Buffer.from('{"name":"x","tags":[1]}'), out));
  t.throws(() => codec.writer(messageOf('j.Vm'))(hex('0a0178 1205'), out));
  t.equal(out.take().toString(), 'before');
  t.end();
});

void t.test('bytes that are not UTF-8 are refused with their place', (t) => {
  const json = Buffer.concat([Buffer.from('{"st":"é'), Buffer.of(0xc3, 0x28), Buffer.from('"}')]);
  const where = 'invalid JSON at line 1, column 9, in st: byte 0xc3 is not UTF-8; encode the text as UTF-8';
  t.equal(failure(() => read('j.Scalars', json)).message, where);
  const skipped = Buffer.concat([Buffer.from('{"unknown":["'), Buffer.of(0xff), Buffer.from('"]}')]);
  const lenient = new Codec(schema, { ignoreUnknownFields: true });
  t.match(failure(() => read('j.Scalars', skipped, lenient)).message, /byte 0xff is not UTF-8/);
  t.match(
    failure(() => read('j.Scalars', Buffer.from('{"st":"\xed\xa0\x80"}', 'latin1'))).message,
    /byte 0xed is not UTF-8/,
  );
  t.match(failure(() => read('j.Scalars', Buffer.from('{"st":"\xe6\x97', 'latin1'))).message, /byte 0xe6 is not UTF-8/);
  t.end();
});

void t.test('nesting', (t) => {
  const nested = (levels: number, open: string, close: string, core: string) =>
    open.repeat(levels) + core + close.repeat(levels);
  const forms: readonly (readonly [name: string, type: string, text: (levels: number) => string])[] = [
    ['messages', 'j.Vm', (levels) => nested(levels - 1, '{"parent":', '}', '{}')],
    ['arrays in a Value', 'j.Known', (levels) => `{"value":${nested(levels - 1, '[', ']', '')}}`],
    ['objects in a Struct', 'j.Known', (levels) => `{"struct":${nested(levels - 2, '{"a":', '}', '{}')}}`],
    [
      'Anys',
      'j.Known',
      (levels) => `{"any":${nested(levels - 2, '{"@type":"t/google.protobuf.Any","value":', '}', '{}')}}`,
    ],
    [
      'Anys whose type comes last',
      'j.Known',
      (levels) => `{"any":${nested(levels - 2, '{"value":', ',"@type":"t/google.protobuf.Any"}', '{}')}}`,
    ],
    ['groups', 'k.Old', (levels) => nested((levels - 2) / 2, '{"part":{"inner":', '}}', '{"part":{}}')],
  ];
  for (const [name, type, text] of forms) {
    t.doesNotThrow(() => print(type, read(type, text(100))), name);
    t.match(failure(() => read(type, text(102))).message, /the value is nested deeper than 100 levels$/, name);
  }
  const lenient = new Codec(schema, { ignoreUnknownFields: true });
  const unknown = (levels: number) => `{"unknown":${nested(levels - 1, '[', ']', '')}}`;
  t.doesNotThrow(() => read('j.Disk', unknown(100), lenient));
  t.match(failure(() => read('j.Disk', unknown(101), lenient)).message, /nested deeper than 100 levels/);
  t.match(failure(() => read('j.Disk', '['.repeat(1e6))).message, /nested deeper than 100 levels/);

  const deep = new Codec(schema, { maxJsonDepth: 500 });
  for (const [name, type, text] of forms) t.doesNotThrow(() => read(type, text(500), deep), `${name}, 500 deep`);
  t.throws(() => new Codec(schema, { maxJsonDepth: 501 }), RangeError);
  t.throws(() => new Codec(schema, { maxJsonDepth: 0 }), RangeError);

  const wire = read('j.Vm', forms[0]![2](201), deep);
  t.match(failure(() => print('j.Vm', wire)).message, /no valid j\.Vm: it is nested deeper than 200 levels/);
  t.doesNotThrow(() => print('j.Vm', read('j.Vm', forms[0]![2](200), deep)));
  let reversed: Buffer = Buffer.alloc(0);
  for (let level = 0; level < 150; level++) {
    const inner = new Writer();
    inner.uint32(66);
    inner.bytes(reversed);
    inner.raw(hex('0a0178'));
    reversed = inner.take();
  }
  const json = print('j.Vm', reversed);
  t.equal(
    json.length,
    150 * '{"name":"x","parent":'.length - '{"name":"x","parent":'.length + '{"name":"x","parent":{}'.length + 150,
  );
  t.end();
});

void t.test('of two types of an Any the first counts, where what is unknown is skipped', (t) => {
  const lenient = new Codec(schema, { ignoreUnknownFields: true });
  const inner = '{"size":1,"@type":"t/j.Disk","@type":"t/j.Spec"}';
  const json = `{"any":{"value":${inner},"@type":"t/google.protobuf.Any"}}`;
  t.match(print('j.Known', read('j.Known', json, lenient)), '"value":{"@type":"t/j.Disk","size":1}');
  t.end();
});

void t.test('messages with as many fields and oneofs as fit into words, one fewer and one more', (t) => {
  for (const count of [1, 2, 30, 31, 32, 33, 34, 63, 64, 65, 96, 97]) {
    const plain = Array.from({ length: count }, (_, index) => `int32 f${index} = ${index + 1};`);
    const [last, beforeLast] = [count - 1, count - 2];
    const twoOfOne =
      count < 2
        ? ''
        : `message O { ${plain.slice(0, -2).join(' ')} oneof o { ${plain.slice(-2).join(' ')} } oneof p { int32 g = 500; int32 h = 501; } }`;
    const counted = schemaFromText({
      's.proto': `syntax = "proto3"; package s; message M { ${plain.join(' ')} } ${twoOfOne}`,
    });
    const using = new Codec(counted);
    const readIt = (type: string, names: readonly string[]): StatusError =>
      failure(() =>
        using.reader(counted.message(type)!)(
          Buffer.from(`{${names.map((name) => `"${name}":1`).join()}}`),
          new Writer(),
        ),
      );
    const all = plain.map((_, index) => `f${index}`);
    t.equal(readIt('s.M', all).message, 'nothing was thrown', `${count} fields, each once`);
    t.equal(readIt('s.M', [...all].reverse()).message, 'nothing was thrown', `${count} fields, the last first`);
    for (const name of all)
      t.match(readIt('s.M', [...all, name]).message, `"${name}" is given twice`, `${count} fields`);
    if (count < 2) continue;
    t.equal(readIt('s.O', [...all.slice(0, -1), 'g']).message, 'nothing was thrown', `${count} fields, oneofs apart`);
    t.match(readIt('s.O', [`f${beforeLast}`, `f${last}`]).message, 'another member of oneof o', `${count} fields`);
    t.match(readIt('s.O', ['g', `f${last}`, 'h']).message, 'another member of oneof p', `${count} fields`);
    t.match(readIt('s.O', [`f${last}`, `f${last}`]).message, `"f${last}" is given twice`, `${count} fields`);
  }
  t.end();
});

void t.test('long keys of a map are told apart, and no long string is hashed', (t) => {
  const key = (index: number): string => `${'k'.repeat(20_000)}${index}`;
  const keys = Array.from({ length: 40 }, (_, index) => key(index));
  const json = (...more: string[]): string => `{"ss":{${[...keys, ...more].map((text) => `"${text}":""`).join()}}}`;
  const lengths: number[] = [];
  const note = (_: unknown, [value]: readonly unknown[]): unknown => lengths.push((value as string).length);
  watchCalls(Set.prototype, 'add', note, () => t.equal(print('j.Maps', read('j.Maps', json())), json()));
  t.match(failure(() => read('j.Maps', json(key(39)))).message, /is given twice/);
  t.match(failure(() => read('j.Maps', json(key(3)))).message, /is given twice/);
  // V8 hashes longer strings than 16383 by their length alone.
  t.ok(lengths.length > 40 && Math.max(...lengths) < 16_000);
  t.end();
});

void t.test('nesting is depth, not number', (t) => {
  const many: readonly (readonly [type: string, json: string])[] = [
    ['j.Lists', JSON.stringify({ disks: new Array(300).fill({ size: 1 }) })],
    [
      'j.Maps',
      JSON.stringify({ sv: Object.fromEntries(Array.from({ length: 300 }, (_, key) => [`k${key}`, [[], {}]])) }),
    ],
    [
      'j.Known',
      JSON.stringify({
        values: new Array(300).fill({ a: [1] }),
        anys: new Array(300).fill({ '@type': 't/j.Disk', size: 1 }),
      }),
    ],
    ['j.Known', JSON.stringify({ anys: new Array(300).fill({ '@type': 't/google.protobuf.Struct', value: {} }) })],
  ];
  for (const [type, json] of many) t.doesNotThrow(() => print(type, read(type, json)), type);
  t.end();
});

void t.test('options of reading', (t) => {
  const lenient = new Codec(schema, { ignoreUnknownFields: true });
  const cases: readonly (readonly [type: string, json: string, canonical: string])[] = [
    ['j.Disk', '{"x":{"y":[1,"a",null,true,{"z":-1.5e3}]},"size":1,"x":2}', '{"size":1}'],
    ['j.Scalars', '{"color":"BLUE","i32":1}', '{"i32":1}'],
    ['j.Lists', '{"colors":["RED","BLUE","GREEN"]}', '{"colors":["RED","GREEN"]}'],
    ['j.Lists', '{"colors":["BLUE"]}', '{}'],
    ['j.Maps', '{"sc":{"a":"RED","b":"BLUE"}}', '{"sc":{"a":"RED"}}'],
    ['k.Old', '{"state":9,"states":["ONE","TWO"],"closed":"TWO"}', '{"states":["ONE"]}'],
    ['j.Known', '{"any":{"@type":"t/x.Y","value":"","more":1}}', '{"any":{"@type":"t/x.Y","value":""}}'],
  ];
  for (const [type, json, canonical] of cases) t.equal(print(type, read(type, json, lenient)), canonical, json);
  t.match(failure(() => read('j.Disk', '{"x":{"y":}}', lenient)).message, /in x\.y: found "}", expected a value/);
  t.match(failure(() => read('j.Scalars', '{"color":true}', lenient)).message, /^color: found true/);

  const google = new Codec(schema, { snakeCaseFieldMasks: true });
  t.equal(print('j.Known', read('j.Known', '{"mask":"a_b,cD"}', google)), '{"mask":"aB,cD"}');
  t.end();
});

void t.test('options of printing', (t) => {
  const all = { alwaysPrintAllFields: true };
  const scalars = read('j.Scalars', '{"i64":"-5","u64":"18446744073709551615","color":"RED"}');
  const cases: readonly (readonly [options: Partial<CodecOptions>, type: string, wire: Buffer, json: string])[] = [
    [{ int64AsNumbers: true }, 'j.Scalars', scalars, '{"i64":-5,"u64":18446744073709551615,"color":"RED"}'],
    [{ alwaysPrintEnumsAsInts: true }, 'j.Scalars', scalars, '{"i64":"-5","u64":"18446744073709551615","color":1}'],
    [
      { preserveProtoFieldNames: true },
      'j.Vm',
      read('j.Vm', '{"title":"x","spec":{"cpuCount":1}}'),
      '{"spec":{"cpu_count":1},"display_name":"x"}',
    ],
    [{ preserveProtoFieldNames: true }, 'k.Old', read('k.Old', '{"[k.extra]":1}'), '{"[k.extra]":1}'],
    [
      { alwaysPrintPrimitiveFields: true },
      'j.Scalars',
      scalars,
      '{"i32":0,"i64":"-5","u32":0,"u64":"18446744073709551615","s32":0,"s64":"0","f32":0,"f64":"0","sf32":0,"sf64":"0","fl":0,"db":0,"bo":false,"st":"","by":"","color":"RED"}',
    ],
    [
      { alwaysPrintPrimitiveFields: true },
      'j.Vm',
      hex('2200'),
      '{"name":"","labels":{},"image":"","title":"","tags":[]}',
    ],
    [{ alwaysPrintPrimitiveFields: true }, 'j.Vm', hex('4a0178 0a00'), '{"name":"","labels":{},"title":"x","tags":[]}'],
    [
      { alwaysPrintPrimitiveFields: true, alwaysPrintEnumsAsInts: true, int64AsNumbers: true },
      'j.Scalars',
      Buffer.alloc(0),
      '{"i32":0,"i64":0,"u32":0,"u64":0,"s32":0,"s64":0,"f32":0,"f64":0,"sf32":0,"sf64":0,"fl":0,"db":0,"bo":false,"st":"","by":"","color":0}',
    ],
    [{ alwaysPrintPrimitiveFields: true }, 'k.Old', hex('2802'), '{"states":[],"piece":[],"byName":{},"[k.more]":[]}'],
    [
      { alwaysPrintPrimitiveFields: true },
      'j.Known',
      read('j.Known', '{"any":{"@type":"t/j.Disk"}}'),
      '{"any":{"@type":"t/j.Disk","size":0,"name":"","labels":{}},"nullValue":null,"anys":[],"times":[],"values":[],"int32s":[],"nulls":[]}',
    ],
    [
      all,
      'j.Scalars',
      hex(''),
      '{"i32":0,"i64":"0","u32":0,"u64":"0","s32":0,"s64":"0","f32":0,"f64":"0","sf32":0,"sf64":"0","fl":0,"db":0,"bo":false,"st":"","by":"","color":"COLOR_UNSPECIFIED"}',
    ],
    [all, 'j.Vm', hex(''), '{"name":"","spec":null,"labels":{},"parent":null,"title":"","tags":[]}'],
    [
      all,
      'j.Vm',
      read('j.Vm', '{"parent":{},"disk":{},"spec":{"boot":{}}}'),
      '{"name":"","spec":{"cpuCount":0,"disks":[],"boot":{"size":0,"name":"","labels":{}}},"labels":{},"disk":{"size":0,"name":"","labels":{}},"parent":{"name":"","spec":null,"labels":{},"parent":null,"title":"","tags":[]},"title":"","tags":[]}',
    ],
    [
      all,
      'j.Known',
      hex(''),
      '{"any":null,"time":null,"span":null,"mask":null,"struct":null,"value":null,"list":null,"empty":null,"nullValue":null,"bool":null,"int32":null,"uint32":null,"int64":null,"uint64":null,"float":null,"double":null,"string":null,"bytes":null,"anys":[],"times":[],"values":[],"int32s":[],"nulls":[]}',
    ],
    [all, 'k.Old', hex('0802'), '{"id":2,"states":[],"part":null,"piece":[],"byName":{},"[k.more]":[]}'],
    [all, 'o.Optional', hex(''), '{"disk":null,"many":[]}'],
    [
      { ...all, preserveProtoFieldNames: true },
      'o.Optional',
      hex('0a00'),
      '{"disk":{"size":0,"name":"","labels":{}},"many":[]}',
    ],
  ];
  for (const [options, type, wire, json] of cases) {
    t.equal(print(type, wire, new Codec(schema, options)), json, `${JSON.stringify(options)} ${type}`);
  }
  const pretty = new Codec(schema, { addWhitespace: true });
  for (const [name, type, json, canonical = json] of accepted) {
    const wire = read(type, json);
    // JSON.parse would move keys that look like numbers to the front, and lose "__proto__".
    if (/"-?\d+":|__proto__|-0[,}]/.test(canonical)) continue;
    t.equal(print(type, wire, pretty), JSON.stringify(JSON.parse(canonical), null, 2), name);
  }
  t.strictSame(new Codec(schema).options, defaultCodecOptions);
  t.end();
});

void t.test('indentJson', (t) => {
  for (const value of [{}, [], [[]], { a: [1, { b: 'x{,:}"\\' }], c: {} }, 'x', 1, null]) {
    const pretty = JSON.stringify(value, null, 2);
    t.equal(indentJson(Buffer.from(JSON.stringify(value))).toString(), pretty);
    t.equal(indentJson(Buffer.from(pretty)).toString(), pretty, 'what is indented stays');
  }
  t.doesNotThrow(() => indentJson(Buffer.from('{"a')), 'ends on text that is cut');
  t.end();
});

const fieldOf = (type: string, name: string): FieldDescriptor => messageOf(type).field(name)!;

void t.test('the value of one field, read', (t) => {
  const cases: readonly (readonly [type: string, field: string, json: string, canonical: string])[] = [
    ['j.Vm', 'name', '"x"', '{"name":"x"}'],
    ['j.Vm', 'spec', '{"cpuCount":1}', '{"spec":{"cpuCount":1}}'],
    ['j.Vm', 'tags', '["a","b"]', '{"tags":["a","b"]}'],
    ['j.Vm', 'labels', '{"a":"b"}', '{"labels":{"a":"b"}}'],
    ['j.Vm', 'spec', 'null', '{}'],
    ['j.Vm', 'tags', ' null ', '{}'],
    ['j.Known', 'value', 'null', '{"value":null}'],
    ['j.Known', 'values', 'null', '{}'],
    ['j.Known', 'time', '"2026-01-31T10:00:00Z"', '{"time":"2026-01-31T10:00:00Z"}'],
    ['j.Scalars', 'opt', '0', '{"opt":0}'],
    ['k.Old', 'part', '{"n":1}', '{"part":{"n":1}}'],
  ];
  for (const [type, field, json, canonical] of cases) {
    const out = new Writer();
    codec.fieldReader(fieldOf(type, field))(Buffer.from(json), out);
    t.equal(print(type, out.take()), canonical, `${field} ${json}`);
  }
  const out = new Writer();
  const readDisks = codec.fieldReader(fieldOf('j.Spec', 'disks'));
  t.equal(
    failure(() => readDisks(Buffer.from('[{"size":"x"}]'), out, 'vm.spec.disks')).message,
    'vm.spec.disks[0].size: found "x", expected a decimal integer from -2147483648 to 2147483647 (line 1, column 10)',
  );
  t.match(
    failure(() => readDisks(Buffer.from('[{"labels":{"a":"b"}}]'), out)).message,
    /^disks\[0\]\.labels\["a"\]: found "b"/,
  );
  t.match(
    failure(() => readDisks(Buffer.from('nul'), out)).message,
    /^invalid JSON at line 1, column 1, in disks: found nul/,
  );
  t.equal(out.pos, 0);
  t.end();
});

void t.test('the value of one field, printed', (t) => {
  const vm = read('j.Vm', '{"name":"x","tags":["a","b"],"spec":{"cpuCount":1},"labels":{"k":"v"},"large":"7"}');
  const cases: readonly (readonly [type: string, field: string, wire: Buffer, json: string])[] = [
    ['j.Vm', 'name', vm, '"x"'],
    ['j.Vm', 'tags', vm, '["a","b"]'],
    ['j.Vm', 'spec', vm, '{"cpuCount":1}'],
    ['j.Vm', 'labels', vm, '{"k":"v"}'],
    ['j.Vm', 'large', vm, '"7"'],
    ['j.Vm', 'small', vm, '0'],
    ['j.Vm', 'parent', vm, '{}'],
    ['j.Vm', 'image', vm, '""'],
    ['j.Vm', 'tags', hex(''), '[]'],
    ['j.Vm', 'labels', hex(''), '{}'],
    ['j.Vm', 'blank', hex(''), 'false'],
    ['j.Vm', 'nothing', hex(''), 'null'],
    ['j.Scalars', 'i64', hex(''), '"0"'],
    ['j.Scalars', 'i32', hex('0800'), '0'],
    ['j.Scalars', 'color', hex(''), '"COLOR_UNSPECIFIED"'],
    ['j.Known', 'time', hex(''), 'null'],
    ['j.Known', 'span', hex(''), 'null'],
    ['j.Known', 'mask', hex(''), 'null'],
    ['j.Known', 'int32', hex(''), 'null'],
    ['j.Known', 'value', hex(''), 'null'],
    ['j.Known', 'list', hex(''), 'null'],
    ['j.Known', 'struct', hex(''), '{}'],
    ['j.Known', 'any', hex(''), '{}'],
    ['j.Known', 'empty', hex(''), '{}'],
    ['j.Vm', 'tags', hex('520161 0a0178 520162'), '["a","b"]'],
    ['j.Vm', 'spec', hex('12020801 0a0178 12021a00'), '{"cpuCount":1,"boot":{}}'],
    ['j.Vm', 'image', hex('220161 3001'), '""'],
    ['j.Vm', 'image', hex('3001 220161'), '"a"'],
    ['j.Vm', 'name', hex('0a0161 0a0162'), '"b"'],
    ['k.Old', 'state', hex('1005'), '"ZERO"'],
    ['k.Old', 'state', hex('1001 1005'), '"ONE"'],
    ['k.Old', 'part', hex('23080124'), '{"n":1}'],
    ['j.Lists', 'numbers', hex('0a00'), '[]'],
  ];
  for (const [type, field, wire, json] of cases) {
    const out = new Writer();
    codec.fieldWriter(fieldOf(type, field))(wire, out);
    t.equal(out.take().toString(), json, `${field} of ${wire.toString('hex')}`);
  }
  t.match(
    failure(() => codec.fieldWriter(fieldOf('j.Vm', 'name'))(hex('1205'), new Writer())).message,
    /no valid j\.Vm/,
  );
  t.end();
});

void t.test('an Any in two parts', (t) => {
  const out = new Writer();
  codec.writeAny('t/j.Disk', hex('0801'), out);
  codec.writeAny('t/x.Y', hex('0801'), out);
  codec.writeAny('', hex(''), out);
  t.equal(out.take().toString(), '{"@type":"t/j.Disk","size":1}{"@type":"t/x.Y","value":"CAE="}{}');
  t.end();
});

void t.test('compiled once', (t) => {
  t.equal(codec.reader(messageOf('j.Vm')), codec.reader(messageOf('j.Vm')));
  t.equal(codec.writer(messageOf('j.Vm')), codec.writer(messageOf('j.Vm')));
  t.equal(codec.fieldReader(fieldOf('j.Vm', 'spec')), codec.fieldReader(fieldOf('j.Vm', 'spec')));
  t.equal(codec.fieldWriter(fieldOf('j.Vm', 'spec')), codec.fieldWriter(fieldOf('j.Vm', 'spec')));
  t.end();
});

void t.test('the guess of the next key is only a guess', (t) => {
  const orders = [
    '{"size":1,"name":"a"}',
    '{"name":"a","size":1}',
    '{"name":"a"}',
    '{"size":1,"labels":{"x":1},"name":"a"}',
    '{"labels":{}}',
  ];
  for (const json of [...orders, ...orders.toReversed(), ...orders]) {
    const value = JSON.parse(json) as { size?: number; name?: string; labels?: object };
    const back = JSON.parse(print('j.Disk', read('j.Disk', json))) as typeof value;
    t.strictSame([back.size, back.name], [value.size, value.name]);
  }
  t.match(
    failure(() => read('j.Disk', '{"size')).message,
    /the text ends inside a string/,
    'a text that ends in a guessed key',
  );
  t.match(
    failure(() => read('j.Disk', '{"sizes":1}')).message,
    /no field "sizes"/,
    'a key that starts like the guessed one',
  );
  t.end();
});
