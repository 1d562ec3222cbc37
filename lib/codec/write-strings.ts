/** Strings and bytes of a message → JSON strings. */
import { isUtf8 } from 'node:buffer';
import type { Writer } from '../wire/index.js';
import { encodeBase64 } from './base64.js';
import { BACKSLASH, QUOTE, SPACE } from './chars.js';
import { UnprintableError } from './wire-input.js';

/** 0 for bytes that are printed as they are, 1 for those to be escaped, 2 for those that must first prove to be UTF-8. */
const classes = new Uint8Array(256);
classes.fill(1, 0, SPACE);
classes[QUOTE] = 1;
classes[BACKSLASH] = 1;
classes.fill(2, 0x80);

const shortEscapes = new Map(
  [...'\b\f\n\r\t"\\'].map((char) => [char.charCodeAt(0), JSON.stringify(char).slice(1, -1)]),
);

/** What a byte of class 1 is printed as. */
const escapes: readonly string[] = Array.from(
  { length: 128 },
  (_, char) => shortEscapes.get(char) ?? `\\u${char.toString(16).padStart(4, '0')}`,
);

/**
 * Prints `buf[start..end)` in quotes.
 * @param owner the field, for the message of an UnprintableError where the bytes are not UTF-8; undefined where they need not
 * be: what is invalid becomes U+FFFD then
 */
export function printString(out: Writer, buf: Buffer, start: number, end: number, owner: string | undefined): void {
  out.reserve(end - start + 2);
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
    if (owner !== undefined) throw new UnprintableError(`the string field ${owner} holds bytes that are not UTF-8`);
    const replaced = Buffer.from(buf.toString('utf8', pos, end), 'utf8');
    printEscaped(out, replaced, 0, replaced.length);
  }
  out.byte(QUOTE);
}

/** Native code is quicker, but calling it costs as much as checking this many bytes (1000 Japanese words: 85 µs instead of 109). */
const SHORT = 48;

function isValidUtf8(buf: Buffer, start: number, end: number): boolean {
  if (end - start > SHORT) return isUtf8(buf.subarray(start, end));
  let pos = start;
  while (pos < end) {
    const length = sequenceLength(buf, pos, end);
    if (length === 0) return false;
    pos += length;
  }
  return true;
}

/** Bytes of the UTF-8 sequence at `pos`; 0 where there is none (https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, table 3-7). */
function sequenceLength(buf: Buffer, pos: number, end: number): number {
  const lead = buf[pos]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || pos + length > end) return 0;
  const second = buf[pos + 1]!;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let index = pos + 2; index < pos + length; index++) if ((buf[index]! & 0xc0) !== 0x80) return 0;
  return length;
}

/** Prints valid UTF-8, escaping what JSON wants escaped. */
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
