/**
 * Header lists as all layers pass them: flat `[name, value, name, value …]` arrays in wire order, names in lower case.
 * Look-ups, list syntax, valid names and values, and which headers belong to a connection or may occur once. This
 * module does not interpret any header.
 */

/** `['host', 'example.com', 'accept', 'text/plain']`. */
export type HeaderFields = readonly string[];

/** The first value of a header; `name` in lower case. */
export function header(fields: HeaderFields, name: string): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) return fields[index + 1];
  }
  return undefined;
}

/** Every value of a header, in order. */
export function headerValues(fields: HeaderFields, name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) values.push(fields[index + 1]!);
  }
  return values;
}

/** The elements of a comma-separated header over all its lines: trimmed, in lower case, without empty ones. */
export function headerTokens(fields: HeaderFields, name: string): string[] {
  return headerValues(fields, name)
    .flatMap((value) => value.split(','))
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}

/** The fields as pairs of name and value. */
export function headerPairs(fields: HeaderFields): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2) pairs.push([fields[index]!, fields[index + 1]!]);
  return pairs;
}

/** The fields without those for which `isDropped` is true. */
export function withoutFields(fields: HeaderFields, isDropped: (name: string, value: string) => boolean): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (!isDropped(name, value)) kept.push(name, value);
  }
  return kept;
}

/** True for an RFC 9110 token, which every header name must be. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** True if Node can write the value: no control characters except tab, nothing above U+00FF. */
export function isHeaderValue(text: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(text);
}

/** The text with a question mark for each character that is not printable ASCII. */
export function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?');
}

/** Longest reason phrase that the proxy writes. */
const MAX_REASON_CHARS = 120;

/** ASCII forms of characters that Unicode normalization does not reduce to ASCII. */
const plainForms: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '‚': "'",
  '“': '"',
  '”': '"',
  '„': '"',
  '«': '"',
  '»': '"',
  '‐': '-',
  '–': '-',
  '—': '-',
  '−': '-',
  '→': '->',
  '≤': '<=',
  '≥': '>=',
  '≠': '!=',
  '·': '.',
  '•': '*',
  '×': 'x',
  '€': 'EUR',
  '£': 'GBP',
  ß: 'ss',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  ł: 'l',
  Ł: 'L',
  '\ufffd': '?',
};

/**
 * A text as an HTTP/1 reason phrase: printable ASCII, at most 120 characters, one line. Other characters become their
 * ASCII form (`é` is `e`, `…` is `...`) or, without one, a JSON escape.
 */
export function reasonPhrase(text: string): string {
  // Bounds the work on a long message.
  const line = text
    .slice(0, 10 * MAX_REASON_CHARS)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const plain = /^[\x20-\x7e]*$/.test(line)
    ? line
    : line
        .toWellFormed()
        .normalize('NFC')
        .replace(/[^\x20-\x7e]/gu, plainForm);
  return plain.slice(0, MAX_REASON_CHARS).trimEnd();
}

function plainForm(char: string): string {
  const known = plainForms[char];
  if (known !== undefined) return known;
  const plain = char
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .replace('⁄', '/');
  if (/^[\x20-\x7e]+$/.test(plain)) return plain;
  return [...Array(char.length).keys()]
    .map((index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}

/** Hop-by-hop headers (RFC 9110, section 7.6.1), which are never forwarded. HTTP/2 has none of them except `te: trailers`. */
export const connectionHeaders: readonly string[] = Object.freeze([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const messageHeaders: ReadonlySet<string> = new Set([...connectionHeaders, 'content-length', 'expect']);

/**
 * Why a configuration may not change this header; undefined: it may. What says how a message is sent is written by whoever
 * sends it: another value would let one message be read as two.
 * @param name in lower case
 */
export function fixedHeader(name: string): string | undefined {
  if (name.startsWith(':')) return 'a pseudo-header is part of the request line; write a rewrite instead';
  if (name === 'host') return 'host decides where a request goes; write host_rewrite instead';
  if (messageHeaders.has(name)) return 'it says how the message is sent, which is decided for each connection';
  return undefined;
}

/** Headers that Node's http2 accepts only once, besides the pseudo-headers. */
export const singleValuedHeaders: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'x-content-type-options',
]);

/** A content type cut into its media type (lower case) and parameters (names in lower case, values unquoted). */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * `application/json; charset="UTF-8"` → type `application/json`, charset `UTF-8`. Never fails: malformed parameters are
 * left out.
 */
export function parseMediaType(text: string): MediaType {
  const parameters = new Map<string, string>();
  const end = text.indexOf(';');
  if (end < 0) return { type: text.trim().toLowerCase(), parameters };
  const pattern = /;\s*([^\s;=]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)/g;
  for (const match of text.slice(end).matchAll(pattern)) {
    const raw = match[2]!.trim();
    const value = raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw;
    parameters.set(match[1]!.toLowerCase(), value);
  }
  return { type: text.slice(0, end).trim().toLowerCase(), parameters };
}
