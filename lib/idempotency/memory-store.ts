/** Records in the memory of this process. If there is no room, the answers that are oldest go first. */
import { type IdempotencyStore, StoreError } from './store.js';

interface Entry {
  readonly record: string;
  readonly expiresMs: number;
  /** True while its request runs: it must not go. */
  readonly isHeld: boolean;
  readonly bytes: number;
}

/** What an entry costs besides its texts, about. */
const ENTRY_BYTES = 200;

/** The bounds of a memory store, and its clock. */
export interface MemoryStoreOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** A bounded store. */
export class MemoryStore implements IdempotencyStore {
  /** In the order in which they were put. */
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;

  constructor(private readonly options: MemoryStoreOptions) {}

  get size(): number {
    return this.entries.size;
  }

  putIfAbsent(key: string, record: string, ttlMs: number): Promise<string | undefined> {
    const found = this.entries.get(key);
    if (found !== undefined && found.expiresMs > this.options.now()) return Promise.resolve(found.record);
    this.remove(key);
    const entry = this.entryOf(key, record, ttlMs, true);
    if (!this.makeRoom(entry.bytes)) {
      return Promise.reject(new StoreError('all keys in memory belong to requests under way (max_entries, max_bytes)'));
    }
    this.add(key, entry);
    return Promise.resolve(undefined);
  }

  replace(key: string, old: string, record: string | undefined, ttlMs: number): Promise<boolean> {
    const held = this.entries.get(key);
    if (held?.record !== old) return Promise.resolve(false);
    this.remove(key);
    if (record === undefined) return Promise.resolve(true);
    const entry = this.entryOf(key, record, ttlMs, false);
    const hasRoom = this.makeRoom(entry.bytes);
    // Without it the key stays taken, so that the call is not made again.
    this.add(key, hasRoom ? entry : held);
    if (hasRoom) return Promise.resolve(true);
    return Promise.reject(new StoreError('the answer has no room in memory (max_bytes)'));
  }

  close(): void {
    this.entries.clear();
    this.bytes = 0;
  }

  private entryOf(key: string, record: string, ttlMs: number, isHeld: boolean): Entry {
    const bytes = key.length + record.length + ENTRY_BYTES;
    return { record, expiresMs: this.options.now() + ttlMs, isHeld, bytes };
  }

  private add(key: string, entry: Entry): void {
    this.entries.set(key, entry);
    this.bytes += entry.bytes;
  }

  private remove(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }

  /** Removes what has expired, and the oldest answers as far as that is needed. */
  private makeRoom(bytes: number): boolean {
    const { maxEntries, maxBytes, now } = this.options;
    if (bytes > maxBytes) return false;
    const nowMs = now();
    for (const [key, { isHeld, expiresMs }] of this.entries) {
      const isFull = this.entries.size >= maxEntries || this.bytes + bytes > maxBytes;
      const isExpired = expiresMs <= nowMs;
      if (!isFull && !isExpired) break;
      if (isExpired || !isHeld) this.remove(key);
    }
    return this.entries.size < maxEntries && this.bytes + bytes <= maxBytes;
  }
}
