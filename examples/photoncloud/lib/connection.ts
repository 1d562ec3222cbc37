/** What `Database` asks of a database, wherever that is: a file (`local-database.ts`) or a server (`remote-database.ts`). */

/** What a column holds and a `?` takes. */
export type SqlValue = string | number | bigint | Uint8Array | null;

/** One row: values by the names of their columns; integers as `bigint`, blobs as Buffer. */
export type SqlRow = Record<string, unknown>;

/** A connection of which nobody else knows; calls do not return before they are done. */
export interface Connection {
  readonly inTransaction: boolean;
  begin(): void;
  /** What was written since `begin` is durable on return. */
  commit(): void;
  rollback(): void;
  /** Executes several statements without values; within a transaction. */
  script(sql: string): void;
  /** Executes one statement and returns the number of rows that it changed; outside of a transaction durable on return. */
  run(sql: string, values: readonly SqlValue[]): number;
  all(sql: string, values: readonly SqlValue[]): SqlRow[];
  close(): void;
}
