/** `policies.rate_limits`, compiled: which requests each limit counts, and what becomes of one that is too much. */
import { selectorMatches } from '../../rule/index.js';
import type { FilteredRequest, FilterEffect, RequestFilter } from '../filter.js';
import type { TokenBuckets } from './buckets.js';
import { type BucketSize } from './buckets.js';
import { clientFields, rateLimitFields, type Standing, tooManyRequests } from './fields.js';
import { compileKey, type KeyedRequest } from './keys.js';
import { type BucketSettings, identityOf, type NamedLimit, type RateLimitOptions } from './options.js';

/** What limits need of the proxy. */
export interface LimitSurroundings {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** The buckets of a limit: the same ones for the same identity, also after a reload. */
  readonly bucketsOf: (identity: string, bucket: BucketSize) => TokenBuckets;
}

/** The limits of a gateway. */
export interface RateLimits {
  /** Of all requests, before anything else is done for them; undefined: there are none. */
  readonly early: RequestFilter | undefined;
  /** Of those that may be answered: they ask for claims. */
  readonly late: RequestFilter | undefined;
  /** Names of the fields that they add to answers, for web pages to read. */
  readonly fields: readonly string[];
}

interface Limit {
  readonly name: string;
  readonly buckets: TokenBuckets;
  readonly counts: (request: FilteredRequest) => boolean;
  readonly keyOf: (request: KeyedRequest) => string;
}

/** Undefined if there are none. */
export function compileRateLimits(
  { rateLimits = [], rateLimitKeys, rateLimitFields: tells }: RateLimitOptions,
  surroundings: LimitSurroundings,
): RateLimits | undefined {
  if (rateLimits.length === 0) return undefined;
  const asksForClaims = ({ settings: { key = [] } }: NamedLimit): boolean =>
    key.some((part) => part.startsWith('claim:'));
  const filterOf = (limits: readonly NamedLimit[]): RequestFilter | undefined => {
    if (limits.length === 0) return undefined;
    const compiled = limits.map((limit) => compileLimit(limit, rateLimitKeys, surroundings));
    return (request) => effectOf(compiled, request, surroundings.now(), tells);
  };
  return {
    early: filterOf(rateLimits.filter((limit) => !asksForClaims(limit))),
    late: filterOf(rateLimits.filter(asksForClaims)),
    fields: tells ? clientFields : [],
  };
}

/** As many as are written, and as they are filled. */
export function bucketSize({ requests = 1, perMs = 1, burst = requests }: BucketSettings, maxKeys: number): BucketSize {
  return { burst, tokenMs: perMs / requests, maxKeys };
}

function compileLimit(limit: NamedLimit, maxKeys: number, { bucketsOf }: LimitSurroundings): Limit {
  const { name, settings } = limit;
  const { key = [], rpcs } = settings;
  const size = bucketSize(settings, key.length === 0 ? 1 : maxKeys);
  const isOfCalls = rpcs !== undefined || key.includes('rpc');
  const isCounted = (rpc: string): boolean =>
    rpcs === undefined || rpcs.some(({ selector }) => selectorMatches(selector, rpc));
  return {
    name,
    buckets: bucketsOf(JSON.stringify([identityOf(limit), maxKeys]), size),
    counts(request) {
      if (!isOfCalls) return true;
      const rpc = request.rpc();
      return rpc !== undefined && isCounted(rpc);
    },
    keyOf: compileKey(key),
  };
}

/** A request that is refused takes no token of any limit. */
function effectOf(
  limits: readonly Limit[],
  request: FilteredRequest,
  now: number,
  tells: boolean,
): FilterEffect | undefined {
  if (request.isProbe) return undefined;
  const due = limits
    .filter((limit) => !request.counted.has(limit.buckets) && limit.counts(request))
    .map((limit) => ({ ...limit, key: limit.keyOf(request) }));
  if (due.length === 0) return undefined;
  const isAllowed = due.every(({ buckets, key }) => buckets.tokens(key, now) >= 1);
  if (isAllowed) {
    for (const { buckets, key } of due) {
      buckets.take(key, now);
      request.counted.add(buckets);
    }
  }
  if (isAllowed && !tells) return undefined;
  const standings = due.map(({ name, buckets, key }) => standingOf(name, buckets, key, now));
  const fields = tells ? rateLimitFields(standings) : [];
  return {
    ...(tells && { answer: (answered) => [...answered, ...fields] }),
    ...(!isAllowed && { refusal: tooManyRequests(standings.filter(({ remaining }) => remaining === 0)) }),
  };
}

function standingOf(name: string, buckets: TokenBuckets, key: string, now: number): Standing {
  const { burst, tokenMs } = buckets.bucket;
  const tokens = Math.max(0, buckets.tokens(key, now));
  const remaining = Math.floor(tokens);
  return { name, quota: burst, windowMs: burst * tokenMs, remaining, nextMs: (remaining + 1 - tokens) * tokenMs };
}
