/**
 * Lists in pages, the same on all services: how `page_size` is read, and page tokens that name the place where a list
 * goes on. A token carries the last entry's place in the order and not a number of entries, so writes between two pages
 * neither skip nor repeat what was there all the time.
 */
import { createHash } from 'node:crypto';
import { badRequest } from './errors.js';

const defaultPageSize = 100;
const largestPageSize = 1000;

/** How many entries a page may have: 100 where nothing is asked, at most 1000; INVALID_ARGUMENT if negative. */
export function readPageSize(pageSize: number): number {
  if (pageSize < 0) {
    throw badRequest([{ field: 'page_size', description: `is ${pageSize}, expected 0 (for the default) or more` }]);
  }
  return pageSize === 0 ? defaultPageSize : Math.min(pageSize, largestPageSize);
}

/** One page: what to show of it, and the token of the next, empty where there is none. */
export interface Page<Entry> {
  readonly entries: Entry[];
  readonly next_page_token: string;
}

/**
 * Reads one page: `read` gives the entries behind a place (undefined: from the start), at most so many, and `placeOf`
 * the place of an entry, text by which the list is ordered and which no other entry has.
 */
export function readPage<Entry>(
  query: readonly string[],
  request: { readonly page_size: number; readonly page_token: string },
  read: (after: string | undefined, count: number) => Entry[],
  placeOf: (entry: Entry) => string,
): Page<Entry> {
  const count = readPageSize(request.page_size);
  const found = read(readPageToken(query, request.page_token)?.toString(), count + 1);
  const entries = found.slice(0, count);
  const more = found.length > count;
  return { entries, next_page_token: more ? writePageToken(query, Buffer.from(placeOf(entries.at(-1)!))) : '' };
}

const checkBytes = 8;

/**
 * The token that continues after `place` in the list that `query` describes (its name and every filter). It is opaque
 * to callers; the check in it finds a token that was cut, mistyped or taken from another list or filter. It is no
 * secret: a forged one shows nothing that the same caller could not list anyway.
 */
export function writePageToken(query: readonly string[], place: Uint8Array): string {
  return Buffer.concat([checkOf(query, place), place]).toString('base64url');
}

/** The place in a page token, undefined for the first page; INVALID_ARGUMENT for a token that is not of this query. */
export function readPageToken(query: readonly string[], token: string): Buffer | undefined {
  if (token === '') return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const place = bytes.subarray(checkBytes);
  const whole = bytes.toString('base64url') === token && bytes.length >= checkBytes;
  if (!whole || !bytes.subarray(0, checkBytes).equals(checkOf(query, place))) {
    throw badRequest([
      {
        field: 'page_token',
        description: 'is not a token of this list; send the next_page_token of the page before, with the same filters',
      },
    ]);
  }
  return place;
}

function checkOf(query: readonly string[], place: Uint8Array): Buffer {
  return createHash('sha256').update(JSON.stringify(query)).update('\0').update(place).digest().subarray(0, checkBytes);
}
