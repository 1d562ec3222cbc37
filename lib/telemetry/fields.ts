/** The fields of an access log: what each one is called, and how a record gives it. */
import { header, isHeaderName } from '../headers.js';
import { codeText } from '../status.js';
import type { RequestRecord } from './record.js';
import { type QueryRedaction, shownHeader } from './redact.js';

type Value = string | number | undefined;

/** Gives a field of a record; undefined if it has none. */
export type FieldReader = (record: RequestRecord, redaction: QueryRedaction) => Value;

const readers = {
  request_id: ({ head }) => (head.requestId === '' ? undefined : head.requestId),
  client: ({ head }) => head.caller.address,
  api_key: ({ apiKey }) => apiKey,
  protocol: ({ protocol }) => protocol,
  http_version: ({ head }) => head.httpVersion,
  method: ({ head }) => head.method,
  host: ({ head }) => header(head.headers, 'host'),
  path: ({ path }) => path,
  query: ({ query }, redaction) => redaction.shown(query),
  route: ({ route }) => route,
  rpc: ({ rpc }) => rpc?.name,
  status: ({ status }) => (status === 0 ? undefined : status),
  code: ({ code }) => (code === undefined ? undefined : codeText(code)),
  bytes_in: ({ bytesIn }) => bytesIn,
  bytes_out: ({ bytesOut }) => bytesOut,
  messages_in: ({ isStream, messagesIn }) => (isStream ? messagesIn : undefined),
  messages_out: ({ isStream, messagesOut }) => (isStream ? messagesOut : undefined),
  duration_ms: ({ durationMs }) => rounded(durationMs),
  policy_ms: ({ startedAt, admittedAt }) => between(startedAt, admittedAt),
  request_ms: ({ admittedAt, calledAt }) => between(admittedAt, calledAt),
  upstream_ms: ({ calledAt, answeredAt }) => between(calledAt, answeredAt),
  blocked_ms: ({ blockedMs }) => (blockedMs === 0 ? undefined : rounded(blockedMs)),
  upstream: ({ upstream }) => upstream,
  attempts: ({ attempts }) => (attempts > 1 ? attempts : undefined),
  trace_id: ({ traceId }) => traceId,
  user_agent: ({ head }) => header(head.headers, 'user-agent'),
  outcome: ({ outcome }) => (outcome === 'complete' ? undefined : outcome),
  error: ({ error }) => error,
} satisfies Readonly<Record<string, FieldReader>>;

const byName: ReadonlyMap<string, FieldReader> = new Map(Object.entries(readers));

/** All but `header.NAME`. */
export const fieldNames: readonly string[] = [...byName.keys()];

export const defaultFields: readonly string[] = fieldNames.filter(
  (name) => !['protocol', 'http_version', 'host'].includes(name),
);

const HEADER = 'header.';

export function isFieldName(name: string): boolean {
  return byName.has(name) || (name.startsWith(HEADER) && isHeaderName(name.slice(HEADER.length)));
}

/** Fields whose texts have no character that JSON escapes. */
export const plainFields: ReadonlySet<string> = new Set([
  ...['request_id', 'client', 'protocol', 'http_version', 'method', 'rpc', 'code', 'trace_id', 'outcome'],
]);

/** @param name for which `isFieldName` holds */
export function fieldReader(name: string): FieldReader {
  const known = byName.get(name);
  if (known !== undefined) return known;
  const headerName = name.slice(HEADER.length).toLowerCase();
  return ({ head }) => shownHeader(headerName, header(head.headers, headerName));
}

/** Undefined if the second was not reached. */
function between(from: number, to: number): number | undefined {
  return from === 0 || to === 0 ? undefined : rounded(to - from);
}

/** Microseconds are enough. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
