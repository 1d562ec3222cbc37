/**
 * Header lists as they travel between the layers: flat `[name, value, name, value …]` arrays in the order of the wire,
 * names in lower case. Look-ups, list syntax, what may stand in a header,
 * and which belong to a connection or stand once; no knowledge of what any one of them means.
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

/** The elements of a comma-separated header over all its lines, trimmed, in lower case, empty ones left out. */
export function headerTokens(fields: HeaderFields, name: string): string[] {
  return headerValues(fields, name)
    .flatMap((value) => value.split(','))
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}

/** The fields but those that are dropped. */
export function withoutFields(fields: HeaderFields, isDropped: (name: string, value: string) => boolean): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (!isDropped(name, value)) kept.push(name, value);
  }
  return kept;
}

/** True for an RFC 9110 token: what a header name must be. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** True where Node may write it: no control characters but tab, nothing above U+00FF. */
export function isHeaderValue(text: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(text);
}

/** Of one connection alone, and never for who is behind it (RFC 9110, section 7.6.1). HTTP/2 has none of them but `te: trailers`. */
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

/** Which Node's http2 takes but once, besides those that HTTP itself is made of. */
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

/** A content type cut into its media type (lower case) and parameters (names in lower case, quotes undone). */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** `application/json; charset="UTF-8"` → type `application/json`, charset `UTF-8`. Never fails: what is odd is left out. */
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
