/** Series and their samples in the database, and which series a selector means. It knows nothing of messages. */
import vm from 'node:vm';
import { status as Status } from '@grpc/grpc-js';
import type { Database } from '../lib/database.js';
import { badRequest, quoted, ServiceError } from '../lib/errors.js';
import type { Labels } from './messages.js';
import { type Matcher, patternOf, type Selector } from './query.js';

const migrations = [
  `CREATE TABLE nightlight_series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;
   CREATE TABLE nightlight_labels (
     name TEXT NOT NULL, value TEXT NOT NULL, series INTEGER NOT NULL REFERENCES nightlight_series,
     PRIMARY KEY (name, value, series)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE nightlight_samples (
     series INTEGER NOT NULL REFERENCES nightlight_series, time_ms INTEGER NOT NULL, value REAL,
     PRIMARY KEY (series, time_ms)
   ) STRICT, WITHOUT ROWID;`,
];

/** A series by its number. */
export interface StoredSeries {
  readonly id: bigint;
  readonly labels: Labels;
  /** The labels in one form of writing, by which series are compared and sorted. */
  readonly text: string;
}

export interface StoredSample {
  readonly timeMs: number;
  readonly value: number;
}

/** How much a store holds, and how much of it one query may look at. */
export interface StoreLimits {
  readonly maxSeries: number;
  readonly maxQueriedSamples: number;
}

/** How long all expressions of one request may take: they are the caller's, and some take for ever. */
const matchMs = 1000;

/** The series of one service. */
export class SampleStore {
  readonly #database: Database;
  readonly #limits: StoreLimits;

  constructor(database: Database, limits: StoreLimits) {
    database.migrate('nightlight', migrations);
    this.#database = database;
    this.#limits = limits;
  }

  /** Stores samples, all or none. */
  write(series: readonly { labels: Labels; samples: readonly StoredSample[] }[]): void {
    this.#database.transaction(() => {
      for (const { labels, samples } of series) {
        const id = this.#idOf(labels);
        for (const { timeMs, value } of samples) {
          // SQLite has no NaN: it writes it as NULL.
          this.#database.run('INSERT OR REPLACE INTO nightlight_samples VALUES (?, ?, ?)', id, timeMs, value);
        }
      }
    });
  }

  /** The series that a selector means; undefined means all. */
  select(selector: Selector | undefined): StoredSeries[] {
    const equal = (selector ?? []).filter(({ operator, value }) => operator === '=' && value !== '');
    const where = equal.map(() => 'AND id IN (SELECT series FROM nightlight_labels WHERE name = ? AND value = ?)');
    const rows = this.#database.all<{ id: bigint; labels: string }>(
      `SELECT id, labels FROM nightlight_series WHERE TRUE ${where.slice(0, 10).join(' ')} ORDER BY id LIMIT ?`,
      ...equal.slice(0, 10).flatMap(({ label, value }) => [label, value]),
      this.#limits.maxSeries,
    );
    const series = rows.map(({ id, labels }) => ({ id, labels: labelsOf(labels), text: labels }));
    return (selector ?? []).reduce((left, matcher) => matching(left, matcher), series);
  }

  /** The samples of a series from one time to another, both included. */
  samples(id: bigint, fromMs: number, toMs: number, budget: SampleBudget): StoredSample[] {
    const rows = this.#database.all<{ time_ms: bigint; value: number | null }>(
      `SELECT time_ms, value FROM nightlight_samples WHERE series = ? AND time_ms BETWEEN ? AND ?
       ORDER BY time_ms LIMIT ?`,
      ...[id, fromMs, toMs, budget.left + 1],
    );
    budget.take(rows.length);
    return rows.map(({ time_ms, value }) => ({ timeMs: Number(time_ms), value: value ?? NaN }));
  }

  /** What one request may look at. */
  budget(): SampleBudget {
    return new SampleBudget(this.#limits.maxQueriedSamples);
  }

  #idOf(labels: Labels): bigint {
    const text = textOf(labels);
    const find = (): bigint | undefined =>
      this.#database.get<{ id: bigint }>('SELECT id FROM nightlight_series WHERE labels = ?', text)?.id;
    const known = find();
    if (known !== undefined) return known;
    const { count } = this.#database.get<{ count: bigint }>('SELECT count(*) AS count FROM nightlight_series')!;
    if (count >= BigInt(this.#limits.maxSeries)) {
      throw new ServiceError(Status.RESOURCE_EXHAUSTED, `there are ${count} series, and no more are taken`);
    }
    this.#database.run('INSERT INTO nightlight_series (labels) VALUES (?)', text);
    const id = find()!;
    for (const [name, value] of JSON.parse(text) as [string, string][]) {
      this.#database.run('INSERT INTO nightlight_labels VALUES (?, ?, ?)', name, value, id);
    }
    return id;
  }
}

/** Counts the samples that a request looks at; RESOURCE_EXHAUSTED where they are too many. */
export class SampleBudget {
  constructor(public left: number) {}

  take(count: number): void {
    this.left -= count;
    if (this.left < 0) {
      throw new ServiceError(
        Status.RESOURCE_EXHAUSTED,
        'the query looks at too many samples; narrow its selector, or ask for less time or fewer steps',
      );
    }
  }
}

/** Labels in one form of writing: sorted, the empty ones left out. */
export function textOf(labels: Labels): string {
  const entries = Object.entries(labels).filter(([, value]) => value !== '');
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function labelsOf(text: string): Labels {
  return Object.fromEntries(JSON.parse(text) as [string, string][]);
}

function matching(series: StoredSeries[], { label, operator, value }: Matcher): StoredSeries[] {
  const of = ({ labels }: StoredSeries): string => (Object.hasOwn(labels, label) ? labels[label]! : '');
  if (operator === '=') return series.filter((each) => of(each) === value);
  if (operator === '!=') return series.filter((each) => of(each) !== value);
  const matched = matchedBy(value, new Set(series.map(of)));
  return series.filter((each) => matched.has(of(each)) === (operator === '=~'));
}

/** Those of the values that match. Some expressions take for ever; only in a context of its own can one be stopped. */
function matchedBy(pattern: string, values: ReadonlySet<string>): ReadonlySet<string> {
  const context = { pattern: patternOf(pattern), values: [...values], matched: [] as string[] };
  try {
    vm.runInNewContext('matched = values.filter((value) => pattern.test(value))', context, { timeout: matchMs });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw badRequest([{ field: 'query', description: `the expression ${quoted(pattern)} takes too long to match` }]);
  }
  return new Set(context.matched);
}
