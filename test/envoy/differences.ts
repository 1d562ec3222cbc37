/** Where photongate answers otherwise than Envoy, and why. docs/envoy.md has the same list. */
import type { PeerRequest } from './files.js';

/** What of an answer, or of a call, is compared. */
export type Part = 'status' | 'type' | 'body' | 'headers' | 'call' | 'metadata' | 'asked';

export interface Difference {
  /** As docs/envoy.md says it. */
  readonly text: string;
  readonly parts: readonly Part[];
  readonly takes: (file: string, request: PeerRequest, theirs: Readonly<Record<Part, unknown>>) => boolean;
}

export const differences: readonly Difference[] = [
  {
    text: 'Error messages differ: ours contain what was found, what was expected and what to write.',
    parts: ['body'],
    takes: (file, _request, { type }) => type === 'text/plain' && !file.includes('tokens'),
  },
  {
    text: 'An error without a body has no content type; Envoy keeps that of gRPC.',
    parts: ['type'],
    takes: (_file, { line }) => line.startsWith('GET /v1/fail/'),
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
    text: 'Where CORS is configured, answers have `vary: Origin`, so that no cache gives the answer of one origin to another.',
    parts: ['headers'],
    takes: (file, { line }) => file.startsWith('CORS') && line.startsWith('GET '),
  },
  {
    text: 'A preflight is answered 204, without the headers that belong to the answer behind it, and also if its origin may not call. Envoy answers 200, and passes on the preflight of such an origin.',
    parts: ['status', 'headers'],
    takes: (file, { line }) => file === 'CORS' && line.startsWith('OPTIONS '),
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
