/** How the metrics of several processes become one. */
import t from 'tap';
import {
  type MeasuredWorker,
  type MetricFamily,
  Metrics,
  type Scrape,
  SummedMetrics,
} from '../../lib/telemetry/index.js';
import { parseMetrics } from '../support/prometheus.js';

const none = { upstreams: () => [], listeners: () => [] };

function counter(name: string, labels: Record<string, string>, value: number): MetricFamily {
  return { name, help: 'x', type: 'counter', values: [{ labels, value }] };
}

function gauge(name: string, value: number | null): MetricFamily {
  return { name, help: 'x', type: 'gauge', values: [{ labels: {}, value: value! }] };
}

interface Scraped extends Pick<SummedMetrics, 'hasEnded'> {
  readonly scrape: (accept: string | undefined) => Promise<Scrape>;
}

/** A summary of workers that answer with these families; undefined: not at all. */
function summedOf(
  answers: readonly (readonly MetricFamily[] | undefined)[],
  maxSeries = 100,
  own: Pick<Metrics, 'families'> = new Metrics('1', 10, none),
): Scraped {
  const workers = answers.map((families, id): MeasuredWorker => ({
    id,
    isServing: true,
    families: () => Promise.resolve(families),
  }));
  const summed = new SummedMetrics(own, maxSeries);
  return {
    hasEnded: (id, parting) => summed.hasEnded(id, parting),
    scrape: (accept) => summed.scrape(accept, workers),
  };
}

async function samplesOf(summed: Scraped, name: string): Promise<[labels: object, value: number][]> {
  const { text } = await summed.scrape(undefined);
  return (parseMetrics(text).get(name)?.samples ?? []).map(({ labels, value }) => [labels, value]);
}

const joined: readonly [name: string, values: readonly (number | null)[], expected: number][] = [
  ['photongate_open_connections', [3, 4], 7],
  ['nodejs_heap_size_used_bytes', [10, 20], 30],
  ['nodejs_eventloop_lag_p99_seconds', [0.01, 0.5], 0.5],
  ['nodejs_eventloop_lag_p99_seconds', [null, 0.5], 0.5],
  ['nodejs_eventloop_lag_p99_seconds', [0.5, null], 0.5],
  ['photongate_upstream_failing', [0, 1], 1],
  ['photongate_tls_certificate_expiry_timestamp_seconds', [200, 100], 100],
];

for (const [name, values, expected] of joined) {
  void t.test(`${name} of ${values.join(' and ')}`, async (t) => {
    const summed = summedOf(
      values.map((value) => [gauge(name, value)]),
      10,
      { families: () => Promise.resolve([]) },
    );
    t.strictSame(await samplesOf(summed, name), [[{}, expected]]);
  });
}

void t.test('labels of different order are the same', async (t) => {
  const name = 'a_total';
  const summed = summedOf([[counter(name, { a: '1', b: '2' }, 1)], [counter(name, { b: '2', a: '1' }, 2)]]);
  t.strictSame(await samplesOf(summed, name), [[{ a: '1', b: '2' }, 3]]);
});

void t.test('what is kept of ended workers is bounded, and nothing of it is lost', async (t) => {
  const summed = summedOf([undefined], 2);
  const of = (route: string): MetricFamily[] => [counter('a_total', { http_route: route, code: '200' }, 1)];
  for (const route of ['/a', '/b', '/c', '/d', '/a', '/c']) summed.hasEnded(9, of(route));
  t.strictSame(await samplesOf(summed, 'a_total'), [
    [{ http_route: '/a', code: '200' }, 2],
    [{ http_route: '/b', code: '200' }, 1],
    [{ http_route: '_OTHER', code: '200' }, 3],
  ]);
});

void t.test('gauges end with their worker, counters do not', async (t) => {
  const summed = summedOf([[counter('a_total', {}, 5), gauge('b', 5)]]);
  t.strictSame(await samplesOf(summed, 'b'), [[{}, 5]]);
  summed.hasEnded(1, [counter('a_total', {}, 2), gauge('b', 2)]);
  t.strictSame(await samplesOf(summed, 'a_total'), [[{}, 7]]);
  t.strictSame(await samplesOf(summed, 'b'), [[{}, 5]]);
});

void t.test('the newest exemplar is shown', async (t) => {
  const at = (timestamp: number): MetricFamily[] => [
    {
      ...{ name: 'h', help: 'x', type: 'histogram' },
      values: [
        {
          ...{ metricName: 'h_bucket', labels: { le: '+Inf' }, value: 1 },
          exemplar: { labelSet: { trace_id: String(timestamp) }, value: 1, timestamp },
        },
      ],
    },
  ];
  for (const order of [
    [1, 2],
    [2, 1],
  ]) {
    const { text } = await summedOf(order.map(at)).scrape('application/openmetrics-text');
    t.match(text, 'h_bucket{le="+Inf"} 2 # {trace_id="2"} 1 2\n');
  }
});

const accepts: readonly [accept: string | undefined, isOpen: boolean][] = [
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['text/html', false],
  ['application/openmetrics-text', true],
  ['Application/OpenMetrics-Text; version=1.0.0', true],
  ['application/openmetrics-text;q=0', false],
  ['application/openmetrics-text;q=0.1, text/plain', false],
  ['application/openmetrics-text;q=0.3, */*;q=0.5', false],
  ['text/plain;q=0.3, application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5, */*;q=0.1', true],
  // Prometheus 2 and 3.
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    true,
  ],
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    true,
  ],
];

void t.test('the form that a scraper prefers', async (t) => {
  const metrics = new Metrics('1', 10, none);
  for (const [accept, isOpen] of accepts) {
    const { contentType } = await metrics.scrape(accept);
    t.equal(contentType.startsWith('application/openmetrics-text'), isOpen, String(accept));
  }
});
