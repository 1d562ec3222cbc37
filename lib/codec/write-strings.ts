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
  printUnplain(out, buf.subarray(pos, end), owner);
  out.byte(QUOTE);
}

function printUnplain(out: Writer, rest: Buffer, owner: string | undefined): void {
  let text = rest;
  if (!isUtf8(rest)) {
    if (owner !== undefined) throw new UnprintableError(`the string field ${owner} holds bytes that are not UTF-8`);
    text = Buffer.from(rest.toString('utf8'), 'utf8');
  }
  let kept = 0;
  for (let pos = 0; pos < text.length; pos++) {
    const char = text[pos]!;
    if (classes[char] !== 1) continue;
    out.rawRange(text, kept, pos);
    out.ascii(escapes[char]!);
    kept = pos + 1;
  }
  out.rawRange(text, kept, text.length);
}

/** Prints `buf[start..end)` as base64 in quotes. */
export function printBytes(out: Writer, buf: Buffer, start: number, end: number): void {
  out.byte(QUOTE);
  encodeBase64(out, buf, start, end);
  out.byte(QUOTE);
}
