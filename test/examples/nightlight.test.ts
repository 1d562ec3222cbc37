/**
 * NightLight, the reference service: writes, queries and lists by REST through the proxy and over gRPC; the arithmetic of
 * the query language, its errors and limits; restart and kill.
 */
import t from 'tap';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { startNightLight } from '../../examples/photoncloud/nightlight.js';
import { readDuration, readStep, readTime, writeTime } from '../../examples/photoncloud/nightlight/times.js';
import { join } from 'node:path';
import {
  CloudClient,
  count,
  type RefusalCase,
  type RestCase,
  runRefusals,
  runRestCases,
  startCloud,
  startRest,
  temporaryFolder,
} from '../support/photoncloud.js';
import { refusal } from '../support/refusal.js';
import { spawnProcess } from '../support/service-process.js';
import { until } from '../support/until.js';

const nightlight = {
  entry: 'nightlight',
  file: 'nightlight/v1/nightlight.proto',
  service: 'nightlight.v1.NightLightService',
};
const schema = Schema.load([nightlight.file]);

const start = Date.UTC(2026, 0, 1) / 1000;
/** A moment in seconds since 1970. */
const at = (seconds: number): string => String(start + seconds);
const q = (query: string): string => `query=${encodeURIComponent(query)}`;
const http = (instance: string, code: string): Record<string, string> => ({ __name__: 'http_total', instance, code });

const restCases: RestCase[] = [
  [
    'POST /api/v1/write',
    {
      series: [
        {
          labels: http('a', '200'),
          samples: [
            { timestamp: at(0), value: 10 },
            { timestamp: at(60), value: 70 },
          ],
        },
        {
          labels: http('b', '200'),
          samples: [
            { timestamp: '2026-01-01T00:00:00Z', value: 5 },
            { timestamp: '2026-01-01T00:01:00Z', value: 35 },
          ],
        },
        { labels: http('a', '500'), samples: [{ timestamp: at(60), value: 1.5 }] },
      ],
    },
    200,
    { accepted: '5' },
  ],
  ['POST /api/v1/write', { series: [{ labels: { __name__: 'up' }, samples: [{ value: 1 }] }] }, 200, { accepted: '1' }],
  ['POST /api/v1/write', { series: [] }, 400, { message: /^series: is empty/ }],
  [
    'POST /api/v1/write',
    { series: [{ labels: { a: 'b' }, samples: [{ value: 1 }] }] },
    400,
    { message: /have no __name__/ },
  ],
  [
    'POST /api/v1/write',
    { series: [{ labels: { __name__: 'x' }, samples: [{ timestamp: 'noon' }] }] },
    400,
    { message: /have the timestamp "noon", expected RFC 3339/ },
  ],
  [
    'GET /api/v1/query?query=up',
    undefined,
    200,
    { result_type: 'vector', result: [{ metric: { __name__: 'up' }, timestamp: '2026-01-01T00:00:00Z', value: 1 }] },
  ],
  [
    `GET /api/v1/query?${q('http_total{code="200"}')}&time=${at(60)}`,
    undefined,
    200,
    {
      result: [
        { metric: { instance: 'a' }, value: 70 },
        { metric: { instance: 'b' }, value: 35 },
      ],
    },
  ],
  [
    `GET /api/v1/query?${q('sum by (instance) (rate(http_total[1m]))')}&time=2026-01-01T00:01:00Z`,
    undefined,
    200,
    {
      result: [
        { metric: { instance: 'a' }, value: 1 },
        { metric: { instance: 'b' }, value: 0.5 },
      ],
    },
  ],
  [
    `GET /api/v1/query?${q('sum(')}`,
    undefined,
    400,
    { message: 'query: ends too early, expected the name of a metric, or { with conditions' },
  ],
  ['GET /api/v1/query', undefined, 400, { message: /^query: ends too early/ }],
  [
    'GET /api/v1/query?query=up&time=yesterday',
    undefined,
    400,
    { message: /^time: is "yesterday", expected RFC 3339/ },
  ],
  [
    `GET /api/v1/query_range?${q('http_total{instance="a",code="200"}')}&start=${at(0)}&end=${at(90)}&step=30s`,
    undefined,
    200,
    {
      result_type: 'matrix',
      result: [
        {
          metric: http('a', '200'),
          values: [
            { timestamp: '2026-01-01T00:00:00Z', value: 10 },
            { timestamp: '2026-01-01T00:00:30Z', value: 10 },
            { timestamp: '2026-01-01T00:01:00Z', value: 70 },
            { timestamp: '2026-01-01T00:01:30Z', value: 70 },
          ],
        },
      ],
    },
  ],
  [
    `GET /api/v1/query_range?query=up&start=${at(60)}&end=${at(0)}&step=1m`,
    undefined,
    400,
    { message: 'end: is before start' },
  ],
  [
    `GET /api/v1/query_range?query=up&start=${at(0)}&end=${at(60)}`,
    undefined,
    400,
    { message: /^step: is "", expected a duration/ },
  ],
  [
    'GET /api/v1/series',
    undefined,
    200,
    { series: [{ labels: http('a', '200') }, {}, {}, { labels: { __name__: 'up' } }], next_page_token: '' },
  ],
  [
    `GET /api/v1/series?match=${encodeURIComponent('{code=~"5.."}')}`,
    undefined,
    200,
    { series: [{ labels: http('a', '500') }] },
  ],
  ['GET /api/v1/series?match=up&match=nope', undefined, 200, { series: [{ labels: { __name__: 'up' } }] }],
  ['GET /api/v1/series?match=%7B', undefined, 400, { message: /^match: ends too early/ }],
  ['GET /api/v1/series?page_size=3', undefined, 200, { next_page_token: '$page' }],
  [
    'GET /api/v1/series?page_token=:$page',
    undefined,
    200,
    { series: [{ labels: { __name__: 'up' } }], next_page_token: '' },
  ],
  ['GET /api/v1/series?page_token=:$page&match=up', undefined, 400, { message: /^page_token: / }],
  ['GET /api/v1/labels', undefined, 200, { labels: ['__name__', 'code', 'instance'] }],
  ['GET /api/v1/labels?match=up', undefined, 200, { labels: ['__name__'] }],
  ['GET /api/v1/labels?page_size=2', undefined, 200, { labels: ['__name__', 'code'], next_page_token: '$label' }],
  ['GET /api/v1/labels?page_token=:$label', undefined, 200, { labels: ['instance'], next_page_token: '' }],
  ['GET /api/v1/label/code/values', undefined, 200, { values: ['200', '500'], next_page_token: '' }],
  ['GET /api/v1/label/code/values?match=up', undefined, 200, { values: [] }],
  ['GET /api/v1/label/a-b/values', undefined, 400, { message: /^name: is "a-b"/ }],
];

void t.test('by REST, every endpoint', async (test) => {
  const { port } = await startCloud(test, nightlight);
  await runRestCases(test, await startRest(test, 'nightlight', port), restCases);
});

void t.test('what queries compute', async (test) => {
  const { client } = await startCloud(test, nightlight);
  const series = (labels: Record<string, string>, ...points: [number, number][]): object => ({
    labels: { __name__: 'm', ...labels },
    samples: points.map(([seconds, value]) => ({ timestamp: at(seconds), value })),
  });
  await client.call('Write', {
    series: [
      series({ host: 'a', disk: 'x' }, [0, 1], [60, 3], [120, 2], [180, 4]),
      series({ host: 'a', disk: 'y', empty: '' }, [60, 10]),
      series({ host: 'b' }, [60, NaN], [120, Infinity], [180, -5]),
      series({ host: 'old' }, [-1000, 7]),
    ],
  });
  /** Values at a time, by the labels that tell the series apart. */
  const values = async (query: string, seconds = 60): Promise<Record<string, number>> => {
    const { result_type, result } = await client.call('Query', { query, time: at(seconds) });
    test.equal(result_type, 'vector');
    return Object.fromEntries(
      (result as { metric: Record<string, string>; value: number }[]).map(({ metric, value }) => [
        Object.values(metric)
          .filter((label) => label !== 'm')
          .join(' '),
        value,
      ]),
    );
  };
  const cases: [string, number, Record<string, number>][] = [
    ['m', 0, { 'x a': 1 }],
    ['m', 59, { 'x a': 1 }],
    ['m', 60, { 'x a': 3, 'y a': 10, b: NaN }],
    ['m', 359, { 'x a': 4, 'y a': 10, b: -5 }],
    ['m', 360, { 'x a': 4, b: -5 }],
    ['m', 480, {}],
    ['m{host="a"}', 60, { 'x a': 3, 'y a': 10 }],
    ['m{host!="a"}', 120, { b: Infinity }],
    ['m{disk=""}', 180, { b: -5 }],
    ['m{disk!=""}', 60, { 'x a': 3, 'y a': 10 }],
    ['m{disk=~"x|z"}', 60, { 'x a': 3 }],
    ['m{host=~"a|b",disk!~"x.*"}', 180, { 'y a': 10, b: -5 }],
    ['{__name__=~"m+",host=\'b\'}', 180, { b: -5 }],
    ['m{host=`a`,disk="x",}', 180, { 'x a': 4 }],
    ['n', 60, {}],
    ['sum(m{host="a"})', 60, { '': 13 }],
    ['avg(m{host="a"})', 60, { '': 6.5 }],
    ['max(m)', 180, { '': 10 }],
    ['min by (host) (m)', 180, { a: 4, b: -5 }],
    ['sum(m) by (host)', 180, { a: 14, b: -5 }],
    ['max(sum by (host) (m))', 180, { '': 14 }],
    ['max(m)', 60, { '': 10 }],
    ['sum(n)', 60, {}],
    // 1 → 3 → 2 (starts again: +2) → 4: 6 in three minutes.
    ['rate(m{disk="x"}[3m])', 180, { 'x a': 6 / 180 }],
    ['rate(m{disk="x"}[1m])', 120, { 'x a': 2 / 60 }],
    ['rate(m{disk="x"})', 180, { 'x a': 6 / 180 }],
    ['rate(m{disk="y"}[5m])', 180, {}],
    ['rate(m{disk="x"}[59s])', 180, {}],
    ['sum(rate(m{host="a"}[1h30m]))', 180, { '': 6 / 180 }],
  ];
  for (const [query, seconds, expected] of cases)
    test.same(await values(query, seconds), expected, `${query} at ${seconds}`);

  const range = await client.call('QueryRange', {
    query: 'sum(m{host="a"})',
    start: at(-60),
    end: at(120),
    step: '60',
  });
  test.equal(range.result_type, 'matrix');
  test.same(
    range.result[0].values,
    [
      { timestamp: '2026-01-01T00:00:00Z', value: 1 },
      { timestamp: '2026-01-01T00:01:00Z', value: 13 },
      { timestamp: '2026-01-01T00:02:00Z', value: 12 },
    ],
    'steps without a value are left out',
  );
  await client.call('Write', { series: [series({ host: 'a', disk: 'x' }, [0, 100])] });
  test.same(await values('m', 0), { 'x a': 100 }, 'a later write of the same time replaces');
});

void t.test('what is refused', async (test) => {
  const { client } = await startCloud(test, nightlight);
  const wrong = [
    '',
    '{}',
    '{a=""}',
    '{a=~".*"}',
    'm{a',
    'm{a="b"',
    'm{a=b}',
    'm{a=="b"}',
    'm{"a"="b"}',
    'm n',
    '1',
    'rate(m',
    'rate(m[5])',
    'rate(sum(m))',
    'rate(m[0s])',
    'count(m)',
    'sum by m',
    'sum by (1) (m)',
    'sum m',
    'm[5m]',
    'm{a="\\q"}',
    'm{a=~"("}',
    'm{a="b}',
    'm + m',
    `m{a=~"${'x'.repeat(513)}"}`,
    'm'.repeat(8193),
    `${'sum('.repeat(22)}m${')'.repeat(22)}`,
  ];
  await runRefusals(test, client, [
    ...wrong.map((query): RefusalCase => ['Query', { query }, 'INVALID_ARGUMENT', ['query']]),
    ['Query', { query: 'm{a="b" c="d"}' }, 'INVALID_ARGUMENT', ['query'], /has "c" at column 9, expected , or }/],
    [
      'QueryRange',
      { query: 'm', start: '0', end: '11000', step: '1' },
      'INVALID_ARGUMENT',
      ['step'],
      /more than 11000 steps/,
    ],
    ['QueryRange', { query: 'm', start: '', end: 'x', step: '1' }, 'INVALID_ARGUMENT', ['start'], /is missing/],
    ['QueryRange', { query: 'm', start: '0', end: '1', step: '0' }, 'INVALID_ARGUMENT', ['step']],
    ['ListSeries', { match: ['m', 'm{'] }, 'INVALID_ARGUMENT', ['match']],
    ['ListSeries', { match: Array<string>(21).fill('m') }, 'INVALID_ARGUMENT', ['match']],
    ['ListLabels', { page_size: -1 }, 'INVALID_ARGUMENT', ['page_size']],
    ...(
      [
        [{ __name__: 'a-b' }, 'letters, digits, _ and :'],
        [{ __name__: 'a', 'b-c': 'x' }, 'have the name "b-c"'],
        [{ __name__: 'a', b: 'x'.repeat(2049) }, 'longer than 2048'],
        [{ __name__: 'a', b: '\0' }, 'NUL'],
        [Object.fromEntries([['__name__', 'a'], ...count(64).map((n) => [`l${n}`, 'x'])]), 'are 65'],
      ] as [Record<string, string>, string][]
    ).map(([labels, text]): RefusalCase => [
      'Write',
      { series: [{ labels, samples: [{ value: 1 }] }] },
      'INVALID_ARGUMENT',
      ['series[0].labels'],
      new RegExp(text),
    ]),
    ['Write', { series: [{ labels: { __name__: 'a' }, samples: [] }] }, 'INVALID_ARGUMENT', ['series[0].samples']],
    [
      'Write',
      { series: [{ labels: { __name__: 'a' }, samples: count(10_001).map(() => ({ value: 1 })) }] },
      'INVALID_ARGUMENT',
      ['series'],
    ],
  ]);
  const good = { labels: { __name__: 'a' }, samples: [{ value: 1 }] };
  await refusal(client.call('Write', { series: [good, { labels: {}, samples: [{ value: 1 }] }] }));
  test.same((await client.call('ListSeries')).series, [], 'all or none');
  await client.call('Write', { series: [{ labels: { __name__: 'a', b: 'a'.repeat(40) }, samples: [{ value: 1 }] }] });
  test.match(await refusal(client.call('Query', { query: 'a{b=~"(a+)+x"}' })), {
    code: 'INVALID_ARGUMENT',
    message: /takes too long/,
  });

  const database = Database.open(join(temporaryFolder(test), 'photoncloud.db'));
  const limits = { maxSeries: 2, maxQueriedSamples: 10 };
  const small = await startNightLight({ host: '127.0.0.1', port: 0, database, limits });
  const other = new CloudClient(small.port, schema, nightlight.service);
  const write = (name: string, samples: number): Promise<unknown> =>
    other.call('Write', {
      series: [{ labels: { __name__: name }, samples: count(samples).map((n) => ({ timestamp: at(n), value: n })) }],
    });
  await write('a', 11);
  await write('b', 1);
  test.equal((await refusal(write('c', 1))).code, 'RESOURCE_EXHAUSTED');
  test.equal((await refusal(other.call('Query', { query: 'a', time: at(20) }))).code, 'RESOURCE_EXHAUSTED');
  test.equal((await refusal(other.call('Query', { query: 'b', time: at(20) }))).code, 'OK');
  other.close();
  await small.close();
  database.close();
});

void t.test('times', (test) => {
  const cases: [(text: string) => number | undefined, string, number | undefined][] = [
    [readTime, '0', 0],
    [readTime, '1767225600.25', 1767225600250],
    [readTime, '2026-01-01T00:00:00Z', start * 1000],
    [readTime, '2026-01-01t01:00:00.5+01:00', start * 1000 + 500],
    [readTime, '2026-01-01T01:00:00 01:00', start * 1000],
    [readTime, '2026-01-01T01:00:00 01:0', undefined],
    [readTime, '2026-02-30T00:00:00Z', undefined],
    [readTime, '2026-01-01', undefined],
    [readTime, '-5', undefined],
    [readTime, '1e9', undefined],
    [readTime, '999999999999', undefined],
    [readDuration, '1h30m', 5_400_000],
    [readDuration, '500ms', 500],
    [readDuration, '0s', undefined],
    [readDuration, '5', undefined],
    [readDuration, '5m x', undefined],
    [readStep, '15', 15_000],
    [readStep, '0.5', 500],
    [readStep, '1m', 60_000],
    [readStep, '0', undefined],
  ];
  for (const [read, text, expected] of cases) test.equal(read(text), expected, `${read.name} ${text}`);
  test.equal(writeTime(start * 1000 + 500), '2026-01-01T00:00:00.500Z');
  test.end();
});

void t.test('a restart and a kill lose nothing that was acknowledged', async (test) => {
  const folder = temporaryFolder(test);
  const { port, kill } = await spawnProcess(test, nightlight.entry, folder);
  const client = new CloudClient(port, schema, nightlight.service);
  let written = 0;
  const writing = (async () => {
    for (;;) {
      const samples = [{ timestamp: at(written), value: written }];
      await client.call('Write', { series: ['a', 'b'].map((host) => ({ labels: { __name__: 'm', host }, samples })) });
      written++;
    }
  })().catch(() => undefined);
  await until(() => written > 10, 'some writes');
  await kill();
  await writing;
  client.close();
  test.ok(written > 5, `${written} writes`);
  for (const _ of count(2)) {
    const again = await startCloud(test, nightlight, { folder });
    const request = { query: 'm', start: at(0), end: at(written - 1), step: '1' };
    const { result } = await again.client.call('QueryRange', request);
    const points = (result as { values: { value: number }[] }[]).map(({ values }) => values.map(({ value }) => value));
    test.same(points, [count(written), count(written)]);
    await again.stop();
  }
});
