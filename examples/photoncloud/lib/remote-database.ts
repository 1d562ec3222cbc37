/**
 * A database on a libSQL server, by Hrana over HTTP. The services are synchronous, so this thread waits while another
 * (`remote-worker.ts`) speaks with the server, and nothing else is served meanwhile: keep the server near. The wait is
 * bounded, and after one in vain calls are refused at once for a moment, so that a server that has gone silent does not
 * hold up what needs no database.
 *
 * Who may write stands in the database itself: a row with the name of the process that started last. Every transaction
 * begins by writing its own name beside it, which the table refuses to any other process.
 */
import { randomUUID } from 'node:crypto';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { status as Status } from '@grpc/grpc-js';
import { type ParsedLibsqlUrl, parseLibsqlUrl } from '@libsql/hrana-client';
import type { Connection, SqlRow, SqlValue } from './connection.js';
import { ServiceError } from './errors.js';
import type { Answer, Failure, Question, WorkerSettings } from './remote-worker.js';
import type { Log } from './service.js';

/** Where the server is, and how to speak with it. */
export interface RemoteOptions {
  /** `libsql://host` (by https), `libsql://host:port?tls=0`, `http://…` or `https://…`. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly authToken?: string | undefined;
  /** How long one statement may take. Default: 5 s. */
  readonly timeoutMs?: number;
  /** Told when the server fails, once until it answers again. */
  readonly log: Log;
}

const defaultTimeoutMs = 5000;
const graceMs = 1000;
/** How long calls are refused at once after the server kept silent. */
const pauseMs = 1000;

/** A thread does not inherit from `--import tsx` that it can read TypeScript. */
const program = `
  import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    .then(({ tsImport }) => tsImport(${JSON.stringify(import.meta.resolve('./remote-worker.ts'))}, ${JSON.stringify(import.meta.url)}));`;

/** A connection to a server. */
export class RemoteConnection implements Connection {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answers: Int32Array;
  readonly #timeoutMs: number;
  readonly #log: Log;
  #lastId = 0;
  #pausedUntilMs = 0;
  #failing = false;
  #inTransaction = false;

  private constructor(
    worker: Worker,
    settings: Pick<WorkerSettings, 'answers' | 'timeoutMs'>,
    own: MessagePort,
    log: Log,
  ) {
    this.#worker = worker;
    this.#port = own;
    this.#answers = settings.answers;
    this.#timeoutMs = settings.timeoutMs;
    this.#log = log;
  }

  /** Connects and takes the database over. Throws where the server does not let it, and says what to do. */
  static async open(options: RemoteOptions): Promise<RemoteConnection> {
    const { url, shown } = readUrl(options.url);
    const { port1, port2 } = new MessageChannel();
    const settings: WorkerSettings = {
      url,
      authToken: options.authToken,
      owner: randomUUID(),
      timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
      port: port2,
      answers: new Int32Array(new SharedArrayBuffer(4)),
    };
    const worker = new Worker(program, { eval: true, workerData: settings, transferList: [port2] });
    worker.unref();
    try {
      await firstAnswer(worker);
    } catch (error) {
      await worker.terminate();
      throw new Error(`cannot use the database at ${shown}: ${adviceOn(error as Failure)}`, { cause: error });
    }
    return new RemoteConnection(worker, settings, port1, options.log);
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  begin(): void {
    this.#ask({ kind: 'begin' });
    this.#inTransaction = true;
  }

  commit(): void {
    this.#ask({ kind: 'commit' });
    this.#inTransaction = false;
  }

  rollback(): void {
    this.#inTransaction = false;
    this.#port.postMessage({ id: 0, kind: 'rollback' } satisfies Question);
  }

  script(sql: string): void {
    this.#ask({ kind: 'script', sql });
  }

  run(sql: string, values: readonly SqlValue[]): number {
    const kind = this.#inTransaction ? 'statement' : 'write';
    return this.#ask({ kind, sql, values: values.map(exactInteger) }).changes;
  }

  all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    const kind = this.#inTransaction ? 'statement' : 'read';
    const { columns, rows } = this.#ask({ kind, sql, values: values.map(exactInteger) });
    return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, withBuffer(row[index])])));
  }

  close(): void {
    void this.#worker.terminate();
    this.#port.close();
  }

  /** Asks the other thread, and waits. After a failure of the server there is no transaction any more. */
  #ask(question: Ask): Extract<Answer, { kind: 'done' }> {
    if (Date.now() < this.#pausedUntilMs) throw this.#unavailable('it kept silent a moment ago');
    const id = ++this.#lastId;
    this.#port.postMessage({ ...question, id } satisfies Question);
    const askedMs = Date.now();
    const answer = this.#await(id);
    if (Date.now() - askedMs >= this.#timeoutMs) this.#pausedUntilMs = Date.now() + pauseMs;
    if (answer === undefined) throw this.#unavailable(`no answer within ${this.#timeoutMs} ms`);
    if (answer.kind === 'unavailable') throw this.#unavailable(answer.message);
    this.#failing = false;
    if (answer.kind === 'error') throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer;
  }

  #await(id: number): Answer | undefined {
    // The other thread has the same limit, and should be the first to say so.
    const giveUpAt = Date.now() + this.#timeoutMs + graceMs;
    for (;;) {
      const count = Atomics.load(this.#answers, 0);
      const received = receiveMessageOnPort(this.#port) as { message: Answer } | undefined;
      if (received?.message.id === id) return received.message;
      // An answer to an earlier question came too late.
      if (received !== undefined) continue;
      const left = giveUpAt - Date.now();
      if (left <= 0) return undefined;
      Atomics.wait(this.#answers, 0, count, left);
    }
  }

  #unavailable(why: string): ServiceError {
    if (this.#inTransaction) this.rollback();
    if (!this.#failing) this.#log('the database does not answer', new Error(why));
    this.#failing = true;
    return new ServiceError(Status.UNAVAILABLE, 'the database does not answer; call again, with the same request_id');
  }
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type Ask = WithoutId<Question>;

/** Resolves when the other thread has taken the database over. */
function firstAnswer(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (failure: Failure | undefined) => {
      worker.off('error', reject);
      if (failure === undefined) resolve();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- crossed from another thread
      else reject(failure);
    });
  });
}

/** The URL for the client, and without what may be secret in it. */
function readUrl(text: string): { url: string; shown: string } {
  let parsed: ParsedLibsqlUrl;
  let shown: string;
  try {
    const url = new URL(text);
    shown = `${url.protocol}//${url.host}`;
    if (url.searchParams.has('authToken'))
      throw new Error('the token belongs into LIBSQL_AUTH_TOKEN, not into the URL');
    parsed = parseLibsqlUrl(text);
  } catch (error) {
    const form = 'expected libsql://host, libsql://host:port?tls=0, https://host or http://host:port';
    throw new Error(`--database: ${(error as Error).message}; ${form}`, { cause: error });
  }
  if (parsed.hranaHttpUrl === undefined)
    throw new Error('--database: only HTTP is spoken; write libsql://, http:// or https://');
  return { url: parsed.hranaHttpUrl, shown };
}

/** What went wrong at the start, and what to do about it. */
function adviceOn({ message, httpStatus }: Failure): string {
  if (httpStatus === 401 || httpStatus === 403) {
    return `it answers ${httpStatus}; put a token that it knows into the environment variable LIBSQL_AUTH_TOKEN`;
  }
  if (httpStatus !== undefined) return `it answers ${httpStatus}; is it a libSQL server, and is the path right?`;
  return `${message}; is it running? To one without TLS write http://host:port, or libsql://host:port?tls=0`;
}

/** JavaScript's numbers would go as REAL. */
function exactInteger(value: SqlValue): SqlValue {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function withBuffer(value: unknown): unknown {
  return value instanceof ArrayBuffer ? Buffer.from(value) : value;
}
