/** How long to wait before a worker that died is replaced: longer after each death, until one has lived for a while. */
import { monotonicMs } from '../clock.js';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;
/** A worker that served for so long did not die of what killed those before it. */
const STABLE_MS = 60_000;

/** Delays before a new worker takes the place of a dead one. */
export class BackOff {
  private deaths = 0;

  constructor(private readonly now: () => number = monotonicMs) {}

  /** A worker that started at `startedAt` has died; returns the time to wait, in milliseconds. */
  died(startedAt: number): number {
    if (this.now() - startedAt >= STABLE_MS) this.deaths = 0;
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.deaths);
    // Beyond this the delay does not grow any more.
    this.deaths = Math.min(this.deaths + 1, 30);
    return delayMs;
  }
}
