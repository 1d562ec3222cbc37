/** One exchange on its way: what it leads to, and who may have it. How its answer comes to its end is `ending`'s. */
import type {
  Captures,
  Channel,
  Exchange,
  Metadata,
  MethodPlan,
  Reply,
  RequestHead,
  Rpc,
  SocketUpgrade,
} from '../exchange.js';
import type { Fallback } from '../fallback/index.js';
import { isPreflight } from '../cors/index.js';
import { type Claims, earlier, type Expiry } from '../policy/index.js';
import { atDate } from '../clock.js';
import { withoutFields } from '../headers.js';
import { StatusError } from '../status.js';
import { type BodyStart, isGrpc, type RequestFilter } from '../routes/index.js';
import { quote, splitTarget } from '../uri.js';
import { type Access, type Admitted, identified, type Need, toldNames } from './access.js';
import { decide, type Decision } from './decide.js';
import { Ending } from './ending.js';
import { type Filtered, FilterRun } from './filter-run.js';
import { filteredRequest } from './filtered-request.js';
import { PeekedExchange } from './peeked-exchange.js';
import type { Observation } from './observed.js';
import { healthPaths, type Page } from '../builtin/index.js';
import { type RoutedHead, type RoutedOwner, RoutedRun } from './routed-run.js';
import { type ChangedExchange, fieldsOf, metadataOf, type RoutedForward, type Routes } from './routing.js';
import { type McpEndpoint, METADATA_PATH } from '../mcp/index.js';
import { AgentRun } from './agent-run.js';
import { SocketRun } from './socket.js';
import { type StreamRun, streamRun } from './stream.js';
import { LargeCall } from './large-messages.js';
import { UnaryRun } from './unary.js';
import { callerIdentity, KeyedCall } from './keyed-call.js';
import type { GatewayParts } from './parts.js';

/** One exchange on its way. */
export class Run extends Ending implements RoutedOwner {
  private call: { clientGone(): void } | undefined;
  /** What filters tell services of the client. */
  private told: Metadata = [];
  /** When its stream ends; undefined: when it does by itself. */
  private expiry: Expiry | undefined;
  private cancelExpiry: (() => void) | undefined;
  /** Which limits of rate have counted it; undefined if nothing asked. */
  private counted: Set<unknown> | undefined;
  /** Of the credentials that were found good. */
  private claims: Claims = {};
  /** Of the API key that was found good. */
  private keyName: string | undefined;
  /** As it came, before filters. */
  private readonly cameQuery: string | undefined;

  constructor(
    exchange: Exchange,
    head: RequestHead,
    /** Of the URL; '' if nothing is cut off. */
    private readonly base: string,
    parts: GatewayParts,
    observation: Observation | undefined,
    release: () => void,
    /** Present if the answer may be changed. */
    private readonly changed: ChangedExchange | undefined,
  ) {
    super(exchange, head, parts, observation, release);
    this.cameQuery = head.query;
    this.counted = head.counted;
    exchange.onClose(() => {
      this.settle();
      this.call?.clientGone();
    });
  }

  /**
   * Finds out which protocol is spoken: what refuses the request before it is routed answers in it, too.
   * @param protocol if it is known
   */
  detect(protocol = this.parts.protocols.match(this.head)): void {
    if (this.parts.routes !== undefined && protocol?.channel === undefined) {
      // The cluster may know it. What fails before that is answered in the client's own protocol.
      if (isGrpc(this.head)) this.plan = protocol?.plan;
      return;
    }
    this.protocol = protocol;
    this.plan = this.protocol?.plan;
    if (this.observation !== undefined && this.protocol !== undefined) this.observation.speaks(this.protocol.name);
  }

  /** Sends the client to where it is to ask instead. */
  redirect(location: string): void {
    const { requestId } = this.head;
    const headers = ['location', location, 'content-length', '0', 'x-request-id', requestId];
    this.onReply({ status: 307, headers, body: Buffer.alloc(0) });
  }

  /**
   * Filters let it pass, and `next` goes on with it; or they refuse it.
   * @param next may throw
   */
  filter(filters: readonly RequestFilter[], next: () => void): void {
    // A preflight that is answered here says nothing of who calls, and reaches nobody.
    if (filters.length === 0 || this.isAnsweredPreflight()) return next();
    this.runFilters(filters, (filtered) => {
      this.take(filtered);
      next();
    });
  }

  /** @param next may throw */
  private runFilters(
    filters: readonly RequestFilter[],
    next: (filtered: Filtered) => void,
    claims = this.claims,
  ): void {
    const { head, exchange, parts, protocol } = this;
    const counted = (this.counted ??= new Set());
    const body = (maxBytes: number): Promise<BodyStart> => this.peeked().peek(maxBytes);
    const gone: (() => void)[] = [];
    const onGone = (listener: () => void): void => void gone.push(listener);
    const request = filteredRequest({ head, exchange, parts, protocol, body, onGone, claims, counted });
    const run = new FilterRun(filters, request, {
      onPassed: (filtered) => {
        this.call = undefined;
        try {
          next(filtered);
        } catch (error) {
          this.onError(error);
        }
      },
      onRefused: (error) => this.onError(error),
      changeAnswer: (change) => this.changed?.changeFields(change),
    });
    this.call = {
      clientGone() {
        run.cancel();
        for (const listener of gone) listener();
      },
    };
    run.start();
  }

  /** The exchange, from now on with a body that may be looked at. */
  private peeked(): PeekedExchange {
    if (this.exchange instanceof PeekedExchange) return this.exchange;
    const peeked = new PeekedExchange(this.exchange);
    this.exchange = peeked;
    return peeked;
  }

  /** Goes on where the limits that ask for claims allow it: at once where there are none. */
  private limitByClaims(claims: Claims | undefined, next: () => void): void {
    const late = this.parts.limits?.late;
    if (late === undefined) next();
    else this.runFilters([late], next, { ...this.claims, ...claims });
  }

  private isAnsweredPreflight(): boolean {
    const { head, parts, exchange, protocol } = this;
    if (parts.cors === undefined || exchange.webSocket !== undefined || !isPreflight(head.method, head.headers)) {
      return false;
    }
    return decide(parts, head, protocol).kind === 'preflight';
  }

  /**
   * Filters judge the method that takes effect: an override counts for rules of REST alone, and everything else gets the method
   * of the request.
   */
  undoUnusedOverride(): void {
    const { head, exchange, parts, protocol } = this;
    if (head.method === exchange.method) return;
    const isUsed = protocol === undefined && !isGrpc(head) && parts.matcher.match(head.method, head.path) !== undefined;
    if (!isUsed) this.head = { ...head, method: exchange.method };
  }

  private take({ headers, query, identity, claims, expiry }: Filtered): void {
    const { head } = this;
    this.claims = claims;
    if (headers !== head.headers || query !== head.query) this.head = { ...head, headers, query };
    this.told = metadataOf(identity);
    this.expiry = expiry;
  }

  /** @throws StatusError 404 */
  route(): void {
    const { head, parts } = this;
    const decision = decide(parts, head, this.protocol);
    switch (decision.kind) {
      case 'call':
        return this.open(decision);
      case 'page':
        this.observation?.goesTo(parts.prefix + head.path);
        return this.showPage(decision.page);
      case 'mcp':
        this.observation?.goesTo(parts.prefix + head.path);
        return this.serveAgent(decision.endpoint);
      case 'routed':
        return this.routed(decision.routes).passOn();
      case 'fallback':
        this.observation?.goesTo('(fallback)');
        return this.forward(decision.fallback);
      case 'preflight': {
        const { allowed, status } = decision;
        const headers = parts.cors!.preflightHeaders(head.headers, allowed);
        return this.onReply(emptyReply(head, ['allow', allowed.join(', '), ...headers], status));
      }
      case 'options': {
        const { allowed, acceptQuery } = decision;
        const query = acceptQuery === undefined ? [] : ['accept-query', acceptQuery];
        return this.onReply(emptyReply(head, allowed.length === 0 ? [] : ['allow', allowed.join(', '), ...query]));
      }
      case 'wrong-method':
        return this.refuseMethod(decision.allowed.join(', '));
      case 'not-found':
        throw StatusError.http(404, this.notFoundMessage());
    }
  }

  private open({ plan, captures, channel, template }: Extract<Decision, { kind: 'call' }>): void {
    this.plan = plan;
    // The name of a method that is not there is the client's own invention.
    if (channel !== undefined) this.observe(plan.rpc, template);
    const { routes } = this.parts;
    if (routes !== undefined) return this.routed(routes).open(plan, captures);
    if (channel === undefined) return this.start(plan, captures, undefined, this.head);
    this.admitCall(plan.rpc, ({ head, metadata }) =>
      this.start(plan, captures, identified(this.retrying(channel, plan.rpc), metadata), head),
    );
  }

  /** The target as filters left it. */
  get target(): string {
    const { exchange, head } = this;
    return head.query === this.cameQuery ? exchange.target : withQuery(exchange.target, head.query);
  }

  private routed(routes: Routes): RoutedRun {
    return new RoutedRun(this, routes, this.changed);
  }

  /** Goes on where the caller may make the call: at once where no token is needed. */
  admitCall(rpc: Rpc, next: (admitted: Admitted) => void): void {
    const { access } = this.parts;
    if (access === undefined) this.limitByClaims(undefined, () => next({ head: this.head, metadata: this.told }));
    else this.admit(access, rpc.name, access.needOf(rpc.name), next);
  }

  /**
   * Goes on where the caller may: at once where nothing is needed, else when its credentials were found good.
   */
  private admit(access: Access, what: string, need: Need, next: (admitted: Admitted) => void): void {
    const { told } = this;
    const go = (admitted: Admitted): void => {
      const { claims, metadata, expiry, keyName } = admitted;
      this.expiry = earlier(this.expiry, expiry);
      this.keyName = keyName;
      this.claims = { ...this.claims, ...claims };
      if (keyName !== undefined) this.observation?.hasKey(keyName);
      this.limitByClaims(claims, () =>
        next(told.length === 0 ? admitted : { ...admitted, metadata: [...told, ...metadata] }),
      );
    };
    if (need.length === 0) return go(access.open(this.head));
    const isWebSocket = this.exchange.webSocket !== undefined;
    access
      .admit(this.head, what, need, isWebSocket)
      .then((admitted) => {
        // The client may be gone by now.
        if (!this.settled) go(admitted);
      })
      .catch((error: unknown) => this.onError(error));
  }

  /** The channel of a call, whose deadline has the time that the route allows. */
  retrying(channel: Channel, rpc: Rpc, route?: RoutedForward['retries']): Channel {
    const { parts, observation } = this;
    if (parts.retries === undefined) return channel;
    return parts.retries.channelFor(channel, rpc, observation && (() => observation.isRetried()), route);
  }

  private observe(rpc: Rpc, template: string | undefined): void {
    this.observation?.goesTo(template === undefined ? rpc.path : this.parts.prefix + template, rpc);
  }

  start(plan: MethodPlan, captures: Captures, channel: Channel | undefined, head: RequestHead): void {
    const { exchange, observation } = this;
    observation?.isAdmitted();
    const { name, path, clientStreaming, serverStreaming } = plan.rpc;
    const isStream = clientStreaming || serverStreaming;
    const stream = isStream ? plan.openStream(head, captures) : undefined;
    const unary = isStream ? undefined : plan.openUnary(head, captures);
    if (channel === undefined) throw new TypeError(`${name} has no channel`);
    const ruled = this.ruled(channel, name, head);
    const used = observation === undefined ? ruled : observation.observe(ruled);
    if (stream === undefined) {
      const keyed = this.keyedCall(plan, head);
      const { largeMessages } = this.parts;
      const large =
        largeMessages === undefined || plan.key === undefined
          ? undefined
          : new LargeCall(largeMessages, plan.key, head, captures);
      const run = new UnaryRun(exchange, unary!, used, path, keyed ?? this, keyed, large);
      this.call = run;
      return run.start();
    }
    const run = streamRun({ exchange, method: head.method, stream, channel: used, path, outcome: this });
    this.call = run;
    this.endWhenExpired(run);
    run.start();
  }

  /** Undefined if its call may be made again; of other protocols than REST all may. @throws StatusError 400 */
  private keyedCall(plan: MethodPlan, head: RequestHead): KeyedCall | undefined {
    const { idempotency, prefix } = this.parts;
    if (idempotency === undefined || this.protocol !== undefined) return undefined;
    const rpc = plan.rpc.name;
    const { headers, peer } = this.exchange;
    const key = idempotency.keyOf(head.method, rpc, headers);
    if (key === undefined) return undefined;
    const path = prefix + head.path;
    const { method, query, requestId } = head;
    const identity = callerIdentity(this.claims, this.keyName, peer.tls);
    return new KeyedCall({
      idempotency,
      request: { key, method, path, query, headers, rpc, identity, requestId },
      outcome: this,
      replyTo: (error) => plan.fail(StatusError.from(error), head),
    });
  }

  /** The channel of a call, with the headers that rules give it. */
  private ruled(channel: Channel, rpc: string, head: RequestHead): Channel {
    return this.parts.headerRules?.around(channel, rpc, head, this.claims) ?? channel;
  }

  /** Ends a stream when the token of its caller does. */
  private endWhenExpired(run: Pick<StreamRun, 'fail'>): void {
    const { expiry } = this;
    if (expiry !== undefined) this.cancelExpiry = atDate(expiry.atMs, () => run.fail(expiry.error()));
  }

  protected override settle(): void {
    this.cancelExpiry?.();
    super.settle();
  }

  /** @throws StatusError where no streaming route takes the request. */
  routeSocket(upgrade: SocketUpgrade): void {
    const { head } = this;
    const { sockets, maxBodyBytes, routes } = this.parts;
    if (routes !== undefined) throw StatusError.http(403, 'virtual hosts take no WebSockets');
    const match = sockets?.match('GET', head.path);
    const socket = match?.value.plan.socket;
    if (match === undefined || socket === undefined) {
      throw StatusError.http(
        404,
        `no streaming route for a WebSocket at ${quote(head.path)}; ${this.whereRoutesAre()}`,
      );
    }
    const { plan, channel, template } = match.value;
    const { rpc } = plan;
    const { observation } = this;
    this.plan = plan;
    this.observe(rpc, template);
    observation?.speaks('websocket');
    const start = (admitted: RequestHead, identity: Metadata): void => {
      observation?.isAdmitted();
      const own = this.ruled(identified(this.retrying(channel, rpc), identity), rpc.name, admitted);
      const run = new SocketRun({
        upgrade,
        rpc,
        plan: socket,
        channel: observation === undefined ? own : observation.observe(own),
        head: admitted,
        captures: match.captures,
        maxMessageBytes: maxBodyBytes,
        outcome: this,
      });
      this.call = { clientGone: () => run.onGone() };
      this.endWhenExpired(run);
      run.start();
    };
    this.admitCall(rpc, (admitted) => start(admitted.head, admitted.metadata));
  }

  private notFoundMessage(): string {
    const { head, parts, base } = this;
    const { prefix, hints } = parts;
    const hint = hints?.find(head.method, head.path, prefix, base);
    const what = `no route for ${head.method} ${quote(prefix + head.path)}`;
    return `${what}; ${hint === undefined ? '' : `${hint} `}${this.whereRoutesAre()}`;
  }

  private refuseMethod(allow: string): void {
    const { method, path } = this.head;
    const { prefix, hints } = this.parts;
    const hint = hints?.find(method, path, prefix, this.base, true);
    const what = `${method} is not allowed on ${quote(prefix + path)}; allowed are ${allow}`;
    const error = StatusError.http(405, hint === undefined ? what : `${what}; ${hint}`, {
      headers: [['allow', allow]],
    });
    this.onReply(this.parts.writeError(error, this.head));
  }

  private whereRoutesAre(): string {
    const { indexPath } = this.parts;
    return `"${indexPath === undefined ? 'photongate routes' : `GET ${this.base}${indexPath}`}" lists what is served`;
  }

  /** What comes of the message goes through the gateway as a request of its own, with its own check of the token. */
  private serveAgent(endpoint: McpEndpoint): void {
    const { exchange, base, parts, counted } = this;
    const { access, maxBodyBytes } = parts;
    const head = { ...this.head, counted };
    this.writeOwnError = (error) => endpoint.fail(error, head, base);
    const start = (): void => {
      const run = new AgentRun({ exchange, head, base, endpoint, maxBodyBytes, outcome: this });
      this.call = run;
      run.start();
    };
    const isOpen = access === undefined || (access.pageNeed.length === 0 && !endpoint.isGuarded());
    if (isOpen) this.limitByClaims(undefined, start);
    else this.admit(access, 'this endpoint', access.anyNeed, start);
  }

  /** `/health` is for those who have no token, load balancers, and metadata are for those who have none yet. */
  private showPage(page: Page): void {
    const { access } = this.parts;
    const show = ({ head }: Pick<Admitted, 'head'>): void => {
      page(head, this.base).then(
        (reply) => this.onReply(reply),
        (error: unknown) => this.onError(error),
      );
    };
    const { head } = this;
    const isOpen = access === undefined || access.pageNeed.length === 0 || isPublic(head.path);
    if (isOpen) this.limitByClaims(undefined, () => show({ head }));
    else this.admit(access, 'this page', access.pageNeed, show);
  }

  /** @param routed what a route makes of the request */
  forward(fallback: Fallback, routed: RoutedHead = NOT_ROUTED): void {
    const { access, names } = this.parts;
    const { exchange } = this;
    const { rpcs = [], target: routedTarget, ...how } = routed;
    const send = ({ head, metadata }: Admitted): void => {
      const { requestId, query, headers, caller } = head;
      const came = routedTarget ?? this.target;
      const target = query === this.head.query ? came : withQuery(came, query);
      const identity = fieldsOf(metadata);
      const isTold = toldNames(metadata);
      const passed = withoutFields(headers, (name) => names.isIdentity(name) || isTold(name));
      fallback.forward(exchange, { ...how, requestId, target, headers: passed, caller, identity }, this);
    };
    if (access === undefined) {
      return this.limitByClaims(undefined, () => send({ head: this.head, metadata: this.told }));
    }
    // A call needs the same credential whichever way it takes. The path may name more than one RPC, as servers read paths
    // differently.
    const needs = rpcs.flatMap((rpc) => {
      const need = access.needOf(rpc);
      return need.length === 0 ? [] : [{ rpc, need }];
    });
    const admitFrom = (index: number): void => {
      const { rpc, need } = needs[index]!;
      this.admit(access, rpc, need, index === needs.length - 1 ? send : () => admitFrom(index + 1));
    };
    if (needs.length > 0) return admitFrom(0);
    // A browser's preflight has no token, whatever the request behind it has. The method that counts is the one that the
    // fallback gets, and not what an override made of it here.
    const isOpen = rpcs.length > 0 || isPreflight(exchange.method, exchange.headers);
    this.admit(access, 'this path', isOpen ? [] : access.fallbackNeed, send);
  }
}

function isPublic(path: string): boolean {
  return healthPaths.has(path) || path.startsWith(METADATA_PATH);
}

const NOT_ROUTED: RoutedHead = {};

function emptyReply(head: RequestHead, headers: readonly string[], status = 204): Reply {
  const length = status === 204 ? [] : ['content-length', '0'];
  return { status, headers: [...headers, ...length, 'x-request-id', head.requestId], body: undefined };
}

function withQuery(target: string, query: string | undefined): string {
  const { path } = splitTarget(target);
  return query === undefined ? path : `${path}?${query}`;
}
