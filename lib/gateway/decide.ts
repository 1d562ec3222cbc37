/**
 * What a request leads to, decided in one place: `handle` does it, and `takes` asks whether it is more than an error. Reads
 * the head alone and changes nothing.
 */
import { type Cors, isPreflight } from '../cors/index.js';
import type { Captures, Channel, MethodPlan, RequestHead } from '../exchange.js';
import { header } from '../headers.js';
import type { Fallback } from '../fallback/index.js';
import type { ProtocolMatch, ProtocolTable } from '../protocol/index.js';
import type { PathMatcher } from '../router/index.js';
import type { Page } from '../builtin/index.js';
import { ENDPOINT_METHODS, type McpEndpoint } from '../mcp/index.js';
import { isGrpc } from '../routes/index.js';
import type { GatewayOptions } from './options.js';
import type { Routes } from './routing.js';

/** What a route leads to. */
export interface Route {
  readonly plan: MethodPlan;
  readonly channel: Channel;
  /** As it was written, without the prefix of the mount: `/v1/shelves/{shelf}`. */
  readonly template: string;
  /** The types of body that a QUERY takes, as `Accept-Query`; undefined: it takes none. */
  readonly acceptQuery: string | undefined;
}

/** The tables that decide, and the switches that change what they mean. */
export interface RouteTables {
  readonly matcher: PathMatcher<Route>;
  /** Native gRPC, gRPC-Web and Connect. */
  readonly protocols: ProtocolTable<Channel>;
  /** Takes its path before any route does. */
  readonly mcp?: McpEndpoint | undefined;
  /** By path; `GET` and `HEAD` alone. */
  readonly pages: ReadonlyMap<string, Page>;
  /** Present if virtual hosts decide: they take what no rule does. */
  readonly routes?: Routes | undefined;
  readonly options: Pick<GatewayOptions, 'rejectUnknownMethod'>;
  /** Takes what no route does. */
  readonly fallback?: Fallback | undefined;
  /** Present if preflights are answered. */
  readonly cors?: Pick<Cors, 'allows'> | undefined;
}

/** What a request leads to. */
export type Decision =
  /** Call a method. Without a channel the plan refuses the request in the client's own protocol. */
  | {
      readonly kind: 'call';
      readonly plan: MethodPlan;
      readonly captures: Captures;
      readonly channel: Channel | undefined;
      /** Of the route; undefined for gRPC, gRPC-Web and Connect. */
      readonly template: string | undefined;
    }
  /** Answer a browser that asks what it may send. */
  | { readonly kind: 'preflight'; readonly allowed: readonly string[]; readonly status: 200 | 204 }
  | { readonly kind: 'page'; readonly page: Page }
  | { readonly kind: 'mcp'; readonly endpoint: McpEndpoint }
  /** Answer 204 with these methods and `Accept-Query`; none for `OPTIONS *`. */
  | { readonly kind: 'options'; readonly allowed: readonly string[]; readonly acceptQuery?: string | undefined }
  | { readonly kind: 'fallback'; readonly fallback: Fallback }
  /** The virtual hosts know what answers. */
  | { readonly kind: 'routed'; readonly routes: Routes }
  /** 405 */
  | { readonly kind: 'wrong-method'; readonly allowed: readonly string[] }
  /** 404 */
  | { readonly kind: 'not-found' };

const NO_CAPTURES: Captures = [];

/** What browsers send to `/package.Service/Method`: gRPC-Web and Connect, the latter by GET too. */
const protocolMethods = ['GET', 'OPTIONS', 'POST'];

/**
 * Decides what a request leads to.
 * @param head as policies left it
 * @param protocol what `protocols.match` found in the head as it came: a method override does not change the protocol
 */
export function decide(tables: RouteTables, head: RequestHead, protocol: ProtocolMatch<Channel> | undefined): Decision {
  if (protocol !== undefined) {
    const { plan, channel } = protocol;
    return { kind: 'call', plan, captures: NO_CAPTURES, channel, template: undefined };
  }
  const { matcher, cors, mcp, routes } = tables;
  // What is gRPC and not known here may be known to the cluster, whatever its method is.
  if (routes !== undefined && isGrpc(head)) return { kind: 'routed', routes };
  if (cors !== undefined && isPreflight(head.method, head.headers)) {
    if (mcp?.path === head.path) return { kind: 'preflight', allowed: ENDPOINT_METHODS, status: 204 };
    const { options } = tables;
    const allowed = tables.protocols.reaches(head.path) ? protocolMethods : allowedMethods(tables, head.path);
    if (routes === undefined) {
      if (allowed.length > 0) return { kind: 'preflight', allowed, status: 204 };
    } else if (cors.allows(header(head.headers, 'origin')!)) {
      // As in Envoy. What is passed on to a cluster has the methods that the cluster has.
      const asked = [header(head.headers, 'access-control-request-method')!];
      if (allowed.length > 0) return { kind: 'preflight', allowed, status: 200 };
      if (!options.rejectUnknownMethod) return { kind: 'preflight', allowed: asked, status: 200 };
    }
  }
  if (mcp !== undefined && mcp.path === head.path) return { kind: 'mcp', endpoint: mcp };
  const match = matcher.match(head.method, head.path);
  if (match === undefined) return decideMiss(tables, head);
  const { plan, channel, template } = match.value;
  return { kind: 'call', plan, captures: match.captures, channel, template };
}

/** Cold: no route has this method and path. */
function decideMiss(tables: RouteTables, { method, path }: RequestHead): Decision {
  const { pages, fallback, routes, options } = tables;
  const page = method === 'GET' || method === 'HEAD' ? pages.get(path) : undefined;
  if (page !== undefined) return { kind: 'page', page };
  const isOptions = method === 'OPTIONS';
  if (isOptions && path === '*') return { kind: 'options', allowed: [] };
  if (routes !== undefined && !options.rejectUnknownMethod) return { kind: 'routed', routes };
  // Envoy knows no 405.
  if (routes !== undefined && fallback === undefined) return { kind: 'not-found' };
  const allowed = allowedMethods(tables, path);
  if (isOptions && allowed.length > 0) {
    return { kind: 'options', allowed, acceptQuery: tables.matcher.match('QUERY', path)?.value.acceptQuery };
  }
  if (fallback !== undefined) return { kind: 'fallback', fallback };
  return allowed.length === 0 ? { kind: 'not-found' } : { kind: 'wrong-method', allowed };
}

/** The methods of a path's routes and page, sorted; none if nothing is there. */
function allowedMethods({ matcher, pages }: RouteTables, path: string): readonly string[] {
  const allowed = matcher.allowed(path);
  return pages.has(path) ? [...new Set([...allowed, 'GET', 'HEAD', 'OPTIONS'])].sort() : allowed;
}
