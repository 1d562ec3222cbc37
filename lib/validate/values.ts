/** Values of fields as rules compare them, and how they are read from the wire. */
import type { ScalarType } from '../schema/types.js';
import { type Reader, WireType } from '../wire/index.js';

/**
 * Numbers of up to 32 bits, enums and reals are numbers; those of 64 bits, durations and timestamps (in nanoseconds) are
 * bigints; a field mask is its paths. A message is its bytes.
 */
export type Value = number | bigint | boolean | string | Buffer | readonly string[];

/** Reads one value of a scalar or enum. */
export function readScalar(reader: Reader, type: ScalarType | 'enum'): Value {
  switch (type) {
    case 'double':
      return reader.double();
    case 'float':
      return reader.float();
    case 'int32':
    case 'enum':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'sint32':
      return zigzag32(reader.uint32());
    case 'fixed32':
      return reader.fixed32() >>> 0;
    case 'sfixed32':
      return reader.fixed32();
    case 'bool':
      reader.varint64();
      return reader.low !== 0 || reader.high !== 0;
    case 'string':
      return reader.bytes().toString('utf8');
    case 'bytes':
      return reader.bytes();
    case 'int64':
      reader.varint64();
      return signed(reader);
    case 'uint64':
      reader.varint64();
      return BigInt.asUintN(64, signed(reader));
    case 'sint64': {
      reader.varint64();
      const bits = BigInt.asUintN(64, signed(reader));
      return (bits >> 1n) ^ -(bits & 1n);
    }
    case 'fixed64':
      reader.fixed64();
      return BigInt.asUintN(64, signed(reader));
    case 'sfixed64':
      reader.fixed64();
      return signed(reader);
  }
}

function zigzag32(bits: number): number {
  return (bits >>> 1) ^ -(bits & 1);
}

function signed({ low, high }: Reader): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

/** The value of a scalar or enum that is not set. */
export function zeroOf(type: ScalarType | 'enum'): Value {
  switch (type) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'bytes':
      return EMPTY;
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return 0n;
    default:
      return 0;
  }
}

/** No bytes; also a message without fields. */
export const EMPTY = Buffer.alloc(0);

/** True for the value that a field without presence does not send: 0, false, '' and no bytes; not for -0. */
export function isZero(value: Value): boolean {
  if (typeof value === 'object') return value.length === 0;
  return Object.is(value, 0) || value === 0n || value === false || value === '';
}

const SECONDS_TAG = (1 << 3) | WireType.VARINT;
const NANOS_TAG = (2 << 3) | WireType.VARINT;

/** A google.protobuf.Duration or Timestamp → nanoseconds. */
export function readInstant(reader: Reader): bigint {
  let seconds = 0n;
  let nanos = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === SECONDS_TAG) {
      reader.varint64();
      seconds = signed(reader);
    } else if (tag === NANOS_TAG) nanos = reader.int32();
    else reader.skip(tag);
  }
  return seconds * 1_000_000_000n + BigInt(nanos);
}

/** The strings of a repeated field, such as the paths of a google.protobuf.FieldMask. */
export function readStrings(reader: Reader, number: number): string[] {
  const found: string[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === ((number << 3) | WireType.BYTES)) found.push(reader.bytes().toString('utf8'));
    else reader.skip(tag);
  }
  return found;
}

/** A duration as CEL prints it: `1.5s`. */
export function durationText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? '-' : ''}${size / 1_000_000_000n}${fractionText(size % 1_000_000_000n)}s`;
}

/** A timestamp in RFC 3339: `2024-01-01T00:00:00Z`. */
export function timestampText(nanos: bigint): string {
  const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((nanos - fraction) / 1_000_000n));
  if (Number.isNaN(date.getTime())) return durationText(nanos);
  return `${date.toISOString().slice(0, 19)}${fractionText(fraction)}Z`;
}

function fractionText(nanos: bigint): string {
  return nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
}
