/** `serve` with several processes: the workers as one proxy, and what is said of them. */
import { availableParallelism } from 'node:os';
import type { Config } from '../config/index.js';
import { shareLogLevel } from '../admin/index.js';
import { MAX_TIMER_MS } from '../options/index.js';
import type { Problem } from '../status.js';
import { exitText, type PoolSettings, type WorkerEvent, WorkerPool } from '../workers/index.js';
import type { EventSink } from './event-log.js';
import type { Logging } from './logging.js';
import type { Observing } from './observing.js';
import type { ServingProxy } from './serving-proxy.js';

/**
 * A worker reads files and asks upstreams for their schema, and the second has a limit of its own. Thousands of protos take
 * a few seconds; whoever takes longer than this hangs.
 */
const START_MS = 60_000;

/** How many processes serve. */
export function workerCount({ workers = 1 }: Config): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/**
 * Workers that serve, and the admin listener of all of them.
 * @throws ConfigError, WorkersFailed
 */
export async function startWorkers(
  config: Config,
  workers: number,
  log: Logging,
  observing: Observing,
): Promise<ServingProxy> {
  const observe = observing.watchWorkers(config.options);
  const pool = await WorkerPool.start(poolSettings(config), (event) => {
    observe(event);
    logWorker(event, log);
  });
  try {
    await observing.startPrimary(config.options, pool);
  } catch (error) {
    await pool.drain();
    throw error;
  }
  const changed = async (next: Config, change: () => Promise<readonly Problem[]>): Promise<readonly Problem[]> => {
    try {
      return [...(await change()), ...observing.reloaded(next.options)];
    } finally {
      // Those that have not read the configuration again have another level than the primary, which has.
      void shareLogLevel(pool.askable, log.level);
    }
  };
  return {
    get urls() {
      return pool.urls;
    },
    get warnings() {
      return pool.warnings;
    },
    get files() {
      return pool.files;
    },
    remark: ` with ${workers} workers`,
    reload: (next) => changed(next, () => pool.reload(poolSettings(next))),
    restart: (next) => changed(next, () => pool.restart(poolSettings(next))),
    drain: () => pool.drain(),
    failed: pool.failed,
  };
}

function poolSettings(config: Config): PoolSettings {
  const drainTimes = config.listeners.map(({ root: { options } }) => options.drainDelayMs + options.drainTimeoutMs);
  const mounts = config.listeners.flatMap((listener) => [listener.root, ...listener.mounts]);
  const reflectionTimes = mounts.map(({ options }) => options.reflectionTimeoutMs);
  return {
    workers: workerCount(config),
    drainTimeoutMs: Math.max(...drainTimes),
    startTimeoutMs: Math.min(MAX_TIMER_MS, START_MS + Math.max(...reflectionTimes)),
  };
}

/** Logs an event, with the problems behind it as a start would show them. */
function logWorker(event: WorkerEvent, log: EventSink): void {
  const shown = shownEvent(event);
  if (shown !== undefined) log.problems(shown.level, shown.text, shown.problems ?? []);
}

type Shown = { readonly level: 'info' | 'error'; readonly text: string } & Partial<Pick<NotStarted, 'problems'>>;
type NotStarted = Extract<WorkerEvent, { kind: 'not-started' }>;

function shownEvent(event: WorkerEvent): Shown | undefined {
  switch (event.kind) {
    case 'started':
    case 'ended':
      return undefined;
    case 'died': {
      const { pid, exit, delayMs } = event;
      const text = `the worker ${pid} ended with ${exitText(exit)}; its calls are lost, another starts in ${delayMs} ms`;
      return { level: 'error', text };
    }
    case 'not-started': {
      const { reason, problems } = event;
      return { level: 'error', text: `a worker did not start: ${reason}; it is tried again`, problems };
    }
    case 'replaced':
      return { level: 'info', text: `the worker ${event.pid} serves in the place of one that ended` };
  }
}
