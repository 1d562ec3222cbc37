/** Requests made at random from parts that each meet a rule of the transcoder. The seed is fixed: a failure is that of a change. */
import fc from 'fast-check';
import type { PeerRequest } from './files.js';

const segment = fc.constantFrom(
  'a',
  'a%20b',
  'a%2Fb',
  'a+b',
  'a:b',
  'a:touch',
  '%E2%82%AC',
  '%2B',
  'a%3Atouch',
  '~',
  "a'b",
  'a,b;c',
  '1',
);
const value = fc.constantFrom(
  '',
  'a',
  '1',
  '-1',
  '0',
  'true',
  'false',
  'T',
  'yes',
  '2.5',
  'KIND_LARGE',
  'kind_large',
  '2',
  '9',
  'AQI=',
  'AQI',
  'a+b',
  '%26',
  '2147483648',
  '9007199254740993',
  '1e2',
  'NaN',
  '-Infinity',
  'null',
);
const field = fc.constantFrom(
  'name',
  'count',
  'big',
  'flag',
  'kind',
  'tags',
  'inner.text',
  'inner.rank',
  'data',
  'ratio',
  'inner',
  'nope',
  'inner.nope',
  'name.x',
  '',
  'n%61me.x',
);
const query = fc
  .array(fc.tuple(field, value), { maxLength: 3 })
  // A field that is given twice is a listed difference.
  .map((pairs) =>
    pairs.filter(([name], index) => (name !== 'tags' ? pairs.findIndex(([other]) => other === name) === index : true)),
  )
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, text]) => `${name}=${text}`).join('&')}`));

const scalar = fc.constantFrom<string>(
  '"a"',
  '1',
  '-1',
  '0',
  '1.0',
  '2.5',
  'true',
  'false',
  'null',
  '"true"',
  '"2"',
  '"KIND_LARGE"',
  '"AQI="',
  '{}',
  '[]',
  '["a"]',
  '[1]',
  '{"text":"t"}',
  '{"rank":3}',
  "'x'",
  '"\\u20ac"',
  '1e2',
  '9007199254740993',
  '"-Infinity"',
);
const key = fc.constantFrom('name', 'count', 'big', 'flag', 'kind', 'tags', 'inner', 'data', 'ratio', 'nope');
const body = fc
  .uniqueArray(fc.tuple(key, scalar), { maxLength: 4, selector: ([name]) => name })
  .map((members) => `{${members.map(([name, text]) => `"${name}":${text}`).join(',')}}`);

const headers = { 'content-type': 'application/json' };

const request: fc.Arbitrary<PeerRequest> = fc.oneof(
  fc
    .tuple(segment, query)
    .map(([name, rest]) => ({ line: `GET /v1/things/${name}${rest.replace(/([?&])name=/, '$1tags=')}` })),
  query.map((rest) => ({ line: `GET /v1/things${rest}` })),
  fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => ({ line: `GET /v1/files/docs/${parts.join('/')}` })),
  body.map((text) => ({ line: 'POST /v1/things', headers, body: text })),
  fc.tuple(segment, body).map(([name, text]) => ({ line: `PUT /v1/things/${name}`, headers, body: text })),
  fc
    .tuple(segment, fc.constantFrom('{"text":"a"}', '{"rank":1}', '{}', '', 'null', '[]', '{"nope":1}'))
    .map(([name, text]) => ({ line: `POST /v1/inner/${name}`, headers, body: text })),
  fc
    .tuple(segment, query)
    .map(([name, rest]) => ({ line: `GET /v1/watch/${name}${rest.replace(/([?&])name=/, '$1tags=')}` })),
);

/** The same each time. */
export const generated: readonly PeerRequest[] = fc.sample(request, {
  numRuns: Number(process.env.RUNS ?? 400),
  seed: Number(process.env.PROPERTY_SEED ?? 1),
});
