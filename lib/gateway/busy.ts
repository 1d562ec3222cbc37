/** What clients are told that are refused because this process has too much to do. */
import { retryInfoDetail } from '../metadata/index.js';
import type { Shedder } from '../overload/index.js';
import { type Refuser, StatusError } from '../status.js';
import type { GatewayOptions } from './options.js';
import type { Shedding } from './parts.js';

type BusyOptions = Pick<GatewayOptions, 'maxConcurrentRequests' | 'maxEventLoopDelayMs' | 'overloadRetryAfterMs'>;

/** 503 if too many requests are under way. */
export function tooMany({ maxConcurrentRequests, overloadRetryAfterMs }: BusyOptions): StatusError {
  const message = `${maxConcurrentRequests} requests are under way already; try again`;
  return busy('max_concurrent_requests', message, overloadRetryAfterMs);
}

/**
 * Which requests are refused while the event loop is late; undefined: none is.
 * @param shedderOf the one for a delay in milliseconds
 */
export function compileShedding(
  { maxEventLoopDelayMs: delayMs, overloadRetryAfterMs }: BusyOptions,
  shedderOf: (delayMs: number) => Pick<Shedder, 'refuses'>,
): Shedding | undefined {
  if (delayMs === undefined) return undefined;
  const error = busy('max_event_loop_delay', 'this server is overloaded; try again', overloadRetryAfterMs);
  return { shedder: shedderOf(delayMs), error };
}

/** Made once: whoever is refused is to cost little. */
function busy(refusedBy: Refuser, message: string, retryAfterMs: number): StatusError {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return StatusError.http(503, `${message} in ${seconds} second${seconds === 1 ? '' : 's'}`, {
    refusedBy,
    headers: [['retry-after', String(seconds)]],
    details: [retryInfoDetail(retryAfterMs)],
  });
}
