/**
 * google.protobuf.Timestamp and Duration: their text forms ↔ seconds and nanoseconds. Works on character bytes,
 * so that JSON strings, query values and path segments share it.
 */
import type { Writer } from '../wire/index.js';
import { COLON, DOT, isDigit, LOWER_S, MINUS, PLUS, SPACE, UPPER_T, UPPER_Z, ZERO } from './chars.js';
import { printDigits, printInteger } from './integers.js';

/** Seconds and nanoseconds; both fields of both types. */
export class Seconds {
  seconds = 0;
  nanos = 0;
}

export const timestampExpected =
  'an RFC 3339 time such as "2026-01-31T10:00:00.5Z" or "2026-01-31T10:00:00+09:00", years 1 to 9999';
export const durationExpected =
  'seconds with an "s" behind and at most 9 decimals, such as "1.5s", within 315576000000s';

const MIN_TIMESTAMP = -62_135_596_800;
const MAX_TIMESTAMP = 253_402_300_799;
const MAX_DURATION = 315_576_000_000;
const DAY = 86_400;

/**
 * `2026-01-31T10:00:00.123+09:00` → seconds since 1970. False where it is malformed, no date of the calendar, or out of range.
 * @param spaceIsPlus takes a space for the `+` of the offset, as it comes out of a query where nobody escaped it
 */
export function parseTimestamp(buf: Buffer, start: number, end: number, into: Seconds, spaceIsPlus: boolean): boolean {
  // YYYY-MM-DDTHH:MM:SS is 19 long.
  if (end - start < 20) return false;
  const year = number(buf, start, 4);
  const month = number(buf, start + 5, 2);
  const day = number(buf, start + 8, 2);
  const hour = number(buf, start + 11, 2);
  const minute = number(buf, start + 14, 2);
  const second = number(buf, start + 17, 2);
  const separated =
    buf[start + 4] === MINUS &&
    buf[start + 7] === MINUS &&
    buf[start + 10] === UPPER_T &&
    buf[start + 13] === COLON &&
    buf[start + 16] === COLON;
  if (!separated || year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  if (!(hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60)) return false;
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

/** `count` digits as a number, NaN where one is none. */
function number(buf: Buffer, start: number, count: number): number {
  let value = 0;
  for (let pos = start; pos < start + count; pos++) {
    if (!isDigit(buf[pos])) return Number.NaN;
    value = value * 10 + buf[pos]! - ZERO;
  }
  return value;
}

/** One to nine digits into `nanos`; returns where they end, -1 where there are none or too many. */
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
  const hours = number(buf, start + 1, 2);
  const minutes = number(buf, start + 4, 2);
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that leap days come last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + dayOfYear - 719_468;
}

/** Prints a Timestamp in quotes; false where it is out of range. */
export function printTimestamp(out: Writer, { seconds, nanos }: Seconds): boolean {
  if (!(seconds >= MIN_TIMESTAMP && seconds <= MAX_TIMESTAMP && nanos >= 0 && nanos <= 999_999_999)) return false;
  const days = Math.floor(seconds / DAY);
  const time = seconds - days * DAY;
  out.ascii('"');
  printDate(out, days);
  out.ascii('T');
  out.reserve(8);
  printDigits(out, (time / 3600) | 0, 2);
  out.buf[out.pos++] = COLON;
  printDigits(out, ((time / 60) | 0) % 60, 2);
  out.buf[out.pos++] = COLON;
  printDigits(out, time % 60, 2);
  printFraction(out, nanos);
  out.ascii('Z"');
  return true;
}

/** Prints the date that is so many days after 1970-01-01. */
function printDate(out: Writer, days: number): void {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  out.reserve(10);
  printDigits(out, year, 4);
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

/** `-1.5s` → -1 and -500000000: both have the sign. False where it is malformed or out of range. */
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

/** Prints a Duration in quotes; false where it is out of range or its signs differ. */
export function printDuration(out: Writer, { seconds, nanos }: Seconds): boolean {
  const inRange = Math.abs(seconds) <= MAX_DURATION && Math.abs(nanos) <= 999_999_999;
  if (!inRange || seconds * nanos < 0) return false;
  out.ascii(seconds < 0 || nanos < 0 ? '"-' : '"');
  printInteger(out, Math.abs(seconds));
  printFraction(out, Math.abs(nanos));
  out.ascii('s"');
  return true;
}
