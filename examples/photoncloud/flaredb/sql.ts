/**
 * SQL, each namespace in a database file of its own: hands statements to the process that executes them, one after the
 * other, ends that process where one takes too long, and turns what the database says into statuses.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status as Status } from '@grpc/grpc-js';
import { badRequest, quoted, ServiceError } from '../lib/errors.js';
import { makeFolder } from '../lib/folder.js';
import type { Outcome, Task } from './executor.js';
import { placeOf, type Statement, type Token } from './statement.js';

/** How much a statement may take. */
export interface SqlLimits {
  readonly timeoutMs: number;
  readonly maxRows: number;
  readonly maxBytes: number;
}

export type SqlParameter = string | number | bigint | null;
export type Result = Extract<Outcome, { kind: 'result' }>;

/** Statements that wait for their turn. */
const mostWaiting = 1000;
/** How many places of an error are tried before it is left without one. */
const mostPlaces = 30;

interface Waiting {
  readonly task: Task;
  readonly signal: AbortSignal;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

/** The process ended by itself while it executed a statement. */
class ExecutorEnded extends Error {}

/** The databases of all namespaces. */
export class SqlDatabases {
  readonly #folder: string;
  readonly #limits: SqlLimits;
  readonly #waiting: Waiting[] = [];
  #executor: Promise<ChildProcess> | undefined;
  #busy = false;
  #closed = false;

  constructor(folder: string, limits: SqlLimits) {
    makeFolder(folder);
    this.#folder = folder;
    this.#limits = limits;
    void this.#start().catch(() => undefined); // whoever comes first, waits less; and is told of a failure
  }

  /** Executes a statement; on return, what it has written is on the disk. */
  async execute(
    namespace: string,
    statement: Statement,
    values: readonly SqlParameter[],
    signal: AbortSignal,
  ): Promise<Result> {
    const outcome = await this.#run(namespace, statement.text, values, signal, false).catch((error: unknown) => {
      if (!(error instanceof ExecutorEnded)) throw error;
      // SQLite lets a TEXT have any bytes; its client library ends the process over it.
      const description =
        "gave a text that is not UTF-8, as CAST(x'ff' AS TEXT) does; read it by hex(). Nothing was changed";
      throw badRequest([{ field: 'query', description }]);
    });
    if (outcome.kind === 'result') return outcome;
    if (outcome.kind === 'too large') {
      const { maxRows, maxBytes } = this.#limits;
      throw new ServiceError(
        Status.RESOURCE_EXHAUSTED,
        `the result has more than ${maxRows} rows or ${maxBytes} bytes; use LIMIT. Nothing was changed`,
      );
    }
    throw await this.#errorOf(namespace, statement, outcome, signal);
  }

  /** A query of our own, empty where the namespace has no database. */
  async query(namespace: string, text: string, values: readonly SqlParameter[], signal: AbortSignal): Promise<Result> {
    const outcome = await this.#run(namespace, text, values, signal, true);
    if (outcome.kind === 'result') return outcome;
    throw new Error(outcome.kind === 'error' ? outcome.message : 'the result is too large');
  }

  /** Ends the process. */
  async close(): Promise<void> {
    this.#closed = true;
    const executor = await this.#executor?.catch(() => undefined);
    if (executor === undefined || executor.exitCode !== null || executor.signalCode !== null) return;
    const exited = new Promise((resolve) => executor.once('exit', resolve));
    executor.disconnect();
    await exited;
  }

  #run(
    namespace: string,
    text: string,
    values: readonly SqlParameter[],
    signal: AbortSignal,
    onlyIfThere: boolean,
  ): Promise<Outcome> {
    if (this.#waiting.length >= mostWaiting) {
      throw new ServiceError(Status.RESOURCE_EXHAUSTED, 'too many statements wait; try again later');
    }
    const { maxRows, maxBytes } = this.#limits;
    const task = { file: join(this.#folder, `${namespace}.db`), text, values, maxRows, maxBytes, onlyIfThere };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, signal, resolve, reject });
      void this.#work();
    });
  }

  /** Executes what waits, one after the other. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.signal.aborted) {
        next.reject(new ServiceError(Status.CANCELLED, 'the caller has gone'));
        continue;
      }
      try {
        next.resolve(await this.#ask(next.task));
      } catch (error) {
        next.reject(error as Error);
      }
    }
    this.#busy = false;
  }

  async #ask(task: Task): Promise<Outcome> {
    const executor = await this.#start();
    return new Promise((resolve, reject) => {
      const { timeoutMs } = this.#limits;
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        executor.kill('SIGKILL');
      }, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        executor.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = (outcome: Outcome): void => {
        done();
        resolve(outcome);
      };
      const onExit = (): void => {
        done();
        const message = `the statement took longer than ${timeoutMs / 1000} s; nothing was changed`;
        reject(late ? new ServiceError(Status.DEADLINE_EXCEEDED, message) : new ExecutorEnded());
      };
      executor.on('message', onMessage).on('exit', onExit);
      executor.send(task, (error) => error !== null && executor.kill('SIGKILL'));
    });
  }

  /** The process, started anew where it has ended. */
  #start(): Promise<ChildProcess> {
    if (this.#closed) throw new ServiceError(Status.UNAVAILABLE, 'the server is closing; call again');
    this.#executor ??= new Promise((resolve, reject) => {
      const executor = fork(fileURLToPath(new URL('executor.ts', import.meta.url)), {
        execArgv: ['--import', import.meta.resolve('tsx'), '--max-old-space-size=512'],
        serialization: 'advanced',
      });
      executor.once('message', () => resolve(executor));
      executor.once('exit', (code, signal) => {
        this.#executor = undefined;
        reject(new Error(`the SQL process has ended with ${signal ?? code} before it was ready`));
      });
      executor.once('error', reject);
    });
    return this.#executor;
  }

  async #errorOf(
    namespace: string,
    statement: Statement,
    { code, message }: { code: string; message: string },
    signal: AbortSignal,
  ): Promise<Error> {
    if (/^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$/.test(code)) {
      return new ServiceError(Status.ALREADY_EXISTS, message);
    }
    if (code.startsWith('SQLITE_CONSTRAINT')) return new ServiceError(Status.FAILED_PRECONDITION, message);
    if (code === 'SQLITE_NOMEM') {
      return new ServiceError(Status.RESOURCE_EXHAUSTED, 'the statement takes too much memory; nothing was changed');
    }
    if (code === 'SQLITE_FULL') return new ServiceError(Status.RESOURCE_EXHAUSTED, 'the disk is full');
    if (code.startsWith('SQLITE_BUSY')) return new ServiceError(Status.ABORTED, 'the database is busy; try again');
    if (!/^SQLITE_(?:ERROR|MISMATCH|RANGE|TOOBIG|AUTH|READONLY)/.test(code)) return new Error(`${code}: ${message}`);
    const offset = await this.#placeOfError(namespace, statement, message, signal);
    const place = offset === undefined ? '' : ` at ${placeOf(statement.text, offset)}`;
    return badRequest([{ field: 'query', description: `${message}${place}` }]);
  }

  /**
   * Where an error is: SQLite's client library tells only the word. Where the word stands more than once, it is the
   * first at which the text so far already fails in that way, as SQLite reads from left to right.
   */
  async #placeOfError(
    namespace: string,
    { text, tokens }: Statement,
    message: string,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (message === 'incomplete input') return text.trimEnd().length;
    const word = /^(?:near|unrecognized token:) "(.*?)"(?:: syntax error)?$/s.exec(message)?.[1];
    if (word === undefined) return named(message, tokens)?.offset;
    const found = tokens.filter((token) => token.text === word).slice(0, mostPlaces);
    if (found.length <= 1) return found[0]?.offset;
    for (const { offset } of found) {
      const start = `EXPLAIN ${text.slice(0, offset + word.length)}`;
      const outcome = await this.#run(namespace, start, [], signal, false);
      if (outcome.kind === 'error' && outcome.message === message) return offset;
    }
    return undefined;
  }
}

/** The word that a message like `no such table: nope` is about. */
function named(message: string, tokens: readonly Token[]): Token | undefined {
  const name = /^(?:no such (?:table|column|function|index|view)|ambiguous column name): (?:main\.)?(.*)$/.exec(
    message,
  );
  const last = name?.[1]!.split('.').at(-1);
  return tokens.find(({ text }) => text.replace(/^["`[]|["`\]]$/g, '') === last);
}

/** Values for the parameters of a statement; INVALID_ARGUMENT where they are not as many, or not scalars. */
export function requireParameters(statement: Statement, given: number): void {
  if (given === statement.parameters) return;
  const description = `are ${given}, expected ${statement.parameters}: one for each parameter of the query`;
  throw badRequest([{ field: 'params', description: `${description} (${quoted(statement.text)})` }]);
}
