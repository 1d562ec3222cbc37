/** The filter `jwt`: finds the tokens of a request, asks what it needs by its path, and tells services who it is. */
import { header, headerValues, type HeaderFields, withoutFields } from '../headers.js';
import { defaultsOf, pickFields } from '../options/index.js';
import {
  type Claims,
  claimOf,
  earlier,
  type Expiry,
  type JwtProvider,
  type KeySet,
  sharedFields,
} from '../policy/index.js';
import { isPreflight } from '../cors/index.js';
import { Code, StatusError } from '../status.js';
import { escapeUtf8 } from '../uri.js';
import type { CompiledFilter, FilterEffect, FilteredRequest, RequestFilter } from './filter.js';
import {
  checkToken,
  expiredText,
  type ParsedToken,
  missingText,
  parseToken,
  TokenProblem,
  unknownIssuerText,
} from './jwt-check.js';
import type { TokenDemand } from './jwt-check.js';
import {
  type JwtFilterSettings,
  type JwtProviderOfFilter,
  type Requirement,
  requirementNamed,
} from './jwt-filter-options.js';
import { compileMatch } from './match.js';
import { pathReadings } from './path-readings.js';
import { decodedText, nameOfPair, schemeOf, targetOf } from './request.js';

/** What the filter needs of the proxy. */
export interface JwtSurroundings {
  /** @throws ConfigError if they will not do */
  readonly keysOf: (provider: JwtProvider, cluster: string | undefined) => KeySet;
  /** Wall-clock time, in milliseconds. */
  readonly wallClock: () => number;
}

interface Provider {
  readonly name: string;
  readonly settings: JwtProviderOfFilter;
  readonly demand: TokenDemand;
  readonly places: readonly Place[];
  readonly maxTokens: number;
}

/** A place that may hold a token, and how the token is removed from it. */
interface Place {
  readonly find: (request: FilteredRequest) => readonly string[];
  readonly remove: (passed: Passed) => Passed;
}

/** What of a request passes. */
interface Passed {
  readonly headers: HeaderFields;
  readonly query: string | undefined;
  readonly identity: readonly string[];
  readonly claims: Claims;
  readonly expiry: Expiry | undefined;
}

/** What a requirement came to: what passes then. @throws TokenProblem */
type Check = (request: FilteredRequest, passed: Passed) => Promise<Passed>;

const DEFAULT_TOKEN_BYTES = 16 * 1024;
const DEFAULT_TOKENS = 10;
/** Of Envoy: a longer URL is cut in the realm. */
const MAX_REALM_CHARS = 256;

export function compileJwt(settings: JwtFilterSettings, surroundings: JwtSurroundings): CompiledFilter {
  const { rules = [], requirements = [], bypassCorsPreflight = false, stripFailureResponse = false } = settings;
  const { maxTokenBytes = DEFAULT_TOKEN_BYTES } = settings;
  const providers = settings.providers.map(({ name, value }) =>
    compileProvider(name, value, maxTokenBytes, surroundings),
  );
  const ownHeaders = new Set(providers.flatMap(({ settings: own }) => headersOf(own)).map(plainName));
  const compile = (requirement: Requirement): Check => compileRequirement(requirement, providers, surroundings);
  const named = new Map(requirements.map(({ name, value }) => [name, compile(value)]));
  const compiled = rules.map(({ match, requires, requirement }) => ({
    test: compileMatch(match),
    check: requires !== undefined ? compile(requires) : requirement === undefined ? undefined : named.get(requirement),
  }));
  const checksOf = (request: FilteredRequest): readonly Check[] => {
    // Whichever way the path is read, its rule is kept.
    const found = pathReadings(request.path).map((path) => compiled.find(({ test }) => test({ ...request, path })));
    return [...new Set(found.flatMap((rule) => rule?.check ?? []))];
  };
  const run = async (request: FilteredRequest, checks: readonly Check[]): Promise<FilterEffect> => {
    // What services are told by this filter, no client says.
    const headers = withoutFields(request.headers, (name) => ownHeaders.has(plainName(name)));
    let passed: Passed = { headers, query: request.query, identity: [], claims: {}, expiry: undefined };
    try {
      for (const check of checks) passed = await check(request, passed);
    } catch (error) {
      if (!(error instanceof TokenProblem)) throw error;
      throw refusal(error, request, stripFailureResponse);
    }
    const { identity, query, claims, expiry } = passed;
    return { headers: [...passed.headers, ...identity], target: { query }, identity, claims, expiry };
  };
  const filterOf = (find: (request: FilteredRequest) => readonly Check[]): RequestFilter => {
    return (request) => {
      const isOpen = bypassCorsPreflight && isPreflight(request.method, request.headers);
      return run(request, isOpen ? [] : find(request));
    };
  };
  return {
    filter: filterOf(checksOf),
    forRoute({ requirement = '' }) {
      requirementNamed(requirement, requirements);
      const check = named.get(requirement);
      return filterOf(() => (check === undefined ? [] : [check]));
    },
  };
}

/** `-` and `_` are the same to some servers. */
function plainName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function headersOf({ payloadHeader, claimHeaders = [] }: JwtProviderOfFilter): string[] {
  return [...(payloadHeader === undefined ? [] : [payloadHeader]), ...claimHeaders.map(({ name }) => name)];
}

function compileProvider(
  name: string,
  settings: JwtProviderOfFilter,
  maxTokenBytes: number,
  { keysOf }: JwtSurroundings,
): Provider {
  const { jwksCluster, requireExpiration = false, maxTokens = DEFAULT_TOKENS } = settings;
  const complete = completeProvider(name, settings);
  const demand = { ...complete, keys: keysOf(complete, jwksCluster), requireExpiration, maxTokenBytes };
  return { name, settings, demand, places: placesOf(settings), maxTokens };
}

/** If no place is named, those of Envoy count. */
function placesOf({ headers, queryParameters, cookies }: JwtProviderOfFilter): readonly Place[] {
  if (headers === undefined && queryParameters === undefined && cookies === undefined) {
    return [headerPlace('authorization', 'Bearer '), queryPlace('access_token')];
  }
  return [
    ...(headers ?? []).map(({ name, prefix = '' }) => headerPlace(name, prefix)),
    ...(queryParameters ?? []).map(queryPlace),
    ...(cookies ?? []).map(cookiePlace),
  ];
}

function headerPlace(name: string, prefix: string): Place {
  return {
    find({ headers }) {
      return headerValues(headers, name).flatMap((value) => {
        const start = value.indexOf(prefix);
        if (start < 0) return [];
        const rest = value.slice(start + prefix.length);
        // Whatever else stands behind the prefix is no part of a token.
        const token = prefix === '' ? rest : (/^[\w.=+/-]*/.exec(rest)?.[0] ?? '');
        return token === '' ? [] : [token];
      });
    },
    remove: (passed) => ({ ...passed, headers: withoutFields(passed.headers, (other) => other === name) }),
  };
}

function queryPlace(name: string): Place {
  const isNamed = (pair: string): boolean => nameOfPair(pair) === name;
  return {
    find({ query }) {
      return (query?.split('&') ?? []).flatMap((pair) => {
        const token = isNamed(pair) && pair.includes('=') ? decodedText(pair.slice(pair.indexOf('=') + 1)) : '';
        return token === '' ? [] : [token];
      });
    },
    remove(passed) {
      const kept = passed.query?.split('&').filter((pair) => !isNamed(pair)) ?? [];
      return { ...passed, query: kept.length === 0 ? undefined : kept.join('&') };
    },
  };
}

function cookiePlace(name: string): Place {
  const isNamed = (pair: string): boolean => pair.split('=', 1)[0]?.trim() === name;
  return {
    find({ headers }) {
      return headerValues(headers, 'cookie')
        .flatMap((value) => value.split(';'))
        .flatMap((pair) => {
          const token = isNamed(pair)
            ? pair
                .slice(pair.indexOf('=') + 1)
                .trim()
                .replace(/^"(.*)"$/, '$1')
            : '';
          return token === '' ? [] : [token];
        });
    },
    remove(passed) {
      const headers: string[] = [];
      for (let index = 0; index < passed.headers.length; index += 2) {
        const [key = '', value = ''] = passed.headers.slice(index, index + 2);
        if (key !== 'cookie') headers.push(key, value);
        else {
          const kept = value.split(';').filter((pair) => !isNamed(pair));
          if (kept.length > 0) headers.push(key, kept.join(';').trim());
        }
      }
      return { ...passed, headers };
    },
  };
}

function compileRequirement(
  { provider: name, audiences, any, all, allowMissing, allowMissingOrFailed }: Requirement,
  providers: readonly Provider[],
  surroundings: JwtSurroundings,
): Check {
  const within = (requirement: Requirement): Check => compileRequirement(requirement, providers, surroundings);
  if (name !== undefined) {
    const provider = providers.filter((one) => one.name === name);
    const own = provider.map((one) =>
      audiences === undefined ? one : { ...one, demand: { ...one.demand, audiences } },
    );
    return tokenCheck(own, false, surroundings);
  }
  if (all !== undefined) {
    const checks = all.map(within);
    return async (request, passed) => {
      for (const check of checks) passed = await check(request, passed);
      return passed;
    };
  }
  if (any !== undefined) return compileAny(any, providers, surroundings);
  const check = tokenCheck(providers, true, surroundings);
  if (allowMissing === true) return orMissing(check);
  return allowMissingOrFailed === true ? orFailed(check) : (_request, passed) => Promise.resolve(passed);
}

/** What is missing may be missing there only if it is said of the list itself; its tokens are those of the list's providers. */
function compileAny(
  list: readonly Requirement[],
  providers: readonly Provider[],
  surroundings: JwtSurroundings,
): Check {
  const mayFail = list.some(({ allowMissingOrFailed = false }) => allowMissingOrFailed);
  const mayBeMissing = list.some(({ allowMissing = false }) => allowMissing);
  const others = list.filter(({ allowMissing, allowMissingOrFailed }) => !allowMissing && !allowMissingOrFailed);
  const checks = others.map((one) => compileRequirement(one, providers, surroundings));
  const some: Check = async (request, passed) => {
    let worst = new TokenProblem(missingText);
    for (const check of checks) {
      try {
        return await check(request, passed);
      } catch (error) {
        if (!(error instanceof TokenProblem)) throw error;
        // That a token is of another issuer says less than what is wrong with one of the right issuer.
        if (error.message !== missingText && error.message !== unknownIssuerText) worst = error;
        else if (worst.message === missingText) worst = error;
      }
    }
    throw worst;
  };
  // Without any other requirement the tokens of all providers count.
  const check = checks.length === 0 ? tokenCheck(providers, true, surroundings) : some;
  if (mayFail) return orFailed(check);
  return mayBeMissing ? orMissing(check) : check;
}

function orMissing(check: Check): Check {
  return (request, passed) =>
    check(request, passed).catch((error: unknown) => {
      if (error instanceof TokenProblem && error.message === missingText) return passed;
      throw error;
    });
}

function orFailed(check: Check): Check {
  return (request, passed) =>
    check(request, passed).catch((error: unknown) => {
      if (error instanceof TokenProblem) return passed;
      throw error;
    });
}

/**
 * Every token that is there must be good: the service might look at another one than we do.
 * @param byIssuer a token is of the provider whose issuer it names
 */
function tokenCheck(providers: readonly Provider[], byIssuer: boolean, { wallClock }: JwtSurroundings): Check {
  return async (request, passed) => {
    const found = providers.flatMap((provider) =>
      provider.places.flatMap((place) => place.find(request).map((token) => ({ provider, place, token }))),
    );
    const tokens = byIssuer
      ? found.filter(({ token }, at) => found.findIndex((one) => one.token === token) === at)
      : found;
    if (tokens.length === 0) throw new TokenProblem(missingText);
    const limit = Math.max(...providers.map(({ maxTokens }) => maxTokens));
    if (tokens.length > limit) throw new TokenProblem('Found multiple Jwt tokens');
    for (const { provider, token } of tokens) {
      const parsed = parseToken(token, provider.demand.maxTokenBytes);
      const issuer = byIssuer ? providerOf(parsed, providers) : provider;
      await checkToken(token, parsed, issuer.demand, wallClock());
      const kept =
        issuer.settings.forwardToken === true ? passed : issuer.places.reduce((now, one) => one.remove(now), passed);
      passed = told(kept, issuer, parsed);
    }
    return passed;
  };
}

/** @throws TokenProblem */
function providerOf({ claims: { iss } }: ParsedToken, providers: readonly Provider[]): Provider {
  const found =
    providers.find(({ demand }) => demand.issuer !== undefined && demand.issuer === iss) ??
    providers.find(({ demand }) => demand.issuer === undefined);
  if (found === undefined) throw new TokenProblem(unknownIssuerText);
  return found;
}

function told(passed: Passed, { settings, demand }: Provider, { claims, payload }: ParsedToken): Passed {
  const { payloadHeader, padPayload = false, claimHeaders = [] } = settings;
  const identity = [...passed.identity];
  if (payloadHeader !== undefined) {
    identity.push(payloadHeader, padPayload ? payload.padEnd(Math.ceil(payload.length / 4) * 4, '=') : payload);
  }
  for (const { name, value: claim } of claimHeaders) {
    const text = claimText(claimOf(claims, claim));
    if (text !== undefined) identity.push(name.toLowerCase(), text);
  }
  const own = settings.expireStreams === true ? expiryOf(claims, demand) : undefined;
  return { ...passed, identity, claims: { ...passed.claims, ...claims }, expiry: earlier(passed.expiry, own) };
}

function expiryOf({ exp }: Claims, { leewayMs }: TokenDemand): Expiry | undefined {
  if (typeof exp !== 'number') return undefined;
  return { atMs: exp * 1000 + leewayMs, error: () => new StatusError(Code.UNAUTHENTICATED, expiredText) };
}

/** As Envoy writes it: lists and maps as JSON in base64. What metadata cannot carry is percent-encoded. */
function claimText(value: unknown): string | undefined {
  if (typeof value === 'object')
    return value === null ? undefined : Buffer.from(JSON.stringify(value)).toString('base64');
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') return undefined;
  return /^[\x20-\x7e]*$/.test(value) ? value : value.toWellFormed().replace(/[^\x20-\x7e]+|%/g, escapeUtf8);
}

function refusal({ message, httpStatus }: TokenProblem, request: FilteredRequest, isStripped: boolean): StatusError {
  const code = httpStatus === 403 ? Code.PERMISSION_DENIED : Code.UNAUTHENTICATED;
  if (isStripped) return new StatusError(code, '', { httpStatus, refusedBy: 'jwt' });
  const realm = `${schemeOf(request)}://${header(request.headers, 'host') ?? ''}${targetOf(request)}`;
  const shown = realm.slice(0, MAX_REALM_CHARS).replace(/[^\x20-\x7e]|["\\]/g, (char) => escapeUtf8(char));
  const error = message === missingText ? '' : ', error="invalid_token"';
  return new StatusError(code, message, {
    httpStatus,
    refusedBy: 'jwt',
    headers: [['www-authenticate', `Bearer realm="${shown}"${error}`]],
  });
}

/** With the defaults of what is left out. */
function completeProvider(name: string, settings: JwtProviderOfFilter): JwtProvider {
  const { issuer, jwks } = settings;
  return { ...defaultsOf(sharedFields), ...pickFields(sharedFields, settings), name, issuer, jwks };
}
