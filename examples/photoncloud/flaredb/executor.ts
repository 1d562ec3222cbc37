/**
 * The process that executes SQL for FlareDB. It is one of its own because a statement that has begun cannot be stopped
 * but by ending the process; the parent (`sql.ts`) does that to one that takes too long. Whatever was not committed is
 * then gone, and whatever was is on the disk.
 */
import { existsSync } from 'node:fs';
import Libsql from 'libsql';

/** A statement to execute. */
export interface Task {
  readonly file: string;
  readonly text: string;
  readonly values: readonly (string | number | bigint | null)[];
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Do not create the file where it is not there: the result is then empty. */
  readonly onlyIfThere: boolean;
}

/** What came of it. `place` is the offset of an error in the text, where it is known. */
export type Outcome =
  | { readonly kind: 'result'; readonly columns: Column[]; readonly rows: Cell[][]; readonly changes: bigint }
  | { readonly kind: 'too large' }
  | { readonly kind: 'error'; readonly code: string; readonly message: string };

export interface Column {
  readonly name: string;
  readonly type: string | null;
}

export type Cell = string | number | bigint | Uint8Array | null;

const mostOpen = 32;
const mostHeapBytes = 256 * 1024 * 1024;
const connections = new Map<string, Libsql.Database>();

function connectionTo(file: string): Libsql.Database {
  let connection = connections.get(file);
  if (connection === undefined) {
    connection = new Libsql(file, { timeout: 5000 });
    connection.defaultSafeIntegers(true);
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec('PRAGMA synchronous = FULL');
    connection.exec('PRAGMA foreign_keys = ON');
    // For the whole process: beyond it a statement fails, and takes no memory from its neighbours.
    connection.prepare(`PRAGMA hard_heap_limit = ${mostHeapBytes}`).get([]);
  }
  // The least lately used is the first.
  connections.delete(file);
  connections.set(file, connection);
  if (connections.size > mostOpen) {
    const [oldest, closing] = connections.entries().next().value!;
    connections.delete(oldest);
    closing.close();
  }
  return connection;
}

function execute(task: Task): Outcome {
  if (task.onlyIfThere && !existsSync(task.file)) return { kind: 'result', columns: [], rows: [], changes: 0n };
  const connection = connectionTo(task.file);
  const counters = (): bigint[] => connection.prepare('SELECT total_changes(), changes()').raw().get([]) as bigint[];
  try {
    connection.exec('BEGIN');
    const [before] = counters();
    const statement = connection.prepare<[readonly unknown[]]>(task.text);
    const columns = statement.columns().map(({ name, type }) => ({ name, type }));
    const rows: Cell[][] = [];
    let bytes = 0;
    if (columns.length === 0) {
      statement.run(task.values);
    } else {
      for (const row of statement.raw().iterate(task.values) as Iterable<Cell[]>) {
        rows.push(row);
        bytes += row.reduce<number>((sum, cell) => sum + sizeOf(cell), 16);
        if (rows.length > task.maxRows || bytes > task.maxBytes) {
          connection.exec('ROLLBACK');
          return { kind: 'too large' };
        }
      }
    }
    const [after, last] = counters();
    connection.exec('COMMIT');
    return { kind: 'result', columns, rows, changes: after === before ? 0n : last! };
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    const { code, message } = error as { code?: string; message: string };
    return { kind: 'error', code: code ?? 'SQLITE_ERROR', message };
  }
}

/** How much a value takes up in the reply at most; a blob grows by base64. */
function sizeOf(cell: Cell): number {
  if (typeof cell === 'string') return Buffer.byteLength(cell) + 16;
  return cell instanceof Uint8Array ? Math.ceil(cell.length / 3) * 4 + 16 : 32;
}

// Ctrl-C reaches every process of a terminal; this one ends with its parent, when that is done.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (task: Task) => process.send!(execute(task)));
process.send!('ready');
