/**
 * The two clocks of the proxy. Durations are measured only with the monotonic one, because people and time servers set
 * the wall clock, also backwards. A lint rule forbids all other access to clocks.
 */

/** Milliseconds since an arbitrary moment, with fractions. Never decreases, even if the wall clock is set back. */
export function monotonicMs(): number {
  return performance.now();
}

/** Date and time of day, for printing and for comparison with other dates, such as the expiry of a certificate. */
export function wallClock(): Date {
  return new Date();
}
