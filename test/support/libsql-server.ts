/**
 * A stand-in for a libSQL server, for tests: Hrana 2 over HTTP (`POST /v2/pipeline`) on a database file of the embedded
 * libSQL. It is no replicated server: it shows that what is sent is Hrana, and what a client does when answers get lost,
 * come late or not at all. A process of its own, as its client waits without serving anything else.
 *
 *   node --import tsx test/support/libsql-server.ts FILE [TOKEN]
 *
 * It prints its port. `POST /fault` with `{"sql": "COMMIT", "how": "before" | "after" | "silent"}` makes the next request
 * with such a statement fail: cut off before it is executed, cut off after, or never answered.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import Libsql from 'libsql';

type Value =
  | { type: 'null' }
  | { type: 'integer'; value: string }
  | { type: 'float'; value: number }
  | { type: 'text'; value: string }
  | { type: 'blob'; base64: string };
type Condition =
  | { type: 'ok'; step: number }
  | { type: 'error'; step: number }
  | { type: 'not'; cond: Condition }
  | { type: 'and'; conds: Condition[] };
interface Statement {
  sql: string;
  args?: Value[];
}
type Request =
  | { type: 'execute'; stmt: Statement }
  | { type: 'batch'; batch: { steps: { condition?: Condition | null; stmt: Statement }[] } }
  | { type: 'sequence'; sql: string }
  | { type: 'close' };
interface Fault {
  sql: string;
  how: 'before' | 'after' | 'silent';
}

const [, , file, token] = process.argv;
const streams = new Map<string, Libsql.Database>();
/** A transaction of which nothing was heard for so long is undone; sqld waits 5 s. */
const longestPauseMs = 2000;
const lastUse = new Map<string, number>();
let fault: Fault | undefined;

function connect(): Libsql.Database {
  const connection = new Libsql(file!);
  connection.defaultSafeIntegers(true);
  connection.exec('PRAGMA journal_mode = WAL');
  return connection;
}

function decode(value: Value): unknown {
  if (value.type === 'null') return null;
  if (value.type === 'integer') return BigInt(value.value);
  return value.type === 'blob' ? Buffer.from(value.base64, 'base64') : value.value;
}

function encode(value: unknown): Value {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  return {
    type: 'blob',
    base64: Buffer.from(value as Uint8Array)
      .toString('base64')
      .replaceAll('=', ''),
  };
}

function execute(connection: Libsql.Database, { sql, args = [] }: Statement): object {
  const statement = connection.prepare<[unknown[]]>(sql);
  const values = args.map(decode);
  const columns = statement.columns();
  if (columns.length === 0) {
    const { changes } = statement.run(values);
    return { cols: [], rows: [], affected_row_count: changes, last_insert_rowid: null };
  }
  const rows = statement.raw().all(values) as unknown[][];
  return {
    cols: columns.map(({ name, type }) => ({ name, decltype: type })),
    rows: rows.map((row) => row.map(encode)),
    affected_row_count: 0,
    last_insert_rowid: null,
  };
}

function errorOf(error: unknown): object {
  const { message, code } = error as { message: string; code?: string };
  return { message, code: code ?? 'SQLITE_UNKNOWN' };
}

function batch(connection: Libsql.Database, steps: { condition?: Condition | null; stmt: Statement }[]): object {
  const results: (object | null)[] = [];
  const errors: (object | null)[] = [];
  const holds = (condition: Condition): boolean => {
    if (condition.type === 'ok') return results[condition.step] !== null;
    if (condition.type === 'error') return errors[condition.step] !== null;
    if (condition.type === 'not') return !holds(condition.cond);
    return condition.conds.every(holds);
  };
  for (const [index, { condition, stmt }] of steps.entries()) {
    results[index] = null;
    errors[index] = null;
    if (condition !== null && condition !== undefined && !holds(condition)) continue;
    try {
      results[index] = execute(connection, stmt);
    } catch (error) {
      errors[index] = errorOf(error);
    }
  }
  return { step_results: results, step_errors: errors };
}

function answer(connection: Libsql.Database, request: Request): object {
  try {
    if (request.type === 'execute') {
      return { type: 'ok', response: { type: 'execute', result: execute(connection, request.stmt) } };
    }
    if (request.type === 'batch') {
      return { type: 'ok', response: { type: 'batch', result: batch(connection, request.batch.steps) } };
    }
    if (request.type === 'sequence') connection.exec(request.sql);
    return { type: 'ok', response: { type: request.type } };
  } catch (error) {
    return { type: 'error', error: errorOf(error) };
  }
}

function pipeline({ baton, requests }: { baton: string | null; requests: Request[] }): object {
  const id = baton ?? randomUUID();
  const connection = streams.get(id) ?? connect();
  streams.set(id, connection);
  lastUse.set(id, Date.now());
  const results = requests.map((request) => answer(connection, request));
  const closed = requests.some(({ type }) => type === 'close');
  if (closed) close(id, connection);
  return { baton: closed ? null : id, base_url: null, results };
}

function close(id: string, connection: Libsql.Database): void {
  streams.delete(id);
  lastUse.delete(id);
  // A closed connection of libsql keeps its locks until its statements have been garbage-collected.
  if (connection.inTransaction) connection.exec('ROLLBACK');
  connection.close();
}

/** A client whose connection has gone comes back with a new stream; what it had left open is undone. */
function dropOpen(): void {
  for (const [id, connection] of streams) if (connection.inTransaction) close(id, connection);
}

setInterval(() => {
  const before = Date.now() - longestPauseMs;
  for (const [id, connection] of streams) if (lastUse.get(id)! < before) close(id, connection);
}, 250).unref();

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece as string;
  const reply = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.url === '/fault') {
    fault = JSON.parse(text) as Fault;
    return reply(200, {});
  }
  if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
    return reply(401, { message: 'unauthorized' });
  }
  if (request.url !== '/v2/pipeline') return reply(404, { message: 'not found' });
  const met = fault !== undefined && text.includes(JSON.stringify(fault.sql).slice(1, -1)) ? fault.how : undefined;
  if (met !== undefined) fault = undefined;
  if (met === 'silent') return void response.once('close', dropOpen);
  const done = met === 'before' ? {} : pipeline(JSON.parse(text) as { baton: string | null; requests: Request[] });
  if (met === undefined) return reply(200, done);
  dropOpen();
  request.socket.destroy();
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    response.writeHead(500).end(String(error));
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
process.stdin.resume().on('end', () => process.exit()); // not to outlive the test
