/**
 * NightLight, PhotonCloud's metrics: the RPCs of `protos/nightlight/v1/nightlight.proto`. This file checks requests and
 * translates between messages and what does the work: `nightlight/store.ts`, `nightlight/query.ts` and
 * `nightlight/evaluate.ts`.
 */
import { status as Status } from '@grpc/grpc-js';
import { systemClock } from './lib/clock.js';
import { badRequest, quoted, requireFields, ServiceError } from './lib/errors.js';
import type { Rule } from './lib/rules.js';
import { serve } from './lib/grpc.js';
import { readPage } from './lib/paging.js';
import { Schema } from './lib/schema.js';
import type { RunningService, ServiceImplementation, StartOptions } from './lib/service.js';
import { evaluate } from './nightlight/evaluate.js';
import type * as message from './nightlight/messages.js';
import { isLabelName, parseQuery, parseSelector } from './nightlight/query.js';
import { SampleStore, type StoredSeries, type StoreLimits } from './nightlight/store.js';
import { readStep, readTime, writeTime } from './nightlight/times.js';

/** How NightLight is started. */
export interface NightLightOptions extends StartOptions {
  /** How much it holds and looks at. Default: 100000 series, and 2 million samples and values for a query. */
  readonly limits?: StoreLimits;
}

const serviceName = 'nightlight.v1.NightLightService';
const defaultLimits = { maxSeries: 100_000, maxQueriedSamples: 2_000_000 };
const mostSamples = 10_000;
const mostLabels = 64;
const longestValue = 2048;
const mostSteps = 11_000;
const mostSelectors = 20;
/** So that a reply fits into a message of the size that clients take by default. */
const mostReplyBytes = 3 * 1024 * 1024;

/** Starts NightLight; resolves when it listens. */
export async function startNightLight(options: NightLightOptions): Promise<RunningService> {
  const { database, clock = systemClock } = options;
  const store = new SampleStore(database, options.limits ?? defaultLimits);
  const handlers = { ...sampleHandlers(store, () => clock.now()), ...listHandlers(store) };
  const schema = Schema.load(['nightlight/v1/nightlight.proto']);
  return serve({ ...options, services: [{ schema, name: serviceName, handlers }] });
}

function sampleHandlers(store: SampleStore, now: () => number): ServiceImplementation['handlers'] {
  return {
    Write({ series }: message.WriteRequest): object {
      const accepted = series.reduce((sum, { samples }) => sum + samples.length, 0);
      requireFields(
        ['series', series.length > 0, 'is empty, expected at least one'],
        ['series', accepted <= mostSamples, `have ${accepted} samples, expected at most ${mostSamples} in one write`],
      );
      requireFields(
        ...series.flatMap(({ labels, samples }, index) => seriesRules(`series[${index}]`, labels, samples)),
      );
      const atOnce = now();
      const timeOf = (text: string): number => (text === '' ? atOnce : readTime(text)!);
      store.write(
        series.map(({ labels, samples }) => ({
          labels,
          samples: samples.map(({ timestamp, value }) => ({ timeMs: timeOf(timestamp), value })),
        })),
      );
      return { accepted: BigInt(accepted) };
    },

    Query({ query, time }: message.QueryRequest): object {
      const expression = parseQuery(query);
      const at = time === '' ? now() : requireTime('time', time);
      const result = evaluate(expression, [at], store).map(({ labels, values }) => ({
        metric: labels,
        timestamp: writeTime(at),
        value: values[0]!,
      }));
      requireFitting(result);
      return { result_type: 'vector', result };
    },

    QueryRange(request: message.QueryRangeRequest): object {
      const expression = parseQuery(request.query);
      const start = requireTime('start', request.start);
      const end = requireTime('end', request.end);
      const step = readStep(request.step);
      const found = `is ${quoted(request.step)}`;
      requireFields(
        ['end', end >= start, 'is before start'],
        ['step', step !== undefined, `${found}, expected a duration such as 15s, 1m or 1h30m, or seconds`],
        ['step', (end - start) / (step ?? Infinity) < mostSteps, `${found}: more than ${mostSteps} steps to the end`],
      );
      const times: number[] = [];
      for (let at = start; at <= end; at += step!) times.push(at);
      const result = evaluate(expression, times, store).map(({ labels, values }) => ({
        metric: labels,
        values: values.flatMap((value, index) =>
          value === undefined ? [] : [{ timestamp: writeTime(times[index]!), value }],
        ),
      }));
      requireFitting(result);
      return { result_type: 'matrix', result };
    },
  };
}

function listHandlers(store: SampleStore): ServiceImplementation['handlers'] {
  return {
    ListSeries(request: message.MatchRequest): object {
      const series = selected(store, request.match);
      const query = [serviceName, 'ListSeries', ...request.match];
      const read = (after = '0', count: number): StoredSeries[] =>
        series.filter(({ id }) => id > BigInt(after)).slice(0, count);
      const page = readPage(query, request, read, ({ id }) => id.toString());
      return { series: page.entries.map(({ labels }) => ({ labels })), next_page_token: page.next_page_token };
    },

    ListLabels(request: message.MatchRequest): object {
      const names = selected(store, request.match).flatMap(({ labels }) => Object.keys(labels));
      const page = pageOfTexts([serviceName, 'ListLabels', ...request.match], request, names);
      return { labels: page.entries, next_page_token: page.next_page_token };
    },

    ListLabelValues(request: message.ListLabelValuesRequest): object {
      const { name, match } = request;
      requireFields(['name', isLabelName(name), `is ${quoted(name)}, expected letters, digits and _`]);
      const values = selected(store, match).flatMap(({ labels }) => (Object.hasOwn(labels, name) ? labels[name]! : []));
      const page = pageOfTexts([serviceName, 'ListLabelValues', name, ...match], request, values);
      return { values: page.entries, next_page_token: page.next_page_token };
    },
  };
}

/** One page of texts, sorted, each once. */
function pageOfTexts(
  query: readonly string[],
  request: message.MatchRequest,
  texts: readonly string[],
): { entries: string[]; next_page_token: string } {
  const sorted = [...new Set(texts)].sort();
  const read = (after: string | undefined, count: number): string[] =>
    (after === undefined ? sorted : sorted.filter((text) => text > after)).slice(0, count);
  return readPage(query, request, read, (text) => text);
}

/** The series that one of the selectors means, by age; without selectors all. */
function selected(store: SampleStore, match: readonly string[]): StoredSeries[] {
  requireFields(['match', match.length <= mostSelectors, `are ${match.length}, expected at most ${mostSelectors}`]);
  if (match.length === 0) return store.select(undefined);
  const found = new Map(
    match.flatMap((text) => store.select(parseSelector(text)).map((series) => [series.id, series] as const)),
  );
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function seriesRules(field: string, labels: message.Labels, samples: readonly message.Sample[]): Rule[] {
  const entries = Object.entries(labels);
  const badName = entries.find(([name]) => !isLabelName(name) || name.length > 128)?.[0];
  const badValue = entries.find(([, value]) => value.length > longestValue || value.includes('\0'))?.[0];
  const badTime = samples.find(({ timestamp }) => timestamp !== '' && readTime(timestamp) === undefined);
  const metric = labels['__name__'] ?? '';
  return [
    [`${field}.labels`, metric !== '', 'have no __name__, expected the name of the metric'],
    [
      `${field}.labels`,
      metric === '' || /^[A-Za-z_:][\w:]*$/.test(metric),
      `have the __name__ ${quoted(metric)}, expected letters, digits, _ and :`,
    ],
    [`${field}.labels`, entries.length <= mostLabels, `are ${entries.length}, expected at most ${mostLabels}`],
    [
      `${field}.labels`,
      badName === undefined,
      `have the name ${quoted(badName ?? '')}, expected letters, digits and _`,
    ],
    [
      `${field}.labels`,
      badValue === undefined,
      `${quoted(badValue ?? '')} is longer than ${longestValue} characters, or has a NUL`,
    ],
    [`${field}.samples`, samples.length > 0, 'is empty, expected at least one'],
    [
      `${field}.samples`,
      badTime === undefined,
      `have the timestamp ${quoted(badTime?.timestamp ?? '')}, ${expectedTime}`,
    ],
  ];
}

const expectedTime = 'expected RFC 3339 (2026-01-01T00:00:00Z) or seconds since 1970';

function requireTime(field: string, text: string): number {
  const time = readTime(text);
  if (time === undefined) {
    throw badRequest([{ field, description: `${text === '' ? 'is missing' : `is ${quoted(text)}`}, ${expectedTime}` }]);
  }
  return time;
}

function requireFitting(result: readonly { metric: message.Labels; values?: readonly unknown[] }[]): void {
  let bytes = 0;
  for (const { metric, values = [0] } of result) {
    bytes += values.length * 40;
    for (const [name, value] of Object.entries(metric)) bytes += name.length + 3 * value.length + 8;
  }
  if (bytes > mostReplyBytes) {
    throw new ServiceError(Status.RESOURCE_EXHAUSTED, 'the answer is too large; aggregate, or ask for fewer steps');
  }
}
