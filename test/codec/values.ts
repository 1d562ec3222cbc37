/** Random messages as canonical JSON, for any schema, and how what two implementations made of one is compared. */
import fc from 'fast-check';
import type { FieldDescriptor, MessageDescriptor } from '../../lib/schema/index.js';
import { StatusError } from '../../lib/status.js';

/** Canonical JSON values of a field type. */
function valueArbitrary(field: FieldDescriptor, packed: MessageDescriptor, depth: number): fc.Arbitrary<unknown> {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const bytes = fc.uint8Array({ maxLength: 20 }).map((data) => Buffer.from(data).toString('base64'));
  const big = (min: bigint, max: bigint) => fc.bigInt({ min, max }).map(String);
  switch (field.type) {
    case 'bool':
      return fc.boolean();
    case 'string':
      return text;
    case 'bytes':
      return bytes;
    case 'double':
      return fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
        fc.constantFrom('NaN', 'Infinity', '-Infinity'),
      );
    case 'float':
      return fc.oneof(
        fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
        fc.constantFrom('NaN', 'Infinity', '-Infinity'),
      );
    case 'enum':
      if (field.enum!.fullName === 'google.protobuf.NullValue') return fc.constant(null);
      return fc.constantFrom(
        ...new Set(field.enum!.values.map(({ number }) => field.enum!.valueByNumber(number)!.name)),
      );
    case 'uint32':
    case 'fixed32':
      return fc.integer({ min: 0, max: 2 ** 32 - 1 });
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -3, max: 300 }));
    case 'uint64':
    case 'fixed64':
      return fc.oneof(big(0n, 2n ** 64n - 1n), big(0n, 1000n));
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return fc.oneof(big(-(2n ** 63n), 2n ** 63n - 1n), big(-1000n, 1000n));
    case 'message':
      return messageArbitrary(field.message!, packed, depth + 1);
  }
}

const timestamp = fc
  .tuple(
    fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    fc.constantFrom('', '.500', '.000001', '.123456789'),
  )
  .map(([date, fraction]) => `${date.toISOString().replace(/^\+00/, '').slice(0, 19)}${fraction}Z`);
const duration = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 315_576_000_000 }), fc.constantFrom('', '.500', '.000000001'))
  .filter(([, seconds]) => seconds < 315_576_000_000)
  .map(
    ([negative, seconds, fraction]) =>
      `${negative && (seconds > 0 || fraction !== '') ? '-' : ''}${seconds}${fraction}s`,
  );
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !JSON.stringify(value).includes('__proto__'));

/**
 * Canonical JSON of a message.
 * @param packed what an Any holds, if no Duration
 */
export function messageArbitrary(
  message: MessageDescriptor,
  packed: MessageDescriptor,
  depth = 0,
): fc.Arbitrary<unknown> {
  switch (message.fullName) {
    case 'google.protobuf.Any':
      return fc.oneof(
        fc.constant({}),
        messageArbitrary(packed, packed, depth + 1).map((value) => ({
          '@type': `type.googleapis.com/${packed.fullName}`,
          ...(value as object),
        })),
        duration.map((value) => ({ '@type': 'type.googleapis.com/google.protobuf.Duration', value })),
      );
    case 'google.protobuf.Timestamp':
      return timestamp;
    case 'google.protobuf.Duration':
      return duration;
    case 'google.protobuf.FieldMask':
      return fc
        .array(fc.stringMatching(/^[a-z]{1,4}([A-Z][a-z]{1,3})?(\.[a-z]{1,3})?$/), { maxLength: 3 })
        .map((paths) => paths.join(','));
    case 'google.protobuf.Value':
      return json;
    case 'google.protobuf.Struct':
      return fc.dictionary(
        fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
        json,
        { maxKeys: 3 },
      );
    case 'google.protobuf.ListValue':
      return fc.array(json, { maxLength: 3 });
  }
  if (/^google\.protobuf\.\w+Value$/.test(message.fullName))
    return valueArbitrary(message.field('value')!, packed, depth);
  const fields = message.fields.filter((field) => depth < 3 || field.type !== 'message');
  const members = Object.fromEntries(fields.map((field) => [field.jsonName, fieldArbitrary(field, packed, depth)]));
  const required = fields.filter((field) => field.required).map((field) => field.jsonName);
  return fc.record(members, { requiredKeys: required }).map((value) => oneOfEach(message, value));
}

function fieldArbitrary(field: FieldDescriptor, packed: MessageDescriptor, depth: number): fc.Arbitrary<unknown> {
  if (field.map !== undefined) {
    const { key, value } = field.map;
    const keys = valueArbitrary(key, packed, depth)
      .map(String)
      .filter((text) => text !== '__proto__');
    return fc.dictionary(keys, valueArbitrary(value, packed, depth), { maxKeys: 4 });
  }
  const value = valueArbitrary(field, packed, depth);
  return field.repeated ? fc.array(value, { maxLength: depth > 1 ? 2 : 4 }) : value;
}

/** Keeps one member of each oneof. */
function oneOfEach(message: MessageDescriptor, value: Record<string, unknown>): Record<string, unknown> {
  const result = { ...value };
  for (const oneof of message.oneofs) {
    const set = oneof.fields.filter((field) => field.jsonName in result);
    for (const field of set.slice(1)) delete result[field.jsonName];
  }
  return result;
}

/** Parsed JSON, floats rounded: the other implementation prints them as doubles. */
function comparable(value: unknown): unknown {
  if (typeof value === 'number') return Math.fround(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, comparable(member)]));
}

/** Two values as texts, so that a counterexample can be read. */
export function same(found: unknown, expected: unknown): boolean {
  const [left, right] = [JSON.stringify(sorted(comparable(found))), JSON.stringify(sorted(comparable(expected)))];
  if (left !== right) throw new Error(`found ${left}\nexpected ${right}`);
  return true;
}

export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}

/** A failure must be one that the caller can answer with. */
export function statusOf(run: () => unknown): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (error instanceof StatusError) return error.code;
    throw error;
  }
}
