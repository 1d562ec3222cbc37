/**
 * The metrics of several processes as one: of the primary, of the workers, and what workers that have ended had counted. A
 * counter never goes back: a worker that does not answer counts with what it said last, and so does one that was killed.
 */
import { exposition, type MetricFamily, type MetricValue, OTHER, type Scrape } from './exposition.js';
import type { Metrics } from './metrics.js';

/** A worker that may be asked for the metrics of its process: undefined if it does not answer. */
export interface MeasuredWorker {
  readonly id: number;
  /** False while it finishes its last requests. */
  readonly isServing: boolean;
  families(): Promise<readonly MetricFamily[] | undefined>;
}

export class SummedMetrics {
  /** What each worker said last. */
  private readonly last = new Map<number, readonly MetricFamily[]>();
  private readonly ended: Sum;
  private deaths = 0;
  /** One round of questions is for all scrapers that come meanwhile. */
  private round: Promise<readonly MetricFamily[]> | undefined;

  /**
   * @param own of this process
   * @param maxSeries label sets of each metric that are kept of workers that have ended
   */
  constructor(
    private readonly own: Pick<Metrics, 'families'>,
    maxSeries: number,
  ) {
    this.ended = new Sum(maxSeries);
  }

  /** A worker is gone. @param parting its metrics, if it could still tell them */
  hasEnded(id: number, parting: readonly MetricFamily[] | undefined): void {
    const known = parting ?? this.last.get(id) ?? [];
    this.last.delete(id);
    // What a gauge said of it is not so any more.
    this.ended.add(known.filter(({ type }) => type !== 'gauge'));
  }

  countDeath(): void {
    this.deaths++;
  }

  /** Everything as text; never waits longer than a worker may take for its answer. */
  async scrape(accept: string | undefined, workers: readonly MeasuredWorker[]): Promise<Scrape> {
    this.round ??= this.ask(workers).finally(() => (this.round = undefined));
    return exposition(await this.round, accept);
  }

  private async ask(workers: readonly MeasuredWorker[]): Promise<readonly MetricFamily[]> {
    const answers = workers.map(async (worker) => {
      const families = await worker.families();
      // Kept as soon as it comes: a worker that ends meanwhile is in one of the two sums, and not in both.
      if (families !== undefined) this.last.set(worker.id, families);
      return families !== undefined;
    });
    const own = await this.own.families();
    const silent = (await Promise.all(answers)).filter((hasAnswered) => !hasAnswered).length;
    const all = new Sum();
    all.add(own);
    all.add(this.ownFamilies(workers, silent));
    for (const families of this.last.values()) all.add(families);
    all.add(this.ended.families);
    return all.families;
  }

  private ownFamilies(workers: readonly MeasuredWorker[], silent: number): MetricFamily[] {
    const serving = workers.filter(({ isServing }) => isServing).length;
    const states = { serving, draining: workers.length - serving };
    return [
      {
        name: 'photongate_workers',
        help: 'Worker processes; draining: those that finish their last requests.',
        type: 'gauge',
        values: Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
      },
      {
        name: 'photongate_silent_workers',
        help: 'Workers that did not answer this scrape in time; their last figures count.',
        type: 'gauge',
        values: [{ labels: {}, value: silent }],
      },
      {
        name: 'photongate_worker_deaths_total',
        help: 'Workers that ended though nobody told them to.',
        type: 'counter',
        values: [{ labels: {}, value: this.deaths }],
      },
    ];
  }
}

type Join = (one: number, other: number) => number;

const sum: Join = (one, other) => one + other;

/** What is not added up: the worst of several delays, the first of several dates, what is the same in all. */
const joins: Readonly<Record<string, Join>> = {
  nodejs_eventloop_lag_seconds: Math.max,
  nodejs_eventloop_lag_min_seconds: Math.min,
  nodejs_eventloop_lag_max_seconds: Math.max,
  nodejs_eventloop_lag_mean_seconds: Math.max,
  nodejs_eventloop_lag_stddev_seconds: Math.max,
  nodejs_eventloop_lag_p50_seconds: Math.max,
  nodejs_eventloop_lag_p90_seconds: Math.max,
  nodejs_eventloop_lag_p99_seconds: Math.max,
  nodejs_version_info: Math.max,
  photongate_build_info: Math.max,
  photongate_tls_certificate_expiry_timestamp_seconds: Math.min,
  photongate_upstream_failing: Math.max,
  process_max_fds: Math.min,
  process_start_time_seconds: Math.min,
};

/** Labels whose values are as many as routes, RPCs and upstreams. */
const openLabels = new Set(['http_route', 'rpc_service', 'rpc_method', 'upstream']);

interface Summed extends MetricFamily {
  readonly values: MetricValue[];
  /** Where a value stands. */
  readonly places: Map<string, number>;
  readonly labelSets: Set<string>;
}

/** Adds families of the same name up. */
class Sum {
  private readonly byName = new Map<string, Summed>();

  /** @param maxSeries label sets of each; further ones are added up as `_OTHER` */
  constructor(private readonly maxSeries = Infinity) {}

  get families(): readonly MetricFamily[] {
    return [...this.byName.values()].map(({ name, help, type, values }) => ({ name, help, type, values }));
  }

  add(families: readonly MetricFamily[]): void {
    for (const { name, help, type, values } of families) {
      let all = this.byName.get(name);
      if (all === undefined) {
        all = { name, help, type, values: [], places: new Map(), labelSets: new Set() };
        this.byName.set(name, all);
      }
      const join = joins[name] ?? sum;
      for (const value of values) this.addValue(all, value, join);
    }
  }

  private addValue(all: Summed, given: MetricValue, join: Join): void {
    let { labels } = given;
    let set = keyOf(labels);
    if (!all.labelSets.has(set)) {
      if (all.labelSets.size >= this.maxSeries) {
        labels = withoutOpenLabels(labels);
        set = keyOf(labels);
      }
      all.labelSets.add(set);
    }
    const { metricName = '', value, exemplar } = given;
    const key = `${metricName}\n${labels['le'] ?? ''}\n${set}`;
    const place = all.places.get(key);
    if (place === undefined) {
      all.places.set(key, all.values.length);
      all.values.push({ ...given, labels });
      return;
    }
    const known = all.values[place]!;
    const isNewer = (exemplar?.timestamp ?? 0) > (known.exemplar?.timestamp ?? 0);
    const newest = isNewer ? exemplar : known.exemplar;
    // A delay that was not measured yet is no number, and null on its way here.
    const joined = isNumber(value) ? (isNumber(known.value) ? join(known.value, value) : value) : known.value;
    all.values[place] = { ...known, value: joined, ...(newest === undefined ? {} : { exemplar: newest }) };
  }
}

function isNumber(value: number | null): value is number {
  return value !== null && !Number.isNaN(value);
}

/** All labels but that of the bucket, in one order: workers need not run the same version. */
function keyOf(labels: MetricValue['labels']): string {
  const names = Object.keys(labels).filter((name) => name !== 'le');
  return names
    .sort()
    .map((name) => `${name}=${labels[name]}`)
    .join('\n');
}

function withoutOpenLabels(labels: MetricValue['labels']): MetricValue['labels'] {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, openLabels.has(name) ? OTHER : value]),
  );
}
