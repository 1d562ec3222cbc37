/**
 * The database of the reference services: one that all of them share, each with tables of its own. It is a file, or on
 * a libSQL server; the SQL is the same.
 *
 * What `transaction` (or a lone `run`) has returned from is durable: it survives the process being killed and the
 * machine losing power. The database belongs to one process at a time, because the services keep timers and watchers
 * that would not learn of another's writes: of a file, a second process is refused at the start; from a server, the
 * one that started last takes it over, and the one before can write no more.
 *
 * Calls are synchronous, and so a transaction never interleaves with another. Integers come back as `bigint`, blobs as
 * Buffer. Text that a caller chose belongs in a BLOB, unless it is known to hold no NUL character: SQLite's client
 * library cuts a TEXT at its first NUL when reading it back.
 */
import type { Connection, SqlValue } from './connection.js';
import { LocalConnection } from './local-database.js';
import { RemoteConnection, type RemoteOptions } from './remote-database.js';

export type { SqlValue } from './connection.js';

/** An open database. */
export class Database {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
    try {
      this.transaction(() =>
        connection.script(
          'CREATE TABLE IF NOT EXISTS migrations (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
        ),
      );
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Opens a file, making it and its folder where they are not there. Throws if it is open already, here or elsewhere. */
  static open(file: string): Database {
    return new Database(LocalConnection.open(file));
  }

  /**
   * Connects to a libSQL server and takes the database over. Later, while the server does not answer, calls throw
   * UNAVAILABLE; what a transaction wrote until then is undone, unless it was its last answer that got lost: whether it
   * happened is then unknown, as it is to a caller whose own answer gets lost.
   */
  static async connect(options: RemoteOptions): Promise<Database> {
    return new Database(await RemoteConnection.open(options));
  }

  /**
   * Brings one owner's tables up to date: runs the steps that this database has not seen yet, each in a transaction.
   * Steps are only ever added at the end. Throws if it was written by a version with more steps than these.
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
        this.#connection.script(step);
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
    this.#connection.begin();
    try {
      const result = work();
      this.#connection.commit();
      return result;
    } catch (error) {
      // Some failures (a full disk, a lost connection) have rolled back already.
      if (this.#connection.inTransaction) this.#connection.rollback();
      throw error;
    }
  }

  /** Executes a statement and returns the number of rows that it changed. */
  run(sql: string, ...values: readonly SqlValue[]): number {
    return this.#connection.run(sql, checked(values));
  }

  /** The first row, or undefined. `Row` is the caller's word for its columns. */
  get<Row>(sql: string, ...values: readonly SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  /** All rows, read to the end at once: bound them by LIMIT. */
  all<Row>(sql: string, ...values: readonly SqlValue[]): Row[] {
    return this.#connection.all(sql, checked(values)) as Row[];
  }

  /** Closes it; nothing can be read or written after that. */
  close(): void {
    this.#connection.close();
  }
}

function checked(values: readonly SqlValue[]): readonly SqlValue[] {
  for (const value of values) {
    if (typeof value === 'string' && value.includes('\0')) throw new TypeError('NUL in a TEXT: store it as a BLOB');
  }
  return values;
}
