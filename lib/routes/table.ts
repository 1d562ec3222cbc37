/**
 * Which cluster a request goes to, by host, path, headers and query; or the answer that it gets without one. Made once from
 * `virtual_hosts`; looks at heads alone.
 */
import { compileCors, type Cors, type CorsOptions } from '../cors/index.js';
import type { OwnHealth } from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import type { RouteFilterSettings } from './filter-options.js';
import { compileChanges, type HeaderChanges } from './header-changes.js';
import { HostTable } from './hosts.js';
import { compileMatch, type RequestTest } from './match.js';
import { compileLocalReplies, type OwnReplyChange } from './local-reply.js';
import type { LocalRepliesSettings } from './local-reply-options.js';
import type { ForwardSettings, RouteSettings, VirtualHostSettings } from './options.js';
import { compileRetries, type RetryPolicies } from '../retry/index.js';
import type { RoutedRequest } from './request.js';
import { compileLocation, compileRewrite, type PathRewrite } from './rewrite.js';

/** Where a request goes. */
export interface ForwardAction<C> {
  readonly kind: 'forward';
  readonly cluster: C;
  readonly clusterName: string;
  readonly routeName: string | undefined;
  /** For the whole exchange; undefined: any. */
  readonly timeoutMs: number | undefined;
  /** What a client may ask for instead, by `grpc-timeout`; undefined: its word does not count. Infinity: any. */
  readonly maxGrpcTimeoutMs: number | undefined;
  readonly rewrite: PathRewrite | undefined;
  /** In lower case: requests with the same value of this header go to the same server. Undefined: the cluster knows. */
  readonly hashHeader: string | undefined;
  /** What the cluster is told as `host`; undefined: what the client sent. */
  readonly host: string | undefined;
  readonly requestChanges: HeaderChanges | undefined;
  readonly responseChanges: HeaderChanges | undefined;
  /** Which of its calls are sent again; undefined: none. `unset`: what holds for the RPC. */
  readonly retries: RetryPolicies | undefined | 'unset';
}

/** An answer that no cluster gives. */
export interface LocalAnswer {
  readonly kind: 'answer';
  readonly routeName: string | undefined;
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Buffer | undefined;
  readonly responseChanges: HeaderChanges | undefined;
}

/** What makes calls of the requests of a route: one of `transcoders` by its name. False: nothing does. */
export type RouteTranscoder = string | false;

export type RouteAction<C> = ForwardAction<C> | LocalAnswer;

interface CompiledRoute<C> {
  readonly test: RequestTest;
  readonly act: (request: RoutedRequest) => RouteAction<C>;
  /** `unset`: what holds for the listener. */
  readonly cors: Cors | undefined | 'unset';
  readonly transcoder: RouteTranscoder | undefined;
  /** Of filters by name; undefined if neither host nor route says anything. */
  readonly filters: ReadonlyMap<string, RouteFilterSettings> | undefined;
}

export interface RouteTableSettings {
  readonly virtualHosts: readonly VirtualHostSettings[];
  readonly ignorePort: boolean;
  readonly localReplies?: LocalRepliesSettings | undefined;
}

/** The virtual hosts of one listener. */
export class RouteTable<C> {
  private readonly hosts: HostTable<readonly CompiledRoute<C>[]>;
  /** What becomes of the proxy's own answers; undefined: nothing. */
  readonly changeOwnReply: OwnReplyChange | undefined;
  /** Which pages may send a request, by its route as it came; undefined if no host and no route says it. */
  readonly corsOf: ((request: RoutedRequest, common: Cors | undefined) => Cors | undefined) | undefined;
  /** What the route of a request as it came has in place of the listener's transcoder; undefined if no route has any. */
  readonly transcoderOf: ((request: RoutedRequest) => RouteTranscoder | undefined) | undefined;

  /**
   * @param clusterOf throws where there is none of the name
   * @param health what routes that are health checks answer. Default: that all is well
   */
  constructor(
    { virtualHosts, ignorePort, localReplies }: RouteTableSettings,
    clusterOf: (name: string) => C,
    health: OwnHealth = { isFailing: false },
  ) {
    const hosts = virtualHosts.map(({ routes = [], ...host }) => {
      const cors = compileOwnCors(host, 'unset');
      const retries = 'retries' in host ? compileRetries(host.retries) : 'unset';
      return {
        domains: host.domains,
        value: routes.map((route) => {
          const filters = filterSettings(host.filters, route.filters);
          const transcoder: RouteTranscoder | undefined =
            'transcoder' in route ? (route.transcoder ?? false) : undefined;
          const compiled = compileRoute(route, { clusterOf, health, retries }, compileOwnCors(route, cors));
          return { ...compiled, transcoder, filters };
        }),
      };
    });
    this.hosts = new HostTable(hosts, ignorePort);
    this.changeOwnReply = localReplies && compileLocalReplies(localReplies);
    const saysSo = hosts.some(({ value }) => value.some(({ cors }) => cors !== 'unset'));
    this.corsOf = saysSo ? (request, common) => this.ownCors(request, common) : undefined;
    const isOtherwise = hosts.some(({ value }) => value.some(({ transcoder }) => transcoder !== undefined));
    this.transcoderOf = isOtherwise ? (request) => this.routeOf(request)?.transcoder : undefined;
  }

  /** Undefined where no route takes it. */
  match(request: RoutedRequest): RouteAction<C> | undefined {
    return this.routeOf(request)?.act(request);
  }

  /** What the route of a request as it came says of a filter. */
  filterSettings(request: RoutedRequest, filter: string): RouteFilterSettings | undefined {
    return this.routeOf(request)?.filters?.get(filter);
  }

  private routeOf(request: RoutedRequest): CompiledRoute<C> | undefined {
    return this.hosts.find(request.host)?.find(({ test }) => test(request));
  }

  private ownCors(request: RoutedRequest, common: Cors | undefined): Cors | undefined {
    const route = this.routeOf(request);
    return route === undefined || route.cors === 'unset' ? common : route.cors;
  }

  /** As `match`, for a request of which no host is known: the first host that has a route for it. */
  matchAnyHost(request: RoutedRequest): RouteAction<C> | undefined {
    for (const routes of this.hosts.values()) {
      const found = routes.find(({ test }) => test(request));
      if (found !== undefined) return found.act(request);
    }
    return undefined;
  }
}

/** What a route says goes before what its host says. */
function filterSettings(
  ofHost: RouteSettings['filters'] = [],
  ofRoute: RouteSettings['filters'] = [],
): CompiledRoute<unknown>['filters'] {
  const entries = [...ofHost, ...ofRoute].map(({ name, value }) => [name, value] as const);
  return entries.length === 0 ? undefined : new Map(entries);
}

/** What routes need of the proxy. */
interface Surroundings<C> {
  readonly clusterOf: (name: string) => C;
  readonly health: OwnHealth;
  /** Of routes that say nothing else. */
  readonly retries: ForwardAction<C>['retries'];
}

function compileRoute<C>(
  settings: RouteSettings,
  surroundings: Surroundings<C>,
  cors: CompiledRoute<C>['cors'],
): Pick<CompiledRoute<C>, 'test' | 'act' | 'cors'> {
  return { test: compileMatch(settings.match), act: compileAction(settings, surroundings), cors };
}

/** @param outer what holds if these settings say nothing */
function compileOwnCors(
  settings: { readonly cors?: CorsOptions | undefined },
  outer: Cors | undefined | 'unset',
): Cors | undefined | 'unset' {
  if (!('cors' in settings)) return outer;
  return settings.cors && compileCors(settings.cors);
}

function compileAction<C>(
  settings: RouteSettings,
  surroundings: Surroundings<C>,
): (request: RoutedRequest) => RouteAction<C> {
  const { match, route, redirect, directResponse, name: routeName } = settings;
  if (route !== undefined) return compileForward(route, settings, surroundings);
  const { health } = surroundings;
  const responseChanges = compileChanges(settings.responseHeaders);
  if (redirect !== undefined) {
    const location = compileLocation(redirect, match);
    const { status = 301 } = redirect;
    return (request) => {
      const headers = ['location', location(request)];
      return { kind: 'answer', routeName, status, headers, body: undefined, responseChanges };
    };
  }
  const { status, body = '', healthCheck = false } = directResponse!;
  const bytes = body === '' ? undefined : Buffer.from(body);
  const headers = bytes === undefined ? [] : ['content-type', 'text/plain'];
  if (status === 201) {
    // What was created is where it was asked for.
    const location = compileLocation({}, match);
    return (request) => {
      return {
        kind: 'answer',
        routeName,
        status,
        headers: [...headers, 'location', location(request)],
        body: bytes,
        responseChanges,
      };
    };
  }
  const answer: LocalAnswer = { kind: 'answer', routeName, status, headers, body: bytes, responseChanges };
  if (!healthCheck) return () => answer;
  const failed: LocalAnswer = { ...answer, status: 503, headers: [], body: undefined };
  return () => (health.isFailing ? failed : answer);
}

function compileForward<C>(
  forward: ForwardSettings,
  { match, name: routeName, requestHeaders = [], responseHeaders = [] }: RouteSettings,
  { clusterOf, retries: outer }: Surroundings<C>,
): () => ForwardAction<C> {
  const { timeoutMs, hostRewrite, hashHeader } = forward;
  const retries = 'retries' in forward ? compileRetries(forward.retries) : outer;
  const rewrite = compileRewrite(forward, match);
  const maxGrpcTimeoutMs = 'maxGrpcTimeoutMs' in forward ? (forward.maxGrpcTimeoutMs ?? Infinity) : undefined;
  const shares = forward.weightedClusters ?? [{ name: forward.cluster!, weight: 1 }];
  const actions = shares.map(({ name, weight, ...changes }) => ({
    weight,
    action: {
      kind: 'forward',
      cluster: clusterOf(name),
      clusterName: name,
      routeName,
      ...{ timeoutMs, maxGrpcTimeoutMs, rewrite, hashHeader, host: hostRewrite, retries },
      requestChanges: compileChanges([
        ...('requestHeaders' in changes ? changes.requestHeaders : []),
        ...requestHeaders,
      ]),
      responseChanges: compileChanges([
        ...('responseHeaders' in changes ? changes.responseHeaders : []),
        ...responseHeaders,
      ]),
    } satisfies ForwardAction<C>,
  }));
  const [first] = actions;
  if (first !== undefined && actions.length === 1) return () => first.action;
  const total = actions.reduce((sum, { weight }) => sum + weight, 0);
  return () => {
    let left = Math.random() * total;
    return (actions.find(({ weight }) => (left -= weight) < 0) ?? actions.at(-1)!).action;
  };
}

/** The names of all clusters that routes lead to. */
export function clusterNames(hosts: readonly VirtualHostSettings[]): string[] {
  return hosts
    .flatMap(({ routes = [] }) => routes)
    .flatMap(({ route }) => [route?.cluster ?? [], route?.weightedClusters?.map(({ name }) => name) ?? []].flat());
}

/** The transcoders that routes name. */
export function transcoderNames(hosts: readonly VirtualHostSettings[]): string[] {
  return hosts.flatMap(({ routes = [] }) => routes).flatMap(({ transcoder }) => transcoder ?? []);
}

/** True if a route wants its requests as they are. */
export function hasUntouchedRoutes(hosts: readonly VirtualHostSettings[]): boolean {
  return hosts.some(({ routes = [] }) =>
    routes.some((route) => 'transcoder' in route && route.transcoder === undefined),
  );
}
