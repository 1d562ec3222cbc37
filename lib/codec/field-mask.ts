/**
 * google.protobuf.FieldMask: `paths` in snake_case ↔ lowerCamelCase paths separated by commas. Some names cannot be converted:
 * `address_1` would come back as `address1`. They can be read if snake_case is accepted, but not printed. Both directions
 * work byte by byte, because a mask may be as long as a body.
 */
import { makeTag, WireType, type Writer } from '../wire/index.js';
import { COMMA, DOT, SPACE, UNDERSCORE } from './chars.js';

const example = 'with commas between them and no spaces, such as "name,spec.cpuCount"';

/** The expected form in JSON, for error messages. */
export const fieldMaskExpected = `field paths in lowerCamelCase, ${example}`;

/** The expected form if snake_case is accepted too. */
export const snakeCaseMaskExpected = `field paths in lowerCamelCase or snake_case, ${example}`;

const PATHS_TAG = makeTag(1, WireType.BYTES);
/** The distance from a capital to its small letter. */
const SMALL = 0x20;

/**
 * Writes the content of a FieldMask: `name,spec.cpuCount` → the paths `name` and `spec.cpu_count`. Returns false if the text
 * is not a mask; the written bytes must then be dropped.
 * @param allowSnakeCase accept names with underscores, as they are
 */
export function writeFieldMask(
  out: Writer,
  text: Buffer,
  start: number,
  end: number,
  allowSnakeCase: boolean,
): boolean {
  if (start === end) return true;
  if (hasSpace(text, start, end)) return false;
  let pos = start;
  for (;;) {
    out.byte(PATHS_TAG);
    const mark = out.begin();
    const pathStart = pos;
    while (pos < end && text[pos] !== COMMA) {
      if (text[pos] === DOT) out.byte(text[pos++]!);
      else pos = writeName(out, text, pos, end, allowSnakeCase);
      if (pos < 0) return false;
    }
    if (pos === pathStart) return false;
    out.finish(mark);
    if (pos === end) return true;
    pos++;
  }
}

/** Writes the name at `start`; returns where it ends, or -1 if it is not valid. */
function writeName(out: Writer, text: Buffer, start: number, end: number, allowSnakeCase: boolean): number {
  let stop = start;
  let isSnakeCase = false;
  for (; stop < end && text[stop] !== COMMA && text[stop] !== DOT; stop++) {
    if (text[stop] === UNDERSCORE) isSnakeCase = true;
  }
  if (isSnakeCase) {
    out.rawRange(text, start, stop);
    return allowSnakeCase ? stop : -1;
  }
  for (let pos = start; pos < stop; pos++) {
    const char = text[pos]!;
    if (isCapital(char)) {
      out.byte(UNDERSCORE);
      out.byte(char + SMALL);
    } else {
      out.byte(char);
    }
  }
  return stop;
}

function hasSpace(text: Buffer, start: number, end: number): boolean {
  let isAscii = true;
  for (let pos = start; pos < end; pos++) {
    const char = text[pos]!;
    if (char === SPACE || (char >= 0x09 && char <= 0x0d)) return true;
    if (char >= 0x80) isAscii = false;
  }
  return !isAscii && /\s/.test(text.toString('utf8', start, end));
}

/**
 * Prints a path in lowerCamelCase: `spec.cpu_count` → `spec.cpuCount`. Returns false if reading the result would not give
 * the same path.
 */
export function printFieldPath(out: Writer, path: Buffer): boolean {
  for (let pos = 0; pos < path.length; pos++) {
    const char = path[pos]!;
    if (isCapital(char)) return false;
    if (char !== UNDERSCORE) {
      out.byte(char);
      continue;
    }
    const next = path[++pos] ?? 0;
    if (!isCapital(next - SMALL)) return false;
    out.byte(next - SMALL);
  }
  return true;
}

function isCapital(char: number): boolean {
  return char >= 0x41 && char <= 0x5a;
}
