/** A database in a file: SQLite, as libsql brings it, with a write-ahead log that is synced at every commit. */
import { dirname } from 'node:path';
import Libsql from 'libsql';
import type { Connection, SqlRow, SqlValue } from './connection.js';
import { makeFolder } from './folder.js';

type Statement = Libsql.Statement<[readonly SqlValue[]]>;

/** An open file, which belongs to this process alone. */
export class LocalConnection implements Connection {
  readonly #connection: Libsql.Database;
  readonly #lock: Libsql.Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(connection: Libsql.Database, lock: Libsql.Database) {
    this.#connection = connection;
    this.#lock = lock;
  }

  /** Opens a file, making it and its folder where they are not there. Throws if it is open already, here or elsewhere. */
  static open(file: string): LocalConnection {
    makeFolder(dirname(file));
    const lock = takeLock(file);
    try {
      const connection = new Libsql(file);
      connection.defaultSafeIntegers(true);
      connection.exec('PRAGMA journal_mode = WAL');
      connection.exec('PRAGMA synchronous = FULL');
      connection.exec('PRAGMA foreign_keys = ON');
      return new LocalConnection(connection, lock);
    } catch (error) {
      releaseLock(lock);
      throw new Error(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error });
    }
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  begin(): void {
    this.#connection.exec('BEGIN IMMEDIATE');
  }

  commit(): void {
    this.#connection.exec('COMMIT');
  }

  rollback(): void {
    this.#connection.exec('ROLLBACK');
  }

  script(sql: string): void {
    this.#connection.exec(sql);
  }

  run(sql: string, values: readonly SqlValue[]): number {
    return this.#prepare(sql).run(values).changes;
  }

  /** Reads to the end at once: an open cursor would hold up the log's clean-up. */
  all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    return this.#prepare(sql)
      .all(values)
      .map((row) => withBuffers(row as SqlRow));
  }

  close(): void {
    this.#statements.clear();
    if (!this.#connection.open) return;
    this.#connection.close();
    releaseLock(this.#lock);
  }

  /** Statements are kept for ever: their texts are constants of the services, so there are only so many. */
  #prepare(sql: string): Statement {
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

function withBuffers(row: SqlRow): SqlRow {
  for (const [name, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) row[name] = Buffer.from(value);
  }
  return row;
}
