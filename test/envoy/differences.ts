/** Where photongate answers otherwise than Envoy, and why. docs/envoy.md has the same list. */
import { isDeepStrictEqual } from 'node:util';
import type { PeerRequest } from './files.js';

/** What of an answer, or of a call, is compared. */
export type Part = 'status' | 'type' | 'body' | 'headers' | 'call' | 'metadata' | 'asked' | 'attempts';

export interface Difference {
  /** As docs/envoy.md says it. */
  readonly text: string;
  readonly parts: readonly Part[];
  readonly takes: (file: string, request: PeerRequest, theirs: Answer, ours: Answer) => boolean;
}

type Answer = Readonly<Record<Part, unknown>>;

/** A value without members that have their default. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const set = Object.entries(value).filter(
    ([, member]) => ![0, '0', false, '', 'KIND_UNSPECIFIED'].includes(member as never),
  );
  return Object.fromEntries(set.map(([name, member]) => [name, withoutDefaults(member)]));
}

const bodiesThatEnvoyRefuses = ['{"count":"7.0"}', '{"count":"1e1"}', '\ufeff{"name":"a"}'];
const repeatedKeys = ['{"name":"a","name":"b"}', '{"inner":{"text":"a","text":"b"},"inner":{"rank":1}}'];

export const differences: readonly Difference[] = [
  {
    text: 'Error messages differ: ours contain what was found, what was expected and what to write.',
    parts: ['body'],
    takes: (file, _request, { type }) => type === 'text/plain' && !file.includes('tokens'),
  },
  {
    text: 'An error without a body has no content type; Envoy keeps that of gRPC.',
    parts: ['type'],
    takes: (_file, { line, headers }, { status }) =>
      /^GET \/v1\/(?:fail\/|things\/other$)/.test(line) || (headers?.['x-fail'] !== undefined && status !== 200),
  },
  {
    text: 'A field that is given twice is sent once, with the value that counts; Envoy sends both, and the last one counts.',
    parts: ['status', 'type', 'body', 'call', 'headers'],
    takes: (_file, { line }) => line === 'GET /v1/things/a?name=b' || line === 'GET /v1/things/a?count=1&count=2',
  },
  {
    text: "If a path with an escaped slash is refused, the answer has a message; Envoy's has none.",
    parts: ['type', 'body'],
    takes: (file) => file === 'refused paths',
  },
  {
    text: 'Where CORS is configured, answers have `vary: Origin`, so that no cache gives the answer of one origin to another. The answer to a preflight does not name `expose_headers`: they count in other answers.',
    parts: ['headers'],
    takes: (file) => file.startsWith('CORS'),
  },
  {
    text: 'A JSON key that is given twice in one object is 400. Envoy sends both values, and the last one counts.',
    parts: ['status', 'type', 'body', 'call', 'headers', 'metadata', 'attempts'],
    takes: (_file, { body }) => repeatedKeys.includes(body ?? ''),
  },
  {
    text: 'Integers in quotes may have an exponent or a fraction that is zero (`"1e1"`, `"7.0"`), and a body may start with a byte order mark. Envoy answers 400.',
    parts: ['status', 'type', 'body', 'call', 'headers', 'metadata', 'attempts'],
    takes: (_file, { body }) => bodiesThatEnvoyRefuses.includes(body ?? ''),
  },
  {
    text: 'A field that a service sends with its default value, such as 0, is not printed; Envoy prints it.',
    parts: ['body'],
    takes: (_file, _request, theirs, ours) =>
      isDeepStrictEqual(withoutDefaults(theirs.body), withoutDefaults(ours.body)),
  },
  {
    text: 'HEAD is answered as GET, without the body. Envoy passes it on.',
    parts: ['status', 'type', 'body', 'call', 'headers', 'metadata', 'attempts'],
    takes: (_file, { line }) => line.startsWith('HEAD '),
  },
  {
    text: 'A token that stands in a cookie is not passed on either, unless its provider has `forward`; Envoy leaves it there.',
    parts: ['metadata'],
    takes: (file, { headers }) => file === 'places of tokens' && headers?.['cookie'] !== undefined,
  },
  {
    text: 'A refusal without a text has the type `text/plain`; that of Envoy has none.',
    parts: ['type'],
    takes: (file, { line }, { status }) => file === 'tokens of routes' && line.startsWith('GET') && status === 401,
  },
  {
    text: 'If an authorizer gives no answer that counts, the refusal says so; that of Envoy has no text.',
    parts: ['type', 'body'],
    takes: (file, { headers }) =>
      file.startsWith('an authorizer') && ['fail', 'babble'].includes(headers?.['x-do'] ?? ''),
  },
];
