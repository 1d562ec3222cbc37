/** `retry_policy` of routes and virtual hosts → `retries`. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, placed, type ValueOf } from '../describe.js';
import type { routeConfiguration } from '../keys/routes.js';
import { time } from './clusters.js';

type VirtualHost = NonNullable<ValueOf<typeof routeConfiguration>['virtual_hosts']>[number];
type RetryPolicy = NonNullable<VirtualHost['retry_policy']>;

/** What a word of `retry_on` means. */
interface Condition {
  readonly codes?: readonly string[];
  readonly failures?: readonly string[];
  readonly statuses?: readonly (number | '5xx')[];
}

const anyFailure = ['unconnected', 'refused', 'reset', 'timeout'];

const conditions: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ['cancelled', { codes: ['CANCELLED'] }],
  ['deadline-exceeded', { codes: ['DEADLINE_EXCEEDED'] }],
  ['internal', { codes: ['INTERNAL'] }],
  ['resource-exhausted', { codes: ['RESOURCE_EXHAUSTED'] }],
  ['unavailable', { codes: ['UNAVAILABLE'] }],
  ['5xx', { failures: anyFailure, statuses: ['5xx'] }],
  ['gateway-error', { failures: anyFailure, statuses: [502, 503, 504] }],
  ['reset', { failures: anyFailure }],
  ['reset-before-request', { failures: ['unconnected'] }],
  ['connect-failure', { failures: ['unconnected'] }],
  ['refused-stream', { failures: ['refused'] }],
  ['retriable-4xx', { statuses: [409] }],
]);

const MAX_RETRIES = 99;
const BASE_INTERVAL_MS = 25;

/** Envoy asks nobody whether a call may be repeated: whoever writes the policy says so. */
export function retriesOf(
  { retry_policy: policy }: { readonly retry_policy?: RetryPolicy },
  reader: EnvoyReader,
): Record<string, Plain> {
  if (policy === undefined) return {};
  const { num_retries: given = 1, per_try_timeout: perTry = 0, retry_back_off: backOff, at } = policy;
  const { base_interval: base = BASE_INTERVAL_MS, max_interval: longest = 10 * base } = backOff ?? {};
  const found = conditionsOf(policy, reader);
  if (given > MAX_RETRIES) cannot(reader, at, `${given} retries are too many`, `write at most ${MAX_RETRIES}`);
  if (longest < base) cannot(reader, at, 'max_interval is less than base_interval', 'write a longer one');
  if (found.length === 0 || given === 0) return { retries: false };
  const all = <T>(list: (condition: Condition) => readonly T[] | undefined): T[] => [
    ...new Set(found.flatMap((condition) => list(condition) ?? [])),
  ];
  const retries = {
    attempts: Math.min(given, MAX_RETRIES) + 1,
    codes: all(({ codes }) => codes),
    failures: all(({ failures }) => failures),
    http_statuses: all(({ statuses }) => statuses),
    idempotent: true,
    ...(perTry > 0 && { per_try_timeout: time(perTry) }),
    initial_backoff: time(base),
    max_backoff: time(Math.max(base, longest)),
    budget: false,
  };
  return { retries: placed(retries, at, reader) };
}

function conditionsOf(
  { retry_on: words = '', retriable_status_codes: own = [], at }: RetryPolicy,
  reader: EnvoyReader,
): Condition[] {
  const names = words.split(',').map((word) => word.trim());
  return names
    .filter((name) => name !== '')
    .flatMap((name): Condition[] => {
      if (name === 'retriable-status-codes') {
        const statuses = own.filter((status) => status >= 400 && status <= 599);
        if (statuses.length < own.length)
          cannot(reader, at, 'answers below 400 are no failures', 'remove them from retriable_status_codes');
        return [{ statuses }];
      }
      const condition = conditions.get(name);
      if (condition !== undefined) return [condition];
      const known = [...conditions.keys(), 'retriable-status-codes'].join(', ');
      cannot(reader, at, `${JSON.stringify(name)} in retry_on cannot be honoured here`, `write of: ${known}`);
      return [];
    });
}
