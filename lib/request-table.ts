/**
 * Requests under way, in the order in which they came: for owners that live long, such as connections and metrics.
 */

/** What a request in a `RequestTable` has to hold for it. */
export interface Slotted {
  /** Where the table keeps it; written by the table alone. */
  slot: number;
}

/** A table this small is not worth compacting. */
const MIN_COMPACTED = 64;

/**
 * The requests under way of a long-lived owner, oldest first. Not a Set: when V8 cleans a Set up, the table that it leaves
 * behind points to the new one, and once that is old it keeps all later requests alive until the next full collection
 * (see `http2/stream-table`).
 */
export class RequestTable<T extends Slotted> {
  private readonly slots: (T | undefined)[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  has(request: T): boolean {
    return this.slots[request.slot] === request;
  }

  add(request: T): void {
    request.slot = this.slots.length;
    this.slots.push(request);
    this.count++;
  }

  /** False if the request is not there. */
  delete(request: T): boolean {
    const { slots } = this;
    if (!this.has(request)) return false;
    slots[request.slot] = undefined;
    this.count--;
    while (slots.length > 0 && slots[slots.length - 1] === undefined) slots.pop();
    if (slots.length >= MIN_COMPACTED && this.count * 2 < slots.length) this.compact();
    return true;
  }

  /** From the oldest to the newest. Requests may be removed meanwhile only after a copy. */
  *[Symbol.iterator](): Generator<T, void> {
    for (const request of this.slots) if (request !== undefined) yield request;
  }

  /** In place: a copy would leave the old array behind. */
  private compact(): void {
    let end = 0;
    for (const request of this.slots) {
      if (request === undefined) continue;
      request.slot = end;
      this.slots[end++] = request;
    }
    this.slots.length = end;
  }
}
