/**
 * Fast paths for common spellings of numbers in a JSON text: few digits, quoted or not, directly followed by the end of the
 * value. Each function either reads the number or changes nothing; the caller then takes the exact path, which handles all
 * spellings and reports errors. (Lists of 1000 numbers alone: int32 26 µs instead of 56, int64 36 instead of 107,
 * double 30 instead of 130; bench: codec.)
 */
import { DOT, MINUS, NINE, QUOTE, SPACE, ZERO } from './chars.js';
import { parseInteger, type Halves, type IntegerKind } from './integers.js';
import type { JsonScanner } from './scanner.js';

/** A double represents every number of this many digits exactly. */
const EXACT_DIGITS = 15;

/** Divisors for fractions of so many digits; all are exact. */
const powersOfTen: readonly number[] = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/** Reads an integer of at most 15 digits, quoted or not; NaN for anything else. */
export function shortInteger(input: JsonScanner): number {
  const { buf, end } = input;
  let pos = input.pos;
  const quoted = buf[pos] === QUOTE;
  if (quoted) pos++;
  const negative = buf[pos] === MINUS;
  if (negative) pos++;
  const first = pos;
  let value = 0;
  while (pos < end) {
    const char = buf[pos]!;
    if (char < ZERO || char > NINE) break;
    value = value * 10 + (char - ZERO);
    pos++;
  }
  const count = pos - first;
  if (count === 0 || count > EXACT_DIGITS || (count > 1 && buf[first] === ZERO)) return Number.NaN;
  if (!takeEnd(input, pos, quoted)) return Number.NaN;
  return negative ? -value : value;
}

/** Reads an integer of 16 to 20 digits, quoted or not, that is in the range of its kind. */
export function longInteger(input: JsonScanner, kind: IntegerKind, into: Halves): boolean {
  const { buf, end } = input;
  const quoted = buf[input.pos] === QUOTE;
  const start = quoted ? input.pos + 1 : input.pos;
  const first = buf[start] === MINUS ? start + 1 : start;
  let pos = first;
  while (pos < end && buf[pos]! >= ZERO && buf[pos]! <= NINE) pos++;
  const count = pos - first;
  if (count <= EXACT_DIGITS || count > 20 || buf[first] === ZERO) return false;
  return parseInteger(buf, start, pos, kind, false, into) && takeEnd(input, pos, quoted);
}

/**
 * Reads a decimal of at most 15 digits without an exponent; NaN for anything else. Mantissa and power of ten are then exact,
 * so one division gives the nearest double.
 */
export function shortDecimal(input: JsonScanner): number {
  const { buf, end } = input;
  let pos = input.pos;
  const negative = buf[pos] === MINUS;
  if (negative) pos++;
  const first = pos;
  let point = -1;
  let mantissa = 0;
  while (pos < end) {
    const char = buf[pos]!;
    if (char >= ZERO && char <= NINE) mantissa = mantissa * 10 + (char - ZERO);
    else if (char === DOT && point < 0) point = pos;
    else break;
    pos++;
  }
  const whole = (point < 0 ? pos : point) - first;
  const decimals = point < 0 ? 0 : pos - point - 1;
  if (whole === 0 || whole + decimals > EXACT_DIGITS || (whole > 1 && buf[first] === ZERO)) return Number.NaN;
  if ((point >= 0 && decimals === 0) || !takeEnd(input, pos, false)) return Number.NaN;
  const value = mantissa / powersOfTen[decimals]!;
  return negative ? -value : value;
}

/** Moves the input past the number if the value ends at `pos`. */
function takeEnd(input: JsonScanner, pos: number, quoted: boolean): boolean {
  if (quoted) {
    if (pos >= input.end || input.buf[pos] !== QUOTE) return false;
    input.pos = pos + 1;
    return true;
  }
  if (pos < input.end && !endsValue(input.buf[pos]!)) return false;
  input.pos = pos;
  return true;
}

/** True for `,`, `]`, `}`, white space and controls; the scanner reports invalid ones. */
function endsValue(char: number): boolean {
  return char === 0x2c || char === 0x5d || char === 0x7d || char <= SPACE;
}
