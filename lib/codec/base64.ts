/**
 * Base64 as in ProtoJSON: writes the standard alphabet with padding; reads both alphabets, with correct padding or none.
 */
import type { Writer } from '../wire/index.js';
import { EQUALS, PLUS, SPACE } from './chars.js';
import { LONG_BYTES } from './plain.js';

const standard = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const INVALID = 0xff;

/** What is coded natively at a time: whole groups. */
const PART_BYTES = 48 * 1024;
const PART_CHARS = (PART_BYTES / 3) * 4;

const values = new Uint8Array(256).fill(INVALID);
for (const [value, char] of standard.entries()) values[char] = value;
values['-'.charCodeAt(0)] = 62;
values['_'.charCodeAt(0)] = 63;

/** The alphabet for text from queries and headers, in which an unescaped "+" arrives as a space. */
export const textValues = Uint8Array.from(values);
textValues[SPACE] = values[PLUS]!;

/** The expected form of a bytes value, for error messages. */
export const base64Expected = 'base64, standard or URL-safe, with right padding or none';

/** Decodes `buf[start..end)` to the end of `out`; false (and nothing written) if it is not base64. */
export function decodeBase64(out: Writer, buf: Buffer, start: number, end: number, alphabet = values): boolean {
  const stop = unpaddedEnd(buf, start, end);
  return stop >= 0 && decode(out, buf, start, stop, alphabet);
}

/** The same with the length in front. */
export function decodeBase64Bytes(out: Writer, buf: Buffer, start: number, end: number): boolean {
  const stop = unpaddedEnd(buf, start, end);
  if (stop < 0) return false;
  const from = out.pos;
  out.uint32(decodedBytes(stop - start));
  if (decode(out, buf, start, stop, values)) return true;
  out.pos = from;
  return false;
}

const decodedBytes = (chars: number): number => Math.floor((chars * 3) / 4);

function decode(out: Writer, buf: Buffer, start: number, stop: number, alphabet: Uint8Array): boolean {
  if ((stop - start) % 4 === 1) return false;
  const count = decodedBytes(stop - start);
  out.reserve(count);
  if (count >= LONG_BYTES && alphabet === values) return decodeLong(out, buf, start, stop);
  const target = out.buf;
  let at = out.pos;
  let bits = 0;
  let pending = 0;
  for (let pos = start; pos < stop; pos++) {
    const value = alphabet[buf[pos]!]!;
    if (value === INVALID) return false;
    bits = (bits << 6) | value;
    pending += 6;
    if (pending >= 8) {
      pending -= 8;
      target[at++] = bits >>> pending;
      bits &= (1 << pending) - 1;
    }
  }
  out.pos = at;
  return true;
}

/**
 * By Node's decoder, which leaves out what is no base64: then fewer bytes come out than these characters stand for. In parts, as
 * each is made a string first (bench: long; 1 MB in a fifth of the CPU of a loop).
 */
function decodeLong(out: Writer, buf: Buffer, start: number, stop: number): boolean {
  let at = out.pos;
  for (let pos = start; pos < stop; pos += PART_CHARS) {
    const end = Math.min(stop, pos + PART_CHARS);
    const count = out.buf.write(buf.toString('latin1', pos, end), at, 'base64');
    if (count !== decodedBytes(end - pos)) return false;
    at += count;
  }
  out.pos = at;
  return true;
}

/** Where the padding starts; -1 if the padding does not complete the last group of four. */
function unpaddedEnd(buf: Buffer, start: number, end: number): number {
  let stop = end;
  while (stop > start && end - stop < 2 && buf[stop - 1] === EQUALS) stop--;
  return stop < end && (end - start) % 4 !== 0 ? -1 : stop;
}

/** Encodes `buf[start..end)` to the end of `out`. */
export function encodeBase64(out: Writer, buf: Buffer, start: number, end: number): void {
  out.reserve(Math.ceil((end - start) / 3) * 4);
  if (end - start >= LONG_BYTES) {
    encodeLong(out, buf, start, end);
    return;
  }
  const target = out.buf;
  let at = out.pos;
  let pos = start;
  for (; pos + 2 < end; pos += 3) {
    const group = (buf[pos]! << 16) | (buf[pos + 1]! << 8) | buf[pos + 2]!;
    target[at] = standard[group >>> 18]!;
    target[at + 1] = standard[(group >>> 12) & 63]!;
    target[at + 2] = standard[(group >>> 6) & 63]!;
    target[at + 3] = standard[group & 63]!;
    at += 4;
  }
  if (pos < end) {
    const two = pos + 1 < end;
    const group = (buf[pos]! << 16) | (two ? buf[pos + 1]! << 8 : 0);
    target[at] = standard[group >>> 18]!;
    target[at + 1] = standard[(group >>> 12) & 63]!;
    target[at + 2] = two ? standard[(group >>> 6) & 63]! : EQUALS;
    target[at + 3] = EQUALS;
    at += 4;
  }
  out.pos = at;
}

/** As `decodeLong`. */
function encodeLong(out: Writer, buf: Buffer, start: number, end: number): void {
  for (let pos = start; pos < end; pos += PART_BYTES) {
    out.pos += out.buf.write(buf.toString('base64', pos, Math.min(end, pos + PART_BYTES)), out.pos, 'latin1');
  }
}
