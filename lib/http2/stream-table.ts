/**
 * The open streams of a connection by id. Not a Map: when V8 cleans a Map up, the table that it leaves behind points to the
 * new one. Once such a table is old, it keeps all later ones alive, and the streams in them with all that they lead to, until
 * the next full collection (`npm run bench`, unary GET: a third more CPU, four times the heap).
 */

/** Streams that may be open before the table grows. A power of two. */
const INITIAL_SLOTS = 256;

/** The open streams of one connection. */
export class StreamTable<T extends { readonly id: number }> {
  /** Ids of streams go up by two, so that as many streams as there are slots in a row have one each. */
  private slots: (T | undefined)[] = new Array<T | undefined>(INITIAL_SLOTS).fill(undefined);
  /** Streams whose slot belongs to one that has been open for long. They are few, so a Map will do. */
  private readonly displaced = new Map<number, T>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(id: number): T | undefined {
    const stream = this.slots[this.slotOf(id)];
    if (stream?.id === id) return stream;
    return this.displaced.size === 0 ? undefined : this.displaced.get(id);
  }

  /** Adds a stream; one of its id must not be there. */
  add(stream: T): void {
    if (this.count >= this.slots.length / 2) this.grow();
    this.place(stream);
    this.count++;
  }

  /** Removes a stream; does nothing if it is not there. */
  delete(stream: T): void {
    const slot = this.slotOf(stream.id);
    if (this.slots[slot] === stream) this.slots[slot] = undefined;
    else if (!this.displaced.delete(stream.id)) return;
    this.count--;
  }

  /** All streams, the oldest first: a copy, so that they may be removed meanwhile. */
  all(): T[] {
    const placed = this.slots.filter((stream) => stream !== undefined);
    return [...placed, ...this.displaced.values()].sort((a, b) => a.id - b.id);
  }

  private slotOf(id: number): number {
    return (id >>> 1) & (this.slots.length - 1);
  }

  private place(stream: T): void {
    const slot = this.slotOf(stream.id);
    if (this.slots[slot] === undefined) this.slots[slot] = stream;
    else this.displaced.set(stream.id, stream);
  }

  private grow(): void {
    const streams = this.all();
    this.slots = new Array<T | undefined>(this.slots.length * 2).fill(undefined);
    this.displaced.clear();
    for (const stream of streams) this.place(stream);
  }
}
