/**
 * Runs exchanges: policies, route, plan, call, answer. Everything that fails on the way ends in one `catch`, and every
 * error becomes an answer in the route's (or the listener's) shape. Its tables are built by `build` and never change.
 */
import type { Caller, Channel, ErrorWriter, Exchange, RequestHead } from '../exchange.js';
import type { ProtocolMatch } from '../protocol/index.js';
import { StatusError } from '../status.js';
import { RequestRecord } from '../telemetry/index.js';
import { splitTarget, toOriginForm } from '../uri.js';
import { healthPaths as grpcHealth } from '../wire/index.js';
import type { HeaderFields } from '../headers.js';
import { CorsExchange } from './cors-exchange.js';
import { decide } from './decide.js';
import { LimitedExchange } from './limited-exchange.js';
import { Observation, ObservedExchange } from './observed.js';
import { locationOf, NormalizedExchange } from './path-normalization.js';
import { ChangedExchange, requestOf } from './routing.js';
import { isProbe } from './probe.js';
import { requestIdOf } from './request-id.js';
import type { GatewayParts, Shedding } from './parts.js';
import type { RouteTranscoder } from '../routes/index.js';
import { Run } from './run.js';

/** The requests under way of a listener, whatever takes them. */
export interface RequestCount {
  active: number;
}

/** What a gateway is made of. */
interface GatewaySettings extends GatewayParts {
  /** Gateways that know how requests of routes become calls; all else is this one's. Default: none. */
  readonly transcoders?: ReadonlyMap<RouteTranscoder, Gateway>;
}

/** Answers the exchanges of one listener or mount. */
export class Gateway {
  private active = 0;
  /** Its own and those that are counted with them. */
  private count: RequestCount = { active: 0 };
  private readonly idleListeners: (() => void)[] = [];
  /** What requests of routes with a transcoder of their own read. */
  private readonly transcoders: ReadonlyMap<RouteTranscoder, GatewayParts>;

  private readonly parts: GatewayParts;
  /** Of all answers, and of those over TLS. */
  private readonly plainFields: HeaderFields;
  private readonly secureFields: HeaderFields;

  constructor({ transcoders = new Map(), ...parts }: GatewaySettings) {
    this.parts = parts;
    const { serverName, strictTransportSecurity: hsts } = parts.options;
    this.plainFields = serverName === undefined ? [] : ['server', serverName];
    this.secureFields =
      hsts === undefined ? this.plainFields : [...this.plainFields, 'strict-transport-security', hsts];
    this.transcoders = new Map(
      [...transcoders].map(([name, other]) => [name, { ...parts, ...transcodingParts(other.parts) }]),
    );
  }

  /** The answer for an error that has no route: also for what the HTTP parser refuses. */
  get writeError(): ErrorWriter {
    return this.parts.writeError;
  }

  /** How many requests are answered at once; further ones are refused. */
  get maxConcurrentRequests(): number {
    return this.parts.maxConcurrentRequests;
  }

  /** Calls `listener` once no exchange is under way: at once, or when the last one has ended. */
  onIdle(listener: () => void): void {
    if (this.active === 0) listener();
    else this.idleListeners.push(listener);
  }

  /** Counts requests together with others, for `max_concurrent_requests`; before the first request. */
  countIn(count: RequestCount): void {
    this.count = count;
  }

  private release(): void {
    this.active--;
    this.count.active--;
    if (this.active === 0) for (const listener of this.idleListeners.splice(0)) listener();
  }

  /**
   * True if something here answers: a route, a page, the fallback. Otherwise the answer would be 404 or 405, and an
   * application may have a better one. It is asked before any policy runs, as policies guard what is ours.
   * @param hasPage whether a page of ours is to be had at its path. Default: all are
   */
  takes(request: RequestStart, prefixLength = 0, hasPage: (path: string) => boolean = everyPage): boolean {
    const { protocols, policies } = this.parts;
    const { target = request.target, location, refusal } = this.normalized(request, prefixLength);
    if (location !== undefined || refusal !== undefined) return true;
    const head = headOf(request, prefixLength, nobody, target);
    if (protocols.match(head)?.channel !== undefined) return true;
    const decision = decide(this.parts, head, undefined);
    switch (decision.kind) {
      case 'not-found':
        return false;
      case 'page':
        return hasPage(head.path);
      case 'options':
        return decision.allowed.length > 0 && (!isPageAlone(this.parts, head.path) || hasPage(head.path));
      case 'wrong-method':
        return policies.some((policy) => policy.mayChangeMethod?.(head) === true);
      default:
        return true;
    }
  }

  /** The RPC, by full name, whose route answers a GET of this path and query; undefined: none does. */
  rpcOf(target: string, prefixLength = 0): string | undefined {
    const request: RequestStart = { method: 'GET', target, httpVersion: '1.1', headers: [], hasBody: false };
    const normal = this.normalized(request, prefixLength);
    if (normal.location !== undefined || normal.refusal !== undefined) return undefined;
    const head = headOf(request, prefixLength, nobody, normal.target);
    if (this.parts.protocols.match(head) !== undefined) return undefined;
    const decision = decide(this.parts, head, undefined);
    return decision.kind === 'call' ? decision.plan.rpc.name : undefined;
  }

  /** True where a streaming rule takes a WebSocket. */
  takesSocket(request: RequestStart, prefixLength = 0): boolean {
    const { target = request.target } = this.normalized(request, prefixLength);
    const { path } = headOf(request, prefixLength, nobody, target);
    return this.parts.sockets?.match('GET', path) !== undefined;
  }

  /**
   * Answers one exchange; never throws.
   * @param prefixLength how much of the path is the mount's, and not the routes'.
   * @param base what stands before the gateway's paths in the URL besides: an application has cut it off
   * @param protocol what it leads to, if nobody has to find out
   */
  handle(exchange: Exchange, prefixLength = 0, base = '', protocol?: ProtocolMatch<Channel>): void {
    const normal = this.normalized(exchange, prefixLength);
    const came = normal.target === undefined ? exchange : new NormalizedExchange(exchange, normal.target);
    const head = headOf(came, prefixLength, this.parts.callers.callerOf(came));
    const { observer, routes, filters, limits, options } = this.parts;
    const common = this.parts.cors;
    const cors = routes?.corsOf === undefined ? common : routes.corsOf(requestOf(head, came), common);
    const own = this.partsFor(head, came);
    const parts = cors === common ? own : { ...own, cors };
    const observation =
      observer && new Observation(new RequestRecord(head, came.target, came.secure, came.peer), observer);
    const observed = observation === undefined ? came : new ObservedExchange(came, observation);
    const ownFields = came.secure ? this.secureFields : this.plainFields;
    const isChanged = routes !== undefined || ownFields.length > 0 || filters.length > 0 || limits !== undefined;
    const changed = isChanged ? new ChangedExchange(observed, ownFields) : undefined;
    const answering = changed ?? observed;
    const granted = cors === undefined ? answering : new CorsExchange(answering, cors, limits?.fields);
    const limited =
      options.maxRequestBytes === undefined ? undefined : new LimitedExchange(granted, options.maxRequestBytes);
    const answered = limited ?? granted;
    const run = new Run(answered, head, base, parts, observation, () => this.release(), changed);
    this.active++;
    this.count.active++;
    try {
      const { webSocket } = answered;
      if (webSocket === undefined) run.detect(protocol);
      const { maxConcurrentRequests, shedding } = this.parts;
      if (this.count.active > maxConcurrentRequests && !isProbe(this.parts, head)) throw this.parts.tooMany;
      if (shedding !== undefined && isShed(this.parts, shedding, head)) throw shedding.error;
      if (normal.refusal !== undefined) throw normal.refusal;
      limited?.checkLength();
      if (normal.location !== undefined) return run.redirect(base + normal.location);
      for (const policy of this.parts.policies) policy.onRequest(head, cors);
      if (filters.length > 0) run.undoUnusedOverride();
      const { refusal, pages } = this.parts;
      if (refusal !== undefined && !pages.has(head.path)) throw refusal;
      run.filter(filters, () => (webSocket === undefined ? run.route() : run.routeSocket(webSocket)));
    } catch (error) {
      run.onError(error);
    }
  }

  /** Those of the transcoder that the route of a request has; else the gateway's own. */
  private partsFor(head: RequestHead, exchange: Exchange): GatewayParts {
    const { parts } = this;
    const transcoderOf = parts.routes?.transcoderOf;
    if (transcoderOf === undefined) return parts;
    const name = transcoderOf(requestOf(head, exchange));
    return (name === undefined ? undefined : this.transcoders.get(name)) ?? parts;
  }

  /** The target in one form, if the options want one. The prefix of the mount is in it already. */
  private normalized({ target }: Pick<Exchange, 'target'>, prefixLength: number): Normalized {
    const { normalize } = this.parts;
    if (normalize === undefined) return AS_IT_CAME;
    const origin = toOriginForm(target);
    const prefix = origin.slice(0, prefixLength);
    try {
      const { target: below, isRedirect } = normalize(origin.slice(prefixLength));
      return isRedirect ? { location: locationOf(prefix + below) } : { target: prefix + below };
    } catch (error) {
      return { refusal: StatusError.from(error) };
    }
  }
}

/** What came of a target: another one, a place to ask instead, or an error. */
interface Normalized {
  readonly target?: string;
  readonly location?: string;
  readonly refusal?: StatusError;
}

const AS_IT_CAME: Normalized = {};

/** How requests become calls, and answers what clients read. */
function transcodingParts(parts: GatewayParts): Partial<GatewayParts> {
  const { matcher, maxBodyBytes, writeError, hints, options, largeMessages } = parts;
  return { matcher, maxBodyBytes, writeError, hints, options, largeMessages };
}

const everyPage = (): boolean => true;

/** True for the path of a page that no rule has. */
function isPageAlone({ pages, matcher }: GatewayParts, path: string): boolean {
  return pages.has(path) && matcher.allowed(path).length === 0;
}

/** Where it is not asked who calls. */
const nobody: Caller = { address: 'unknown', forwarded: [] };

/** What of an exchange is there before anybody has taken it. */
type RequestStart = Pick<Exchange, 'method' | 'target' | 'httpVersion' | 'headers' | 'hasBody' | 'counted'>;

/** @param target in one form. Default: as it came */
function headOf(
  request: RequestStart,
  prefixLength: number,
  caller: Caller,
  target = request.target,
): RequestHead & { method: string } {
  const { method, headers, httpVersion, hasBody } = request;
  const { path, query } = splitTarget(target);
  return {
    method,
    path: prefixLength === 0 ? path : path.slice(prefixLength) || '/',
    query,
    headers,
    httpVersion,
    hasBody,
    requestId: requestIdOf(headers),
    caller,
    counted: request.counted,
  };
}

/** A request that is a part of another one was let in with it, and checks of health say whether this process serves at all. */
function isShed(parts: GatewayParts, { shedder }: Shedding, head: RequestHead): boolean {
  if (head.counted !== undefined || !shedder.refuses()) return false;
  return !isProbe(parts, head) && head.path !== grpcHealth.check && head.path !== grpcHealth.watch;
}
