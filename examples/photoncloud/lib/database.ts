/**
 * The database of the reference services: one SQLite file that all of them share, each with tables of its own.
 *
 * What `transaction` (or a lone `run`) has returned from is on the disk, and survives the process being killed and the
 * machine losing power: write-ahead log, synced at every commit. The file belongs to one process at a time, because the
 * services keep timers and watchers that would not learn of another's writes; a second process is refused at the start.
 *
 * Calls are synchronous, and so a transaction never interleaves with another. Integers come back as `bigint`, blobs as
 * Buffer. Text that a caller chose belongs in a BLOB, unless it is known to hold no NUL character: SQLite's client
 * library cuts a TEXT at its first NUL when reading it back.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';

/** What a column holds and a `?` takes. */
export type SqlValue = string | number | bigint | Uint8Array | null;

type Statement = Libsql.Statement<[readonly SqlValue[]]>;

/** An open database. */
export class Database {
  readonly #connection: Libsql.Database;
  readonly #lock: Libsql.Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(connection: Libsql.Database, lock: Libsql.Database) {
    this.#connection = connection;
    this.#lock = lock;
  }

  /** Opens a file, making it and its folder where they are not there. Throws if it is open already, here or elsewhere. */
  static open(file: string): Database {
    mkdirSync(dirname(file), { recursive: true });
    const lock = takeLock(file);
    try {
      const connection = new Libsql(file);
      connection.defaultSafeIntegers(true);
      connection.exec('PRAGMA journal_mode = WAL');
      connection.exec('PRAGMA synchronous = FULL');
      connection.exec('PRAGMA foreign_keys = ON');
      connection.exec(
        'CREATE TABLE IF NOT EXISTS migrations (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
      );
      return new Database(connection, lock);
    } catch (error) {
      releaseLock(lock);
      throw new Error(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * Brings one owner's tables up to date: runs the steps that this file has not seen yet, each in a transaction.
   * Steps are only ever added at the end. Throws if the file was written by a version with more steps than these.
   */
  migrate(owner: string, steps: readonly string[]): void {
    const row = this.get<{ version: bigint }>('SELECT version FROM migrations WHERE owner = ?', owner);
    const version = Number(row?.version ?? 0);
    if (version > steps.length) {
      throw new Error(
        `the tables of ${owner} are of version ${version}, this program knows ${steps.length}: use a newer one`,
      );
    }
    for (const [offset, step] of steps.slice(version).entries()) {
      this.transaction(() => {
        this.#connection.exec(step);
        this.run('INSERT OR REPLACE INTO migrations VALUES (?, ?)', owner, version + offset + 1);
      });
    }
  }

  /**
   * Runs `work` so that all of its writes happen or, if it throws, none; on return they are durable. Inside another
   * transaction it is a part of that one: its writes stay or go with it.
   */
  transaction<T>(work: () => T): T {
    if (this.#connection.inTransaction) return work();
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#connection.exec('COMMIT');
      return result;
    } catch (error) {
      // Some failures (a full disk) have rolled back already.
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    }
  }

  /** Executes a statement and returns the number of rows that it changed. */
  run(sql: string, ...values: readonly SqlValue[]): number {
    return this.#prepare(sql, values).run(values).changes;
  }

  /** The first row, or undefined. `Row` is the caller's word for its columns. */
  get<Row>(sql: string, ...values: readonly SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  /** All rows, read to the end at once (an open cursor would hold up the log's clean-up): bound them by LIMIT. */
  all<Row>(sql: string, ...values: readonly SqlValue[]): Row[] {
    return this.#prepare(sql, values)
      .all(values)
      .map((row) => withBuffers(row as Record<string, unknown>) as Row);
  }

  /** Closes the file; nothing can be read or written after it. */
  close(): void {
    this.#statements.clear();
    if (!this.#connection.open) return;
    this.#connection.close();
    releaseLock(this.#lock);
  }

  /** Statements are kept for ever: their texts are constants of the services, so there are only so many. */
  #prepare(sql: string, values: readonly SqlValue[]): Statement {
    for (const value of values) {
      if (typeof value === 'string' && value.includes('\0')) throw new TypeError('NUL in a TEXT: store it as a BLOB');
    }
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare<[readonly SqlValue[]]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Holds `FILE.lock`, an empty database of its own, by an exclusive transaction that never ends; the operating system
 * frees it when the process dies, however it dies. SQLite's own exclusive mode would not do: a closed connection of
 * libsql keeps its locks until its statements have been garbage-collected.
 */
function takeLock(file: string): Libsql.Database {
  const lock = new Libsql(`${file}.lock`);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
    throw new Error(`${file} is in use; end the process that has it open, or choose another file`, { cause: error });
  }
}

function releaseLock(lock: Libsql.Database): void {
  lock.exec('ROLLBACK');
  lock.close();
}

function withBuffers(row: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) row[name] = Buffer.from(value);
  }
  return row;
}
