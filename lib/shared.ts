/**
 * What is opened once for each key and shared by all that use it: channels, connection pools, sets of keys. It is closed
 * when the last of its holders lets go, so that a reload keeps what both configurations use and closes the rest.
 */

/** Somebody who uses what is shared, for as long as it likes: one configuration, or one listener of it. */
export class Holder {
  private readonly released: (() => void)[] = [];
  private isReleased = false;

  /** Calls `listener` when it lets go. */
  onRelease(listener: () => void): void {
    if (this.isReleased) throw new TypeError('it has let go already');
    this.released.push(listener);
  }

  /** Lets go of all that it holds; once. */
  release(): void {
    this.isReleased = true;
    for (const listener of this.released.splice(0)) listener();
  }
}

interface Entry<T> {
  readonly value: T;
  readonly holders: Set<Holder>;
}

/** Values by key, each opened once and closed after its last holder. */
export class Shared<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** @param close is called once for each value. */
  constructor(private readonly close: (value: T) => void) {}

  get size(): number {
    return this.entries.size;
  }

  /** The value of a key, opened where nobody holds it; `holder` holds it from now on. */
  hold(key: string, holder: Holder, open: () => T): T {
    let entry = this.entries.get(key);
    if (entry === undefined) {
      entry = { value: open(), holders: new Set() };
      this.entries.set(key, entry);
    }
    if (!entry.holders.has(holder)) this.add(key, entry, holder);
    return entry.value;
  }

  /** All that are open. */
  *values(): Iterable<T> {
    for (const { value } of this.entries.values()) yield value;
  }

  /** What somebody holds. */
  *heldBy(holder: Holder): Iterable<T> {
    for (const { value, holders } of this.entries.values()) if (holders.has(holder)) yield value;
  }

  /** Closes everything, whoever holds it. */
  closeAll(): void {
    const all = [...this.entries.values()];
    this.entries.clear();
    for (const { value, holders } of all) {
      holders.clear();
      this.close(value);
    }
  }

  private add(key: string, entry: Entry<T>, holder: Holder): void {
    holder.onRelease(() => {
      if (!entry.holders.delete(holder) || entry.holders.size > 0) return;
      this.entries.delete(key);
      this.close(entry.value);
    });
    entry.holders.add(holder);
  }
}
