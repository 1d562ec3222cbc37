/**
 * Raw request targets: splitting, percent-decoding and the normal form of path literals. No routing here: `router`
 * compares the results of `normalizeSegment`, and `transcode` decodes the captures of a route.
 */
import { isUtf8 } from 'node:buffer';

/** A request target, cut at its first `?`; neither part is decoded. */
export interface SplitTarget {
  readonly path: string;
  /** Without the `?`; undefined if there is none. */
  readonly query: string | undefined;
}

/**
 * Cuts a raw target into path and query. An absolute-form target (`http://host/a?b`) is reduced to its path. A fragment
 * stays part of the text, as no HTTP client may send one.
 */
export function splitTarget(target: string): SplitTarget {
  const origin = toOriginForm(target);
  const mark = origin.indexOf('?');
  if (mark < 0) return { path: origin, query: undefined };
  return { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

/** `http://host/a?b` → `/a?b`; `http://host` → `/`; a target without a scheme is returned unchanged. */
export function toOriginForm(target: string): string {
  if (target.charCodeAt(0) === SLASH) return target;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(target);
  if (scheme === null) return target;
  const rest = target.slice(scheme[0].length);
  const end = rest.search(/[/?#]/);
  if (end < 0) return '/';
  return rest[end] === '/' ? rest.slice(end) : `/${rest.slice(end)}`;
}

const SLASH = 0x2f;
const PERCENT = 0x25;

/** Value of an ASCII hex digit, or -1. */
export function hexValue(char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30;
  const lower = char | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** RFC 3986 unreserved: letters, digits, `-`, `.`, `_`, `~`. */
export function isUnreserved(char: number): boolean {
  return (
    (char >= 0x61 && char <= 0x7a) ||
    (char >= 0x41 && char <= 0x5a) ||
    (char >= 0x30 && char <= 0x39) ||
    char === 0x2d ||
    char === 0x2e ||
    char === 0x5f ||
    char === 0x7e
  );
}

/** RFC 3986 reserved: gen-delims and sub-delims. */
export function isReserved(char: number): boolean {
  return char < 0x80 && ":/?#[]@!$&'()*+,;=".includes(String.fromCharCode(char));
}

/**
 * The form in which path segments are compared: escapes of unreserved characters are decoded, other escapes get
 * upper-case hex digits, and characters that a path must not contain raw are escaped. `%7eusers%2f` and `~users%2F` are
 * equal. A malformed escape stays unchanged.
 */
export function normalizeSegment(segment: string): string {
  if (/^[\w.~!$&'()*+,;=:@-]*$/.test(segment)) return segment;
  let out = '';
  for (const char of segment) {
    // A template may contain lone surrogates; a request cannot.
    out += /[\w.~!$&'()*+,;=:@%-]/.test(char) ? char : escapeUtf8(char);
  }
  return out.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) => {
    const char = Number.parseInt(hex, 16);
    return isUnreserved(char) ? String.fromCharCode(char) : `%${hex.toUpperCase()}`;
  });
}

/** Percent-encodes every byte of a text's UTF-8 form. */
export function escapeUtf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&');
}

/**
 * Which escapes of a multi-segment path variable are decoded (Envoy's `url_unescape_spec`): all but `%2F`, all but
 * those of reserved characters, or all. One-segment variables and queries always use `all_characters`.
 */
export type UnescapeMode = 'all_characters_except_slash' | 'all_characters_except_reserved' | 'all_characters';

/** A percent-encoded text cannot be decoded; the message is for the client. */
export class UnescapeError extends Error {}

/**
 * Percent-decodes once. Escapes that the mode keeps stay unchanged.
 * @throws UnescapeError if an escape is malformed or the bytes are not UTF-8.
 */
export function unescapePath(text: string, mode: UnescapeMode): string {
  return unescape(text, mode, false);
}

/** Percent-decodes a query name or value; `+` is a space unless `literalPlus`. */
export function unescapeQuery(text: string, literalPlus: boolean): string {
  return unescape(text, 'all_characters', !literalPlus);
}

function unescape(text: string, mode: UnescapeMode, plusIsSpace: boolean): string {
  let index = firstSpecial(text, plusIsSpace);
  if (index < 0) return text;
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text));
  let length = bytes.write(text.slice(0, index));
  while (index < text.length) {
    const char = text.charCodeAt(index);
    if (char === PERCENT) {
      const byte = escapedByte(text, index);
      if (keepsEscape(byte, mode)) length += bytes.write(text.slice(index, index + 3), length);
      else bytes[length++] = byte;
      index += 3;
    } else if (char === 0x2b && plusIsSpace) {
      bytes[length++] = 0x20;
      index++;
    } else if (char < 0x80) {
      bytes[length++] = char;
      index++;
    } else {
      const point = String.fromCodePoint(text.codePointAt(index)!);
      length += bytes.write(point, length);
      index += point.length;
    }
  }
  const decoded = bytes.subarray(0, length);
  if (!isUtf8(decoded)) {
    throw new UnescapeError(`${quote(text)} is not UTF-8 once percent-decoded; encode the text as UTF-8`);
  }
  return decoded.toString('utf8');
}

function firstSpecial(text: string, plusIsSpace: boolean): number {
  const percent = text.indexOf('%');
  if (!plusIsSpace) return percent;
  const plus = text.indexOf('+');
  return percent < 0 ? plus : plus < 0 ? percent : Math.min(percent, plus);
}

function escapedByte(text: string, index: number): number {
  const high = hexValue(text.charCodeAt(index + 1));
  const low = hexValue(text.charCodeAt(index + 2));
  if (high < 0 || low < 0) {
    const found = text.slice(index, index + 3);
    throw new UnescapeError(
      `${quote(found)} in ${quote(text)} is not a percent-escape; write two hex digits after %, or %25 for a literal %`,
    );
  }
  return high * 16 + low;
}

function keepsEscape(byte: number, mode: UnescapeMode): boolean {
  if (mode === 'all_characters') return false;
  return mode === 'all_characters_except_slash' ? byte === SLASH : isReserved(byte);
}

/** A text for an error message: quoted, control characters escaped, and cut at `limit` characters. */
export function quote(text: string, limit = 80): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(cut.toWellFormed());
}

/** A text that is escaped more often than this is not followed further. */
export const MAX_DECODING_ROUNDS = 8;

/**
 * A raw path as servers may read it: as it is, then with the escapes of ASCII undone once, twice, and so on. If there are
 * more than MAX_DECODING_ROUNDS forms, there seems to be no end of them.
 */
export function unescapedForms(path: string): string[] {
  const forms = [path];
  while (forms.length <= MAX_DECODING_ROUNDS) {
    const last = forms.at(-1)!;
    const next = last.replace(/%([0-7][0-9a-f])/gi, (_escape, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (next === last) break;
    forms.push(next);
  }
  return forms;
}
