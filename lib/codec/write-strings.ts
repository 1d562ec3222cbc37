/** Strings and bytes of a message → JSON strings. */
import { isUtf8 } from 'node:buffer';
import type { Writer } from '../wire/index.js';
import { encodeBase64 } from './base64.js';
import { BACKSLASH, QUOTE, SPACE } from './chars.js';
import { LONG_BYTES, PlainText } from './plain.js';
import { utf8End } from './utf8.js';
import { UnprintableError } from './wire-input.js';

/** Bytes that are printed as they are (0), that are escaped (1), and that must be checked as UTF-8 (2). */
const classes = new Uint8Array(256);
classes.fill(1, 0, SPACE);
classes[QUOTE] = 1;
classes[BACKSLASH] = 1;
classes.fill(2, 0x80);

const shortEscapes = new Map(
  [...'\b\f\n\r\t"\\'].map((char) => [char.charCodeAt(0), JSON.stringify(char).slice(1, -1)]),
);

/** The escapes of bytes of class 1. */
const escapes: readonly string[] = Array.from(
  { length: 128 },
  (_, char) => shortEscapes.get(char) ?? `\\u${char.toString(16).padStart(4, '0')}`,
);

/**
 * Prints `buf[start..end)` in quotes.
 * @param owner the name of the field, for the UnprintableError that is thrown if the bytes are not UTF-8; if undefined, invalid
 * bytes become U+FFFD instead
 */
export function printString(out: Writer, buf: Buffer, start: number, end: number, owner: string | undefined): void {
  out.reserve(end - start + 2);
  if (end - start >= LONG_BYTES) {
    printLong(out, buf, start, end, owner);
    return;
  }
  const target = out.buf;
  let at = out.pos;
  let pos = start;
  target[at++] = QUOTE;
  while (pos < end) {
    const char = buf[pos]!;
    if (classes[char] !== 0) break;
    target[at++] = char;
    pos++;
  }
  if (pos === end) {
    target[at++] = QUOTE;
    out.pos = at;
    return;
  }
  out.pos = at;
  if (isValidUtf8(buf, pos, end)) {
    printEscaped(out, buf, pos, end);
  } else {
    const replaced = replacedUtf8(buf, pos, end, owner);
    printEscaped(out, replaced, 0, replaced.length);
  }
  out.byte(QUOTE);
}

/** What is checked and copied natively costs a tenth (bench: long). */
function printLong(out: Writer, buf: Buffer, start: number, end: number, owner: string | undefined): void {
  const bytes = buf.subarray(start, end);
  const valid = isUtf8(bytes) ? bytes : replacedUtf8(buf, start, end, owner);
  out.byte(QUOTE);
  printLongEscaped(out, valid);
  out.byte(QUOTE);
}

/** The bytes with U+FFFD instead of what is not UTF-8. @throws UnprintableError if there is an owner */
function replacedUtf8(buf: Buffer, start: number, end: number, owner: string | undefined): Buffer {
  if (owner !== undefined) throw new UnprintableError(`the string field ${owner} holds bytes that are not UTF-8`);
  return Buffer.from(buf.toString('utf8', start, end), 'utf8');
}

/** As `printEscaped`. Escapes are often near each other: bytes up to the next one are copied while it is looked for. */
function printLongEscaped(out: Writer, buf: Buffer): void {
  const text = new PlainText(buf);
  const end = buf.length;
  for (let pos = 0; pos < end;) {
    out.reserve(LONG_BYTES);
    const target = out.buf;
    let at = out.pos;
    const near = Math.min(end, pos + LONG_BYTES);
    while (pos < near && classes[buf[pos]!] !== 1) target[at++] = buf[pos++]!;
    out.pos = at;
    if (pos === near && pos < end) {
      const stop = text.end(pos);
      out.rawRange(buf, pos, stop);
      pos = stop;
    }
    if (pos < end) out.ascii(escapes[buf[pos++]!]!);
  }
}

/** Calling native code costs as much as checking this many bytes here (1000 Japanese words: 85 µs instead of 109). */
const SHORT = 48;

function isValidUtf8(buf: Buffer, start: number, end: number): boolean {
  if (end - start > SHORT) return isUtf8(buf.subarray(start, end));
  return utf8End(buf, start, end) === end;
}

/** Prints valid UTF-8 with the escapes that JSON requires. */
function printEscaped(out: Writer, buf: Buffer, start: number, end: number): void {
  let kept = start;
  for (let pos = start; pos < end; pos++) {
    const char = buf[pos]!;
    if (classes[char] !== 1) continue;
    out.rawRange(buf, kept, pos);
    out.ascii(escapes[char]!);
    kept = pos + 1;
  }
  out.rawRange(buf, kept, end);
}

/** Prints `buf[start..end)` as base64 in quotes. */
export function printBytes(out: Writer, buf: Buffer, start: number, end: number): void {
  out.byte(QUOTE);
  encodeBase64(out, buf, start, end);
  out.byte(QUOTE);
}
