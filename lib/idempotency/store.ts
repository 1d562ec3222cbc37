/** Where records of requests are kept, under keys that say nothing of the client. */
export interface IdempotencyStore {
  /**
   * Puts a record, unless there is one.
   * @returns the one that was there; undefined: it was put
   * @throws StoreError
   */
  putIfAbsent(key: string, record: string, ttlMs: number): Promise<string | undefined>;
  /**
   * Replaces a record that is still the one that was put; undefined removes it.
   * @returns false if it is another one by now
   * @throws StoreError
   */
  replace(key: string, old: string, record: string | undefined, ttlMs: number): Promise<boolean>;
  close(): void;
}

/** The store cannot be asked, or has no room. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
