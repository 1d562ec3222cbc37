/** One timer that checks the time-outs of all connections at intervals, so that a request sets no timer of its own. */
import { monotonicMs } from '../clock.js';

/** Something with time-outs. */
export interface Watched {
  /** Called at each interval. */
  checkTimeouts(nowMs: number): void;
}

/** How often, at most. */
const INTERVAL_MS = 500;

/** The timer of all connections of a server. Does not keep the process alive. */
export class Pulse {
  private readonly watched = new Set<Watched>();
  private timer: NodeJS.Timeout | undefined;

  /** @param timeoutMs the shortest time that anybody measures by it */
  constructor(private readonly timeoutMs: number) {}

  add(one: Watched): void {
    this.watched.add(one);
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => this.beat(), Math.max(1, Math.min(INTERVAL_MS, this.timeoutMs / 4)));
    // What is open keeps the process alive by itself.
    this.timer.unref();
  }

  delete(one: Watched): void {
    this.watched.delete(one);
  }

  private beat(): void {
    if (this.watched.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    const now = monotonicMs();
    for (const one of this.watched) one.checkTimeouts(now);
  }
}
