/**
 * First in, first out, at a constant cost for each element. `Array.shift` moves everything that is left, so a queue that is
 * an array costs the square of its length.
 */
export class Queue<T> {
  private items: T[] = [];
  /** Elements before this one were taken. */
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** The next element; undefined if there is none. */
  get first(): T | undefined {
    return this.items[this.head];
  }

  /** The newest element; undefined if there is none. */
  get last(): T | undefined {
    return this.length === 0 ? undefined : this.items[this.items.length - 1];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the next element; undefined if there is none. */
  take(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.head];
    // What was taken must not be held.
    this.items[this.head++] = undefined as T;
    if (this.head === this.items.length) this.clear();
    else if (this.head >= MIN_COMPACTED && this.head * 2 >= this.items.length) this.compact();
    return item;
  }

  /** Puts another element in the place of the next one, which must exist. */
  replaceFirst(item: T): void {
    this.items[this.head] = item;
  }

  /** Puts another element in the place of the newest one, which must exist. */
  replaceLast(item: T): void {
    this.items[this.items.length - 1] = item;
  }

  clear(): void {
    this.items = [];
    this.head = 0;
  }

  /** From the next element to the newest. */
  *[Symbol.iterator](): Generator<T, void> {
    for (let index = this.head; index < this.items.length; index++) yield this.items[index]!;
  }

  /** At least as many elements were taken since the last time as are moved now. */
  private compact(): void {
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
}

/** Below this a queue is not worth a copy. */
const MIN_COMPACTED = 32;

/** Runs asynchronous steps one after the other, in the order in which they came. A step that fails does not stop the next. */
export class Sequence {
  private last: Promise<unknown> = Promise.resolve();

  /** Settles as the step does. */
  run<T>(step: () => Promise<T>): Promise<T> {
    const result = this.last.then(step);
    this.last = result.catch(() => undefined);
    return result;
  }
}
