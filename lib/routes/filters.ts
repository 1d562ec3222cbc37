/**
 * `filters`: what happens to a request before it is routed. Each lets it pass, lets it wait, or refuses it, and sees
 * what those before it have left of the request.
 */
import { addressTest } from '../metadata/index.js';
import { type MapEntry, OptionError } from '../options/index.js';
import { Code, codeOfHttpStatus, ProblemList, StatusError } from '../status.js';
import type { CompiledFilter, FilteredRequest, RequestFilter } from './filter.js';
import type {
  AccessSettings,
  Condition,
  FaultSettings,
  FilterSettings,
  RateLimitSettings,
  RouteFilterSettings,
} from './filter-options.js';
import { type AuthzSurroundings, compileExtAuthz } from './ext-authz.js';
import { compileJwt, type JwtSurroundings } from './jwt-filter.js';
import { compileHeader, compileText, type RequestTest } from './match.js';
import { pathReadings } from './path-readings.js';
import { bucketSize, type LimitSurroundings } from './ratelimit/limits.js';

/** What filters need of the proxy, of time and of chance. */
export interface FilterSurroundings extends JwtSurroundings, AuthzSurroundings, LimitSurroundings {
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What routes say of filters, by the names of the filters. */
export interface RouteFilters {
  readonly filters?: readonly MapEntry<RouteFilterSettings>[] | undefined;
}

/**
 * The filters of a listener, in order.
 * @param levels all routes and virtual hosts
 * @throws ConfigError if what a route says of a filter will not do
 */
export function compileFilters(
  settings: readonly FilterSettings[],
  surroundings: FilterSurroundings,
  levels: readonly RouteFilters[] = [],
): RequestFilter[] {
  const said = levels.flatMap(({ filters = [] }) => filters);
  const problems = new ProblemList();
  const names = settings.flatMap(({ name }) => name ?? []);
  for (const { name, place } of said.filter((one) => !names.includes(one.name))) {
    problems.error({
      code: 'config-type',
      message: `there is no filter of the name ${JSON.stringify(name)}; names are: ${names.join(', ') || 'none'}`,
      ...(place !== undefined && { place }),
    });
  }
  const filters = settings.map((one, index) => {
    let count = 0;
    // Each place in the file has buckets of its own, which the same place has after a reload.
    const bucketsOf: FilterSurroundings['bucketsOf'] = (identity, bucket) =>
      surroundings.bucketsOf(JSON.stringify([index, count++, identity]), bucket);
    const compiled = compileOne(one, { ...surroundings, bucketsOf });
    const own = new Map<RouteFilterSettings, RequestFilter>();
    for (const { name, place, value } of said.filter((entry) => entry.name === one.name)) {
      try {
        own.set(value, routeFilterOf(value, compiled));
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        const message = `the filter ${JSON.stringify(name)}: ${error.message}`;
        problems.error({ code: error.code, message, ...(place !== undefined && { place }) });
      }
    }
    return withExceptions(one, compiled.filter, own);
  });
  problems.throwIfAny();
  return filters;
}

/** The names of all clusters that filters ask. */
export function filterClusters(filters: readonly FilterSettings[]): string[] {
  return filters.flatMap(({ jwt, extAuthz }) => [
    ...(jwt?.providers ?? []).flatMap(({ value }) => value.jwksCluster ?? []),
    ...(extAuthz?.cluster === undefined ? [] : [extAuthz.cluster]),
  ]);
}

const pass: RequestFilter = () => undefined;

/** @throws OptionError if the filter cannot do that */
function routeFilterOf(settings: RouteFilterSettings, { filter, forRoute }: CompiledFilter): RequestFilter {
  if (settings.disabled === undefined) return forRoute(settings);
  return settings.disabled ? pass : filter;
}

/**
 * What a route says goes before what the filter does elsewhere. A path that may be read in several ways is excepted only if
 * each of them is.
 */
function withExceptions(
  { name, unless = [] }: FilterSettings,
  filter: RequestFilter,
  own: ReadonlyMap<RouteFilterSettings, RequestFilter>,
): RequestFilter {
  const passes = unless.map(compileCondition);
  const filterAt = (request: FilteredRequest): RequestFilter => {
    const settings = name === undefined || own.size === 0 ? undefined : request.routeSettings(name, request.path);
    return (settings && own.get(settings)) ?? filter;
  };
  if (passes.length === 0 && own.size === 0) return filter;
  return (request) => {
    const readings = pathReadings(request.path).map((path) => ({ ...request, path }));
    if (passes.length > 0 && readings.every((read) => passes.some((test) => test(read)))) return undefined;
    const [first, ...others] = [...new Set(readings.map(filterAt))].filter((one) => one !== pass);
    if (first === undefined) return undefined;
    if (others.length === 0) return first(request);
    throw StatusError.http(
      400,
      'the path may be read in several ways, and what it needs differs; send it without escapes',
    );
  };
}

function compileOne(settings: FilterSettings, surroundings: FilterSurroundings): CompiledFilter {
  const { jwt, extAuthz, rateLimit, access, fault } = settings;
  if (jwt !== undefined) return compileJwt(jwt, surroundings);
  if (extAuthz !== undefined) return compileExtAuthz(extAuthz, surroundings);
  if (rateLimit !== undefined) {
    return plain(compileRateLimit(rateLimit, surroundings), 'rate_limit', (own) => {
      return own.rateLimit && compileRateLimit(own.rateLimit, surroundings);
    });
  }
  if (access !== undefined)
    return plain(compileAccess(access), 'access', (own) => own.access && compileAccess(own.access));
  const compile = (given: FaultSettings): RequestFilter => compileFault(given, surroundings);
  return plain(compile(fault ?? {}), 'fault', (own) => own.fault && compile(own.fault));
}

/** A filter that a route may configure anew as a whole. */
function plain(
  filter: RequestFilter,
  name: string,
  compile: (settings: RouteFilterSettings) => RequestFilter | undefined,
): CompiledFilter {
  return {
    filter,
    forRoute(settings) {
      const own = compile(settings);
      if (own !== undefined) return own;
      throw new OptionError(`it is a filter of ${name}; a route may say ${name} or disabled`, 'config-type');
    },
  };
}

/** One bucket for all requests. */
function compileRateLimit(settings: RateLimitSettings, surroundings: FilterSurroundings): RequestFilter {
  const { share = 1, status = 429, code = Code.RESOURCE_EXHAUSTED, headers = [] } = settings;
  const { now, random, bucketsOf } = surroundings;
  const size = bucketSize(settings, 1);
  const buckets = bucketsOf(JSON.stringify(size), size);
  const more = headers.map(({ name, value }) => [name, value] as const);
  return () => {
    if (share < 1 && random() >= share) return undefined;
    const time = now();
    if (buckets.tokens('', time) < 1) {
      throw new StatusError(code, 'local_rate_limited', {
        ...{ httpStatus: status, headers: more },
        refusedBy: 'rate_limits',
      });
    }
    buckets.take('', time);
    return undefined;
  };
}

/** The delay comes first. */
function compileFault({ headers = [], delay, abort }: FaultSettings, { random }: FilterSurroundings): RequestFilter {
  const tests = headers.map(compileHeader);
  const strikes = (request: FilteredRequest, share = 1): boolean =>
    tests.every((test) => test(request)) && (share === 1 || random() < share);
  const fail = (request: FilteredRequest): undefined => {
    if (abort === undefined || !strikes(request, abort.share)) return undefined;
    const { status: httpStatus } = abort;
    const code = abort.code ?? codeOfHttpStatus(httpStatus ?? 500);
    throw new StatusError(code, 'fault filter abort', httpStatus === undefined ? {} : { httpStatus });
  };
  return (request) => {
    if (delay === undefined || !strikes(request, delay.share)) return fail(request);
    return { waitMs: delay.timeMs, afterwards: () => fail(request) };
  };
}

/** Of a path that may be read in several ways, no reading is forbidden, and each is allowed. */
function compileAccess({ action, rules }: AccessSettings): RequestFilter {
  const tests = rules.map(({ requests, callers }) => {
    const [takes, isOf] = [compileCondition(requests), compileCondition(callers)];
    return (request: FilteredRequest): boolean => takes(request) && isOf(request);
  });
  return (request) => {
    const isTaken = (path: string): boolean => {
      const read = path === request.path ? request : { ...request, path };
      return tests.some((test) => test(read));
    };
    const readings = pathReadings(request.path);
    if (action === 'allow' ? readings.every(isTaken) : !readings.some(isTaken)) return undefined;
    throw StatusError.http(403, 'RBAC: access denied', { refusedBy: 'access' });
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
