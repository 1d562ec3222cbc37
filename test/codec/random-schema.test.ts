/**
 * Random schemas (`random-schema.ts`), and random messages of their types, through the codec and through an independent
 * implementation: wire → JSON, JSON → wire, and JSON that was tampered with, which both take or both refuse.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../lib/schema/index.js';
import { StatusError } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { Oracle } from './oracle.js';
import { compileModel, schemaModel, type RandomSchema } from './random-schema.js';
import { messageArbitrary, same } from './values.js';

/** Both sides of one schema. */
interface Sides {
  readonly random: RandomSchema;
  readonly codec: Codec;
  readonly oracle: Oracle;
}

function read({ random, codec }: Sides, type: string, json: string): Buffer {
  const out = new Writer(16);
  codec.reader(random.schema.message(type)!)(Buffer.from(json), out);
  return out.take();
}

function print({ random, codec }: Sides, type: string, wire: Uint8Array): string {
  const out = new Writer(16);
  codec.writer(random.schema.message(type)!)(Buffer.from(wire), out);
  return out.take().toString('utf8');
}

/** What was made of something, or why it was refused. */
type Outcome = { readonly made: unknown; readonly refused?: undefined } | { readonly refused: string };

/**
 * Both make the same of something, or both refuse, ours with a status of `code`.
 * @param known reasons of either to refuse that the other has not
 */
function agree(ours: () => unknown, theirs: () => unknown, code: number, known?: RegExp): void {
  let found: Outcome;
  try {
    found = { made: ours() };
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== code) throw error;
    found = { refused: error.message };
  }
  let expected: Outcome;
  try {
    expected = { made: theirs() };
  } catch (error) {
    expected = { refused: (error as Error).message };
  }
  if (found.refused === undefined && expected.refused === undefined) {
    same(found.made, expected.made);
    return;
  }
  if (found.refused !== undefined && expected.refused !== undefined) return;
  if (known?.test(found.refused ?? expected.refused ?? '') === true) return;
  throw new Error(`found ${JSON.stringify(found)}\nexpected ${JSON.stringify(expected)}`);
}

/** The same schemas each time, so that a failure is of the change at hand; others for a longer search. */
const SEED = 1;

/** Runs `check` on a type of each of some random schemas; the counterexample names schema and message. */
function holds(
  name: string,
  numRuns: number,
  check: (sides: Sides, type: string, draw: fc.GeneratorValue) => void,
): void {
  void t.test(name, (t) => {
    t.doesNotThrow(() => {
      fc.assert(
        fc.property(schemaModel, fc.gen(), (model, draw) => {
          const random = compileModel(model);
          const sides = { random, codec: new Codec(random.schema), oracle: new Oracle(random.registry) };
          try {
            for (const type of random.types) check(sides, type, draw);
          } catch (error) {
            throw new Error(`${(error as Error).message}\n${random.text}`, { cause: error });
          }
        }),
        // A counterexample is small and says all; to shrink it would take minutes.
        { numRuns, seed: SEED, endOnFailure: true },
      );
    });
    t.end();
  });
}

/** Runs `check`; what it throws begins with what it was about. */
function about(subject: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(`${subject}: ${(error as Error).message}`, { cause: error });
  }
}

const MESSAGES = 4;

function jsonOf({ random }: Sides, type: string): fc.Arbitrary<unknown> {
  return messageArbitrary(random.schema.message(type)!, random.schema.message(random.types[0]!)!, 1);
}

holds('JSON is read as the other implementation reads it', 30, (sides, type, draw) => {
  const arbitrary = jsonOf(sides, type);
  for (let count = 0; count < MESSAGES; count++) {
    const text = JSON.stringify(draw(() => arbitrary));
    about(`${type} ${text}`, () => {
      const wire = read(sides, type, text);
      same(sides.oracle.jsonOf(type, wire), sides.oracle.jsonOf(type, sides.oracle.wireOf(type, text)));
      same(JSON.parse(print(sides, type, wire)), sides.oracle.jsonOf(type, wire));
    });
  }
});

// ------------------------------------------------------------------------------------------------------ wire → JSON

const varints = [
  '0',
  '1',
  '2',
  '300',
  '2147483647',
  '-1',
  '-2147483648',
  '9223372036854775807',
  '-9223372036854775808',
];
const texts = ['', 'a', 'é€😀', '"\\\n\u2028', 'x'.repeat(200)];
const doubles = [0, 1, -1.5, 0.1, 1e21, 1e-7, 5e-324, 3.4028234663852886e38, Number.NaN, Infinity, -Infinity];

/** Writes a message as odd writers may: fields in any order and number, packed or not, unknown ones between. */
class WireGenerator {
  constructor(
    private readonly draw: fc.GeneratorValue,
    private readonly sides: Sides,
  ) {}

  message(message: MessageDescriptor, depth: number): Uint8Array {
    const known = this.wellKnown(message, depth);
    if (known !== undefined) return known;
    const out = new BinaryWriter();
    const fields = message.fields.filter((field) => depth < 4 || field.type !== 'message');
    // Without them the other implementation prints nothing; a gateway shows what the service sent.
    for (const field of message.fields) if (field.required) this.field(out, field, depth);
    for (let count = this.below(8); count > 0; count--) {
      if (fields.length === 0 || this.one(10)) this.unknown(out);
      else this.field(out, this.pick(fields), depth);
    }
    return out.finish();
  }

  private below(count: number): number {
    return this.draw(fc.nat, count - 1);
  }

  private one(count: number): boolean {
    return this.below(count) === 0;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  private unknown(out: BinaryWriter): void {
    const number = 100_000 + this.below(3);
    switch (this.below(5)) {
      case 0:
        out.tag(number, WireType.Varint).uint32(7);
        break;
      case 1:
        out.tag(number, WireType.Bit64).double(1);
        break;
      case 2:
        out.tag(number, WireType.Bit32).float(1);
        break;
      case 3:
        out.tag(number, WireType.LengthDelimited).string('unknown');
        break;
      default:
        out.tag(number, WireType.StartGroup).tag(1, WireType.Varint).uint32(7).tag(number, WireType.EndGroup);
    }
  }

  private field(out: BinaryWriter, field: FieldDescriptor, depth: number): void {
    if (field.map !== undefined) {
      out.tag(field.number, WireType.LengthDelimited).fork();
      const parts = [field.map.key, field.map.value];
      if (this.one(4)) parts.reverse();
      for (const part of parts) if (part.type === 'message' || !this.one(5)) this.value(out, part, depth);
      if (this.one(8)) this.unknown(out);
      out.join();
    } else if (field.repeated && isPackable(field) && this.one(2)) {
      out.tag(field.number, WireType.LengthDelimited).fork();
      for (let count = this.below(4); count > 0; count--) this.scalar(out, field);
      out.join();
    } else {
      this.value(out, field, depth);
    }
  }

  private value(out: BinaryWriter, field: FieldDescriptor, depth: number): void {
    if (field.type !== 'message') {
      out.tag(field.number, wireTypeOf(field));
      this.scalar(out, field);
      return;
    }
    const content = this.message(field.message!, depth + 1);
    if (field.delimited) {
      out.tag(field.number, WireType.StartGroup).raw(content).tag(field.number, WireType.EndGroup);
    } else {
      out.tag(field.number, WireType.LengthDelimited).bytes(content);
    }
  }

  private scalar(out: BinaryWriter, field: FieldDescriptor): void {
    switch (wireTypeOf(field)) {
      case WireType.Varint:
        if (field.type === 'enum')
          out.int32(this.pick([...field.enum!.values.map(({ number }) => number), ...strangers(field)]));
        else out.int64(this.pick(varints));
        break;
      case WireType.Bit32:
        if (field.type === 'float')
          out.float(this.pick(doubles.filter((value) => !Number.isFinite(value) || Math.abs(value) < 3.5e38)));
        else out.sfixed32(this.pick([0, 1, -1, 2_147_483_647, -2_147_483_648]));
        break;
      case WireType.Bit64:
        if (field.type === 'double') out.double(this.pick(doubles));
        else out.sfixed64(this.pick(varints));
        break;
      default:
        if (field.type === 'string') out.string(this.pick(texts));
        else out.bytes(Buffer.from(this.pick(texts)));
    }
  }

  /** Content that those types can print, and some that they cannot. */
  private wellKnown(message: MessageDescriptor, depth: number): Uint8Array | undefined {
    const out = new BinaryWriter();
    switch (message.fullName) {
      case 'google.protobuf.Timestamp':
      case 'google.protobuf.Duration': {
        const seconds = [
          '0',
          '1',
          '-1',
          '1700000000',
          '-62135596800',
          '253402300799',
          '253402300800',
          '315576000000',
          '-315576000001',
        ];
        if (!this.one(4)) out.tag(1, WireType.Varint).int64(this.pick(seconds));
        if (!this.one(4))
          out.tag(2, WireType.Varint).int32(this.pick([0, 1, 500_000_000, 999_999_999, 1_000_000_000, -1]));
        return out.finish();
      }
      case 'google.protobuf.FieldMask':
        for (let count = this.below(3); count > 0; count--)
          out.tag(1, WireType.LengthDelimited).string(this.pick(['a', 'a_b.c', 'aB', 'a_1', 'a__b', 'a_']));
        return out.finish();
      case 'google.protobuf.Any': {
        const type = this.pick([...this.sides.random.types, 'google.protobuf.Duration', 'google.protobuf.Empty']);
        if (depth > 3 || this.one(4)) return out.finish();
        out.tag(1, WireType.LengthDelimited).string(`type.googleapis.com/${type}`);
        out.tag(2, WireType.LengthDelimited).bytes(this.message(this.sides.random.schema.message(type)!, depth + 1));
        return out.finish();
      }
      case 'google.protobuf.Struct':
      case 'google.protobuf.Value':
      case 'google.protobuf.ListValue': {
        const json = this.draw(() => messageArbitrary(message, message));
        return this.sides.oracle.wireOf(message.fullName, JSON.stringify(json));
      }
      default:
        return undefined;
    }
  }
}

/** Numbers that an enum does not have. In lists and maps the other implementation prints even those of closed enums. */
function strangers(field: FieldDescriptor): readonly number[] {
  const isEntry = field.parent.fullName.endsWith('Entry');
  return field.enum!.closed && (field.repeated || isEntry) ? [] : [99, -1];
}

function isPackable(field: FieldDescriptor): boolean {
  return field.type !== 'message' && field.type !== 'string' && field.type !== 'bytes';
}

function wireTypeOf({ type }: FieldDescriptor): WireType {
  if (type === 'double' || type === 'fixed64' || type === 'sfixed64') return WireType.Bit64;
  if (type === 'float' || type === 'fixed32' || type === 'sfixed32') return WireType.Bit32;
  return type === 'string' || type === 'bytes' ? WireType.LengthDelimited : WireType.Varint;
}

holds('wire is printed as the other implementation prints it, or both refuse', 40, (sides, type, draw) => {
  const wires = new WireGenerator(draw, sides);
  for (let count = 0; count < MESSAGES; count++) {
    const wire = wires.message(sides.random.schema.message(type)!, 0);
    about(`${type} ${Buffer.from(wire).toString('hex')}`, () => {
      agree(
        () => JSON.parse(print(sides, type, wire)) as unknown,
        () => sides.oracle.jsonOf(type, wire),
        13,
      );
    });
  }
});

// --------------------------------------------------------------------------------------------- JSON tampered with

/** No 30th of February: the other implementation takes it for a day of March. */
const odd: readonly unknown[] = [
  ...[null, true, false, 0, 1, -1, 1.5, 100, 2_147_483_648, -2_147_483_649, 4_294_967_296, 1e20],
  ...['', 'x', '1', '-1', '1.5', 'true', 'NaN', 'Infinity', '-Infinity', 'AA==', 'null', 'E0_V0', 'a,b', 'aB', 'a_b'],
  ...['2020-01-01T00:00:00Z', '2020-13-01T00:00:00Z', '1s', '-1.5s', '1'],
  ...[[], {}, [null], [1], { a: 1 }, { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' }],
];

/**
 * What one alone refuses. Theirs: null for a message or an enum counts as a member of its oneof, though it sets nothing; a
 * message without its required fields, which is the service's to judge. Ours: members of an Any that nobody reads; numbers
 * of NullValue that are not its own.
 */
const notInCommon = new RegExp(
  ['oneof set multiple times', 'required field not set', 'a member that does not belong here', 'expected null'].join(
    '|',
  ),
);

/** A copy with one value replaced, dropped or renamed. */
function tampered(value: unknown, draw: fc.GeneratorValue): unknown {
  const pick = <T>(list: readonly T[]): T => list[draw(fc.nat, list.length - 1)]!;
  if (value === null || typeof value !== 'object') return pick(odd);
  const keys = Object.keys(value);
  if (keys.length === 0 || draw(fc.nat, 9) === 0)
    return Array.isArray(value)
      ? [...(value as unknown[]), pick(odd)]
      : { ...value, [pick(['x', 'f0', '1', 'true'])]: pick(odd) };
  const key = pick(keys);
  const inner = draw(fc.nat, 2) === 0 ? pick(odd) : tampered((value as Record<string, unknown>)[key], draw);
  if (Array.isArray(value)) return value.map((element: unknown, index) => (String(index) === key ? inner : element));
  return { ...value, [key]: inner };
}

holds('JSON tampered with is taken by both, and as the same, or by neither', 40, (sides, type, draw) => {
  const arbitrary = jsonOf(sides, type);
  for (let count = 0; count < MESSAGES; count++) {
    const text = JSON.stringify(
      tampered(
        draw(() => arbitrary),
        draw,
      ),
    );
    about(`${type} ${text}`, () => {
      const { oracle } = sides;
      agree(
        () => JSON.parse(print(sides, type, read(sides, type, text))) as unknown,
        () => oracle.jsonOf(type, oracle.wireOf(type, text)),
        3,
        notInCommon,
      );
    });
  }
});
