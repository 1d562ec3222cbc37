/**
 * Options as written → the wire bytes of their options message, the inverse of `decodeOptions`. Members that the message type
 * does not know, or has another type for, are left out.
 */
import { WireType, type Writer } from '../../wire/index.js';
import { isOptionMessage } from '../text/option.js';
import { encodeUtf8 } from '../text/strings.js';
import type { FieldDescriptor, MessageDescriptor, OptionMessage, OptionValue } from '../types.js';

/** Writes the members of a message; extensions are named `[full.name]`. */
export function writeOptions(out: Writer, type: MessageDescriptor, { fields }: OptionMessage): void {
  for (const { name, value } of fields) {
    const field = memberOf(type, name);
    if (field !== undefined) writeMember(out, field, value);
  }
}

function memberOf(type: MessageDescriptor, name: string): FieldDescriptor | undefined {
  if (!name.startsWith('[')) return type.field(name);
  const fullName = name.slice(1, -1).replace(/^\./, '');
  return type.extensions.find((extension) => extension.fullName === fullName);
}

function writeMember(out: Writer, field: FieldDescriptor, value: OptionValue): void {
  const { number, type } = field;
  const tag = (wireType: number): void => out.uint32(((number << 3) | wireType) >>> 0);
  if (type === 'message') {
    if (!isOptionMessage(value)) return;
    const inner = field.message ?? field.map!.key.parent;
    if (field.delimited) {
      tag(WireType.START_GROUP);
      writeOptions(out, inner, value);
      tag(WireType.END_GROUP);
      return;
    }
    tag(WireType.BYTES);
    const mark = out.begin();
    writeOptions(out, inner, value);
    out.finish(mark);
  } else if (type === 'string' || type === 'bytes') {
    if (typeof value !== 'string') return;
    tag(WireType.BYTES);
    out.bytes(encodeUtf8(value));
  } else if (type === 'double' || type === 'float') {
    const real = realOf(value);
    if (real === undefined) return;
    tag(type === 'double' ? WireType.FIXED64 : WireType.FIXED32);
    out[type](real);
  } else {
    const integer = integerOf(field, value);
    if (integer !== undefined) writeInteger(out, type, integer, tag);
  }
}

type IntegerType = Exclude<FieldDescriptor['type'], 'message' | 'string' | 'bytes' | 'double' | 'float'>;

function writeInteger(out: Writer, type: IntegerType, value: bigint, tag: (wireType: number) => void): void {
  const isZigzag = type === 'sint32' || type === 'sint64';
  const bits = isZigzag ? (value << 1n) ^ (value >> 63n) : value;
  const low = Number(BigInt.asIntN(32, bits));
  const high = Number(BigInt.asIntN(32, bits >> 32n));
  switch (type) {
    case 'fixed32':
    case 'sfixed32':
      tag(WireType.FIXED32);
      out.fixed32(low);
      return;
    case 'fixed64':
    case 'sfixed64':
      tag(WireType.FIXED64);
      out.fixed64(low, high);
      return;
    default:
      tag(WireType.VARINT);
      out.varint64(low, high);
  }
}

function integerOf({ enum: named }: FieldDescriptor, value: OptionValue): bigint | undefined {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
  if (typeof value === 'string' || !('identifier' in value)) return undefined;
  const number = named?.value(value.identifier)?.number;
  return number === undefined ? undefined : BigInt(number);
}

/** The value of a `double` or `float`, also of words such as `-inf`; undefined if it is none. */
export function realOf(value: OptionValue): number | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || !('identifier' in value)) return undefined;
  const [, minus, word] = /^(-?)(inf|infinity|nan)$/i.exec(value.identifier) ?? [];
  if (word === undefined) return undefined;
  if (word.toLowerCase() === 'nan') return NaN;
  return minus === '-' ? -Infinity : Infinity;
}
