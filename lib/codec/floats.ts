/** float and double as text: JSON numbers and the three words `NaN`, `Infinity`, `-Infinity`. */
import type { Writer } from '../wire/index.js';
import { DOT, isDigit, MINUS, ZERO } from './chars.js';

/** What a floating point value may look like; for messages. */
export const floatExpected = 'a number, "NaN", "Infinity" or "-Infinity"';

/** Powers of ten that a double holds exactly. */
const powersOfTen: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The value of a JSON number `buf[start..end)`, whose form was checked by the scanner, correctly rounded.
 * Short decimals are computed directly: mantissa and power of ten are exact then, and so one division rounds once
 * (bench: codec, half the time of `Number(text)`).
 */
export function parseJsonNumber(buf: Buffer, start: number, end: number): number {
  const negative = buf[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (end - first > 16) return Number(buf.toString('latin1', start, end));
  let mantissa = 0;
  let point = end;
  for (let pos = first; pos < end; pos++) {
    const char = buf[pos]!;
    if (char === DOT) point = pos + 1;
    else if (!isDigit(char)) return Number(buf.toString('latin1', start, end));
    else mantissa = mantissa * 10 + (char - ZERO);
  }
  if (mantissa > Number.MAX_SAFE_INTEGER) return Number(buf.toString('latin1', start, end));
  const value = mantissa / powersOfTen[end - point]!;
  return negative ? -value : value;
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const textNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * A quoted number or word; undefined for anything else and for numbers that no double holds.
 * @param strict JSON's form of numbers alone; else leading zeros are taken too, as for integers in text
 */
export function parseFloatText(text: string, strict: boolean): number | undefined {
  switch (text) {
    case 'NaN':
      return Number.NaN;
    case 'Infinity':
      return Number.POSITIVE_INFINITY;
    case '-Infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return (strict ? jsonNumber : textNumber).test(text) ? finite(Number(text)) : undefined;
  }
}

/** The number itself, undefined where it overflowed. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

/** Prints a double in the shortest form that reads back equal. */
export function printDouble(out: Writer, value: number): void {
  if (Number.isFinite(value)) out.ascii(Object.is(value, -0) ? '-0' : String(value));
  else out.ascii(Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"');
}

/** Prints a float in the shortest form that reads back as the same float: 0.1, not 0.10000000149011612. */
export function printFloat(out: Writer, value: number): void {
  printDouble(out, Number.isFinite(value) ? shortestFloat(value) : value);
}

const SMALLEST_NORMAL_FLOAT = 2 ** -126;

/** The double with the fewest digits that rounds to this float. */
function shortestFloat(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) < 0x100_0000) return value;
  // Six digits always survive a normal float, nine always suffice; subnormal ones hold fewer.
  for (let digits = Math.abs(value) < SMALLEST_NORMAL_FLOAT ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** Rounds a double to a float; undefined where a finite one is too large for that. */
export function toFloat(value: number): number | undefined {
  const rounded = Math.fround(value);
  return Number.isFinite(value) && !Number.isFinite(rounded) ? undefined : rounded;
}
