/**
 * Integers of all widths, exactly: decimal characters ↔ two 32-bit halves, and how each protobuf integer type is put on
 * the wire. JavaScript numbers carry them only where they are known to be small enough.
 */
import type { ScalarType } from '../schema/types.js';
import type { Reader, Writer } from '../wire/index.js';
import { isDigit, MINUS, ZERO } from './chars.js';

const TWO_32 = 0x1_0000_0000;
const BILLION = 1_000_000_000;

/** A 64-bit two's complement value in two halves, as unsigned numbers. */
export class Halves {
  low = 0;
  high = 0;
}

/** An integer type: its range and its wire form. */
export interface IntegerKind {
  readonly bits: 32 | 64;
  readonly signed: boolean;
  readonly min: bigint;
  readonly max: bigint;
  /** `a decimal integer from 0 to 4294967295`. */
  readonly expected: string;
}

function integerKind(bits: 32 | 64, signed: boolean): IntegerKind {
  const span = 1n << BigInt(bits);
  const min = signed ? -span / 2n : 0n;
  const max = (signed ? span / 2n : span) - 1n;
  return { bits, signed, min, max, expected: `a decimal integer from ${min} to ${max}` };
}

const int32 = integerKind(32, true);
const uint32 = integerKind(32, false);
const int64 = integerKind(64, true);
const uint64 = integerKind(64, false);

const kinds = new Map<ScalarType, IntegerKind>([
  ['int32', int32],
  ['sint32', int32],
  ['sfixed32', int32],
  ['uint32', uint32],
  ['fixed32', uint32],
  ['int64', int64],
  ['sint64', int64],
  ['sfixed64', int64],
  ['uint64', uint64],
  ['fixed64', uint64],
]);

/** Undefined for types that are no integers. */
export function integerKindOf(type: ScalarType): IntegerKind | undefined {
  return kinds.get(type);
}

export const int32Kind = int32;

/** Writes an integer of a 32-bit type; `value` is within its range. */
export type Write32 = (out: Writer, value: number) => void;

export const writers32: Partial<Record<ScalarType, Write32>> = {
  int32: (out, value) => out.int32(value),
  uint32: (out, value) => out.uint32(value),
  sint32: (out, value) => out.uint32((value << 1) ^ (value >> 31)),
  fixed32: (out, value) => out.fixed32(value),
  sfixed32: (out, value) => out.fixed32(value),
};

/** Writes an integer of a 64-bit type, given as its halves. */
export type Write64 = (out: Writer, low: number, high: number) => void;

const varint64: Write64 = (out, low, high) => out.varint64(low, high);
const fixed64: Write64 = (out, low, high) => out.fixed64(low, high);

export const writers64: Partial<Record<ScalarType, Write64>> = {
  int64: varint64,
  uint64: varint64,
  sint64: (out, low, high) => {
    const sign = high >> 31;
    out.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  },
  fixed64,
  sfixed64: fixed64,
};

/** Reads an integer of a 64-bit type into the reader's `low` and `high`. */
export function read64(type: ScalarType, reader: Reader): void {
  if (type === 'fixed64' || type === 'sfixed64') {
    reader.fixed64();
    return;
  }
  reader.varint64();
  if (type !== 'sint64') return;
  const sign = -(reader.low & 1);
  const { low, high } = reader;
  reader.low = ((low >>> 1) | (high << 31)) ^ sign;
  reader.high = (high >>> 1) ^ sign;
}

/** Halves of an integer that a double holds exactly (up to 2^53 either way). */
export function splitSafeInteger(value: number, into: Halves): void {
  const size = Math.abs(value);
  into.low = size >>> 0;
  into.high = Math.floor(size / TWO_32);
  if (value < 0) negate(into);
}

function negate(halves: Halves): void {
  halves.low = -halves.low >>> 0;
  halves.high = (~halves.high + (halves.low === 0 ? 1 : 0)) >>> 0;
}

/**
 * Reads `buf[start..end)` as an integer of a kind: digits with an optional minus, and, if `anyForm`, whatever else a JSON
 * number may look like as long as its value is whole (`1e3`, `10.0`). A leading zero is fine only without `anyForm`.
 * False for anything else and for what is out of range.
 */
export function parseInteger(
  buf: Buffer,
  start: number,
  end: number,
  kind: IntegerKind,
  anyForm: boolean,
  into: Halves,
): boolean {
  const negative = buf[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (!allDigits(buf, first, end)) return anyForm && parseDecimal(buf, start, end, kind, into);
  if (anyForm && buf[first] === ZERO && end - first > 1) return false;
  if (!parseDigits(buf, first, end, into)) return false;
  return negative ? negateInRange(kind, into) : inRange(kind, into);
}

function allDigits(buf: Buffer, start: number, end: number): boolean {
  if (start >= end) return false;
  for (let pos = start; pos < end; pos++) if (!isDigit(buf[pos])) return false;
  return true;
}

/** Digits → an unsigned 64-bit value; false where it does not fit. */
function parseDigits(buf: Buffer, start: number, end: number, into: Halves): boolean {
  let pos = start;
  while (pos < end - 1 && buf[pos] === ZERO) pos++;
  const count = end - pos;
  if (count > 20) return false;
  // Split so that all steps stay below 2^53: value = head * 10^9 + tail, the head of at most 11 digits (37 bits).
  const cut = count > 9 ? end - 9 : pos;
  const head = digitsAsNumber(buf, pos, cut);
  const tail = digitsAsNumber(buf, cut, end);
  const headHigh = Math.floor(head / 0x10000);
  const upper = headHigh * BILLION;
  const upperHigh = Math.floor(upper / 0x10000);
  const lower = (head - headHigh * 0x10000) * BILLION + tail;
  const rest = (upper - upperHigh * 0x10000) * 0x10000 + lower;
  into.low = rest >>> 0;
  into.high = upperHigh + Math.floor(rest / TWO_32);
  return into.high < TWO_32;
}

function digitsAsNumber(buf: Buffer, start: number, end: number): number {
  let value = 0;
  for (let pos = start; pos < end; pos++) value = value * 10 + (buf[pos]! - ZERO);
  return value;
}

function inRange(kind: IntegerKind, { low, high }: Halves): boolean {
  if (kind.bits === 32) return high === 0 && (!kind.signed || low < 0x8000_0000);
  return !kind.signed || high < 0x8000_0000;
}

/** Negates a magnitude if the result is in range. `-0` is 0 for every type. */
function negateInRange(kind: IntegerKind, halves: Halves): boolean {
  const { low, high } = halves;
  if (low === 0 && high === 0) return true;
  if (!kind.signed) return false;
  const fits =
    kind.bits === 32 ? high === 0 && low <= 0x8000_0000 : high < 0x8000_0000 || (high === 0x8000_0000 && low === 0);
  if (fits) negate(halves);
  return fits;
}

/** The rare forms: a fraction of zeros, an exponent. */
function parseDecimal(buf: Buffer, start: number, end: number, kind: IntegerKind, into: Halves): boolean {
  // What fits no integer type even so is not worth decoding; trailing zeros of a fraction are hardly that many.
  if (end - start > 400) return false;
  const value = wholeDecimal(buf.toString('latin1', start, end));
  if (value === undefined || value < kind.min || value > kind.max) return false;
  into.low = Number(BigInt.asUintN(32, value));
  into.high = Number(BigInt.asUintN(32, value >> 32n));
  return true;
}

/** The value of a JSON number if it is whole and has at most 20 digits. */
function wholeDecimal(text: string): bigint | undefined {
  const match = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+(?=\d)/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return 0n;
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  if (power < 0 || significant.length + power > 20) return undefined;
  const value = BigInt(significant) * 10n ** BigInt(power);
  return sign === '-' ? -value : value;
}

/** Prints an integer that a double holds exactly. */
export function printInteger(out: Writer, value: number): void {
  out.reserve(17);
  let rest = value;
  if (rest < 0) {
    out.buf[out.pos++] = MINUS;
    rest = -rest;
  }
  if (rest < BILLION) {
    printDigits(out, rest, digitCount(rest));
    return;
  }
  const head = Math.floor(rest / BILLION);
  printDigits(out, head, digitCount(head));
  printDigits(out, rest - head * BILLION, 9);
}

/** Prints a 64-bit value given as its halves, signed or not. */
export function printInteger64(out: Writer, low: number, high: number, signed: boolean): void {
  let lower = low >>> 0;
  let upper = high >>> 0;
  out.reserve(20);
  if (signed && high < 0) {
    out.buf[out.pos++] = MINUS;
    lower = -low >>> 0;
    upper = (~high + (lower === 0 ? 1 : 0)) >>> 0;
  }
  if (upper < 0x20_0000) {
    printInteger(out, upper * TWO_32 + lower);
    return;
  }
  // The quotient is off by one at most, since a double was in between; the remainder, exact modulo 2^32, tells.
  let head = Math.floor((upper * TWO_32 + lower) / BILLION);
  let tail = (lower - Math.imul(head, BILLION)) | 0;
  if (tail < 0) {
    tail += BILLION;
    head--;
  } else if (tail >= BILLION) {
    tail -= BILLION;
    head++;
  }
  printInteger(out, head);
  out.reserve(9);
  printDigits(out, tail, 9);
}

/** Prints `value` below 10^9 with exactly `count` digits, zeros in front. Room is reserved by the caller. */
export function printDigits(out: Writer, value: number, count: number): void {
  const { buf } = out;
  let rest = value | 0;
  const end = out.pos + count;
  for (let pos = end - 1; pos >= out.pos; pos--) {
    const next = (rest / 10) | 0;
    buf[pos] = ZERO + rest - next * 10;
    rest = next;
  }
  out.pos = end;
}

function digitCount(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  if (value < 100_000_000) return 8;
  if (value < BILLION) return 9;
  return value < 10 * BILLION ? 10 : value < 100 * BILLION ? 11 : 12;
}
