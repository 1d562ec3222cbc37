/**
 * Gives streams of one connection up no faster than servers bear. Many end the whole connection, and with it the calls of
 * strangers, when too many resets come (Node's `streamResetBurst` is 1000, and 33 a second from then on; others take less).
 * What is over the rate waits: most answers run out meanwhile, and what they bring is dropped.
 */
import { monotonicMs } from '../clock.js';

/** Resets that may go out at once, and in each second from then on. */
const BURST = 100;
const RATE = 10;

/** With so many waiting the connection takes no new streams: there are others. */
const MAX_WAITING = 100;

/** Limits how many RST_STREAM a connection sends at once. */
export class ResetPacer<T> {
  private tokens = BURST;
  private filledAt: number;
  private readonly waiting = new Set<T>();
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param reset gives one up for good; called at once or later, once for each.
   * @param onTooMany so many wait that no more should come.
   */
  constructor(
    private readonly reset: (item: T) => void,
    private readonly onTooMany: () => void,
    private readonly now: () => number = monotonicMs,
  ) {
    this.filledAt = now();
  }

  /** Resets it now, or as soon as the rate allows. */
  giveUp(item: T): void {
    if (this.waiting.size === 0 && this.takeToken()) return this.reset(item);
    this.waiting.add(item);
    this.schedule();
    if (this.waiting.size === MAX_WAITING) this.onTooMany();
  }

  /** It has ended by itself. */
  forget(item: T): void {
    this.waiting.delete(item);
  }

  /** Nothing is reset any more. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting.clear();
  }

  private takeToken(): boolean {
    const now = this.now();
    this.tokens = Math.min(BURST, this.tokens + ((now - this.filledAt) / 1000) * RATE);
    this.filledAt = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  private schedule(): void {
    if (this.timer !== undefined || this.waiting.size === 0) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.resetDue();
    }, 1000 / RATE);
    this.timer.unref();
  }

  /** What is due by now, the oldest first. */
  resetDue(): void {
    for (const item of this.waiting) {
      if (!this.takeToken()) break;
      this.waiting.delete(item);
      this.reset(item);
    }
    this.schedule();
  }
}
