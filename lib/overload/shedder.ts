/**
 * Refuses requests while the process has more to do than it can. The measure is how late timers are: a request waits as long
 * for its turn, in buffers of the kernel where nobody sees it.
 */
import { monotonicMs } from '../clock.js';
import { publishOverload } from './diagnostics.js';
import { SheddingShare } from './share.js';

/** How often the event loop is asked how late it is. */
const INTERVAL_MS = 20;
/** An overload has ended if for so long nothing was refused. */
const QUIET_MS = 5000;

/** Time, as a test may have its own. */
export interface ShedderClock {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** Calls `listener` once, not before that time; returns how to cancel it. */
  readonly after: (ms: number, listener: () => void) => () => void;
}

const clockOfProcess: ShedderClock = {
  now: monotonicMs,
  after(ms, listener) {
    const timer = setTimeout(listener, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** The overload of this process, by one limit. To be closed. */
export class Shedder {
  private readonly share: SheddingShare;
  private cancel: () => void = () => undefined;
  private askedAt: number;
  /** When requests were last to be refused; undefined if no overload is under way. */
  private busyAt: number | undefined;
  /** Since the overload began. */
  private refused = 0;

  /** @param maxDelayMs how late the event loop may be */
  constructor(
    private readonly maxDelayMs: number,
    private readonly clock: ShedderClock = clockOfProcess,
  ) {
    this.share = new SheddingShare(maxDelayMs);
    this.askedAt = clock.now();
    this.ask();
  }

  /** True if a request is to be refused. */
  refuses(): boolean {
    if (this.share.value === 0 || !this.share.takes()) return false;
    this.refused++;
    return true;
  }

  close(): void {
    this.cancel();
  }

  private ask(): void {
    this.cancel = this.clock.after(INTERVAL_MS, () => {
      const now = this.clock.now();
      const elapsedMs = now - this.askedAt;
      this.askedAt = now;
      this.share.sample(Math.max(0, elapsedMs - INTERVAL_MS), elapsedMs);
      this.tell(now);
      this.ask();
    });
  }

  private tell(now: number): void {
    const { maxDelayMs, refused, share } = this;
    if (share.value > 0) {
      if (this.busyAt === undefined) {
        this.refused = 0;
        publishOverload({ state: 'begins', maxDelayMs, delayMs: share.delayMs, refused: 0 });
      }
      this.busyAt = now;
    } else if (this.busyAt !== undefined && now - this.busyAt >= QUIET_MS) {
      this.busyAt = undefined;
      publishOverload({ state: 'ends', maxDelayMs, delayMs: share.delayMs, refused });
    }
  }
}
