/** The thread that speaks with a libSQL server, for `remote-database.ts`, which waits for its answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  BatchCond,
  type HttpStream,
  type InValue,
  openHttp,
  ResponseError,
  type RowsResult,
} from '@libsql/hrana-client';
import type { SqlValue } from './connection.js';

/** What the thread is started with. */
export interface WorkerSettings {
  readonly url: string;
  readonly authToken: string | undefined;
  /** Name of this process in the table of the owner. */
  readonly owner: string;
  readonly timeoutMs: number;
  readonly port: MessagePort;
  /** Counts the answers, so that one can be waited for. */
  readonly answers: Int32Array;
}

/** What is to be done. Statements outside of a transaction are a `read` or a `write`. A rollback has no answer. */
export type Question =
  | { readonly id: number; readonly kind: 'begin' | 'commit' | 'rollback' }
  | { readonly id: number; readonly kind: 'script'; readonly sql: string }
  | {
      readonly id: number;
      readonly kind: 'statement' | 'read' | 'write';
      readonly sql: string;
      readonly values: readonly SqlValue[];
    };

/** What came of it: done, an error of the database, or the server failed and the transaction is gone. */
export type Answer =
  | {
      readonly id: number;
      readonly kind: 'done';
      readonly columns: readonly string[];
      readonly rows: readonly (readonly unknown[])[];
      readonly changes: number;
    }
  | { readonly id: number; readonly kind: 'error'; readonly code: string; readonly message: string }
  | { readonly id: number; readonly kind: 'unavailable'; readonly message: string };

/** Why the server was not to be used at the start. */
export interface Failure {
  readonly message: string;
  readonly httpStatus?: number;
}

const { url, authToken, owner, timeoutMs, port, answers } = workerData as WorkerSettings;

/** What the last answer was refused with; the client's own errors do not always tell. */
let httpStatus: number | undefined;

const client = openHttp(url, authToken, async (request: Request) => {
  const response = await fetch(request, { signal: AbortSignal.timeout(timeoutMs) });
  httpStatus = response.ok ? undefined : response.status;
  return response;
});
client.intMode = 'bigint';

const retryMs = 250;
/** Servers undo a transaction of which they have heard nothing for 5 s. */
const longestWaitMs = 15_000;

/** Refused to whoever is not the owner: that fails its transaction before it has written anything. */
const claim = `UPDATE photoncloud_owner SET writer = '${owner}'`;

let transaction: HttpStream | undefined;

/** Waits for a transaction that another process has left open, until the server has given that up. */
async function takeOver(): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await claimDatabase();
    } catch (error) {
      const busy = error instanceof ResponseError && error.code?.startsWith('SQLITE_BUSY') === true;
      if (!busy || tries * retryMs > longestWaitMs) throw error;
      await sleep(retryMs);
    }
  }
}

async function claimDatabase(): Promise<void> {
  const stream = client.openStream();
  try {
    await stream.sequence(`
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS photoncloud_owner (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1), owner TEXT NOT NULL, writer TEXT NOT NULL,
        CONSTRAINT taken_over CHECK (writer = owner)
      ) STRICT;
      INSERT OR REPLACE INTO photoncloud_owner VALUES (1, '${owner}', '${owner}');
      COMMIT;`);
  } finally {
    stream.closeGracefully();
  }
}

const nothing: RowsResult = { rows: [], columnNames: [], columnDecltypes: [], affectedRowCount: 0 } as never;

async function work(question: Question): Promise<RowsResult> {
  switch (question.kind) {
    case 'begin':
      transaction?.close();
      transaction = client.openStream();
      await transaction.sequence(`BEGIN IMMEDIATE; ${claim}`);
      return nothing;
    case 'commit':
      await open().run('COMMIT');
      transaction?.closeGracefully();
      transaction = undefined;
      return nothing;
    case 'rollback':
      // The server undoes what was not committed.
      transaction?.close();
      transaction = undefined;
      return nothing;
    case 'script':
      await open().sequence(question.sql);
      return nothing;
    case 'statement':
      return open().query(statementOf(question));
    case 'read':
      return once((stream) => stream.query(statementOf(question)));
    case 'write':
      return once((stream) => write(stream, question));
  }
}

function statementOf({
  sql,
  values,
}: {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}): [string, InValue[]] {
  return [sql, [...values]];
}

function open(): HttpStream {
  if (transaction === undefined) throw new Error('the transaction is gone');
  return transaction;
}

async function once(use: (stream: HttpStream) => Promise<RowsResult>): Promise<RowsResult> {
  const stream = client.openStream();
  try {
    return await use(stream);
  } finally {
    stream.close();
  }
}

/** One statement as a transaction of its own, in one request. */
async function write(
  stream: HttpStream,
  question: Question & { kind: 'statement' | 'read' | 'write' },
): Promise<RowsResult> {
  const batch = stream.batch(false);
  const steps: Promise<unknown>[] = [];
  const begin = batch.step();
  steps.push(begin.run('BEGIN IMMEDIATE'));
  const claimed = batch.step().condition(BatchCond.ok(begin));
  steps.push(claimed.run(claim));
  const step = batch.step().condition(BatchCond.ok(claimed));
  const result = step.query(statementOf(question));
  const commit = batch.step().condition(BatchCond.ok(step));
  steps.push(result, commit.run('COMMIT'));
  await Promise.all([batch.execute(), ...steps]);
  return (await result)!;
}

/** SQLite's own errors concern one statement; with any other the connection is of no use any more. */
function failed(id: number, error: unknown): Answer {
  const { message } = error as Error;
  const code = error instanceof ResponseError ? error.code : undefined;
  if (code === undefined || !code.startsWith('SQLITE_') || /^SQLITE_(?:BUSY|LOCKED|IOERR)/.test(code)) {
    return { id, kind: 'unavailable', message: `${message}${causeOf(error)}` };
  }
  if (message.includes('taken_over')) {
    return { id, kind: 'unavailable', message: 'another process has taken the database over; end this one' };
  }
  return { id, kind: 'error', code, message };
}

function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { message?: string } };
  return cause?.message === undefined ? '' : `: ${cause.message}`;
}

async function answer(question: Question): Promise<Answer> {
  const { id } = question;
  try {
    const { columnNames, rows, affectedRowCount } = await work(question);
    const columns = columnNames.map((name) => name ?? '');
    return { id, kind: 'done', columns, rows: rows.map((row) => Array.from(row)), changes: affectedRowCount };
  } catch (error) {
    const failure = failed(id, error);
    if (failure.kind === 'unavailable') {
      transaction?.close();
      transaction = undefined;
    }
    return failure;
  }
}

port.on('message', (question: Question) => {
  void answer(question).then((done) => {
    if (question.id === 0) return;
    port.postMessage(done);
    Atomics.add(answers, 0, 1);
    Atomics.notify(answers, 0);
  });
});

takeOver().then(
  () => parentPort!.postMessage(undefined),
  (error: unknown) => {
    const failure: Failure = {
      message: `${(error as Error).message}${causeOf(error)}`,
      ...(httpStatus !== undefined && { httpStatus }),
    };
    parentPort!.postMessage(failure);
  },
);
