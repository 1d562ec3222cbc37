/** Evaluates an expression at a row of times. */
import type { Labels } from './messages.js';
import { type Aggregate, type Expression, lookbackMs } from './query.js';
import { type SampleBudget, type SampleStore, type StoredSample, textOf } from './store.js';

/** A series and its value at each of the times; undefined where it has none. */
export interface Values {
  readonly labels: Labels;
  readonly values: readonly (number | undefined)[];
}

/** The series that an expression has at the times (which ascend), sorted by their labels. */
export function evaluate(expression: Expression, times: readonly number[], store: SampleStore): Values[] {
  return evaluated(expression, times, store, store.budget())
    .filter(({ values }) => values.some((value) => value !== undefined))
    .map((series) => ({ ...series, text: textOf(series.labels) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ labels, values }) => ({ labels, values }));
}

function evaluated(
  expression: Expression,
  times: readonly number[],
  store: SampleStore,
  budget: SampleBudget,
): Values[] {
  switch (expression.kind) {
    case 'aggregate': {
      return aggregated(expression.how, expression.by, evaluated(expression.of, times, store, budget), times.length);
    }
    case 'selector':
      return store.select(expression.selector).map(({ id, labels }) => {
        const samples = store.samples(id, times[0]! - lookbackMs + 1, times.at(-1)!, budget);
        budget.take(times.length);
        return { labels, values: lastValues(samples, times) };
      });
    case 'rate':
      return merged(
        store.select(expression.selector).map(({ id, labels }) => {
          const samples = store.samples(id, times[0]! - expression.rangeMs, times.at(-1)!, budget);
          budget.take(times.length);
          return { labels: without(labels, '__name__'), values: rates(samples, times, expression.rangeMs) };
        }),
      );
  }
}

/** Walks over samples and times together: `from` to `to` are the samples within `rangeMs` of each time. */
function overWindows(
  samples: readonly StoredSample[],
  times: readonly number[],
  rangeMs: number,
  see: (from: number, to: number) => number | undefined,
): (number | undefined)[] {
  let [from, to] = [0, 0];
  return times.map((time) => {
    while (to < samples.length && samples[to]!.timeMs <= time) to++;
    while (from < to && samples[from]!.timeMs < time - rangeMs) from++;
    return see(from, to);
  });
}

function lastValues(samples: readonly StoredSample[], times: readonly number[]): (number | undefined)[] {
  return overWindows(samples, times, lookbackMs - 1, (from, to) => (to > from ? samples[to - 1]!.value : undefined));
}

/** Increases from the start of the samples, resets counted, make every window's increase one subtraction. */
function rates(samples: readonly StoredSample[], times: readonly number[], rangeMs: number): (number | undefined)[] {
  const increases = [0];
  for (let index = 1; index < samples.length; index++) {
    const [before, now] = [samples[index - 1]!.value, samples[index]!.value];
    increases.push(increases[index - 1]! + (now < before ? now : now - before));
  }
  return overWindows(samples, times, rangeMs, (from, to) => {
    if (to - from < 2) return undefined;
    const seconds = (samples[to - 1]!.timeMs - samples[from]!.timeMs) / 1000;
    return (increases[to - 1]! - increases[from]!) / seconds;
  });
}

const combine: Readonly<Record<Aggregate, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  avg: (a, b) => a + b,
  max: (a, b) => (b > a || Number.isNaN(a) ? b : a),
  min: (a, b) => (b < a || Number.isNaN(a) ? b : a),
};

function aggregated(how: Aggregate, by: readonly string[], series: readonly Values[], steps: number): Values[] {
  const groups = new Map<string, { labels: Labels; values: (number | undefined)[]; counts: number[] }>();
  for (const { labels, values } of series) {
    const kept = Object.fromEntries(Object.entries(labels).filter(([name]) => by.includes(name)));
    const key = textOf(kept);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels: kept, values: Array<undefined>(steps).fill(undefined), counts: Array<number>(steps).fill(0) };
      groups.set(key, group);
    }
    values.forEach((value, step) => {
      if (value === undefined) return;
      const before = group.values[step];
      group.values[step] = before === undefined ? value : combine[how](before, value);
      group.counts[step]! += 1;
    });
  }
  if (how !== 'avg') return [...groups.values()];
  return [...groups.values()].map(({ labels, values, counts }) => ({
    labels,
    values: values.map((value, step) => (value === undefined ? undefined : value / counts[step]!)),
  }));
}

/** Without their names two metrics may have the same labels; the values of the first then count. */
function merged(series: readonly Values[]): Values[] {
  const byText = new Map<string, Values>();
  for (const each of series) {
    const text = textOf(each.labels);
    const first = byText.get(text);
    byText.set(
      text,
      first === undefined
        ? each
        : { labels: each.labels, values: first.values.map((value, step) => value ?? each.values[step]) },
    );
  }
  return [...byText.values()];
}

function without(labels: Labels, name: string): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([each]) => each !== name));
}
