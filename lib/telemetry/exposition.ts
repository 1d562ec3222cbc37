/** Metrics as data, and as text in the form that a scraper takes: that of Prometheus, or OpenMetrics. */
import Negotiator from 'negotiator';
import type * as PromClient from 'prom-client';
import { promClient } from '../packages.js';

/** What stands for label values beyond the limit. */
export const OTHER = '_OTHER';

/** A scrape, in the form that the scraper takes. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

/** A metric with its values, as prom-client has it and as it travels between processes. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  /** Of a histogram: the name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly exemplar?: Exemplar | null;
}

export interface Exemplar {
  readonly labelSet: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestamp: number;
}

interface Form {
  readonly isOpenMetrics: boolean;
  readonly contentType: PromClient.PrometheusContentType;
}

/** OpenMetrics, which has exemplars, if the scraper prefers it to plain text. */
export function formFor(accept: string | undefined): Form {
  const { Registry } = promClient();
  // In the order of their weights, without those of weight 0. Versions and other parameters do not matter to us.
  const accepted = new Negotiator({ headers: { accept } }).mediaTypes().map((type) => type.toLowerCase());
  const preferred = accepted.find((type) => [OPENMETRICS, 'text/plain', 'text/*', '*/*'].includes(type));
  const isOpenMetrics = preferred === OPENMETRICS;
  const contentType = isOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
  return { isOpenMetrics, contentType: contentType as PromClient.PrometheusContentType };
}

const OPENMETRICS = 'application/openmetrics-text';

/** Metrics that are there as data, as prom-client writes its own. */
export async function exposition(families: readonly MetricFamily[], accept: string | undefined): Promise<Scrape> {
  const { isOpenMetrics, contentType } = formFor(accept);
  const registry = new (promClient().Registry)();
  registry.setContentType(contentType);
  for (const family of families) {
    // prom-client adds the suffix to the samples of a counter in this form, and expects a name without it.
    const isShort = isOpenMetrics && family.type === 'counter';
    const shown = isShort ? { ...family, name: family.name.replace(/_total$/, '') } : family;
    registry.registerMetric({ ...shown, get: () => shown } as unknown as PromClient.Metric);
  }
  return { contentType, text: await registry.metrics() };
}
