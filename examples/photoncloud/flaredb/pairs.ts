/** FlareDB's key-value store: keys, values and versions by namespace, in the database that all services share. */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { quoted, ServiceError } from '../lib/errors.js';
import { afterAllKeys, countFitting } from '../lib/keys.js';

const migrations = [
  `CREATE TABLE flaredb_pairs (
     namespace TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (namespace, key)
   ) STRICT;`,
];

export interface StoredPair {
  readonly namespace: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly version: bigint;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

/** What a pair takes up in a message beside its key and value, at most. */
const overheadBytes = 256;

/** The pairs of one service. */
export class Pairs {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #pageBytes: number;

  constructor(database: Database, clock: Clock, pageBytes: number) {
    database.migrate('flaredb', migrations);
    this.#database = database;
    this.#clock = clock;
    this.#pageBytes = pageBytes;
  }

  /** NOT_FOUND if there is no such key. */
  get(namespace: string, key: string): StoredPair {
    const pair = this.#find(namespace, key);
    if (pair === undefined) {
      throw new ServiceError(Status.NOT_FOUND, `no key ${quoted(key)} in the namespace ${quoted(namespace)}`);
    }
    return pair;
  }

  put(namespace: string, key: string, value: string): StoredPair {
    const now = this.#clock.now();
    return this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO flaredb_pairs VALUES (?, ?, ?, 1, ?, ?)
         ON CONFLICT DO UPDATE SET value = excluded.value, version = version + 1, updated_ms = excluded.updated_ms`,
        ...[namespace, Buffer.from(key), Buffer.from(value), now, now],
      );
      return this.#find(namespace, key)!;
    });
  }

  /** False if there was none. */
  delete(namespace: string, key: string): boolean {
    const sql = 'DELETE FROM flaredb_pairs WHERE namespace = ? AND key = ?';
    return this.#database.run(sql, namespace, Buffer.from(key)) > 0;
  }

  /** At most `count` pairs from `start` on, or behind `after`, before `end` (empty: to the last); fewer large ones. */
  scan(
    namespace: string,
    { start, end, after }: { start: string; end: string; after: Uint8Array | undefined },
    count: number,
  ): { pairs: StoredPair[]; more: boolean } {
    const where = `namespace = ? AND key ${after === undefined ? '>=' : '>'} ? AND key < ? ORDER BY key LIMIT ?`;
    const range = [namespace, after ?? Buffer.from(start), end === '' ? afterAllKeys : Buffer.from(end)];
    const sizes = this.#database.all<{ bytes: bigint }>(
      `SELECT length(key) + length(value) + ${overheadBytes} AS bytes FROM flaredb_pairs WHERE ${where}`,
      ...[...range, count + 1],
    );
    const fitting = Math.min(countFitting(sizes, this.#pageBytes), count);
    const pairs = this.#database.all<StoredPair>(`SELECT * FROM flaredb_pairs WHERE ${where}`, ...[...range, fitting]);
    return { pairs, more: sizes.length > fitting };
  }

  #find(namespace: string, key: string): StoredPair | undefined {
    return this.#database.get<StoredPair>(
      'SELECT * FROM flaredb_pairs WHERE namespace = ? AND key = ?',
      ...[namespace, Buffer.from(key)],
    );
  }
}
