import type { Clock } from '../../examples/photoncloud/lib/clock.js';

/** A clock that moves only when told. */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  schedule(atMs: number, run: () => void): () => void {
    const timer = { atMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves on without waking anybody, as if the timers were late. */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** Moves on and wakes whoever is due on the way, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > end) break;
      this.#now = Math.max(this.#now, next.atMs);
      this.#timers.delete(next);
      next.run();
    }
    this.#now = end;
  }
}
