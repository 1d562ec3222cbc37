/** The static table of HPACK (RFC 7541, appendix A). */

const entries: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** The last index; those of the dynamic table follow. */
export const STATIC_ENTRIES = entries.length;

/** By index, which counts from 1. */
export const staticNames: readonly string[] = ['', ...entries.map(([name]) => name)];
/** Likewise. */
export const staticValues: readonly string[] = ['', ...entries.map(([, value]) => value)];

/** Where a name stands first, and where with a value. */
export interface StaticName {
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
}

function indexNames(): ReadonlyMap<string, StaticName> {
  const names = new Map<string, { readonly index: number; readonly values: Map<string, number> }>();
  entries.forEach(([name, value], position) => {
    const known = names.get(name) ?? { index: position + 1, values: new Map<string, number>() };
    names.set(name, known);
    if (value !== '') known.values.set(value, position + 1);
  });
  return names;
}

export const staticByName: ReadonlyMap<string, StaticName> = indexNames();

/** What an entry counts in a dynamic table and in a header list (RFC 7541, section 4.1). */
export function entrySize(name: string, value: string): number {
  return name.length + value.length + 32;
}

/** The size of a dynamic table as long as nobody says another. */
export const DEFAULT_TABLE_BYTES = 4096;
