/**
 * The primary: keeps a number of workers alive that serve the same listeners. It accepts their connections and deals them
 * out in turn (round robin of `node:cluster`), and serves nothing itself. Every worker reads the configuration for itself.
 */
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../clock.js';
import { needsRestart } from '../live/index.js';
import { Sequence } from '../queue.js';
import { ConfigError, messageOf, type Problem } from '../status.js';
import { BackOff } from './back-off.js';
import { type Exit, exitText, Member, WorkerGone, WorkerRefused, WorkerSilent } from './member.js';
import { ALIVE, type Serving } from './messages.js';

/** So many starts in a row may fail while no worker serves. */
const MAX_FAILED_STARTS = 5;

/** What a primary is told. */
export interface PoolSettings {
  readonly workers: number;
  /** The time that a worker has for its last requests. */
  readonly drainTimeoutMs: number;
  /** The time that a worker has to start, and to take another configuration. */
  readonly startTimeoutMs: number;
}

/** A worker as it may be asked. */
export type AskableWorker = Pick<Member, 'id' | 'isServing' | 'ask'>;

/** What happens to workers while they run. */
export type WorkerEvent =
  /** One listens. */
  | { readonly kind: 'started'; readonly worker: AskableWorker }
  /** One that listened has ended, wanted or not; `parting` is the last that it said of itself, if it could. */
  | { readonly kind: 'ended'; readonly id: number; readonly parting: unknown }
  /** A worker died; another takes its place after `delayMs`. */
  | { readonly kind: 'died'; readonly pid: number | undefined; readonly exit: Exit; readonly delayMs: number }
  /** One could not start; tried again. Not repeated while the reason is the same. */
  | { readonly kind: 'not-started'; readonly reason: string; readonly problems: readonly Problem[] }
  /** One serves in the place of one that died. */
  | { readonly kind: 'replaced'; readonly pid: number | undefined };

/** No worker could be kept running. */
export class WorkersFailed extends Error {}

/** Workers that serve. */
export class WorkerPool {
  private readonly members = new Set<Member>();
  private readonly backOff = new BackOff();
  private readonly ending = new AbortController();
  /** Counts what was loaded, so that a worker that started before the last load reads the files again. */
  private generation = 0;
  /** In a row. */
  private failedStarts = 0;
  /** The failure that was reported last. */
  private reported = '';
  private latest: Serving = { urls: [], warnings: [], files: [] };
  private refusedFiles: readonly string[] = [];
  /** One change at a time. */
  private readonly changes = new Sequence();
  private fail: (error: WorkersFailed) => void = () => undefined;
  /** Rejects with `WorkersFailed` when it has given up. */
  readonly failed: Promise<never> = new Promise((_resolve, reject) => (this.fail = reject));

  private constructor(
    private settings: PoolSettings,
    private readonly onEvent: (event: WorkerEvent) => void,
  ) {
    this.failed.catch(() => undefined);
  }

  /**
   * Starts the workers; returns when all listen.
   * @throws ConfigError what a worker found wrong, once; none runs then.
   * @throws WorkersFailed
   */
  static async start(settings: PoolSettings, onEvent: (event: WorkerEvent) => void): Promise<WorkerPool> {
    cluster.schedulingPolicy = cluster.SCHED_RR;
    const pool = new WorkerPool(settings, onEvent);
    process.once('exit', () => {
      for (const member of pool.members) member.kill();
    });
    try {
      await Promise.race([pool.failed, pool.startAll()]);
      return pool;
    } catch (error) {
      await pool.drain();
      throw error;
    }
  }

  get urls(): readonly string[] {
    return this.latest.urls;
  }

  /** What is odd about the configuration that serves. */
  get warnings(): readonly Problem[] {
    return this.latest.warnings;
  }

  /** The files and folders that the workers read, the last attempt included. */
  get files(): ReadonlySet<string> {
    return new Set([...this.latest.files, ...this.refusedFiles]);
  }

  /** Those that serve, and those that finish their last requests. */
  get askable(): readonly AskableWorker[] {
    return [...this.members].filter(({ state }) => state === 'serving' || state === 'leaving');
  }

  /** All are ending. */
  get isEnding(): boolean {
    return this.ending.signal.aborted;
  }

  /**
   * Lets one worker after the other read the configuration again, without an interruption. What the first refuses no
   * other is asked to take.
   * @returns warnings.
   * @throws ConfigError why the old one serves on.
   */
  reload(settings: PoolSettings): Promise<readonly Problem[]> {
    return this.changes.run(async () => {
      const { workers } = this.settings;
      let done = 0;
      for (const member of this.serving) {
        if (!(await this.reloadOne(member, done))) continue;
        done++;
        // Who starts from now on must have read the same.
        if (done === 1) this.generation++;
      }
      this.settings = { ...settings, workers };
      if (settings.workers === workers) return this.warnings;
      const message = `workers changed from ${workers} to ${settings.workers}, and there are ${workers}`;
      return [...this.warnings, { ...needsRestart(message), hint: 'send SIGUSR2 to restart the workers' }];
    });
  }

  /**
   * Replaces one worker after the other by a new process, which reads code and configuration again; the old one ends when
   * its calls have ended. The ports stay open.
   * @returns warnings.
   * @throws ConfigError or WorkersFailed why old workers serve on.
   */
  restart(settings: PoolSettings): Promise<readonly Problem[]> {
    return this.changes.run(async () => {
      this.generation++;
      const old = this.serving;
      try {
        for (let index = 0; index < Math.max(old.length, settings.workers); index++) {
          const member = old[index];
          const isNeeded = member === undefined ? this.active.length < settings.workers : member.state !== 'gone';
          if (isNeeded && index < settings.workers) await this.startNew();
          void member?.leave(settings.drainTimeoutMs);
        }
        this.settings = settings;
        return this.warnings;
      } finally {
        // A worker that died meanwhile may have found its place filled by an old one, which has left since.
        for (let count = this.active.length; count < this.settings.workers; count++) void this.replace(0);
      }
    });
  }

  /** Ends all, each when its last call has ended; never rejects. */
  async drain(): Promise<void> {
    this.ending.abort();
    const { drainTimeoutMs } = this.settings;
    await Promise.all([...this.members].map((member) => member.leave(drainTimeoutMs)));
  }

  private get serving(): Member[] {
    return [...this.members].filter(({ state }) => state === 'serving');
  }

  /** Those that serve or will. */
  private get active(): Member[] {
    return [...this.members].filter(({ state }) => state === 'serving' || state === 'starting');
  }

  private async startAll(): Promise<void> {
    await Promise.all(Array.from({ length: this.settings.workers }, () => this.startFirst()));
  }

  /** A bad configuration ends the start; a crash does not. */
  private async startFirst(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (error instanceof WorkerRefused) throw configError(error);
      if (!this.isEnding) await this.replace(this.notStarted(error));
    }
  }

  /** For a restart, which ends with the first worker that does not start. */
  private async startNew(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (error instanceof WorkerRefused) {
        this.refusedFiles = error.refused.files;
        throw configError(error);
      }
      throw new WorkersFailed(`a new worker did not start: ${textOf(error)}`, { cause: error });
    }
  }

  /** Resolves when a new worker listens. */
  private async start(): Promise<Member> {
    if (this.isEnding) throw new WorkersFailed('the workers are ending');
    const { generation } = this;
    const member = new Member(cluster.fork(), this.settings.startTimeoutMs);
    this.members.add(member);
    void member.gone.then((exit) => this.ended(member, exit));
    this.latest = await member.started;
    this.failedStarts = 0;
    this.onEvent({ kind: 'started', worker: member });
    // It may have read the files before they changed, and the others after that.
    if (generation !== this.generation) await this.reloadOne(member, 0).catch(() => undefined);
    return member;
  }

  private ended(member: Member, exit: Exit): void {
    this.members.delete(member);
    this.onEvent({ kind: 'ended', id: member.id, parting: member.parting });
    if (this.isEnding || !member.diedServing) return;
    const delayMs = this.backOff.died(member.startedAt);
    this.onEvent({ kind: 'died', pid: member.pid, exit, delayMs });
    void this.replace(delayMs);
  }

  /** Starts a worker in the place of one that died, until one serves. */
  private async replace(firstDelayMs: number): Promise<void> {
    let delayMs = firstDelayMs;
    while (await this.rest(delayMs)) {
      // A restart may have filled the place, or want fewer.
      if (this.active.length >= this.settings.workers) return;
      try {
        const { pid } = await this.start();
        this.reported = '';
        this.onEvent({ kind: 'replaced', pid });
        return;
      } catch (error) {
        if (this.isEnding) return;
        delayMs = this.notStarted(error);
      }
    }
  }

  /** False where all is ending. */
  private rest(delayMs: number): Promise<boolean> {
    return sleep(delayMs, true, { signal: this.ending.signal }).catch(() => false);
  }

  /** Reports it, and returns the time to wait; gives up if nobody serves and it was so again and again. */
  private notStarted(error: unknown): number {
    const problems = error instanceof WorkerRefused ? error.problems : [];
    const delayMs = this.backOff.died(monotonicMs());
    this.failedStarts++;
    const text = JSON.stringify([textOf(error), problems]);
    if (text !== this.reported) this.onEvent({ kind: 'not-started', reason: textOf(error), problems });
    this.reported = text;
    if (this.failedStarts >= MAX_FAILED_STARTS && this.serving.length === 0) {
      this.fail(new WorkersFailed(`${this.failedStarts} workers in a row did not start, and none serves`));
    }
    return delayMs;
  }

  /**
   * False if it died over it: its successor reads the new files.
   * @param done how many have taken them.
   * @throws ConfigError
   */
  private async reloadOne(member: Member, done: number): Promise<boolean> {
    try {
      this.latest = await member.reload(this.settings.startTimeoutMs);
      this.refusedFiles = [];
      return true;
    } catch (error) {
      if (error instanceof WorkerSilent) return await this.giveUp(member, error);
      if (!(error instanceof WorkerRefused)) return false;
      this.refusedFiles = error.refused.files;
      throw configError(error, done);
    }
  }

  /**
   * A reload does not end. A worker whose event loop hangs serves nobody, and gives way to another; otherwise it
   * serves on by the old configuration.
   * @throws ConfigError `worker-silent`
   */
  private async giveUp(member: Member, { message, timeoutMs }: WorkerSilent): Promise<boolean> {
    if ((await member.ask(ALIVE)) !== true) {
      member.destroy(message);
      return false;
    }
    throw new ConfigError({
      code: 'worker-silent',
      message: `the worker ${member.pid} has not taken the new configuration within ${timeoutMs / 1000} s, and serves by the old one`,
      hint: 'look whether its files can be read (a network file system?), and send SIGHUP again, or SIGUSR2 to exchange the workers',
    });
  }
}

function textOf(error: unknown): string {
  return error instanceof WorkerGone ? exitText(error.exit) : messageOf(error);
}

/** @param done how many workers have taken what this one refused. */
function configError({ refused: { problems, warnings } }: WorkerRefused, done = 0): ConfigError {
  if (done === 0) return new ConfigError(problems, { warnings });
  const message = `${done} of the workers have taken the new configuration, the others serve by the old one`;
  const differ = { code: 'workers-differ', message, hint: 'correct the files, and send SIGHUP again' };
  return new ConfigError([...problems, differ], { warnings });
}
