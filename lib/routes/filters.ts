/**
 * `filters`: what happens to a request before it is routed. Each lets it pass, lets it wait, or refuses it. Looks at heads
 * alone, as they came.
 */
import { monotonicMs } from '../clock.js';
import { addressTest } from '../metadata/index.js';
import { Code, codeOfHttpStatus, StatusError } from '../status.js';
import type { AccessSettings, Condition, FaultSettings, FilterSettings, RateLimitSettings } from './filter-options.js';
import { compileHeader, compileText, type RequestTest } from './match.js';
import type { RoutedRequest } from './request.js';

/** A request, and who sent it. */
export interface FilteredRequest extends RoutedRequest {
  /** By `trusted_proxies`. */
  readonly address: string;
  /** The other end of the connection. */
  readonly peer: string;
  /** The client has a certificate that is trusted. */
  readonly hasCertificate: boolean;
}

/** Returns for how many milliseconds it waits before the next filter. @throws StatusError that refuses it */
export type RequestFilter = (request: FilteredRequest) => number;

/** What time and chance are. */
export interface FilterSurroundings {
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

const usual: FilterSurroundings = { now: monotonicMs, random: Math.random };

export function compileFilters(
  settings: readonly FilterSettings[],
  surroundings: FilterSurroundings = usual,
): RequestFilter[] {
  return settings.flatMap(({ unless = [], rateLimit, access, fault }) => {
    const filters = [
      ...(rateLimit === undefined ? [] : [compileRateLimit(rateLimit, surroundings)]),
      ...(access === undefined ? [] : [compileAccess(access)]),
      ...(fault === undefined ? [] : compileFault(fault, surroundings)),
    ];
    const passes = unless.map(compileCondition);
    if (passes.length === 0) return filters;
    return filters.map((filter): RequestFilter => {
      return (request) => (passes.some((test) => test(request)) ? 0 : filter(request));
    });
  });
}

/** A bucket that fills evenly. */
function compileRateLimit(settings: RateLimitSettings, { now, random }: FilterSurroundings): RequestFilter {
  const { maxTokens, tokensPerFill = 1, fillIntervalMs, share = 1, status = 429, headers = [] } = settings;
  const { code = Code.RESOURCE_EXHAUSTED } = settings;
  const tokensPerMs = tokensPerFill / fillIntervalMs;
  const more = headers.map(({ name, value }) => [name, value] as const);
  let tokens = maxTokens;
  let since = now();
  return () => {
    if (share < 1 && random() >= share) return 0;
    const time = now();
    tokens = Math.min(maxTokens, tokens + (time - since) * tokensPerMs);
    since = time;
    if (tokens < 1) throw new StatusError(code, 'local_rate_limited', { httpStatus: status, headers: more });
    tokens--;
    return 0;
  };
}

/** The delay comes first. */
function compileFault({ headers = [], delay, abort }: FaultSettings, { random }: FilterSurroundings): RequestFilter[] {
  const tests = headers.map(compileHeader);
  const strikes = (request: FilteredRequest, share = 1): boolean =>
    tests.every((test) => test(request)) && (share === 1 || random() < share);
  const filters: RequestFilter[] = [];
  if (delay !== undefined) filters.push((request) => (strikes(request, delay.share) ? delay.timeMs : 0));
  if (abort !== undefined) {
    const { share, status: httpStatus } = abort;
    const code = abort.code ?? codeOfHttpStatus(httpStatus!);
    filters.push((request) => {
      if (!strikes(request, share)) return 0;
      throw new StatusError(code, 'fault filter abort', httpStatus === undefined ? {} : { httpStatus });
    });
  }
  return filters;
}

function compileAccess({ action, rules }: AccessSettings): RequestFilter {
  const tests = rules.map(({ requests, callers }) => {
    const [takes, isOf] = [compileCondition(requests), compileCondition(callers)];
    return (request: FilteredRequest): boolean => takes(request) && isOf(request);
  });
  return (request) => {
    if (tests.some((test) => test(request)) === (action === 'allow')) return 0;
    throw StatusError.http(403, 'RBAC: access denied');
  };
}

type Test = (request: FilteredRequest) => boolean;

function compileCondition(condition: Condition): Test {
  const { always, all, any, not, header, path, addresses, peers, clientCertificate } = condition;
  if (all !== undefined) {
    const tests = all.map(compileCondition);
    return (request) => tests.every((test) => test(request));
  }
  if (any !== undefined) {
    const tests = any.map(compileCondition);
    return (request) => tests.some((test) => test(request));
  }
  if (not !== undefined) {
    const test = compileCondition(not);
    return (request) => !test(request);
  }
  if (header !== undefined) return compileHeader(header) satisfies RequestTest;
  if (path !== undefined) {
    const test = compileText(path) ?? (() => true);
    return (request) => test(request.path);
  }
  if (addresses !== undefined) {
    const test = addressTest(addresses);
    return ({ address }) => test(address);
  }
  if (peers !== undefined) {
    const test = addressTest(peers);
    return ({ peer }) => test(peer);
  }
  if (clientCertificate !== undefined) return ({ hasCertificate }) => hasCertificate === clientCertificate;
  return () => always === true;
}
