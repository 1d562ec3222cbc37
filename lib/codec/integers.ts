/**
 * Exact integers of all widths: decimal characters ↔ two 32-bit halves ↔ each integer type of the wire. JavaScript numbers
 * are used only for values that they represent exactly.
 */
import type { ScalarType } from '../schema/types.js';
import type { Reader, Writer } from '../wire/index.js';
import { DOT, isDigit, LOWER_E, MINUS, PLUS, ZERO } from './chars.js';

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

/** The range of int32, and of the numbers of enums. */
export const int32Kind = integerKind(32, true);
const uint32 = integerKind(32, false);
const int64 = integerKind(64, true);
const uint64 = integerKind(64, false);

const kinds = new Map<ScalarType, IntegerKind>([
  ['int32', int32Kind],
  ['sint32', int32Kind],
  ['sfixed32', int32Kind],
  ['uint32', uint32],
  ['fixed32', uint32],
  ['int64', int64],
  ['sint64', int64],
  ['sfixed64', int64],
  ['uint64', uint64],
  ['fixed64', uint64],
]);

/** The kind of an integer type; undefined for other types. */
export function integerKindOf(type: ScalarType): IntegerKind | undefined {
  return kinds.get(type);
}

/** Writes an integer of a 32-bit type; `value` is within its range. */
export type Write32 = (out: Writer, value: number) => void;

/** The writers of all 32-bit types. */
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

/** The writers of all 64-bit types. */
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
 * Reads `buf[start..end)` as an integer: digits with an optional minus. With `anyForm`, every JSON number with an integral
 * value is accepted (`1e3`, `10.0`), and leading zeros are not. Returns false for anything else and if it is out of range.
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

/** Digits → an unsigned 64-bit value. Returns false if it does not fit. */
function parseDigits(buf: Buffer, start: number, end: number, into: Halves): boolean {
  let pos = start;
  while (pos < end - 1 && buf[pos] === ZERO) pos++;
  const count = end - pos;
  if (count > 20) return false;
  // All steps must stay below 2^53: value = head * 10^9 + tail, where head has at most 11 digits (37 bits).
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

/** No integer has more decimal digits. */
const MAX_DIGITS = 20;
/** Larger than any exponent that the digits of a text could compensate. */
const MAX_EXPONENT = 1e12;
const significant = Buffer.alloc(MAX_DIGITS);

/** Reads the rare forms of an integer: with an exponent, or with a fraction of zeros. */
function parseDecimal(buf: Buffer, start: number, end: number, kind: IntegerKind, into: Halves): boolean {
  const negative = buf[start] === MINUS;
  const whole = negative ? start + 1 : start;
  const wholeEnd = digitsEnd(buf, whole, end);
  if (wholeEnd === whole || (buf[whole] === ZERO && wholeEnd - whole > 1)) return false;
  const fraction = buf[wholeEnd] === DOT && wholeEnd < end ? wholeEnd + 1 : wholeEnd;
  const fractionEnd = digitsEnd(buf, fraction, end);
  if (fraction > wholeEnd && fractionEnd === fraction) return false;
  const exponent = fractionEnd === end ? 0 : parseExponent(buf, fractionEnd, end);
  if (Number.isNaN(exponent)) return false;
  // value = 0.D × 10^point, where D is all digits without the point. Zeros at both ends of D do not matter.
  let point = wholeEnd - whole + exponent;
  let first = whole;
  for (; first < fractionEnd && isZeroOrPoint(buf[first]!); first++) if (buf[first] === ZERO) point--;
  let last = fractionEnd;
  while (last > first && isZeroOrPoint(buf[last - 1]!)) last--;
  const count = last - first - (first < wholeEnd && last > wholeEnd ? 1 : 0);
  if (count > 0 && (count > point || point > MAX_DIGITS)) return false;
  let digits = 0;
  for (let pos = first; pos < last; pos++) if (buf[pos] !== DOT) significant[digits++] = buf[pos]!;
  while (digits < point && count > 0) significant[digits++] = ZERO;
  if (count === 0) significant[digits++] = ZERO;
  if (!parseDigits(significant, 0, digits, into)) return false;
  return negative ? negateInRange(kind, into) : inRange(kind, into);
}

function isZeroOrPoint(char: number): boolean {
  return char === ZERO || char === DOT;
}

function digitsEnd(buf: Buffer, start: number, end: number): number {
  let pos = start;
  while (pos < end && isDigit(buf[pos])) pos++;
  return pos;
}

/** The exponent in `e5` or `E-07`; NaN for anything else. Limited to MAX_EXPONENT. */
function parseExponent(buf: Buffer, start: number, end: number): number {
  if ((buf[start]! | 0x20) !== LOWER_E) return Number.NaN;
  const sign = buf[start + 1];
  let pos = sign === MINUS || sign === PLUS ? start + 2 : start + 1;
  if (pos >= end) return Number.NaN;
  let value = 0;
  for (; pos < end; pos++) {
    if (!isDigit(buf[pos])) return Number.NaN;
    value = Math.min(value * 10 + (buf[pos]! - ZERO), MAX_EXPONENT);
  }
  return sign === MINUS ? -value : value;
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
  // A double in between makes the quotient off by at most one. The remainder is exact modulo 2^32 and corrects it.
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

/** Prints `value`, below 10^9, with exactly `count` digits and leading zeros. The caller reserves room. */
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
