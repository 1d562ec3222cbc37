/** One worker process as the primary sees it: its start, its orders, its end. */
import type { Worker } from 'node:cluster';
import { monotonicMs } from '../clock.js';
import { Queue } from '../queue.js';
import type { Problem } from '../status.js';
import { closeUntakenConnections } from './handed-over.js';
import type { Answer, Order, Parting, Question, Refused, Report, Serving } from './messages.js';

/** How a process ended: a code, or the signal that killed it; `error` if it never ran, or why the primary killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: string;
}

/** A worker ended before it did what it was asked for. */
export class WorkerGone extends Error {
  constructor(readonly exit: Exit) {
    super(`the worker ended with ${exitText(exit)}`);
  }
}

/** A worker found the configuration bad. It has ended if that was at its start, and serves on by the old one otherwise. */
export class WorkerRefused extends Error {
  readonly problems: readonly Problem[];

  constructor(readonly refused: Refused) {
    super(refused.problems[0]?.message);
    this.problems = refused.problems;
  }
}

/** A worker has not reported in time. It may still do so, and then nobody listens. */
export class WorkerSilent extends Error {
  constructor(readonly timeoutMs: number) {
    super(`it said nothing for ${timeoutMs / 1000} s`);
  }
}

/** `code 1`, `SIGKILL`, `SIGKILL: it said nothing for 60 s`. */
export function exitText({ code, signal, error }: Exit): string {
  const end = signal ?? `code ${code}`;
  return error === undefined ? end : signal === null ? error : `${signal}: ${error}`;
}

/** A worker that drains for longer than it may is killed after this time. */
const KILL_AFTER_MS = 5000;

/** A worker has this long for an answer: a scrape, which asks all of them, must not wait for one that hangs. */
const ANSWER_MS = 1000;

interface Waiting {
  resolve(serving: Serving): void;
  reject(error: WorkerGone | WorkerRefused | WorkerSilent): void;
}

/** One worker, as the primary sees it. */
export class Member {
  readonly id: number;
  readonly startedAt = monotonicMs();
  /** `leaving`: it was told to end. */
  state: 'starting' | 'serving' | 'leaving' | 'gone' = 'starting';
  /** It ended though it served and nobody told it to. */
  diedServing = false;
  /** Settles when it listens: rejects with `WorkerGone` or `WorkerRefused`. */
  readonly started: Promise<Serving>;
  readonly gone: Promise<Exit>;
  /** The last that it said of itself; undefined until it has drained. */
  parting: unknown;
  private exit: Exit | undefined;
  private killedBecause: string | undefined;
  /** One for each report that is awaited. */
  private readonly waiting = new Queue<Waiting>();
  private readonly questions = new Map<number, (answer: unknown) => void>();
  private lastQuestion = 0;

  /** @param startTimeoutMs a worker that does not listen by then is killed */
  constructor(
    private readonly worker: Worker,
    startTimeoutMs: number,
  ) {
    this.id = worker.id;
    closeUntakenConnections(worker);
    this.started = this.report();
    const late = setTimeout(() => this.kill(`it did not serve within ${startTimeoutMs / 1000} s`), startTimeoutMs);
    this.started.catch(() => undefined).finally(() => clearTimeout(late));
    this.gone = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.diedServing = this.state === 'serving';
        this.state = 'gone';
        this.exit = exit;
        while (this.waiting.length > 0) this.waiting.take()?.reject(new WorkerGone(exit));
        for (const answer of [...this.questions.values()]) answer(undefined);
        resolve(exit);
      };
      worker.on('exit', (code: number | null, signal: string | null) => {
        const { killedBecause: error } = this;
        end({ code, signal, ...(error === undefined ? {} : { error }) });
      });
      // Without a process id it never ran. Otherwise a message could not be sent, and its end is reported by itself.
      worker.on('error', ({ message }: Error) => {
        if (worker.process.pid === undefined) end({ code: null, signal: null, error: message });
      });
    });
    worker.on('message', (message: Report | Answer | Parting) => this.take(message));
  }

  get pid(): number | undefined {
    return this.worker.process.pid;
  }

  /** False before it listens, and as soon as it drains. */
  get isServing(): boolean {
    return this.state === 'serving';
  }

  /** Asks for something that it knows: undefined if it does not, or has ended, or does not answer within a second. */
  ask(topic: string, detail = ''): Promise<unknown> {
    if (this.exit !== undefined) return Promise.resolve(undefined);
    const id = ++this.lastQuestion;
    return new Promise((resolve) => {
      const settle = (answer: unknown): void => {
        clearTimeout(timer);
        this.questions.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(settle, ANSWER_MS, undefined);
      this.questions.set(id, settle);
      this.send({ ask: topic, detail, id });
    });
  }

  /** Reads the configuration again; rejects as `started`, and with `WorkerSilent` if that takes longer than it may. */
  reload(timeoutMs: number): Promise<Serving> {
    const answer = this.report(timeoutMs);
    this.send({ order: 'reload' });
    return answer;
  }

  /** Takes no more requests, finishes what is under way, and ends; killed if it takes much longer than `timeoutMs`. */
  async leave(timeoutMs: number): Promise<void> {
    if (this.state === 'serving') {
      this.send({ order: 'drain' });
      this.endWithin(timeoutMs + KILL_AFTER_MS);
    } else if (this.state === 'starting') this.kill();
    await this.gone;
  }

  /** Ends the process at once. */
  kill(because?: string): void {
    if (this.state === 'gone') return;
    this.state = 'leaving';
    this.destroy(because);
  }

  /** The same, and it counts as a death: another worker takes its place. */
  destroy(because: string | undefined): void {
    this.killedBecause = because;
    this.worker.process.kill('SIGKILL');
  }

  private endWithin(timeoutMs: number): void {
    this.state = 'leaving';
    const timer = setTimeout(() => this.kill(), timeoutMs);
    void this.gone.then(() => clearTimeout(timer));
  }

  /** Rejects if the worker has ended, or ends before it reports. */
  private report(timeoutMs?: number): Promise<Serving> {
    if (this.exit !== undefined) return Promise.reject(new WorkerGone(this.exit));
    return new Promise((resolve, reject) => {
      // It stays in the queue: reports are told apart by their order.
      const late = (): void => reject(new WorkerSilent(timeoutMs!));
      const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
      this.waiting.push({
        resolve(serving) {
          clearTimeout(timer);
          resolve(serving);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  private take(report: Report | Answer | Parting): void {
    if ('id' in report) return this.questions.get(report.id)?.(report.answer);
    if ('parting' in report) {
      this.parting = report.parting;
      return;
    }
    const waiting = this.waiting.take();
    if ('refused' in report) {
      // It ends by itself, and must not count as one that will serve meanwhile.
      if (this.state === 'starting') this.endWithin(KILL_AFTER_MS);
      return waiting?.reject(new WorkerRefused(report.refused));
    }
    if (this.state === 'starting') this.state = 'serving';
    waiting?.resolve(report.serving);
  }

  private send(order: Order | Question): void {
    // A worker that is not there any more is noticed by its end.
    this.worker.send(order, () => undefined);
  }
}
