/** Inside a worker: a proxy that starts, reloads and drains when the primary says so. */
import cluster from 'node:cluster';
import type { Config } from '../config/index.js';
import { type RunningProxy, startProxy, type StartOptions } from '../live/index.js';
import { Sequence } from '../queue.js';
import { ConfigError, type Problem } from '../status.js';
import { ALIVE, type Answer, type Order, type Parting, type Question, type Report, type Serving } from './messages.js';

/** A terminal and a service manager send their signals to every process of the group; the primary alone decides. */
const ignoredSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

/** True in a process that the primary started. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** What a worker says of itself. */
export interface Voice {
  /** To a question of the primary; undefined if it does not know the topic. */
  answer(topic: string, detail: string): unknown;
  /** What the primary is to know of it when it has ended. */
  parting(): unknown;
}

/** What a worker does besides serving. */
export interface WorkerJob {
  load(): Config;
  /** Called with the configuration before it is served. */
  prepare(config: Config): Promise<StartOptions>;
  started(proxy: RunningProxy): Voice;
  /** It serves by another configuration; returns what of it needs a restart. */
  reloaded(config: Config): readonly Problem[];
}

/**
 * Serves until the primary wants it to end; if the primary dies, Node ends the worker at once. What is wrong with the
 * configuration is reported to the primary.
 * @returns false if it could not start
 */
export async function runWorker(job: WorkerJob): Promise<boolean> {
  for (const signal of ignoredSignals) process.on(signal, () => undefined);
  try {
    const config = job.load();
    const proxy = await startProxy(config, await job.prepare(config));
    const voice = job.started(proxy);
    // The primary tells reports apart by their order.
    const reloads = new Sequence();
    const drained = new Promise<void>((resolve) => {
      process.on('message', (message: Order | Question) => {
        if ('ask' in message) void answer(message, voice);
        else if (message.order === 'drain') resolve();
        else void reloads.run(() => reload(job, proxy));
      });
    });
    await report({ serving: servingOf(proxy, proxy.prepared.warnings) });
    await drained;
    await proxy.drain();
    await report({ parting: await voice.parting() });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    await report(refusal(error, []));
    return false;
  } finally {
    // The channel would keep the process alive.
    process.disconnect();
  }
}

/** Never rejects: what fails is not known. */
async function answer({ ask, detail, id }: Question, voice: Voice): Promise<void> {
  const said = await Promise.resolve()
    .then(() => (ask === ALIVE ? true : voice.answer(ask, detail)))
    .catch(() => undefined);
  await report({ id, answer: said });
}

async function reload(job: WorkerJob, proxy: RunningProxy): Promise<void> {
  try {
    const config = job.load();
    const warnings = await proxy.reload(config);
    await report({ serving: servingOf(proxy, [...warnings, ...job.reloaded(config)]) });
  } catch (error) {
    await report(refusal(error, [...proxy.files]));
  }
}

function servingOf({ urls, files }: RunningProxy, warnings: readonly Problem[]): Serving {
  return { urls, warnings, files: [...files] };
}

function refusal(error: unknown, files: readonly string[]): Report {
  if (error instanceof ConfigError) return { refused: { problems: error.problems, warnings: error.warnings, files } };
  return { refused: { problems: [{ code: 'reload-failed', message: String(error) }], warnings: [], files } };
}

/** Resolves when it has left, or never will. */
function report(message: Report | Answer | Parting): Promise<void> {
  return new Promise((resolve) => {
    process.send!(message, () => resolve());
  });
}
