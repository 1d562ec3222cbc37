/** Wakes the streams that wait for a change of something. What changed they read from the database. */

/** A bell for each key. */
export class Bell {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Wakes all who wait for this key; call it when the change is on the disk. */
  ring(key: string): void {
    for (const wake of [...(this.#waiting.get(key) ?? [])]) wake();
  }

  /** Resolves at the next ring of this key, or when the signal is aborted. */
  next(key: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wakers = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, wakers);
      const wake = (): void => {
        wakers.delete(wake);
        if (wakers.size === 0 && this.#waiting.get(key) === wakers) this.#waiting.delete(key);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      wakers.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }
}
