/**
 * Runs exchanges: policies, route, plan, call, answer. Everything that fails on the way ends in one `catch`, and every
 * error becomes an answer in the route's (or the listener's) shape. Its tables are built by `build` and never change.
 */
import type {
  Captures,
  Channel,
  ErrorWriter,
  Exchange,
  Metadata,
  MethodPlan,
  Reply,
  RequestHead,
  SocketUpgrade,
} from '../exchange.js';
import type { Fallback } from '../fallback/index.js';
import type { HeaderNames } from '../metadata/index.js';
import { type Cors, isPreflight, type Policy, type ReplyEncoder, type RequiredClaims } from '../policy/index.js';
import type { ProtocolMatch, ProtocolTable } from '../protocol/index.js';
import type { PathMatcher } from '../router/index.js';
import { withoutFields } from '../headers.js';
import { StatusError } from '../status.js';
import { quote, splitTarget } from '../uri.js';
import { type Access, type Admitted, identified } from './access.js';
import { errorChannel, type InternalError } from './diagnostics.js';
import { requestIdOf } from './request-id.js';
import { SocketRun } from './socket.js';
import { type StreamOutcome, streamRun } from './stream.js';
import { UnaryRun } from './unary.js';

/** What a route leads to. */
export interface Route {
  readonly plan: MethodPlan;
  readonly channel: Channel;
}

/** A page of the proxy's own. */
export type Page = (head: RequestHead) => Promise<Reply>;

export interface GatewayParts {
  readonly matcher: PathMatcher<Route>;
  /** Of the streaming rules, all of which answer to GET; undefined where there are none. */
  readonly sockets: PathMatcher<Route> | undefined;
  /** The largest message that a WebSocket takes. */
  readonly maxBodyBytes: number;
  readonly policies: readonly Policy[];
  /** By path; `GET` and `HEAD` alone. */
  readonly pages: ReadonlyMap<string, Page>;
  /** Where a client finds the list of routes; undefined where it is off. */
  readonly indexPath: string | undefined;
  readonly writeError: ErrorWriter;
  /** Native gRPC, gRPC-Web and Connect. */
  readonly protocols: ProtocolTable<Channel>;
  readonly maxConcurrentRequests: number;
  /** Encodes answers; undefined: none is. */
  readonly encode: ReplyEncoder | undefined;
  readonly cors?: Cors | undefined;
  /** Why no request is served now; our own pages are. */
  readonly refusal?: StatusError | undefined;
  /** Takes what no route does. */
  readonly fallback?: Fallback | undefined;
  /** Which RPC needs which token; undefined: none does. */
  readonly access?: Access | undefined;
  /** Knows what clients may not say of themselves. */
  readonly names: HeaderNames;
}

/** The requests under way of a listener, whatever takes them. */
export interface RequestCount {
  active: number;
}

export class Gateway {
  private active = 0;
  /** Its own and those that are counted with them. */
  private count: RequestCount = { active: 0 };
  private readonly idleListeners: (() => void)[] = [];

  constructor(private readonly parts: GatewayParts) {}

  /** The answer for an error that has no route: also for what the HTTP parser refuses. */
  get writeError(): ErrorWriter {
    return this.parts.writeError;
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
   * True where something here answers: a route, a page, the fallback. Else there is but 404 or 405, and an application may
   * have better: it is asked before any policy, as these are for what is ours.
   */
  takes(request: RequestStart, prefixLength = 0): boolean {
    const { matcher, pages, protocols, cors, policies, fallback } = this.parts;
    const head = headOf(request, prefixLength);
    const { method, path, headers } = head;
    if (fallback !== undefined || matcher.match(method, path) !== undefined) return true;
    if (pages.has(path) && (method === 'GET' || method === 'HEAD')) return true;
    if (protocols.match(head)?.channel !== undefined) return true;
    const isKnown = pages.has(path) || matcher.allowed(path).length > 0;
    if (method === 'OPTIONS') {
      return isKnown || (protocols.reaches(path) && cors !== undefined && isPreflight(method, headers));
    }
    return isKnown && policies.some((policy) => policy.mayChangeMethod?.(head) === true);
  }

  /** True where a streaming rule takes a WebSocket. */
  takesSocket(request: RequestStart, prefixLength = 0): boolean {
    return this.parts.sockets?.match('GET', headOf(request, prefixLength).path) !== undefined;
  }

  /**
   * Answers one exchange; never throws.
   * @param prefixLength how much of the path is the mount's, and not the routes'.
   */
  handle(exchange: Exchange, prefixLength = 0): void {
    const head = headOf(exchange, prefixLength);
    if (this.parts.cors !== undefined) addCors(exchange, this.parts.cors);
    const run = new Run(exchange, head, this.parts, () => this.release());
    this.active++;
    this.count.active++;
    try {
      if (exchange.webSocket === undefined) run.detect();
      if (this.count.active > this.parts.maxConcurrentRequests) throw tooMany(this.parts.maxConcurrentRequests);
      for (const policy of this.parts.policies) policy.onRequest(head);
      const { refusal, pages } = this.parts;
      if (refusal !== undefined && !pages.has(head.path)) throw refusal;
      if (exchange.webSocket === undefined) run.route();
      else run.routeSocket(exchange.webSocket);
    } catch (error) {
      run.onError(error);
    }
  }
}

/** What of an exchange is there before anybody has taken it. */
type RequestStart = Pick<Exchange, 'method' | 'target' | 'httpVersion' | 'headers' | 'hasBody'>;

function headOf(request: RequestStart, prefixLength: number): RequestHead & { method: string } {
  const { method, target, headers, httpVersion, hasBody } = request;
  const { path, query } = splitTarget(target);
  return {
    method,
    path: prefixLength === 0 ? path : path.slice(prefixLength) || '/',
    query,
    headers,
    httpVersion,
    hasBody,
    requestId: requestIdOf(headers),
  };
}

/** What browsers send to `/package.Service/Method`: gRPC-Web and Connect, the latter by GET too. */
const protocolMethods = ['GET', 'OPTIONS', 'POST'];

function tooMany(limit: number): StatusError {
  return StatusError.http(503, `${limit} requests are under way already; try again`, {
    headers: [['retry-after', '1']],
  });
}

/** One exchange on its way. */
class Run implements StreamOutcome {
  private plan: MethodPlan | undefined;
  /** What the request leads to where it is not one of REST. */
  private protocol: ProtocolMatch<Channel> | undefined;
  private call: { clientGone(): void } | undefined;
  private settled = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly head: RequestHead,
    private readonly parts: GatewayParts,
    private readonly release: () => void,
  ) {
    exchange.onClose(() => {
      this.settle();
      this.call?.clientGone();
    });
  }

  /** Finds out which protocol is spoken: what refuses the request before it is routed answers in it, too. */
  detect(): void {
    this.protocol = this.parts.protocols.match(this.head);
    this.plan = this.protocol?.plan;
  }

  /** @throws StatusError where no route takes the request. */
  route(): void {
    const { head } = this;
    if (this.protocol !== undefined) {
      this.open(this.protocol.plan, [], this.protocol.channel);
      return;
    }
    if (this.parts.cors !== undefined && isPreflight(head.method, head.headers) && this.preflight()) return;
    const match = this.parts.matcher.match(head.method, head.path);
    if (match === undefined) {
      this.miss();
      return;
    }
    this.open(match.value.plan, match.captures, match.value.channel);
  }

  /** @param channel undefined where the plan refuses whatever comes */
  private open(plan: MethodPlan, captures: Captures, channel: Channel | undefined): void {
    this.plan = plan;
    const { access } = this.parts;
    if (access === undefined || channel === undefined) this.start(plan, captures, channel, this.head);
    else {
      const { name } = plan.rpc;
      this.admit(access, name, access.claimsFor(name), ({ head, metadata }) =>
        this.start(plan, captures, identified(channel, metadata), head),
      );
    }
  }

  /**
   * Goes on where the caller may: at once where no token is needed, else when its token was found good.
   * @param claims undefined where no token is needed
   */
  private admit(
    access: Access,
    what: string,
    claims: RequiredClaims | undefined,
    next: (admitted: Admitted) => void,
  ): void {
    if (claims === undefined) {
      next(access.open(this.head));
      return;
    }
    const isWebSocket = this.exchange.webSocket !== undefined;
    access
      .admit(this.head, what, claims, isWebSocket)
      .then((admitted) => {
        // The client may be gone by now.
        if (!this.settled) next(admitted);
      })
      .catch((error: unknown) => this.onError(error));
  }

  private start(plan: MethodPlan, captures: Captures, channel: Channel | undefined, head: RequestHead): void {
    const { exchange } = this;
    const { name, path, clientStreaming, serverStreaming } = plan.rpc;
    const isStream = clientStreaming || serverStreaming;
    const stream = isStream ? plan.openStream(head, captures) : undefined;
    const unary = isStream ? undefined : plan.openUnary(head, captures);
    if (channel === undefined) throw new TypeError(`${name} has no channel`);
    const run =
      stream === undefined
        ? new UnaryRun(exchange, unary!, channel, path, this)
        : streamRun({ exchange, method: head.method, stream, channel, path, outcome: this });
    this.call = run;
    run.start();
  }

  /** @throws StatusError where no streaming route takes the request. */
  routeSocket(upgrade: SocketUpgrade): void {
    const { head } = this;
    const { sockets, maxBodyBytes, access } = this.parts;
    const match = sockets?.match('GET', head.path);
    const socket = match?.value.plan.socket;
    if (match === undefined || socket === undefined) {
      throw StatusError.http(
        404,
        `no streaming route for a WebSocket at ${quote(head.path)}; ${this.whereRoutesAre()}`,
      );
    }
    const { plan, channel } = match.value;
    const { rpc } = plan;
    this.plan = plan;
    const start = (admitted: RequestHead, identity: Metadata): void => {
      const run = new SocketRun({
        upgrade,
        rpc,
        plan: socket,
        channel: identified(channel, identity),
        head: admitted,
        captures: match.captures,
        maxMessageBytes: maxBodyBytes,
        outcome: this,
      });
      this.call = { clientGone: () => run.onGone() };
      run.start();
    };
    if (access === undefined) start(head, []);
    else {
      this.admit(access, rpc.name, access.claimsFor(rpc.name), (admitted) => start(admitted.head, admitted.metadata));
    }
  }

  /** Cold: pages of our own, OPTIONS, 405, 404. */
  private miss(): void {
    const { method, path } = this.head;
    const { pages, writeError, fallback } = this.parts;
    const page = pages.get(path);
    if (page !== undefined && (method === 'GET' || method === 'HEAD')) {
      this.showPage(page);
      return;
    }
    if (method === 'OPTIONS' && this.exchange.target === '*') {
      this.onReply(emptyReply(this.head, []));
      return;
    }
    const allowed = this.allowed();
    const allow = allowed.join(', ');
    if (method === 'OPTIONS' && allowed.length > 0) {
      this.onReply(emptyReply(this.head, ['allow', allow]));
      return;
    }
    if (fallback !== undefined) {
      this.forward(fallback);
      return;
    }
    if (allowed.length === 0) {
      throw StatusError.http(404, `no route for ${method} ${quote(path)}; ${this.whereRoutesAre()}`);
    }
    const error = StatusError.http(405, `${method} is not allowed on ${quote(path)}; allowed are ${allow}`, {
      headers: [['allow', allow]],
    });
    this.onReply(writeError(error, this.head));
  }

  private whereRoutesAre(): string {
    const { indexPath } = this.parts;
    return `"${indexPath === undefined ? 'photongate routes' : `GET ${indexPath}`}" lists what is served`;
  }

  /** `/health` is for those who have no token: load balancers. */
  private showPage(page: Page): void {
    const { access } = this.parts;
    const show = ({ head }: Pick<Admitted, 'head'>): void => {
      page(head).then(
        (reply) => this.onReply(reply),
        (error: unknown) => this.onError(error),
      );
    };
    if (access?.protectsPages !== true || this.head.path === '/health') show({ head: this.head });
    else this.admit(access, 'this page', new Map(), show);
  }

  /** The methods of this path's routes and page; none where nothing is there. */
  private allowed(): readonly string[] {
    const { matcher, pages } = this.parts;
    const { path } = this.head;
    return pages.has(path) ? withPage(matcher.allowed(path)) : matcher.allowed(path);
  }

  /** Answers a preflight for a path that has a route; false where it has none. */
  private preflight(): boolean {
    const { cors, protocols } = this.parts;
    const allowed = protocols.reaches(this.head.path) ? protocolMethods : this.allowed();
    if (allowed.length === 0) return false;
    const headers = cors!.preflightHeaders(this.head.headers, allowed);
    this.onReply(emptyReply(this.head, ['allow', allowed.join(', '), ...headers]));
    return true;
  }

  private forward(fallback: Fallback): void {
    const { access, names } = this.parts;
    const { exchange } = this;
    const send = ({ head, metadata }: Admitted): void => {
      const { requestId, query, headers } = head;
      const target = query === this.head.query ? exchange.target : withQuery(exchange.target, query);
      const passed = withoutFields(headers, (name) => names.isIdentity(name));
      fallback.forward(
        exchange,
        { requestId, target, headers: passed, identity: fieldsOf(metadata) },
        { onDone: () => this.settle(), onError: (error) => this.onError(error) },
      );
    };
    if (access === undefined) send({ head: this.head, metadata: [] });
    else {
      // A browser's preflight has no token, whatever the request behind it has. The method that counts is the one that the
      // fallback gets, and not what an override made of it here.
      const isOpen = !access.protectsFallback || isPreflight(exchange.method, exchange.headers);
      this.admit(access, 'this path', isOpen ? undefined : new Map(), send);
    }
  }

  onReply(reply: Reply): void {
    if (this.settled) return;
    const encoded = this.parts.encode?.(this.head.headers, reply);
    if (encoded instanceof Promise) void encoded.then((result) => this.answer(result));
    else this.answer(encoded ?? reply);
  }

  private answer(reply: Reply): void {
    if (this.settled) return;
    this.settle();
    this.exchange.respond(reply);
    this.exchange.end(this.head.method === 'HEAD' ? undefined : reply.body, reply.trailers);
  }

  onError(thrown: unknown): void {
    if (this.settled) return;
    const error = StatusError.from(thrown);
    if (!(thrown instanceof StatusError) && errorChannel.hasSubscribers) this.publish(thrown);
    this.onReply(this.plan?.fail(error, this.head) ?? this.parts.writeError(error, this.head));
  }

  onStreamed(cause?: unknown): void {
    if (cause !== undefined && !(cause instanceof StatusError) && errorChannel.hasSubscribers) this.publish(cause);
    this.settle();
  }

  private publish(cause: unknown): void {
    const { requestId, method, path } = this.head;
    errorChannel.publish({ requestId, method, path, cause } satisfies InternalError);
  }

  /** The exchange no longer counts as under way. */
  private settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.release();
  }
}

/** Whatever the answer is and whoever writes it, it carries what CORS says of its request, and nothing else of that kind. */
function addCors(exchange: Exchange, cors: Cors): void {
  const respond = exchange.respond.bind(exchange);
  const isAsked = isPreflight(exchange.method, exchange.headers);
  exchange.respond = (head) => {
    const own = head.headers.includes('access-control-allow-methods');
    if (isAsked && own) return respond(head);
    respond({
      ...head,
      headers: [
        ...withoutFields(head.headers, (name) => name.startsWith('access-control-')),
        ...cors.responseHeaders(exchange.headers),
      ],
    });
  };
}

function emptyReply(head: RequestHead, headers: readonly string[]): Reply {
  return { status: 204, headers: [...headers, 'x-request-id', head.requestId], body: undefined };
}

function withQuery(target: string, query: string | undefined): string {
  const { path } = splitTarget(target);
  return query === undefined ? path : `${path}?${query}`;
}

/** Metadata as HTTP headers. */
function fieldsOf(metadata: Metadata): string[] {
  return metadata.flatMap(([name, value]) => [name, typeof value === 'string' ? value : value.toString('base64')]);
}

/** A page is there beside the routes of its path. */
function withPage(allowed: readonly string[]): string[] {
  return [...new Set([...allowed, 'GET', 'HEAD', 'OPTIONS'])].sort();
}
