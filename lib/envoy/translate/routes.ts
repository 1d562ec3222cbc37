/** `route_config` of a connection manager → `virtual_hosts`. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, fault, placed, type ValueOf, missing } from '../describe.js';
import type { headersToAdd, headerMatcher, queryParameterMatcher, stringMatcher } from '../keys/common.js';
import type { match } from '../keys/match.js';
import type { routeConfiguration } from '../keys/routes.js';
import { time } from './clusters.js';
import { corsOf } from './cors.js';
import type { RemovedHeaders } from './header-to-metadata.js';
import { retriesOf } from './retries.js';
import { type DataSource, textOf } from './source.js';

export type RouteConfiguration = ValueOf<typeof routeConfiguration>;
type VirtualHost = NonNullable<RouteConfiguration['virtual_hosts']>[number];
type Route = NonNullable<VirtualHost['routes']>[number];
type Match = ValueOf<typeof match>;
type RouteAction = NonNullable<Route['route']>;
type Redirect = NonNullable<Route['redirect']>;
type StringMatcher = ValueOf<typeof stringMatcher>;
type HeaderMatcher = ValueOf<typeof headerMatcher>;
type QueryMatcher = ValueOf<typeof queryParameterMatcher>;
type PlainMap = Record<string, Plain>;

/** What a level of routes changes of headers. */
interface Changes {
  readonly request_headers_to_add?: ValueOf<typeof headersToAdd>;
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: ValueOf<typeof headersToAdd>;
  readonly response_headers_to_remove?: readonly string[];
}

/** Envoy's limit of a request whose route says nothing. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** A level that may say something of filters. */
type FilterLevel = Pick<Route, 'typed_per_filter_config'>;

/** What filters of the connection manager mean for routes. */
export interface RouteFilters {
  /** What a health check looks like: answered before any route. */
  readonly checks: readonly (readonly HeaderMatcher[])[];
  /** The name of the CORS filter; undefined if there is none. */
  readonly cors: string | undefined;
  /** Headers that filters remove, before routes change any. */
  readonly removed: RemovedHeaders;
  /** What a virtual host says of filters. */
  readonly hostSettings: (config: FilterLevel, host: FilterLevel) => PlainMap;
  /** What a route says of them. */
  readonly routeSettings: (config: FilterLevel, host: FilterLevel, route: FilterLevel) => PlainMap;
}

export function translateRoutes(
  config: RouteConfiguration,
  { checks, cors, removed, hostSettings, routeSettings }: RouteFilters,
  reader: EnvoyReader,
): PlainMap[] {
  const healthy = checks.map((headers) => ({
    match: { prefix: '/', headers: headers.map((matcher) => headerTest(matcher, reader)) },
    direct_response: { status: 200, health_check: true },
  }));
  const common = corsOf(config, cors, reader);
  const seen = new Set<string>();
  return (config.virtual_hosts ?? []).flatMap((host) => {
    const { domains = [], routes = [], at } = host;
    for (const domain of domains.map((name) => name.toLowerCase())) {
      if (seen.has(domain)) fault(reader, at, `the domain ${JSON.stringify(domain)} is given twice`);
      seen.add(domain);
    }
    const translated = routes.flatMap((route) =>
      translateRoute(route, [removed, route, host, config], reader).map((one) =>
        placed({ ...one, ...corsOf(route, cors, reader), ...routeSettings(config, host, route) }, route.at, reader),
      ),
    );
    const settings = {
      domains,
      routes: [...healthy, ...translated],
      ...common,
      ...corsOf(host, cors, reader),
      ...hostSettings(config, host),
      ...retriesOf(host, reader),
    };
    return [placed(settings, at, reader)];
  });
}

/** @param levels of changes, the innermost first, as Envoy applies them */
function translateRoute(route: Route, levels: readonly Changes[], reader: EnvoyReader): PlainMap[] {
  const { name, match, route: to, redirect, direct_response: direct, at } = route;
  const pattern = match && translateMatch(match, reader);
  const action =
    to !== undefined
      ? { route: translateForward(to, reader) }
      : redirect !== undefined
        ? { redirect: translateRedirect(redirect, reader) }
        : direct !== undefined
          ? { direct_response: { status: direct.status ?? 200, ...bodyOf(direct.body, reader) } }
          : undefined;
  if (action === undefined) missing(reader, at, 'it has no action', 'write route, redirect or direct_response');
  if (action === undefined || pattern === undefined) return [];
  const requestHeaders = levels.flatMap((level) => changesOf(level, 'request', reader));
  const responseHeaders = levels.flatMap((level) => changesOf(level, 'response', reader));
  return [
    {
      ...(name !== undefined && name !== '' && { name }),
      match: pattern,
      ...action,
      ...(requestHeaders.length > 0 && { request_headers: requestHeaders }),
      ...(responseHeaders.length > 0 && { response_headers: responseHeaders }),
    },
  ];
}

export function translateMatch(match: Match, reader: EnvoyReader): PlainMap | undefined {
  const { prefix, path, path_separated_prefix: separated, safe_regex: regex, headers = [], at } = match;
  const given = { prefix, path, path_separated_prefix: separated, regex: regex?.regex };
  const paths = Object.entries(given).filter(([, value]) => value !== undefined);
  if (paths.length !== 1) {
    // One that will not do is reported already.
    const report = paths.length > 1 ? fault : missing;
    report(reader, at, `it has ${paths.length} of prefix, path, path_separated_prefix and safe_regex, expected one`);
    return undefined;
  }
  const queries = match.query_parameters ?? [];
  // Every path begins with nothing.
  const [[name, value] = ['', '']] = paths;
  const pattern = {
    [name]: name === 'prefix' && value === '' ? '/' : value!,
    ...(match.case_sensitive === false && { ignore_case: true }),
    ...(headers.length > 0 && { headers: headers.map((matcher) => headerTest(matcher, reader)) }),
    ...(queries.length > 0 && { query_parameters: queries.map((matcher) => queryTest(matcher, reader)) }),
    ...(match.grpc !== undefined && { grpc: true }),
  };
  return placed(pattern, at, reader);
}

export function headerTest(matcher: HeaderMatcher, reader: EnvoyReader): PlainMap {
  const { name = '', range_match: range, present_match: present, string_match: text } = matcher;
  const old = {
    exact: matcher.exact_match,
    prefix: matcher.prefix_match,
    suffix: matcher.suffix_match,
    contains: matcher.contains_match,
    regex: matcher.safe_regex_match?.regex,
  };
  const test = {
    name,
    ...given(old),
    ...(text !== undefined && textTest(text)),
    ...(range !== undefined && { range: { start: range.start ?? 0, end: range.end ?? 0 } }),
    ...(present !== undefined && { present }),
    ...(matcher.invert_match === true && { invert: true }),
    ...(matcher.treat_missing_header_as_empty === true && { missing_is_empty: true }),
  };
  return placed(test, matcher.at, reader);
}

function queryTest(matcher: QueryMatcher, reader: EnvoyReader): PlainMap {
  const { name = '', string_match: text, present_match: present, at } = matcher;
  const test = { name, ...(text !== undefined && textTest(text)), ...(present !== undefined && { present }) };
  return placed(test, at, reader);
}

export function textTest(matcher: StringMatcher): PlainMap {
  const { exact, prefix, suffix, contains, safe_regex: regex, ignore_case: ignoreCase } = matcher;
  return {
    ...given({ exact, prefix, suffix, contains, regex: regex?.regex }),
    ...(ignoreCase === true && { ignore_case: true }),
  };
}

function given(values: Readonly<Record<string, Plain | undefined>>): PlainMap {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as PlainMap;
}

function translateForward(action: RouteAction, reader: EnvoyReader): PlainMap {
  const { cluster, weighted_clusters: weighted, at } = action;
  if ((cluster === undefined) === (weighted === undefined)) {
    fault(reader, at, 'it has no cluster, or too many', 'write cluster or weighted_clusters');
  }
  const forward = {
    ...given({ cluster, prefix_rewrite: orNothing(action.prefix_rewrite), host_rewrite: action.host_rewrite_literal }),
    ...(weighted !== undefined && {
      weighted_clusters: (weighted.clusters ?? []).map((share): PlainMap => {
        const requestHeaders = changesOf(share, 'request', reader);
        const responseHeaders = changesOf(share, 'response', reader);
        const translated = {
          name: share.name ?? '',
          weight: share.weight ?? 0,
          ...(requestHeaders.length > 0 && { request_headers: requestHeaders }),
          ...(responseHeaders.length > 0 && { response_headers: responseHeaders }),
        };
        return placed(translated, share.at, reader);
      }),
    }),
    ...regexRewrite(action.regex_rewrite, reader),
    ...timesOf(action),
    ...hashOf(action, reader),
    ...retriesOf(action, reader),
  };
  return placed(forward, at, reader);
}

function hashOf({ hash_policy: policies = [] }: RouteAction, reader: EnvoyReader): PlainMap {
  const [first, ...others] = policies;
  for (const { at } of others) cannot(reader, at, 'one policy counts', 'leave the others out');
  const name = first?.header?.header_name;
  return name === undefined ? {} : { hash_header: name };
}

function regexRewrite(rewrite: RouteAction['regex_rewrite'], reader: EnvoyReader): PlainMap {
  if (rewrite === undefined) return {};
  const { pattern, substitution = '', at } = rewrite;
  return { regex_rewrite: placed({ pattern: pattern?.regex ?? '', substitution }, at, reader) };
}

/**
 * With `max_stream_duration`, `timeout` and its default count for nothing. The time that a client gives by `grpc-timeout`
 * takes the place of it, up to `grpc_timeout_header_max`.
 */
function timesOf({ timeout, max_stream_duration: duration }: RouteAction): PlainMap {
  if (duration === undefined) return { timeout: limit(timeout ?? DEFAULT_TIMEOUT_MS) };
  const { max_stream_duration: most = 0, grpc_timeout_header_max: header } = duration;
  return { timeout: limit(most), ...(header !== undefined && { max_grpc_timeout: limit(header) }) };
}

function limit(milliseconds: number): string {
  return milliseconds === 0 ? 'none' : time(milliseconds);
}

/** In proto3 an empty text is one that is not there. */
function orNothing(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

const redirectStatus = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;

function translateRedirect(redirect: Redirect, reader: EnvoyReader): PlainMap {
  const { https_redirect: https, port_redirect: port } = redirect;
  const translated = {
    ...given({
      scheme: https === true ? 'https' : orNothing(redirect.scheme_redirect),
      host: orNothing(redirect.host_redirect),
      path: orNothing(redirect.path_redirect),
      prefix_rewrite: orNothing(redirect.prefix_rewrite),
    }),
    ...(port !== undefined && port !== 0 && { port }),
    ...regexRewrite(redirect.regex_rewrite, reader),
    ...(redirect.strip_query === true && { strip_query: true }),
    status: redirectStatus[redirect.response_code ?? 'MOVED_PERMANENTLY'],
  };
  return placed(translated, redirect.at, reader);
}

function bodyOf(source: DataSource | undefined, reader: EnvoyReader): PlainMap {
  const body = source === undefined ? undefined : textOf(source, reader);
  return body === undefined ? {} : { body };
}

/** Of one level: what is removed goes first. */
export function changesOf(level: Changes, kind: 'request' | 'response', reader: EnvoyReader): PlainMap[] {
  const removed = level[`${kind}_headers_to_remove`] ?? [];
  const added = level[`${kind}_headers_to_add`] ?? [];
  return [
    ...removed.map((remove) => ({ remove })),
    ...added.flatMap(({ header, append, append_action: action, keep_empty_value: keep, at }) => {
      const { key, value = '' } = header ?? {};
      // What of it will not do is reported.
      if (key === undefined) return [];
      const change = {
        ...{ name: key, value, action: actionOf(append, action) },
        ...(keep === true && { keep_empty: true }),
      };
      return [placed(change, at, reader)];
    }),
  ];
}

function actionOf(append: boolean | undefined, action: string | undefined): string {
  if (action !== undefined) return action.toLowerCase();
  return append === false ? 'overwrite_if_exists_or_add' : 'append_if_exists_or_add';
}
