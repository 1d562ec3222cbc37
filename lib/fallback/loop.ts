/** Requests that come back to the proxy that has sent them. */
import type { HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';
import { hopsOf } from './headers.js';

/** Requests that have passed so many of our kind go round in a circle that none of them can see whole. */
const MAX_HOPS = 10;

/** True for a request that this proxy has sent, or that has passed too many. */
export function isLoop(headers: HeaderFields, hopName: string): boolean {
  const hops = hopsOf(headers);
  return hops.includes(hopName) || hops.length >= MAX_HOPS;
}

/** @param what leads back: `the fallback` */
export function loopOf(what: string, hint = ''): StatusError {
  return StatusError.http(508, `${what} leads back here: the request came round in a circle${hint}`);
}
