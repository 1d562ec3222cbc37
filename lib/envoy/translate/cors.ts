/** CORS policies of route configurations, virtual hosts and routes → `cors`. */
import type { Plain } from '../../options/index.js';
import {
  type AnyOf,
  cannot,
  type EnvoyReader,
  type MessageOf,
  type NamedValue,
  placed,
  type ValueOf,
} from '../describe.js';
import type { stringMatcher } from '../keys/common.js';
import { CORS_POLICY, type corsPolicyKeys, type routeFilterTypes } from '../keys/filters.js';
import { time } from './clusters.js';
import { sayingOf } from './filter-levels.js';

type CorsPolicy = MessageOf<typeof corsPolicyKeys>;
type PlainMap = Record<string, Plain>;

/** What may have a policy: a route, a virtual host, or the configuration of all. */
interface CorsLevel {
  readonly typed_per_filter_config?: readonly NamedValue<AnyOf<typeof routeFilterTypes>>[];
  readonly cors?: CorsPolicy;
}

/**
 * The policy of one level as a member `cors`; none if the level says nothing. A policy that lets nobody call is `false`.
 * @param filterName of the CORS filter; undefined if there is none, and policies count for nothing
 */
export function corsOf(level: CorsLevel, filterName: string | undefined, reader: EnvoyReader): PlainMap {
  const { typed_per_filter_config: filters = [], cors: old } = level;
  if (filterName === undefined) {
    if (old !== undefined)
      cannot(reader, old.at, 'http_filters has no cors filter, so it counts for nothing', 'add one');
    return {};
  }
  const given = filters.find(({ name }) => name === filterName)?.value;
  const named = given && sayingOf(given);
  const policy = typeof named === 'object' && named.type === CORS_POLICY ? named.value : old;
  return policy === undefined ? {} : { cors: translatePolicy(policy, reader) ?? false };
}

function translatePolicy(policy: CorsPolicy, reader: EnvoyReader): PlainMap | undefined {
  const { allow_origin_string_match: matchers = [], filter_enabled: enabled } = policy;
  const { numerator = 0, denominator = 'HUNDRED' } = enabled?.default_value ?? { numerator: 100 };
  if (numerator === 0) return undefined;
  if (numerator < wholes[denominator]) {
    cannot(reader, policy.at, 'filter_enabled for a part of the requests cannot be honoured', 'write all, or none');
  }
  const origins = matchers.flatMap((matcher) => originOf(matcher, reader));
  if (origins.length === 0) return undefined;
  if (policy.allow_credentials === true && origins.includes('*')) {
    const message = 'credentials for every origin would let any page act as its visitor';
    cannot(reader, policy.at, message, 'name the origins by exact');
    return undefined;
  }
  const methods = listOf(policy.allow_methods);
  const headers = listOf(policy.allow_headers);
  const expose = listOf(policy.expose_headers);
  const translated = {
    origins,
    ...(methods.length > 0 && { methods }),
    ...(headers.length > 0 && { headers }),
    ...(expose.length > 0 && { expose }),
    ...(policy.allow_credentials === true && { credentials: true }),
    ...(policy.max_age !== undefined && { max_age: time(policy.max_age) }),
  };
  return placed(translated, policy.at, reader);
}

const wholes = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

function listOf(text = ''): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** A matcher that takes `*` takes every origin. */
function originOf(matcher: ValueOf<typeof stringMatcher>, reader: EnvoyReader): string[] {
  const { exact, prefix, suffix, contains, safe_regex: regex, at } = matcher;
  if (exact !== undefined) return [exact];
  if (prefix === '*' || prefix === '' || suffix === '*' || contains === '*') return ['*'];
  if (regex?.regex !== undefined && ['.*', '\\*', '.+'].includes(regex.regex)) return ['*'];
  cannot(reader, at, 'origins are compared as a whole here', 'write exact, or prefix: "*" for all');
  return [];
}
