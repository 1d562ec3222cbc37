/**
 * What the admin listener answers if worker processes serve: the primary asks them, and puts their answers together. None
 * of them is waited for longer than a second.
 */
import type { ChannelStatus, ClusterHostStatus, Connectivity } from '../channel-status.js';
import { StatusError } from '../status.js';
import type { MeasuredWorker, MetricFamily, SummedMetrics } from '../telemetry/index.js';
import { adminPages, type AdminSource, commonPages, notReady, withIndex } from './pages.js';
import type { AdminPage, AdminPages, AdminReply } from './server.js';

/** A worker as the primary may ask it. */
export interface AskableWorker {
  readonly id: number;
  /** False while it finishes its last requests. */
  readonly isServing: boolean;
  /** Undefined if it does not know, or does not answer in time. */
  ask(topic: string, detail?: string): Promise<unknown>;
}

/** The workers of a primary. */
export interface AskablePool {
  readonly askable: readonly AskableWorker[];
  /** All of them drain. */
  readonly isEnding: boolean;
}

/** Where the answers come from. */
export interface WorkersSource {
  readonly pool: AskablePool;
  readonly metrics: SummedMetrics;
  readonly log: AdminSource['log'];
}

const METRICS = 'metrics';
const HEALTHY = 'healthy';

/** So many are asked for what all of them know alike, before there is no answer. */
const MAX_ASKED = 3;

/** The pages of the primary. */
export function primaryPages(source: WorkersSource): AdminPages {
  const { pool, metrics, log } = source;
  const common = commonPages({ scrape: (accept) => metrics.scrape(accept, pool.askable.map(measured)) }, log);
  const ofOne = (page: string): AdminPage => {
    return () => fromOne(pool.askable, page);
  };
  return withIndex({
    ...common,
    'GET /readyz': () => readiness(pool),
    'GET /routes': ofOne('GET /routes'),
    'GET /config': ofOne('GET /config'),
    'GET /upstreams': async () => ({ body: await upstreams(pool.askable) }),
    'PUT /log-level': async (request) => {
      const reply = await common['PUT /log-level']!(request);
      await shareLogLevel(pool.askable, log.level);
      return reply;
    },
  });
}

/** What a worker answers to the questions of these pages. */
export function workerAnswers(source: AdminSource): (topic: string, detail: string) => unknown {
  const pages = adminPages(source);
  return (topic, detail) => {
    if (topic === METRICS) return source.metrics.families();
    if (topic === HEALTHY) return source.proxy.setHealthy(detail === 'true');
    return pages.get(topic)?.({ accept: undefined, body: detail });
  };
}

/** A worker for `SummedMetrics`. */
function measured(worker: AskableWorker): MeasuredWorker {
  return {
    id: worker.id,
    isServing: worker.isServing,
    families: async () => familiesOf(await worker.ask(METRICS)),
  };
}

/** What a worker sent as its metrics; undefined if it sent none. */
export function familiesOf(answer: unknown): readonly MetricFamily[] | undefined {
  return Array.isArray(answer) ? (answer as MetricFamily[]) : undefined;
}

/** All log by this level from now on. */
export async function shareLogLevel(workers: readonly AskableWorker[], level: string): Promise<void> {
  await Promise.all(workers.map((worker) => worker.ask('PUT /log-level', level)));
}

/** From now on load balancers are told to send nothing, or to send again. */
export async function shareHealth(workers: readonly AskableWorker[], isHealthy: boolean): Promise<void> {
  await Promise.all(workers.map((worker) => worker.ask(HEALTHY, String(isHealthy))));
}

/** One that serves is enough, as connections are dealt out to those that do. */
async function readiness({ isEnding, askable }: AskablePool): Promise<AdminReply> {
  if (isEnding) return notReady('it drains');
  const serving = askable.filter(({ isServing }) => isServing);
  if (serving.length === 0) return notReady('no worker serves');
  const answers = serving.map(async (worker) => {
    const reply = replyOf(await worker.ask('GET /readyz')) ?? notReady('no worker answers');
    if (reply.status !== undefined) throw new NotReady(reply);
    return reply;
  });
  return Promise.any(answers).catch(({ errors }: AggregateError) => (errors as NotReady[])[0]!.reply);
}

class NotReady extends Error {
  constructor(readonly reply: AdminReply) {
    super('not ready');
  }
}

/** A page that is the same in all workers. */
async function fromOne(workers: readonly AskableWorker[], page: string): Promise<AdminReply> {
  for (const worker of workers.filter(({ isServing }) => isServing).slice(0, MAX_ASKED)) {
    const reply = replyOf(await worker.ask(page));
    if (reply !== undefined) return reply;
  }
  throw StatusError.http(503, 'no worker answers; try again');
}

/** The upstreams of all workers, each target once. */
async function upstreams(workers: readonly AskableWorker[]): Promise<ChannelStatus[]> {
  const replies = await Promise.all(workers.map((worker) => worker.ask('GET /upstreams')));
  const byTarget = new Map<string, ChannelStatus>();
  for (const status of replies.flatMap((reply) => (replyOf(reply)?.body ?? []) as readonly ChannelStatus[])) {
    const known = byTarget.get(status.target);
    byTarget.set(status.target, known === undefined ? status : together(known, status));
  }
  return [...byTarget.values()];
}

function together(one: ChannelStatus, other: ChannelStatus): ChannelStatus {
  return {
    target: one.target,
    state: states.find((state) => state === one.state || state === other.state) ?? one.state,
    connections: sumOf(one.connections, other.connections),
    calls: one.calls + other.calls,
    waiting: sumOf(one.waiting, other.waiting),
    retries: sumOf(one.retries, other.retries),
    problem: one.problem ?? other.problem,
    ...(one.hosts !== undefined && { hosts: one.hosts.map((host) => worse(host, other.hosts)) }),
  };
}

/** Each worker checks for itself: the one that is worst off counts. */
function worse(host: ClusterHostStatus, others: readonly ClusterHostStatus[] = []): ClusterHostStatus {
  const other = others.find(({ cluster, priority }) => cluster === host.cluster && priority === host.priority);
  if (other === undefined) return host;
  const healths = [host.health, other.health];
  return {
    ...host,
    health:
      healths.find((health) => health === 'unhealthy') ??
      healths.find((health) => health === 'unchecked') ??
      host.health,
    ejected: host.ejected === true || other.ejected === true ? true : host.ejected,
    problem: host.problem ?? other.problem,
  };
}

/** What an operator has to look at first. */
const states: readonly Connectivity[] = ['TRANSIENT_FAILURE', 'CONNECTING', 'READY'];

function sumOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

function replyOf(answer: unknown): AdminReply | undefined {
  return typeof answer === 'object' && answer !== null && 'body' in answer ? (answer as AdminReply) : undefined;
}
