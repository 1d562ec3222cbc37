/** The id of a request: kept from the client if it is one, else made. It goes upstream, into the answer and its envelope. */
import { randomUUID } from 'node:crypto';
import { header, type HeaderFields } from '../headers.js';

/** `x-request-id` if it is 1 to 128 of `[A-Za-z0-9._-]`, else a new UUID. */
export function requestIdOf(headers: HeaderFields): string {
  const given = header(headers, 'x-request-id');
  return given !== undefined && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : randomUUID();
}
