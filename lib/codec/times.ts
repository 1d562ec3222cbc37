/**
 * google.protobuf.Timestamp and Duration: text ↔ seconds and nanoseconds. Works on bytes of characters, for JSON strings and
 * text values alike.
 */
import type { Writer } from '../wire/index.js';
import { COLON, DOT, isDigit, LOWER_S, MINUS, PLUS, QUOTE, SPACE, UPPER_T, UPPER_Z, ZERO } from './chars.js';
import { printDigits, printInteger } from './integers.js';

/** The fields of a Timestamp or Duration. */
export class Seconds {
  seconds = 0;
  nanos = 0;
}

/** The expected form of a Timestamp, for error messages. */
export const timestampExpected =
  'an RFC 3339 time such as "2026-01-31T10:00:00.5Z" or "2026-01-31T10:00:00+09:00", years 1 to 9999';
/** The expected form of a Duration, for error messages. */
export const durationExpected =
  'seconds with an "s" behind and at most 9 decimals, such as "1.5s", within 315576000000s';

const MIN_TIMESTAMP = -62_135_596_800;
const MAX_TIMESTAMP = 253_402_300_799;
const MAX_DURATION = 315_576_000_000;
const DAY = 86_400;

/**
 * `2026-01-31T10:00:00.123+09:00` → seconds since 1970. Returns false if it is malformed, not a date of the calendar, or out of range.
 * @param spaceIsPlus accept a space as the `+` of the offset: an unescaped `+` in a query becomes a space
 */
export function parseTimestamp(buf: Buffer, start: number, end: number, into: Seconds, spaceIsPlus: boolean): boolean {
  // YYYY-MM-DDTHH:MM:SS is 19 long.
  if (end - start < 20) return false;
  const century = twoDigits(buf, start);
  const year = century * 100 + twoDigits(buf, start + 2);
  const month = twoDigits(buf, start + 5);
  const day = twoDigits(buf, start + 8);
  const hour = twoDigits(buf, start + 11);
  const minute = twoDigits(buf, start + 14);
  const second = twoDigits(buf, start + 17);
  const separated =
    buf[start + 4] === MINUS &&
    buf[start + 7] === MINUS &&
    buf[start + 10] === UPPER_T &&
    buf[start + 13] === COLON &&
    buf[start + 16] === COLON;
  if (!separated || year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  if (hour > 23 || minute > 59 || second > 59 || (year | hour | minute | second) < 0) return false;
  let pos = start + 19;
  into.nanos = 0;
  if (buf[pos] === DOT) {
    pos = parseFraction(buf, pos + 1, end, into);
    if (pos < 0) return false;
  }
  const offset = parseOffset(buf, pos, end, spaceIsPlus);
  into.seconds = daysSinceEpoch(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
  return into.seconds >= MIN_TIMESTAMP && into.seconds <= MAX_TIMESTAMP;
}

/** Two digits as a number; far below 0 if they are not digits. */
function twoDigits(buf: Buffer, start: number): number {
  const tens = buf[start]! - ZERO;
  const ones = buf[start + 1]! - ZERO;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1_000_000 : tens * 10 + ones;
}

/** One to nine digits into `nanos`; returns where they end, -1 if there are none or too many. */
function parseFraction(buf: Buffer, start: number, end: number, into: Seconds): number {
  let pos = start;
  let scale = 100_000_000;
  into.nanos = 0;
  for (; pos < end && isDigit(buf[pos]); pos++) {
    if (pos - start === 9) return -1;
    into.nanos += (buf[pos]! - ZERO) * scale;
    scale /= 10;
  }
  return pos === start ? -1 : pos;
}

/** `Z`, `+09:00`, `-08:00` as seconds; NaN for anything else. */
function parseOffset(buf: Buffer, start: number, end: number, spaceIsPlus: boolean): number {
  const sign = buf[start];
  if (sign === UPPER_Z) return end - start === 1 ? 0 : Number.NaN;
  const known = sign === PLUS || sign === MINUS || (spaceIsPlus && sign === SPACE);
  if (!known || end - start !== 6 || buf[start + 3] !== COLON) return Number.NaN;
  const hours = twoDigits(buf, start + 1);
  const minutes = twoDigits(buf, start + 4);
  if (hours > 23 || minutes > 59 || (hours | minutes) < 0) return Number.NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the Gregorian calendar. Years start in March here, so that a leap day is the last day. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const dayOfYear = (((153 * ((month + 9) % 12) + 2) / 5) | 0) + day - 1;
  const leapDays = ((marchYear / 4) | 0) - ((marchYear / 100) | 0) + ((marchYear / 400) | 0);
  return marchYear * 365 + leapDays + dayOfYear - 719_468;
}

/** Prints a Timestamp in quotes. Returns false if it is out of range. */
export function printTimestamp(out: Writer, { seconds, nanos }: Seconds): boolean {
  if (!(seconds >= MIN_TIMESTAMP && seconds <= MAX_TIMESTAMP && nanos >= 0 && nanos <= 999_999_999)) return false;
  const days = Math.floor(seconds / DAY);
  const time = (seconds - days * DAY) | 0;
  // Quotes, date, time, fraction and Z take 32 at most.
  out.reserve(32);
  out.buf[out.pos++] = QUOTE;
  printDate(out, days);
  out.buf[out.pos++] = UPPER_T;
  printDigits(out, (time / 3600) | 0, 2);
  out.buf[out.pos++] = COLON;
  printDigits(out, ((time / 60) | 0) % 60, 2);
  out.buf[out.pos++] = COLON;
  printDigits(out, time % 60, 2);
  printFraction(out, nanos);
  out.buf[out.pos++] = UPPER_Z;
  out.buf[out.pos++] = QUOTE;
  return true;
}

/** Prints the date that is `days` after 1970-01-01. The caller reserves room. */
function printDate(out: Writer, days: number): void {
  // Counted from 0000-03-01 in eras of 400 years, so nothing is negative.
  const shifted = (days + 719_468) | 0;
  const era = (shifted / 146_097) | 0;
  const dayOfEra = shifted - era * 146_097;
  const leapDays = ((dayOfEra / 1460) | 0) - ((dayOfEra / 36_524) | 0) + ((dayOfEra / 146_096) | 0);
  const yearOfEra = ((dayOfEra - leapDays) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
  const marchMonth = ((5 * dayOfYear + 2) / 153) | 0;
  const day = dayOfYear - (((153 * marchMonth + 2) / 5) | 0) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  printDigits(out, yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4);
  out.buf[out.pos++] = MINUS;
  printDigits(out, month, 2);
  out.buf[out.pos++] = MINUS;
  printDigits(out, day, 2);
}

/** Nothing, or a point and 3, 6 or 9 digits. */
function printFraction(out: Writer, nanos: number): void {
  if (nanos === 0) return;
  out.reserve(10);
  out.buf[out.pos++] = DOT;
  if (nanos % 1_000_000 === 0) printDigits(out, nanos / 1_000_000, 3);
  else if (nanos % 1000 === 0) printDigits(out, nanos / 1000, 6);
  else printDigits(out, nanos, 9);
}

/** `-1.5s` → -1 and -500000000. Returns false if it is malformed or out of range. */
export function parseDuration(buf: Buffer, start: number, end: number, into: Seconds): boolean {
  const negative = buf[start] === MINUS;
  let pos = negative ? start + 1 : start;
  const first = pos;
  let seconds = 0;
  while (pos < end && isDigit(buf[pos]) && seconds <= MAX_DURATION) seconds = seconds * 10 + buf[pos++]! - ZERO;
  if (pos === first || seconds > MAX_DURATION) return false;
  into.nanos = 0;
  if (buf[pos] === DOT) {
    pos = parseFraction(buf, pos + 1, end, into);
    if (pos < 0) return false;
  }
  if (pos !== end - 1 || buf[pos] !== LOWER_S) return false;
  into.seconds = negative ? -seconds : seconds;
  if (negative) into.nanos = -into.nanos;
  return true;
}

// Letters beyond ASCII are escaped: with one of them V8 holds the whole bundle in two bytes a character.
const goDuration = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;
const goPart = /(\d*)\.?(\d*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;

const nanosOf: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Reads what Go's `time.ParseDuration` accepts, such as `1h30m`, `-1.5ms` and `0`, up to the same 292 years. */
export function parseGoDuration(text: string, into: Seconds): boolean {
  if (text.length > 64 || (!goDuration.test(text) && !/^[-+]?0$/.test(text))) return false;
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit] of text.matchAll(goPart)) {
    const each = nanosOf[unit!]!;
    nanos += BigInt(whole) * each + (BigInt(fraction) * each) / 10n ** BigInt(fraction.length);
  }
  if (nanos >= 1n << 63n) return false;
  const sign = text.startsWith('-') ? -1 : 1;
  into.seconds = sign * Number(nanos / 1_000_000_000n);
  into.nanos = sign * Number(nanos % 1_000_000_000n);
  return true;
}

/** Prints a Duration in quotes. Returns false if it is out of range or its signs differ. */
export function printDuration(out: Writer, { seconds, nanos }: Seconds): boolean {
  const inRange = Math.abs(seconds) <= MAX_DURATION && Math.abs(nanos) <= 999_999_999;
  if (!inRange || seconds * nanos < 0) return false;
  out.ascii(seconds < 0 || nanos < 0 ? '"-' : '"');
  printInteger(out, Math.abs(seconds));
  printFraction(out, Math.abs(nanos));
  out.ascii('s"');
  return true;
}
