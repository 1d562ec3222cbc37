/**
 * Which share of requests is refused: it grows while the event loop is later than it may be, and shrinks while it is earlier, so
 * that the delay settles at about the limit. It knows no clock and no timer: see `shedder`.
 */

/** How many samples count. A pause of the garbage collector is one of them, and an overload is all of them. */
const WINDOW = 7;
/** What the share grows by in a second in which the delay is twice the limit. */
const GROWTH = 1;
/** What it shrinks by in a second without any delay: slowly, as the delay falls because requests are refused. */
const DECLINE = 0.25;
/** Above this many limits it does not grow faster: the delay says what was, and not what is refused already. */
const MOST_EXCESS = 2;

/**
 * At most so many are refused. A refusal costs work, too: clients that try again at once could keep the process late with
 * refusals alone, and nobody would be answered.
 */
const MOST_REFUSED = 0.9;

/** The share of requests that is refused, by the last delays of the event loop. */
export class SheddingShare {
  /** The last ones, in no order. */
  private readonly delays: number[] = [];
  private samples = 0;
  private share = 0;

  /**
   * @param maxDelayMs how late the event loop may be
   * @param random from 0 to 1
   */
  constructor(
    private readonly maxDelayMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** From 0 to 0.9. */
  get value(): number {
    return this.share;
  }

  /** The median of the last delays; 0 before there are enough. */
  get delayMs(): number {
    if (this.delays.length < WINDOW) return 0;
    return [...this.delays].sort((a, b) => a - b)[WINDOW >> 1]!;
  }

  /**
   * Takes a sample.
   * @param delayMs how late the event loop was
   * @param elapsedMs since the last sample
   */
  sample(delayMs: number, elapsedMs: number): void {
    this.delays[this.samples++ % WINDOW] = delayMs;
    const excess = Math.min(MOST_EXCESS, this.delayMs / this.maxDelayMs - 1);
    const change = (elapsedMs / 1000) * excess * (excess > 0 ? GROWTH : DECLINE);
    this.share = Math.min(MOST_REFUSED, Math.max(0, this.share + change));
  }

  /** True if a request is to be refused. By chance: in turn it could always be the same one of a client's requests. */
  takes(): boolean {
    return this.random() < this.share;
  }
}
