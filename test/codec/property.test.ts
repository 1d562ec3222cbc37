/**
 * Arbitrary messages through the codec and through an independent implementation; arbitrary damage; and numbers against
 * what JavaScript computes.
 */
import fc from 'fast-check';
import t from 'tap';
import { Codec, JsonScanner, JsonSyntaxError } from '../../lib/codec/index.js';
import { Reader, Writer } from '../../lib/wire/index.js';
import { proto2, proto3 } from '../cases/json/schema.js';
import { schemaFromText } from '../support/schema.js';
import { Oracle, registryOf } from './oracle.js';
import { messageArbitrary, same, sorted, statusOf } from './values.js';

const schema = schemaFromText({ 'j.proto': proto3, 'k.proto': proto2 });
const codec = new Codec(schema);

const types3 = ['Scalars', 'Disk', 'Spec', 'Vm', 'Lists', 'Maps', 'Known'].map((name) => `j.${name}`);
const oracle3 = new Oracle(registryOf(schema, 'proto3', types3, ['j.Color']));
const oracle2 = new Oracle(registryOf(schema, 'proto2', ['k.Old'], ['k.Closed']));
const types = [...types3, 'k.Old'];
const oracleOf = (type: string): Oracle => (type === 'k.Old' ? oracle2 : oracle3);

function read(type: string, json: string | Buffer): Buffer {
  const out = new Writer(16);
  codec.reader(schema.message(type)!)(Buffer.from(json), out);
  return out.take();
}

function print(type: string, wire: Buffer): string {
  const out = new Writer(16);
  codec.writer(schema.message(type)!)(wire, out);
  return out.take().toString('utf8');
}

const arbitrary = (type: string): fc.Arbitrary<unknown> =>
  messageArbitrary(schema.message(type)!, schema.message('j.Disk')!);
const typed = fc.constantFrom(...types).chain((type) => fc.tuple(fc.constant(type), arbitrary(type)));

/** Runs a property; the counterexample is in the error. */
function holds(name: string, property: fc.IRawProperty<unknown>, numRuns: number): void {
  void t.test(name, (t) => {
    t.doesNotThrow(() => fc.assert(property, { numRuns }));
    t.end();
  });
}

holds(
  'JSON is read as the other implementation reads it',
  fc.property(typed, ([type, value]) => {
    const text = JSON.stringify(value);
    const oracle = oracleOf(type);
    return same(oracle.jsonOf(type, read(type, text)), oracle.jsonOf(type, oracle.wireOf(type, text)));
  }),
  150,
);

holds(
  'JSON with white space and escapes is read the same',
  fc.property(typed, ([type, value]) => {
    const text = JSON.stringify(value);
    const escaped = JSON.stringify(value, null, '\t').replace(
      /[^\x20-\x7e\s]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    return read(type, escaped).equals(read(type, text));
  }),
  100,
);

holds(
  'wire is printed as the other implementation prints it',
  fc.property(typed, ([type, value]) => {
    const wire = oracleOf(type).wireOf(type, JSON.stringify(value));
    return same(JSON.parse(print(type, wire)), oracleOf(type).jsonOf(type, wire));
  }),
  150,
);

holds(
  'printed text is read as the same bytes, and printed the same again',
  fc.property(typed, ([type, value]) => {
    const text = print(type, read(type, JSON.stringify(value)));
    return print(type, read(type, text)) === text;
  }),
  100,
);

/** The same value with the `@type` of each Any at another place among its members. */
function shuffledTypes(value: unknown, place: () => number): unknown {
  if (Array.isArray(value)) return value.map((element) => shuffledTypes(element, place));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, inner]) => [key, shuffledTypes(inner, place)] as const);
  const index = members.findIndex(([key]) => key === '@type');
  if (index >= 0) members.splice(place() % members.length, 0, ...members.splice(index, 1));
  return Object.fromEntries(members);
}

/** Anys in each other to some depth, some of them with members of their own besides. */
const nestedAny = fc
  .array(fc.constantFrom('any', 'disk', 'known', 'struct'), { minLength: 1, maxLength: 12 })
  .map((kinds) =>
    kinds.reduce<Record<string, unknown>>(
      (inner, kind) => {
        if (kind === 'any') return { '@type': 't/google.protobuf.Any', value: inner };
        if (kind === 'known') return { '@type': 't/j.Known', any: inner, anys: [inner, { '@type': 't/j.Disk' }] };
        if (kind === 'struct') return { '@type': 't/j.Known', any: inner, struct: { '@type': 1, a: { '@type': 'x' } } };
        return { '@type': 't/j.Known', any: inner, string: '@type', list: [{ '@type': 'y' }] };
      },
      { '@type': 't/j.Disk', size: 1, name: '@type' },
    ),
  );

holds(
  'Anys are read the same wherever their @type stands',
  fc.property(
    nestedAny.filter((any) => JSON.stringify(any).length < 20_000),
    fc.infiniteStream(fc.nat({ max: 20 })),
    (any, places) => {
      const value = { any };
      const next = (): number => places.next().value as number;
      const text = JSON.stringify(shuffledTypes(value, next));
      // The value is in its canonical form, each @type first.
      return same(JSON.parse(print('j.Known', read('j.Known', text))), value);
    },
  ),
  150,
);

/** The top-level fields of a message, each as its bytes. */
function fieldsOf(wire: Buffer): Buffer[] {
  const reader = new Reader(wire);
  const fields: Buffer[] = [];
  while (!reader.done) {
    const start = reader.pos;
    reader.skip(reader.tag());
    fields.push(wire.subarray(start, reader.pos));
  }
  return fields;
}

const parts = fc
  .constantFrom(...types)
  .chain((type) => fc.tuple(fc.constant(type), fc.array(arbitrary(type), { minLength: 2, maxLength: 3 })))
  .map(
    ([type, values]) =>
      [type, values.flatMap((value) => fieldsOf(oracleOf(type).wireOf(type, JSON.stringify(value))))] as const,
  )
  .chain(([type, fields]) => fc.tuple(fc.constant(type), fc.shuffledSubarray(fields, { minLength: fields.length })));

holds(
  'fields in any order and any number are merged as the other implementation merges them',
  fc.property(parts, ([type, fields]) => {
    const wire = Buffer.concat(fields);
    let expected: unknown;
    try {
      expected = oracleOf(type).jsonOf(type, wire);
    } catch {
      // What was merged may fit no type any more: an Any with the type of one and the value of another.
      return [0, 13].includes(statusOf(() => print(type, wire)));
    }
    return same(JSON.parse(print(type, wire)), expected);
  }),
  150,
);

holds(
  'one field of a message in any order prints as the whole message shows it',
  fc.property(parts, ([type, fields]) => {
    const wire = Buffer.concat(fields);
    if (statusOf(() => print(type, wire)) !== 0) return;
    const whole = JSON.parse(print(type, wire)) as Record<string, unknown>;
    for (const field of schema.message(type)!.fields) {
      if (!(field.jsonName in whole)) continue;
      const out = new Writer();
      codec.fieldWriter(field)(wire, out);
      same(JSON.parse(out.take().toString()), whole[field.jsonName]);
    }
  }),
  50,
);

const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'insert', 'cut')), {
  minLength: 1,
  maxLength: 4,
});

function damaged(bytes: Buffer, changes: readonly (readonly [number, number, string])[]): Buffer {
  let result = Buffer.from(bytes);
  for (const [position, byte, kind] of changes) {
    const at = position % (result.length + 1);
    if (kind === 'cut') result = result.subarray(0, at);
    else
      result = Buffer.concat([result.subarray(0, at), Buffer.of(byte), result.subarray(kind === 'set' ? at + 1 : at)]);
  }
  return result;
}

holds(
  'damaged JSON is refused, or was JSON after all',
  fc.property(typed, damage, ([type, value], changes) => {
    const text = damaged(Buffer.from(JSON.stringify(value)), changes);
    const code = statusOf(() => read(type, text));
    if (code === 0) JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    return code === 0 || code === 3;
  }),
  400,
);

holds(
  'damaged wire is refused, or printed as JSON',
  fc.property(typed, damage, ([type, value], changes) => {
    const wire = damaged(oracleOf(type).wireOf(type, JSON.stringify(value)), changes);
    let text = 'null';
    const code = statusOf(() => (text = print(type, wire)));
    JSON.parse(text);
    return code === 0 || code === 13;
  }),
  400,
);

function scans(text: string): boolean {
  const scanner = new JsonScanner(Buffer.from(text), 100);
  try {
    scanner.next();
    scanner.skipValue();
    scanner.expectEnd();
    return true;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return false;
    throw error;
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const jsonLike = fc
  .array(
    fc.constantFrom(...'{}[]:,"\\ \n0123456789.-+eEtrufalsn/bé', '\\u', '00e9', 'true', 'null', '""', '"a":', '1'),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

holds(
  'the scanner takes what JSON.parse takes',
  fc.property(
    fc.oneof(
      jsonLike,
      jsonLike.map((text) => `{"a":${text}}`),
      fc.json(),
    ),
    (text) => /\\ud/i.test(text) || scans(text) === parses(text),
  ),
  2000,
);

holds(
  'any JSON goes through a Value',
  fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify(value);
    const back = print('google.protobuf.Value', read('google.protobuf.Value', text));
    // Members that look like numbers are moved by JavaScript's objects, not by the codec.
    return JSON.stringify(sorted(JSON.parse(back))) === JSON.stringify(sorted(JSON.parse(text)));
  }),
  150,
);

holds(
  '64-bit integers keep their digits in every type and spelling',
  fc.property(
    fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc
        .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -3, max: 3 }))
        .map(([bit, offset]) => 2n ** BigInt(bit) + BigInt(offset)),
      // Where printing splits its digits.
      fc
        .tuple(fc.bigInt({ min: 2n ** 33n, max: 2n ** 34n }), fc.bigInt({ min: -1n, max: 1n }))
        .map(([billions, offset]) => billions * 10n ** 9n + offset),
    ),
    fc.boolean(),
    (value, quoted) => {
      for (const [name, min, max] of [
        ['i64', -(2n ** 63n), 2n ** 63n - 1n],
        ['s64', -(2n ** 63n), 2n ** 63n - 1n],
        ['sf64', -(2n ** 63n), 2n ** 63n - 1n],
        ['u64', 0n, 2n ** 64n - 1n],
        ['f64', 0n, 2n ** 64n - 1n],
      ] as const) {
        const text = `{"${name}":${quoted ? `"${value}"` : value}}`;
        const inRange = value >= min && value <= max;
        if (!inRange && statusOf(() => read('j.Scalars', text)) !== 3) throw new Error(`${text} was accepted`);
        if (inRange && value !== 0n) same(print('j.Scalars', read('j.Scalars', text)), `{"${name}":"${value}"}`);
      }
    },
  ),
  500,
);

/** The whole number that a JSON number is; undefined for what is no JSON number, or not whole. */
function wholeValue(text: string): bigint | undefined {
  const match = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole! + fraction);
  const power = BigInt(exponent) - BigInt(fraction.length);
  if (digits === 0n) return 0n;
  if (power > 100n || power < -100n) return undefined;
  const divisor = power < 0n ? 10n ** -power : 1n;
  if (digits % divisor !== 0n) return undefined;
  const value = (digits * (power > 0n ? 10n ** power : 1n)) / divisor;
  return sign === '-' ? -value : value;
}

const numberPieces = fc.constantFrom(
  ...[
    '0',
    '0',
    '1',
    '9',
    '5',
    '12',
    '000000',
    '.',
    '.',
    'e',
    'E',
    '-',
    '+',
    'e-3',
    'e19',
    'e20',
    'e-20',
    'e99999999999',
  ],
  ...['18446744073709551615', '18446744073709551616', '9223372036854775807', '9223372036854775808', '4294967295'],
);

holds(
  'integers in any spelling have the value that they say, or are refused',
  fc.property(
    fc.array(numberPieces, { minLength: 1, maxLength: 7 }).map((pieces) => pieces.join('')),
    (text) => {
      const value = wholeValue(text);
      for (const [name, min, max] of [
        ['i32', -(2n ** 31n), 2n ** 31n - 1n],
        ['u32', 0n, 2n ** 32n - 1n],
        ['i64', -(2n ** 63n), 2n ** 63n - 1n],
        ['u64', 0n, 2n ** 64n - 1n],
      ] as const) {
        const isGood = value !== undefined && value >= min && value <= max;
        const json = `{"${name}":"${text}"}`;
        if (statusOf(() => read('j.Scalars', json)) !== (isGood ? 0 : 3)) throw new Error(`${json}: ${isGood}`);
        if (!isGood) continue;
        const printed =
          (JSON.parse(print('j.Scalars', read('j.Scalars', json))) as Record<string, string | number>)[name] ?? 0;
        same(String(printed), String(value));
      }
    },
  ),
  3000,
);

holds(
  'decimals are read as JavaScript reads them',
  fc.property(
    fc.tuple(
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.integer({ min: 0, max: 25 }),
      fc.integer({ min: -30, max: 30 }),
    ),
    ([digits, point, exponent]) => {
      const text = String(digits < 0n ? -digits : digits).padStart(point + 1, '0');
      const plain = `${digits < 0n ? '-' : ''}${text.slice(0, text.length - point)}${point === 0 ? '' : `.${text.slice(-point)}`}`;
      for (const number of [plain, `${plain}e${exponent}`]) {
        const wire = read('j.Lists', `{"doubles":[${number}]}`);
        if (!Object.is(wire.readDoubleLE(2), Number(number)))
          throw new Error(`${number} was read as ${wire.readDoubleLE(2)}`);
      }
    },
  ),
  400,
);

holds(
  'floats and doubles read back as themselves, in no more digits than needed',
  fc.property(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    (float, double) => {
      const wire = new Writer();
      wire.byte(0x5d);
      wire.float(float);
      wire.byte(0x61);
      wire.double(double);
      const text = print('j.Scalars', wire.take());
      const value = JSON.parse(text) as { fl?: number; db?: number };
      if (!Object.is(value.db ?? 0, double)) throw new Error(`${double} was printed as ${text}`);
      if (!Object.is(Math.fround(value.fl ?? 0), float)) throw new Error(`${float} was printed as ${text}`);
      const digits = String(Math.abs(value.fl ?? 0))
        .replace(/e.*|\.|^0\.0*/g, '')
        .replace(/0+$/, '');
      for (let count = 1; count < digits.length; count++) {
        if (Math.fround(Number(float.toPrecision(count))) === float)
          throw new Error(`${text} is longer than ${float.toPrecision(count)}`);
      }
    },
  ),
  400,
);

holds(
  'timestamps are those of Date',
  fc.property(
    fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    (date) => {
      const text = date.toISOString();
      const wire = read('google.protobuf.Timestamp', `"${text}"`);
      same(JSON.parse(print('google.protobuf.Timestamp', wire)), text.replace('.000Z', 'Z'));
      const reader = new Reader(wire);
      let seconds = 0n;
      while (!reader.done) {
        const tag = reader.tag();
        if (tag !== 8) reader.skip(tag);
        else {
          reader.varint64();
          seconds = (BigInt(reader.high) << 32n) + BigInt(reader.low >>> 0);
        }
      }
      return Number(seconds) === Math.floor(date.getTime() / 1000);
    },
  ),
  500,
);
