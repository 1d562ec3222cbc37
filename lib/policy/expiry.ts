/** When what a caller showed of itself is good no longer: streams that it has open may end then. */
import type { StatusError } from '../status.js';

/** A moment, and what ends then. */
export interface Expiry {
  /** Of the wall clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** What its streams end with. */
  readonly error: () => StatusError;
}

/** The first of two. */
export function earlier(one: Expiry | undefined, other: Expiry | undefined): Expiry | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.atMs < one.atMs ? other : one;
}
