/** Reads `Content-Encoding`. `gateway` decodes the body while it arrives. */
import type { ContentCoding } from '../../exchange.js';
import { headerTokens, type HeaderFields } from '../../headers.js';
import { StatusError } from '../../status.js';
import { quote } from '../../uri.js';

/** Only an attacker sends more. */
const MAX_CODINGS = 3;

const names = new Map<string, ContentCoding>([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
]);

const NONE: readonly ContentCoding[] = Object.freeze([]);

/**
 * The codings of a body, in the order in which they were applied; `identity` is skipped.
 * @throws StatusError 415 with an `accept-encoding` header that lists the accepted codings.
 */
export function contentCodingsOf(headers: HeaderFields, taken: readonly ContentCoding[]): readonly ContentCoding[] {
  const tokens = headerTokens(headers, 'content-encoding').filter((token) => token !== 'identity');
  if (tokens.length === 0) return NONE;
  if (tokens.length > MAX_CODINGS) {
    throw notTaken(`more than ${MAX_CODINGS} content codings are`, taken);
  }
  return tokens.map((token) => {
    const coding = names.get(token);
    if (coding === undefined || !taken.includes(coding)) throw notTaken(`content-encoding ${quote(token)} is`, taken);
    return coding;
  });
}

function notTaken(what: string, taken: readonly ContentCoding[]): StatusError {
  const cure =
    taken.length === 0 ? 'send the body uncompressed' : `send the body uncompressed or as ${taken.join(', ')}`;
  return StatusError.http(415, `${what} not read here; ${cure}`, {
    headers: [['accept-encoding', taken.length === 0 ? 'identity' : taken.join(', ')]],
  });
}
