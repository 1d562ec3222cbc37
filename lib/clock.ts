/**
 * The two clocks of the proxy. Durations are measured only with the monotonic one, because people and time servers set
 * the wall clock, also backwards. A lint rule forbids all other access to clocks.
 */

/** Milliseconds since an arbitrary moment, with fractions. Never decreases, even if the wall clock is set back. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * How long one timer waits at most: the wall clock may be set meanwhile, and Node's timers know no more than 24 days. All
 * timers of one length are one list in Node, so that thousands cost little.
 */
const LONGEST_WAIT_MS = 60_000;

/**
 * Calls `listener` once the wall clock has reached a moment, also if it is set meanwhile: then within a minute.
 * @param dateMs since 1970; one that is past counts as now
 * @returns cancels it
 */
export function atDate(dateMs: number, listener: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const leftMs = dateMs - wallClock().getTime();
    timer = setTimeout(leftMs > 0 ? wait : listener, Math.min(Math.max(leftMs, 0), LONGEST_WAIT_MS)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}

/** Date and time of day, for printing and for comparison with other dates, such as the expiry of a certificate. */
export function wallClock(): Date {
  return new Date();
}
