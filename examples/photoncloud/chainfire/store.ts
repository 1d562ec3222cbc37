/**
 * The key-value store of ChainFire: keys with versions and leases, one revision for every change, and the history from
 * which watches read. It knows nothing of gRPC messages; `../chainfire.ts` checks requests before they come here.
 *
 * Each change is one transaction: the key, its entry in the history and the counter are on the disk together or not at
 * all. A lease that has run out is a deletion like any other, with a revision of its own. It happens when its time has
 * come, and in any case before the next call looks at the store, so no caller ever sees the key for too long; what ran
 * out while the process was down is deleted at the start.
 */
import { status as Status } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Database } from '../lib/database.js';
import { quoted, ServiceError } from '../lib/errors.js';
import { countFitting, prefixRange } from '../lib/keys.js';
import type { Log } from '../lib/service.js';

const migrations = [
  `CREATE TABLE chainfire_items (
     key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, version INTEGER NOT NULL,
     create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, expires_ms INTEGER
   ) STRICT;
   CREATE INDEX chainfire_leases ON chainfire_items (expires_ms) WHERE expires_ms IS NOT NULL;
   CREATE TABLE chainfire_history (
     revision INTEGER PRIMARY KEY, deleted INTEGER NOT NULL, bytes INTEGER NOT NULL,
     key BLOB NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL, create_revision INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE chainfire_counters (
     only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
     revision INTEGER NOT NULL, compacted INTEGER NOT NULL, history_bytes INTEGER NOT NULL
   ) STRICT;
   INSERT INTO chainfire_counters VALUES (1, 0, 0, 0);`,
];

/** A key and what is stored under it. */
export interface StoredItem {
  readonly key: string;
  readonly value: string;
  readonly version: bigint;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** One change, as the history keeps it. Of a deleted key only `key`, `modRevision` and `updatedMs` say anything. */
export interface StoredEvent {
  readonly deleted: boolean;
  readonly item: StoredItem;
}

/** Which key changed in a revision: what watchers are told when a change is on the disk. */
export interface Change {
  readonly revision: bigint;
  readonly key: Buffer;
}

/** Under which condition to write, and for how long. */
export interface PutOptions {
  readonly leaseMs?: number;
  /** 0 means that the key must not be there. */
  readonly expectedVersion?: bigint;
}

/** How much the store keeps and gives at a time. */
export interface StoreLimits {
  /** So many of the last changes can be watched from; older ones are compacted. */
  readonly historyRevisions: number;
  /** And no more of them than their keys and values fit in here; the last change is always kept. */
  readonly historyBytes: number;
  /** A page of a list ends before its keys and values exceed this, but has at least one entry. */
  readonly pageBytes: number;
}

interface ItemRow {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly version: bigint;
  readonly create_revision: bigint;
  readonly mod_revision: bigint;
  readonly created_ms: bigint;
  readonly updated_ms: bigint;
}

interface Counters {
  revision: bigint;
  compacted: bigint;
  history_bytes: bigint;
}

/** What an item takes up in a message beside its key and value, at most. */
const itemOverheadBytes = 100;
/** So many leases are ended in one transaction. */
const sweepRows = 500;
/** And a batch of events for one watcher has at most so many rows and, but for the first, so many bytes. */
const eventRows = 100;
const eventBytes = 1024 * 1024;

/** The store of one process. Only one may exist for a database. */
export class KeyValueStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #limits: StoreLimits;
  readonly #log: Log;
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  #counters: Readonly<Counters>;
  /** No lease ends before this; undefined where there is none. */
  #nextExpiryMs: number | undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(database: Database, clock: Clock, limits: StoreLimits, log: Log) {
    database.migrate('chainfire_store', migrations);
    this.#database = database;
    this.#clock = clock;
    this.#limits = limits;
    this.#log = log;
    this.#counters = this.#readCounters();
    this.#nextExpiryMs = this.#readNextExpiry();
    this.#endLeases();
    this.#setTimer();
  }

  /** The last revision used; 0 in a store that was never written to. */
  get revision(): bigint {
    return this.#counters.revision;
  }

  /** Reads one key; undefined if there is none. */
  get(key: string): StoredItem | undefined {
    this.#endLeases();
    const row = this.#row(Buffer.from(key));
    return row && itemOf(row);
  }

  /** Writes one key; ABORTED if it has not the version that the options expect. */
  put(key: string, value: string, options: PutOptions = {}): StoredItem {
    this.#endLeases();
    const now = this.#clock.now();
    const expiresMs = options.leaseMs === undefined ? null : now + options.leaseMs;
    // Beforehand, as the write may happen and its answer get lost; a look in vain does no harm.
    if (expiresMs !== null && (this.#nextExpiryMs === undefined || expiresMs < this.#nextExpiryMs)) {
      this.#nextExpiryMs = expiresMs;
      this.#setTimer();
    }
    return this.#change((record) => {
      const keyBytes = Buffer.from(key);
      const before = this.#row(keyBytes);
      requireVersion(key, before?.version ?? 0n, options.expectedVersion);
      const revision = this.#counters.revision + 1n;
      const row: ItemRow = {
        key: keyBytes,
        value: Buffer.from(value),
        version: (before?.version ?? 0n) + 1n,
        create_revision: before?.create_revision ?? revision,
        mod_revision: revision,
        created_ms: before?.created_ms ?? BigInt(now),
        updated_ms: BigInt(now),
      };
      this.#database.run(
        'INSERT OR REPLACE INTO chainfire_items VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        row.key,
        row.value,
        row.version,
        row.create_revision,
        row.mod_revision,
        row.created_ms,
        row.updated_ms,
        expiresMs,
      );
      record(row, false);
      return itemOf(row);
    });
  }

  /** Deletes one key; false, and no revision is used, if there is none. */
  delete(key: string): boolean {
    this.#endLeases();
    return this.#change((record) => this.#deleteRow(Buffer.from(key), record));
  }

  /**
   * The items whose keys start with `prefix` and come after `after`, sorted by key: at most `count`, fewer where they
   * are large; `more` tells whether any are left.
   */
  list(prefix: string, after: Uint8Array | undefined, count: number): { items: StoredItem[]; more: boolean } {
    this.#endLeases();
    const range = prefixRange(prefix);
    const from = after ?? range.from;
    const where = `key ${after === undefined ? '>=' : '>'} ? AND key < ?`;
    const sizes = this.#database.all<{ bytes: bigint }>(
      `SELECT length(key) + length(value) + ${itemOverheadBytes} AS bytes FROM chainfire_items WHERE ${where} ORDER BY key LIMIT ?`,
      from,
      range.to,
      count + 1,
    );
    const fitting = Math.min(countFitting(sizes, this.#limits.pageBytes), count);
    const rows = this.#database.all<ItemRow>(
      `SELECT * FROM chainfire_items WHERE ${where} ORDER BY key LIMIT ?`,
      from,
      range.to,
      fitting,
    );
    return { items: rows.map(itemOf), more: sizes.length > fitting };
  }

  /**
   * The next changes of keys that start with `prefix`, from revision `from` on: a batch, empty where there are none.
   * `next` is the revision to go on from. OUT_OF_RANGE if changes from `from` on are no longer kept.
   */
  events(prefix: string, from: bigint): { events: StoredEvent[]; next: bigint } {
    if (from <= this.#counters.compacted) throw compacted(from, this.#counters);
    const range = prefixRange(prefix);
    const sizes = this.#database.all<{ revision: bigint; bytes: bigint }>(
      'SELECT revision, bytes FROM chainfire_history WHERE revision >= ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?',
      from,
      range.from,
      range.to,
      eventRows,
    );
    const taken = sizes.slice(0, countFitting(sizes, eventBytes));
    const last = taken.at(-1)?.revision;
    if (last === undefined) return { events: [], next: later(from, this.#counters.revision + 1n) };
    const rows = this.#database.all<ItemRow & { deleted: bigint }>(
      `SELECT *, revision AS mod_revision FROM chainfire_history
       WHERE revision >= ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision`,
      from,
      last,
      range.from,
      range.to,
    );
    return { events: rows.map((row) => ({ deleted: row.deleted !== 0n, item: itemOf(row) })), next: last + 1n };
  }

  /** Calls `listener` after every change, when it is on the disk; returns what takes that back. */
  onChange(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops the timer of the leases; the database stays open. */
  close(): void {
    this.#cancelTimer();
  }

  #row(key: Buffer): ItemRow | undefined {
    return this.#database.get<ItemRow>('SELECT * FROM chainfire_items WHERE key = ?', key);
  }

  #deleteRow(key: Buffer, record: Recorder): boolean {
    if (this.#database.run('DELETE FROM chainfire_items WHERE key = ?', key) === 0) return false;
    const now = BigInt(this.#clock.now());
    const gone = { key, value: Buffer.alloc(0), version: 0n, create_revision: 0n, created_ms: 0n, updated_ms: now };
    record(gone, true);
    return true;
  }

  /**
   * Runs `work` as one transaction in which `record` gives each change the next revision and writes it into the history.
   * The counters in memory move, and listeners hear of it, only when all is on the disk.
   */
  #change<T>(work: (record: Recorder) => T): T {
    let counters: Counters;
    const changes: Change[] = [];
    const result = this.#database.transaction(() => {
      // Not from memory: where the answer to the last change got lost, that does not know of it.
      counters = this.#readCounters();
      this.#counters = { ...counters };
      const worked = work((row, deleted) => {
        changes.push({ revision: this.#append(counters, row, deleted), key: row.key });
      });
      if (changes.length > 0) {
        this.#compact(counters);
        this.#database.run(
          'UPDATE chainfire_counters SET revision = ?, compacted = ?, history_bytes = ?',
          counters.revision,
          counters.compacted,
          counters.history_bytes,
        );
      }
      return worked;
    });
    if (changes.length > 0) {
      this.#counters = counters!;
      for (const listener of this.#listeners) listener(changes);
    }
    return result;
  }

  #readCounters(): Counters {
    return this.#database.get<Counters>('SELECT revision, compacted, history_bytes FROM chainfire_counters')!;
  }

  #append(counters: Counters, row: HistoryRow, deleted: boolean): bigint {
    counters.revision += 1n;
    const bytes = BigInt(row.key.length + row.value.length);
    counters.history_bytes += bytes;
    this.#database.run(
      'INSERT INTO chainfire_history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      counters.revision,
      deleted ? 1 : 0,
      bytes,
      row.key,
      row.value,
      row.version,
      row.create_revision,
      row.created_ms,
      row.updated_ms,
    );
    return counters.revision;
  }

  /** Drops the oldest changes until the history is within its limits. Revisions have no gaps, so counting is enough. */
  #compact(counters: Counters): void {
    const { historyRevisions, historyBytes } = this.#limits;
    const tooMany = (): boolean =>
      counters.revision - counters.compacted > BigInt(historyRevisions) ||
      counters.history_bytes > BigInt(historyBytes);
    while (tooMany() && counters.compacted + 1n < counters.revision) {
      counters.compacted += 1n;
      const oldest = this.#database.get<{ bytes: bigint }>(
        'SELECT bytes FROM chainfire_history WHERE revision = ?',
        counters.compacted,
      );
      counters.history_bytes -= oldest!.bytes;
      this.#database.run('DELETE FROM chainfire_history WHERE revision = ?', counters.compacted);
    }
  }

  /** Deletes every key whose lease has run out. */
  #endLeases(): void {
    while (this.#nextExpiryMs !== undefined && this.#nextExpiryMs <= this.#clock.now()) {
      this.#change((record) => {
        const due = this.#database.all<{ key: Buffer }>(
          'SELECT key FROM chainfire_items WHERE expires_ms <= ? ORDER BY expires_ms, key LIMIT ?',
          this.#clock.now(),
          sweepRows,
        );
        for (const { key } of due) this.#deleteRow(key, record);
      });
      this.#nextExpiryMs = this.#readNextExpiry();
    }
  }

  #readNextExpiry(): number | undefined {
    const row = this.#database.get<{ at: bigint | null }>(
      'SELECT min(expires_ms) AS at FROM chainfire_items WHERE expires_ms IS NOT NULL',
    );
    const at = row?.at ?? undefined;
    return at === undefined ? undefined : Number(at);
  }

  /** Sets the one timer to the next lease that ends, so that watchers learn of it without a call coming in. */
  #setTimer(notBeforeMs = 0): void {
    this.#cancelTimer();
    if (this.#nextExpiryMs === undefined) return;
    this.#cancelTimer = this.#clock.schedule(Math.max(this.#nextExpiryMs, notBeforeMs), () => {
      try {
        this.#endLeases();
        this.#setTimer();
      } catch (error) {
        this.#log('leases that have run out could not be ended; next try in a second', error);
        this.#setTimer(this.#clock.now() + 1000);
      }
    });
  }
}

type HistoryRow = Omit<ItemRow, 'mod_revision'>;
type Recorder = (row: HistoryRow, deleted: boolean) => void;

function itemOf(row: ItemRow): StoredItem {
  return {
    key: row.key.toString(),
    value: row.value.toString(),
    version: row.version,
    createRevision: row.create_revision,
    modRevision: row.mod_revision,
    createdMs: Number(row.created_ms),
    updatedMs: Number(row.updated_ms),
  };
}

function requireVersion(key: string, version: bigint, expected: bigint | undefined): void {
  if (expected === undefined || expected === version) return;
  const found = version === 0n ? 'does not exist' : `has version ${version}`;
  const wanted = expected === 0n ? 'expected it not to exist' : `expected version ${expected}`;
  throw new ServiceError(Status.ABORTED, `key ${quoted(key)} ${found}, ${wanted}; read it and try again`);
}

function compacted(from: bigint, counters: Counters): ServiceError {
  return new ServiceError(
    Status.OUT_OF_RANGE,
    `changes from revision ${from} on are no longer kept, the oldest is ${counters.compacted + 1n}; ` +
      `list the keys and watch from revision ${counters.revision + 1n}`,
  );
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
