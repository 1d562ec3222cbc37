/**
 * FlareDB, PhotonCloud's database: the RPCs of `protos/flaredb/v1/flaredb.proto`. This file checks requests and translates
 * between messages and what does the work: `flaredb/sql.ts` and `flaredb/pairs.ts`.
 */
import { join } from 'node:path';
import type { Cell } from './flaredb/executor.js';
import type * as message from './flaredb/messages.js';
import { Pairs, type StoredPair } from './flaredb/pairs.js';
import { requireParameters, type Result, SqlDatabases, type SqlLimits, type SqlParameter } from './flaredb/sql.js';
import { readStatement } from './flaredb/statement.js';
import { systemClock, timestampOf } from './lib/clock.js';
import { badRequest, requireFields } from './lib/errors.js';
import { idRule, type Rule } from './lib/rules.js';
import { maxMessageBytes, serve } from './lib/grpc.js';
import { keyRules, prefixRule } from './lib/keys.js';
import { readPageSize, readPageToken, writePageToken } from './lib/paging.js';
import { Schema } from './lib/schema.js';
import type { Call, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';

/** How FlareDB is started. */
export interface FlareDbOptions extends StartOptions {
  /** How much an SQL statement may take. Default: 5 s, 10000 rows within 3 MiB. */
  readonly sqlLimits?: SqlLimits;
}

const serviceName = 'flaredb.v1.FlareDbService';
const defaultLimits = { timeoutMs: 5000, maxRows: 10_000, maxBytes: 3 * 1024 * 1024 };
const mostParameters = 1000;
/** So that whatever holds a value fits into a message of the size that clients take by default. */
const maxValueBytes = maxMessageBytes - 8 * 1024;

/** Starts FlareDB; resolves when it listens. */
export async function startFlareDb(options: FlareDbOptions): Promise<RunningService> {
  const { database, dataDir, clock = systemClock } = options;
  if (dataDir === undefined) throw new Error('FlareDB needs a folder for its databases: dataDir');
  const sql = new SqlDatabases(join(dataDir, 'flaredb'), options.sqlLimits ?? defaultLimits);
  const pairs = new Pairs(database, clock, maxValueBytes);
  const schema = Schema.load(['flaredb/v1/flaredb.proto']);
  const handlers = { ...sqlHandlers(sql), ...pairHandlers(pairs) };
  try {
    const server = await serve({ ...options, services: [{ schema, name: serviceName, handlers }] });
    let closed: Promise<void> | undefined;
    return { port: server.port, close: () => (closed ??= server.close().then(() => sql.close())) };
  } catch (error) {
    await sql.close();
    throw error;
  }
}

function sqlHandlers(sql: SqlDatabases): ServiceImplementation['handlers'] {
  return {
    async ExecuteSql(request: message.ExecuteSqlRequest, call: Call): Promise<message.SqlResult> {
      const namespace = namespaceOf(request);
      requireFields(['params', request.params.length <= mostParameters, `are more than ${mostParameters}`]);
      const statement = readStatement(request.query);
      const values = request.params.map(parameterOf);
      requireParameters(statement, values.length);
      return resultMessage(await sql.execute(namespace, statement, values, call.signal));
    },

    async ListTables(request: message.ListTablesRequest, call: Call): Promise<object> {
      const namespace = namespaceOf(request);
      const query = [serviceName, 'ListTables', namespace];
      const after = readPageToken(query, request.page_token)?.toString() ?? '';
      const count = readPageSize(request.page_size);
      const { rows } = await sql.query(
        namespace,
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
           AND name NOT LIKE 'libsql!_%' ESCAPE '!' AND name > ?1 ORDER BY name LIMIT ?2`,
        [after, BigInt(count + 1)],
        call.signal,
      );
      const names = rows.map(([name]) => String(name));
      const tables = [];
      for (const name of names.slice(0, count)) {
        tables.push({ name, columns: await columnsOf(sql, namespace, name, call.signal) });
      }
      const more = names.length > count;
      return { tables, next_page_token: more ? writePageToken(query, Buffer.from(tables.at(-1)!.name)) : '' };
    },
  };
}

async function columnsOf(sql: SqlDatabases, namespace: string, table: string, signal: AbortSignal): Promise<object[]> {
  const { rows } = await sql.query(
    namespace,
    'SELECT name, type, "notnull", pk FROM pragma_table_info(?1)',
    [table],
    signal,
  );
  // An INTEGER PRIMARY KEY is the row's number, and that is never NULL.
  return rows.map(([name, type, notNull, key]) => {
    const isNumber = key !== 0n && String(type).toUpperCase() === 'INTEGER';
    return { name, type, nullable: notNull === 0n && !isNumber };
  });
}

function pairHandlers(pairs: Pairs): ServiceImplementation['handlers'] {
  return {
    Get(request: message.KeyRequest): message.Item {
      requireFields(...keyRules(request.key));
      return itemMessage(pairs.get(namespaceOf(request), request.key));
    },

    Put(request: message.PutRequest): message.PutResponse {
      const { key, value } = request;
      requireFields(
        ...keyRules(key),
        ['value', value !== undefined, 'is missing; to store an empty value, send it as ""'],
        ['value', Buffer.byteLength(value ?? '') <= maxValueBytes, `is longer than ${maxValueBytes} bytes`],
      );
      const { namespace, version } = pairs.put(namespaceOf(request), key, value!);
      return { key, namespace, version };
    },

    Delete(request: message.KeyRequest): object {
      requireFields(...keyRules(request.key));
      return { deleted: pairs.delete(namespaceOf(request), request.key) };
    },

    Scan(request: message.ScanRequest): object {
      const { start, end } = request;
      const namespace = namespaceOf(request);
      requireFields(prefixRule(start, 'start'), prefixRule(end, 'end'), rangeRule(start, end));
      const query = [serviceName, 'Scan', namespace, start, end];
      const after = readPageToken(query, request.page_token);
      const found = pairs.scan(namespace, { start, end, after }, readPageSize(request.page_size));
      return {
        items: found.pairs.map(itemMessage),
        next_page_token: found.more ? writePageToken(query, found.pairs.at(-1)!.key) : '',
      };
    },
  };
}

function rangeRule(start: string, end: string): Rule {
  const inOrder = end === '' || Buffer.compare(Buffer.from(start), Buffer.from(end)) <= 0;
  return ['end', inOrder, 'comes before start; start is the first key wanted, end the first not wanted any more'];
}

function namespaceOf({ namespace }: { readonly namespace: string }): string {
  if (namespace === '') return 'default';
  requireFields(idRule('namespace', namespace, 64));
  return namespace;
}

/** A JSON scalar as SQLite takes it. */
function parameterOf(value: message.Value, index: number): SqlParameter {
  const refused = (description: string): Error => badRequest([{ field: `params[${index}]`, description }]);
  if (value.bool_value !== undefined) return value.bool_value ? 1n : 0n;
  if (value.number_value !== undefined) {
    const number = value.number_value;
    if (Number.isSafeInteger(number)) return BigInt(number);
    // On its way here such an integer may have lost digits: a Value is a double.
    if (Number.isInteger(number) && Math.abs(number) < 2 ** 63) {
      throw refused(`is about ${number}: beyond 2^53 a number loses digits; send it as a string, "9007199254740993"`);
    }
    return number;
  }
  if (value.string_value !== undefined) {
    if (value.string_value.includes('\0')) throw refused('has a NUL character');
    return value.string_value;
  }
  if (value.null_value !== undefined) return null;
  throw refused('expected a string, a number, true, false or null');
}

function resultMessage({ columns, rows, changes }: Result): message.SqlResult {
  return {
    columns: columns.map(({ name, type }, index) => ({ name, type: type ?? typeOf(rows, index) })),
    rows: rows.map((row) => ({ values: row.map(valueMessage) })),
    rows_affected: changes,
  };
}

/** The type of an expression: that of the first value there is. */
function typeOf(rows: readonly (readonly Cell[])[], index: number): string {
  const value = rows.find((row) => row[index] !== null)?.[index] ?? null;
  if (value === null) return 'NULL';
  if (typeof value === 'string') return 'TEXT';
  if (typeof value === 'bigint') return 'INTEGER';
  return typeof value === 'number' ? 'REAL' : 'BLOB';
}

function valueMessage(cell: Cell): message.Value {
  if (cell === null) return { null_value: 'NULL_VALUE' };
  if (typeof cell === 'string') return { string_value: cell };
  if (typeof cell === 'bigint') {
    const exact = Number.isSafeInteger(Number(cell));
    return exact ? { number_value: Number(cell) } : { string_value: cell.toString() };
  }
  if (typeof cell === 'number') return Number.isFinite(cell) ? { number_value: cell } : { string_value: String(cell) };
  return { string_value: Buffer.from(cell).toString('base64') };
}

function itemMessage({ namespace, key, value, version, created_ms, updated_ms }: StoredPair): message.Item {
  return {
    ...{ key: key.toString(), value: value.toString(), namespace, version },
    created_at: timestampOf(Number(created_ms)),
    updated_at: timestampOf(Number(updated_ms)),
  };
}
