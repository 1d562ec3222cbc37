/** `policies.rate_limits`, compiled: which requests each limit counts, and what becomes of one that is too much. */
import type { Channel } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { selectorMatches } from '../../rule/index.js';
import { ConfigError } from '../../status.js';
import type { FilteredRequest, FilterEffect, RequestFilter } from '../filter.js';
import type { BucketSize, TokenBuckets } from './buckets.js';
import { clientFields, rateLimitFields, type Standing, tooManyRequests } from './fields.js';
import { compileDescriptor, compileKey, type KeyedRequest } from './keys.js';
import type { Descriptor } from './messages.js';
import { type BucketSettings, identityOf, type NamedLimit, type RateLimitOptions } from './options.js';
import { askService, type Verdict } from './service.js';

/** What limits need of the proxy. */
export interface LimitSurroundings {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** The buckets of a limit: the same ones for the same identity, also after a reload. */
  readonly bucketsOf: (identity: string, bucket: BucketSize) => TokenBuckets;
  /** @throws ConfigError if there is none */
  readonly channelOf: (service: { readonly cluster?: string; readonly target?: string }) => Channel;
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
  /** By which a request knows that it is counted. */
  readonly identity: string;
  readonly counts: (request: FilteredRequest) => boolean;
}

/** It is counted here. */
interface OwnLimit extends Limit {
  readonly buckets: TokenBuckets;
  readonly keyOf: (request: KeyedRequest) => string;
}

/** It is counted by the service. */
interface ServiceLimit extends Limit {
  readonly descriptorOf: (request: KeyedRequest) => Descriptor;
}

type Ask = (limits: readonly ServiceLimit[], request: FilteredRequest) => Promise<Verdict>;

/**
 * Undefined if there are none.
 * @throws ConfigError if a service is to count, and there is none
 */
export function compileRateLimits(options: RateLimitOptions, surroundings: LimitSurroundings): RateLimits | undefined {
  const { rateLimits = [], rateLimitKeys, rateLimitFields: tells } = options;
  if (rateLimits.length === 0) return undefined;
  const ask = compileAsk(options, surroundings);
  const filterOf = (limits: readonly NamedLimit[]): RequestFilter | undefined => {
    const own = limits.flatMap((limit) =>
      limit.settings.service === true ? [] : [compileOwn(limit, rateLimitKeys, surroundings)],
    );
    const served = limits.flatMap((limit) => (limit.settings.service === true ? [compileServed(limit)] : []));
    if (limits.length === 0) return undefined;
    return (request) => {
      if (request.isProbe) return undefined;
      const verdict = count(dueOf(own, request), request, surroundings.now());
      const due = ask === undefined || verdict.spent.length > 0 ? [] : dueOf(served, request);
      if (due.length === 0) return effectOf(verdict, tells);
      return ask!(due, request).then((other) => effectOf(joined(verdict, other), tells));
    };
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

function asksForClaims({ settings: { key = [] } }: NamedLimit): boolean {
  return key.some((part) => part.startsWith('claim:'));
}

/** Undefined if no limit is the service's. */
function compileAsk(
  { rateLimits = [], rateLimitService: service }: RateLimitOptions,
  { channelOf }: LimitSurroundings,
): Ask | undefined {
  const [first] = rateLimits.filter(({ settings }) => settings.service === true);
  if (first === undefined) return undefined;
  if (service === undefined) {
    throw new ConfigError({
      code: 'config-conflict',
      message: `a service is to count the limit ${first.name}, and policies has no rate_limit_service`,
      hint: 'write policies: { rate_limit_service: { target: host:port, domain: NAME } }, or requests and per',
    });
  }
  const channel = channelOf(service);
  return (limits, request) => {
    for (const { identity } of limits) request.counted.add(identity);
    const asked = limits.map(({ name, descriptorOf }) => ({ name, descriptor: descriptorOf(request) }));
    return askService(channel, service, asked, request);
  };
}

function compileLimit(limit: NamedLimit): Limit {
  const { name, settings } = limit;
  const { key = [], rpcs } = settings;
  const isOfCalls = rpcs !== undefined || key.includes('rpc') || key.includes('route');
  const isCounted = (rpc: string): boolean =>
    rpcs === undefined || rpcs.some(({ selector }) => selectorMatches(selector, rpc));
  return {
    name,
    identity: identityOf(limit),
    counts(request) {
      if (!isOfCalls) return true;
      const rpc = request.rpc();
      return rpc !== undefined && isCounted(rpc);
    },
  };
}

function compileOwn(limit: NamedLimit, maxKeys: number, { bucketsOf }: LimitSurroundings): OwnLimit {
  const { key = [] } = limit.settings;
  const size = bucketSize(limit.settings, key.length === 0 ? 1 : maxKeys);
  const compiled = compileLimit(limit);
  return {
    ...compiled,
    buckets: bucketsOf(JSON.stringify([compiled.identity, maxKeys]), size),
    keyOf: compileKey(key),
  };
}

function compileServed(limit: NamedLimit): ServiceLimit {
  return { ...compileLimit(limit), descriptorOf: compileDescriptor(limit.name, limit.settings.key ?? []) };
}

function dueOf<L extends Limit>(limits: readonly L[], request: FilteredRequest): L[] {
  return limits.filter((limit) => !request.counted.has(limit.identity) && limit.counts(request));
}

/** A request that is refused takes no token of any limit. */
function count(limits: readonly OwnLimit[], request: FilteredRequest, now: number): Verdict {
  const due = limits.map((limit) => ({ ...limit, key: limit.keyOf(request) }));
  const isAllowed = due.every(({ buckets, key }) => buckets.tokens(key, now) >= 1);
  if (isAllowed) {
    for (const { buckets, key, identity } of due) {
      buckets.take(key, now);
      request.counted.add(identity);
    }
  }
  const standings = due.map(({ name, buckets, key }) => standingOf(name, buckets, key, now));
  return { standings, spent: isAllowed ? [] : standings.filter(({ remaining }) => remaining === 0), headers: [] };
}

function standingOf(name: string, buckets: TokenBuckets, key: string, now: number): Standing {
  const { burst, tokenMs } = buckets.bucket;
  const tokens = Math.max(0, buckets.tokens(key, now));
  const remaining = Math.floor(tokens);
  return { name, quota: burst, windowMs: burst * tokenMs, remaining, nextMs: (remaining + 1 - tokens) * tokenMs };
}

function joined(own: Verdict, other: Verdict): Verdict {
  return { ...other, standings: [...own.standings, ...other.standings] };
}

function effectOf({ standings, spent, refusal, headers }: Verdict, tells: boolean): FilterEffect | undefined {
  const fields: HeaderFields = [...(tells && standings.length > 0 ? rateLimitFields(standings) : []), ...headers];
  const error = spent.length > 0 ? tooManyRequests(spent) : refusal;
  if (fields.length === 0 && error === undefined) return undefined;
  return {
    ...(fields.length > 0 && { answer: (answered) => [...answered, ...fields] }),
    ...(error !== undefined && { refusal: error }),
  };
}
