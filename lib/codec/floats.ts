/** float and double as text: JSON numbers and the three words `NaN`, `Infinity`, `-Infinity`. */
import type { Writer } from '../wire/index.js';
import { DOT, MINUS, ZERO } from './chars.js';
import { printDigits, printInteger } from './integers.js';

/** The expected form of a floating point value, for error messages. */
export const floatExpected = 'a number, "NaN", "Infinity" or "-Infinity"';

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const textNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** The decimal notations of Go's `ParseFloat`. */
const goNumber = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** `json`: numbers of JSON; `text`: also with leading zeros; `go`: also with a plus sign or a bare point. */
export type FloatForm = 'json' | 'text' | 'go';

const forms: Readonly<Record<FloatForm, RegExp>> = { json: jsonNumber, text: textNumber, go: goNumber };

/** A number or word as text; undefined for anything else and for numbers too large for a double. */
export function parseFloatText(text: string, form: FloatForm): number | undefined {
  switch (text) {
    case 'NaN':
      return Number.NaN;
    case 'Infinity':
      return Number.POSITIVE_INFINITY;
    case '-Infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return forms[form].test(text) ? finite(Number(text)) : undefined;
  }
}

/** The number, or undefined if it overflowed. */
export function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

/** Prints a double in the shortest form that reads back equal. */
export function printDouble(out: Writer, value: number): void {
  if (printThousandths(out, value)) return;
  if (Number.isFinite(value)) out.ascii(Object.is(value, -0) ? '-0' : String(value));
  else out.ascii(Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"');
}

/**
 * Prints a value of at most three decimals, the common case; returns false for all others. Numbers of at most 15 digits read
 * as different doubles, so this is the shortest form. (A list of 1000: 33 µs instead of 79; bench: codec.)
 */
function printThousandths(out: Writer, value: number): boolean {
  const size = Math.abs(value);
  const thousandths = Math.round(size * 1000);
  if (!(size < 1e9) || thousandths / 1000 !== size || Object.is(value, -0)) return false;
  const whole = Math.floor(size);
  out.reserve(16);
  if (value < 0) out.buf[out.pos++] = MINUS;
  printInteger(out, whole);
  const rest = thousandths - whole * 1000;
  if (rest === 0) return true;
  out.reserve(4);
  out.buf[out.pos++] = DOT;
  printDigits(out, rest, 3);
  while (out.buf[out.pos - 1] === ZERO) out.pos--;
  return true;
}

/** Prints a float in the shortest form that reads back as the same float: 0.1, not 0.10000000149011612. */
export function printFloat(out: Writer, value: number): void {
  printDouble(out, Number.isFinite(value) ? shortestFloat(value) : value);
}

const SMALLEST_NORMAL_FLOAT = 2 ** -126;

/** The double with the fewest digits that rounds to this float. */
export function shortestFloat(value: number): number {
  if (Math.abs(value) < 1000) {
    // Six digits at most: no two such decimals read as the same float.
    const rounded = Math.round(value * 1000) / 1000;
    if (Math.fround(rounded) === value) return rounded;
  }
  if (Number.isInteger(value) && Math.abs(value) < 0x100_0000) return value;
  // Six digits always survive a normal float, nine always suffice; subnormal ones hold fewer.
  for (let digits = Math.abs(value) < SMALLEST_NORMAL_FLOAT ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** Rounds a double to a float; undefined if a finite one is too large for that. */
export function toFloat(value: number): number | undefined {
  const rounded = Math.fround(value);
  return Number.isFinite(value) && !Number.isFinite(rounded) ? undefined : rounded;
}
