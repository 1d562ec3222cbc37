/** One exchange on its way: what it leads to, and how its answer, whatever that is, comes to its end. */
import type {
  CallStatus,
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
import type { Fallback, FallbackOutcome, ForwardedHead } from '../fallback/index.js';
import { isPreflight } from '../cors/index.js';
import type { ReplyEncoder, RequiredClaims } from '../policy/index.js';
import type { ProtocolMatch } from '../protocol/index.js';
import { header, type HeaderFields, headerPairs, withoutFields } from '../headers.js';
import { deadlineOf } from '../metadata/index.js';
import { Code, codeOfHttpStatus, httpStatusOf, isBodyless, StatusError, UnresolvedRequest } from '../status.js';
import {
  type BodyStart,
  RefusedRequest,
  isGrpc,
  type LocalAnswer,
  type RequestFilter,
  type RoutedRequest,
  targetOf,
} from '../routes/index.js';
import { quote, splitTarget } from '../uri.js';
import { type Access, type Admitted, identified, toldNames } from './access.js';
import { decide, type Decision } from './decide.js';
import { type Filtered, FilterRun } from './filter-run.js';
import { filteredRequest } from './filtered-request.js';
import { PeekedExchange } from './peeked-exchange.js';
import { failureChannel, publishFault, type RequestFailure } from './diagnostics.js';
import type { Observation } from './observed.js';
import type { Page } from '../builtin/index.js';
import { quietly } from './quietly.js';
import {
  callOf,
  type ChangedExchange,
  contextOf,
  originalRequest,
  requestOf,
  routedChannel,
  type RoutedForward,
  type Routes,
  routeTime,
} from './routing.js';
import { rpcNamesOf, rpcPath } from './rpc-names.js';
import { SocketRun } from './socket.js';
import { type StreamOutcome, streamRun } from './stream.js';
import { UnaryRun } from './unary.js';
import type { GatewayParts } from './parts.js';

/** One exchange on its way. */
export class Run implements StreamOutcome, FallbackOutcome {
  private plan: MethodPlan | undefined;
  /** What the request leads to where it is not one of REST. */
  private protocol: ProtocolMatch<Channel> | undefined;
  private call: { clientGone(): void } | undefined;
  /** How the call ended, if it failed. */
  private failure: CallStatus | undefined;
  /** What was thrown. */
  private error: unknown;
  private settled = false;
  /** What filters tell services of the client. */
  private told: Metadata = [];
  /** As it came, before filters. */
  private readonly cameQuery: string | undefined;

  constructor(
    private exchange: Exchange,
    private head: RequestHead,
    /** Of the URL; '' if nothing is cut off. */
    private readonly base: string,
    private readonly parts: GatewayParts,
    private readonly observation: Observation | undefined,
    private readonly release: () => void,
    /** Present if the answer may be changed. */
    private readonly changed: ChangedExchange | undefined,
  ) {
    this.cameQuery = head.query;
    exchange.onClose(() => {
      this.settle();
      this.call?.clientGone();
    });
  }

  /** Finds out which protocol is spoken: what refuses the request before it is routed answers in it, too. */
  detect(): void {
    const protocol = this.parts.protocols.match(this.head);
    // What is not known here may be known to the cluster.
    if (this.parts.routes !== undefined && protocol?.channel === undefined) return;
    this.protocol = protocol;
    this.plan = this.protocol?.plan;
    if (this.observation !== undefined && this.protocol !== undefined) this.observation.speaks(this.protocol.name);
  }

  /** Sends the client to where it is to ask instead. */
  redirect(location: string): void {
    const { requestId } = this.head;
    const headers = ['location', location, 'content-length', '0', 'x-request-id', requestId];
    this.onReply({ status: 307, headers, body: NOTHING });
  }

  /**
   * Filters let it pass, and `next` goes on with it; or they refuse it.
   * @param next may throw
   */
  filter(filters: readonly RequestFilter[], next: () => void): void {
    const { head, exchange, parts } = this;
    // A preflight that is answered here says nothing of who calls, and reaches nobody.
    if (filters.length === 0 || (this.isPreflight() && decide(parts, head, this.protocol).kind === 'preflight')) {
      return next();
    }
    // What is refused before it is routed is answered in the client's own protocol.
    if (this.plan === undefined && isGrpc(head)) this.plan = parts.protocols.match(head)?.plan;
    const peeked = new PeekedExchange(exchange);
    this.exchange = peeked;
    const body = (maxBytes: number): Promise<BodyStart> => peeked.peek(maxBytes);
    const request = filteredRequest({ head, exchange, parts, protocol: this.protocol, body });
    const run = new FilterRun(filters, request, {
      onPassed: (filtered) => {
        this.call = undefined;
        try {
          this.take(filtered);
          next();
        } catch (error) {
          this.onError(error);
        }
      },
      onRefused: (error) => this.onError(error),
      changeAnswer: (change) => this.changed?.changeFields(change),
    });
    this.call = { clientGone: () => run.cancel() };
    run.start();
  }

  private isPreflight(): boolean {
    const { method, headers } = this.head;
    return this.parts.cors !== undefined && this.exchange.webSocket === undefined && isPreflight(method, headers);
  }

  private take({ headers, query, identity }: Filtered): void {
    const { head } = this;
    if (headers !== head.headers || query !== head.query) this.head = { ...head, headers, query };
    this.told = metadataOf(identity);
  }

  /** @throws StatusError 404 */
  route(): void {
    const { head, parts } = this;
    const { routes } = parts;
    if (routes !== undefined && this.protocol === undefined && isGrpc(head)) return this.passOn(routes);
    const decision = decide(parts, head, this.protocol);
    switch (decision.kind) {
      case 'call':
        return this.open(decision);
      case 'page':
        this.observation?.goesTo(parts.prefix + head.path);
        return this.showPage(decision.page);
      case 'routed':
        return this.passOn(decision.routes);
      case 'fallback':
        this.observation?.goesTo('(fallback)');
        return this.forward(decision.fallback);
      case 'preflight': {
        const { allowed } = decision;
        return this.onReply(
          emptyReply(head, ['allow', allowed.join(', '), ...parts.cors!.preflightHeaders(head.headers, allowed)]),
        );
      }
      case 'options': {
        const { allowed } = decision;
        return this.onReply(emptyReply(head, allowed.length === 0 ? [] : ['allow', allowed.join(', ')]));
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
    const { access, routes } = this.parts;
    if (routes !== undefined) return this.openRouted(plan, captures, routes);
    if (access === undefined || channel === undefined) {
      this.start(plan, captures, channel && identified(channel, this.told), this.head);
    } else {
      const { name } = plan.rpc;
      this.admit(access, name, access.claimsFor(name), ({ head, metadata }) =>
        this.start(plan, captures, identified(channel, metadata), head),
      );
    }
  }

  /** A call, whose cluster the virtual hosts know. */
  private openRouted(plan: MethodPlan, captures: Captures, routes: Routes): void {
    const { head, exchange, parts } = this;
    const came = requestOf(head, exchange);
    const request = callOf(came, plan.rpc.path);
    const { matchIncomingRequestRoute, originalPathHeaders } = parts.options;
    const action = routes.match(matchIncomingRequestRoute && this.protocol === undefined ? came : request);
    this.observation?.isRouted(action?.kind === 'forward' ? action.clusterName : undefined, action?.routeName);
    if (action?.kind !== 'forward') return this.answerLocally(action, request);
    const context = contextOf(request, exchange, action.clusterName);
    const isTranscoded = this.protocol === undefined && originalPathHeaders;
    const target = head.query === this.cameQuery ? exchange.target : withQuery(exchange.target, head.query);
    const origin = isTranscoded ? originalRequest(head.method, target) : [];
    const start = (admitted: RequestHead, identity: Metadata): void => {
      this.changeAnswer(action, request);
      try {
        this.start(plan, captures, routedChannel(action, { request, context, identity, origin }), admitted);
      } catch (error) {
        if (!(error instanceof UnresolvedRequest)) throw error;
        this.plan = undefined;
        this.keepAnswer();
        this.passOn(routes);
      }
    };
    const { access } = parts;
    if (access === undefined) return start(head, this.told);
    const { name } = plan.rpc;
    this.admit(access, name, access.claimsFor(name), (admitted) => start(admitted.head, admitted.metadata));
  }

  /** A request that no rule takes goes to its cluster as it is. */
  private passOn(routes: Routes): void {
    const { head, exchange, parts } = this;
    const request = requestOf(head, exchange);
    // What fails before the cluster answers is answered in the client's own protocol.
    if (isGrpc(head)) this.plan = parts.protocols.match(head)?.plan;
    const action = routes.match(request);
    this.observation?.isRouted(action?.kind === 'forward' ? action.clusterName : undefined, action?.routeName);
    if (action?.kind !== 'forward') return this.answerLocally(action, request);
    const { cluster, rewrite, requestChanges } = action;
    const path = rewrite === undefined ? request.path : rewrite(request.path);
    const rpcs = rpcNamesOf(path).filter((name) => parts.rpcs.has(name));
    const hidden = rpcs.find((name) => !parts.protocols.reaches(rpcPath(name)));
    if (hidden !== undefined) throw notReached(hidden);
    const context = contextOf(request, exchange, action.clusterName);
    this.changeAnswer(action, request);
    const time = routeTime(isGrpc(head) ? askedTime(head.headers) : undefined, action, head.headers);
    this.forward(cluster.fallback, {
      target: targetOf({ path, query: request.query }),
      host: action.host ?? header(head.headers, 'host'),
      timeoutMs: time === Infinity ? undefined : time,
      change: requestChanges && ((fields) => requestChanges(fields, context)),
      rpcs,
    });
  }

  /** No route changes the answer, until one is found. */
  private keepAnswer(): void {
    if (this.changed !== undefined) this.changed.change = undefined;
  }

  private changeAnswer({ responseChanges, ...action }: RoutedForward | LocalAnswer, request: RoutedRequest): void {
    if (responseChanges === undefined || this.changed === undefined) return;
    const context = contextOf(request, this.exchange, action.kind === 'forward' ? action.clusterName : '');
    this.changed.change = (head) => ({
      ...head,
      headers: responseChanges(head.headers, { ...context, response: head }),
    });
  }

  /** @param answer undefined: no route takes the request */
  private answerLocally(answer: LocalAnswer | undefined, request: RoutedRequest): void {
    if (answer === undefined) {
      if (isGrpc(this.head)) throw StatusError.http(404, `no route for ${quote(this.head.path)}`);
      const headers = ['content-length', '0', 'x-request-id', this.head.requestId];
      return this.onReply(this.inOwnForm({ status: 404, headers, body: NOTHING }, request));
    }
    this.changeAnswer(answer, request);
    const { status, headers, body } = answer;
    const length = status === 204 || status === 304 ? [] : ['content-length', String(body?.length ?? 0)];
    const reply = {
      status,
      headers: [...headers, ...length, 'x-request-id', this.head.requestId],
      body: length.length === 0 ? undefined : (body ?? NOTHING),
    };
    this.onReply(this.inOwnForm(reply, request));
  }

  /**
   * An answer that is no service's, in the form of `local_replies`; gRPC has its own.
   * @param request what it answers: the call, if it was found. Default: as it came
   */
  private inOwnForm(reply: Reply, request = requestOf(this.head, this.exchange)): Reply {
    const { head, exchange } = this;
    const change = this.parts.routes?.changeOwnReply;
    if (change === undefined || this.protocol !== undefined || isGrpc(head)) return reply;
    const context = contextOf(request, exchange, '');
    const pseudo = { ...context.pseudo, 'x-request-id': head.requestId };
    return { ...reply, ...change(reply, request, { ...context, pseudo }) };
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
    const { told } = this;
    const go = (admitted: Admitted): void => {
      next(told.length === 0 ? admitted : { ...admitted, metadata: [...told, ...admitted.metadata] });
    };
    if (claims === undefined) return go(access.open(this.head));
    const isWebSocket = this.exchange.webSocket !== undefined;
    access
      .admit(this.head, what, claims, isWebSocket)
      .then((admitted) => {
        // The client may be gone by now.
        if (!this.settled) go(admitted);
      })
      .catch((error: unknown) => this.onError(error));
  }

  private observe(rpc: Rpc, template: string | undefined): void {
    this.observation?.goesTo(template === undefined ? rpc.path : this.parts.prefix + template, rpc);
  }

  private start(plan: MethodPlan, captures: Captures, channel: Channel | undefined, head: RequestHead): void {
    const { exchange, observation } = this;
    observation?.isAdmitted();
    const { name, path, clientStreaming, serverStreaming } = plan.rpc;
    const isStream = clientStreaming || serverStreaming;
    const stream = isStream ? plan.openStream(head, captures) : undefined;
    const unary = isStream ? undefined : plan.openUnary(head, captures);
    if (channel === undefined) throw new TypeError(`${name} has no channel`);
    const used = observation === undefined ? channel : observation.observe(channel);
    const run =
      stream === undefined
        ? new UnaryRun(exchange, unary!, used, path, this)
        : streamRun({ exchange, method: head.method, stream, channel: used, path, outcome: this });
    this.call = run;
    run.start();
  }

  /** @throws StatusError where no streaming route takes the request. */
  routeSocket(upgrade: SocketUpgrade): void {
    const { head } = this;
    const { sockets, maxBodyBytes, access, routes } = this.parts;
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
      const own = identified(channel, identity);
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
      run.start();
    };
    if (access === undefined) start(head, this.told);
    else {
      this.admit(access, rpc.name, access.claimsFor(rpc.name), (admitted) => start(admitted.head, admitted.metadata));
    }
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

  /** `/health` is for those who have no token: load balancers. */
  private showPage(page: Page): void {
    const { access } = this.parts;
    const show = ({ head }: Pick<Admitted, 'head'>): void => {
      page(head, this.base).then(
        (reply) => this.onReply(reply),
        (error: unknown) => this.onError(error),
      );
    };
    if (access?.protectsPages !== true || this.head.path === '/health') show({ head: this.head });
    else this.admit(access, 'this page', new Map(), show);
  }

  /** @param routed what a route makes of the request */
  private forward(fallback: Fallback, routed: RoutedHead = NOT_ROUTED): void {
    const { access, names } = this.parts;
    const { exchange } = this;
    const { rpcs = [], target: routedTarget, ...how } = routed;
    const send = ({ head, metadata }: Admitted): void => {
      const { requestId, query, headers, caller } = head;
      const came = routedTarget ?? exchange.target;
      const cameQuery = routedTarget === undefined ? this.cameQuery : this.head.query;
      const target = query === cameQuery ? came : withQuery(came, query);
      const identity = fieldsOf(metadata);
      const isTold = toldNames(metadata);
      const passed = withoutFields(headers, (name) => names.isIdentity(name) || isTold(name));
      fallback.forward(exchange, { ...how, requestId, target, headers: passed, caller, identity }, this);
    };
    if (access === undefined) return send({ head: this.head, metadata: this.told });
    // A call needs the same token whichever way it takes. The path may name more than one RPC, as servers read paths
    // differently.
    const needs = rpcs.flatMap((rpc) => {
      const claims = access.claimsFor(rpc);
      return claims === undefined ? [] : [{ rpc, claims }];
    });
    const admitFrom = (index: number): void => {
      const { rpc, claims } = needs[index]!;
      this.admit(access, rpc, claims, index === needs.length - 1 ? send : () => admitFrom(index + 1));
    };
    if (needs.length > 0) return admitFrom(0);
    // A browser's preflight has no token, whatever the request behind it has. The method that counts is the one that the
    // fallback gets, and not what an override made of it here.
    const isOpen = !access.protectsFallback || rpcs.length > 0 || isPreflight(exchange.method, exchange.headers);
    this.admit(access, 'this path', isOpen ? undefined : new Map(), send);
  }

  onReply(reply: Reply): void {
    if (this.settled) return;
    const { encode } = this.parts;
    if (encode === undefined) this.answer(reply);
    else this.encoded(encode, reply);
  }

  /** An encoder that fails costs the client the coding, and not the answer. */
  private encoded(encode: ReplyEncoder, reply: Reply): void {
    const goOutAsItIs = (cause: unknown): void => {
      this.report(cause);
      this.answer(reply);
    };
    try {
      const encoded = encode(this.head.headers, reply);
      if (encoded instanceof Promise) encoded.then((result) => this.answer(result), goOutAsItIs);
      else this.answer(encoded ?? reply);
    } catch (error) {
      goOutAsItIs(error);
    }
  }

  /** Never throws. What cannot be sent becomes an error without a shape, and if that cannot be sent either, a break. */
  private answer(reply: Reply): void {
    if (this.settled) return;
    if (reply.status >= 500 || this.failure !== undefined) this.publishFailure(reply.status);
    this.settle();
    if (this.send(reply) === 'refused' && this.send(lastResort(this.head)) === 'refused') this.breakOff();
  }

  /** `refused`: the client got nothing of it, and may get another answer. */
  private send(reply: Reply): 'sent' | 'refused' {
    const { exchange } = this;
    let isTaken = false;
    try {
      exchange.respond(reply);
      isTaken = true;
      exchange.end(this.head.method === 'HEAD' ? undefined : reply.body, reply.trailers);
    } catch (error) {
      this.report(error);
      if (!isTaken) return 'refused';
      this.breakOff();
    }
    return 'sent';
  }

  private breakOff(): void {
    quietly(() => this.exchange.abort(), this);
  }

  /** Never throws: an error that has no shape of its own becomes one of ours. */
  onError(thrown: unknown): void {
    if (this.settled) return;
    this.error = thrown;
    this.report(thrown);
    this.onReply(this.replyTo(thrown));
  }

  private replyTo(thrown: unknown): Reply {
    const error = StatusError.from(thrown);
    try {
      if (error instanceof RefusedRequest && this.plan === undefined) return this.refused(error);
      const reply = this.plan?.fail(error, this.head) ?? this.parts.writeError(error, this.head);
      return error.isOfCall ? reply : this.inOwnForm(reply);
    } catch (fault) {
      this.report(fault);
      return lastResort(this.head);
    }
  }

  /** As whoever refused it has written it. */
  private refused({ reply: { status, headers, body } }: RefusedRequest): Reply {
    const { requestId } = this.head;
    const type =
      body === undefined || header(headers, 'content-type') !== undefined ? [] : ['content-type', 'text/plain'];
    const length = isBodyless(status) ? [] : ['content-length', String(body?.length ?? 0)];
    const own = [...headers, ...type, ...length, 'x-request-id', requestId];
    return this.inOwnForm({ status, headers: own, body: isBodyless(status) ? undefined : (body ?? NOTHING) });
  }

  onCallFailed(status: CallStatus): void {
    this.failure = status;
  }

  onStreamed(): void {
    // The head is out and says 200, whatever happened behind it.
    if (this.error !== undefined || this.failure !== undefined) this.publishFailure(200);
    this.settle();
  }

  /** Reports what an operator is to know. Faults of ours are reported by `report` already. */
  private publishFailure(answered: number): void {
    const { failure, error, head, plan } = this;
    const isFault = error !== undefined && !(error instanceof StatusError);
    if (!failureChannel.hasSubscribers || this.settled || isFault) return;
    const code = failure?.code ?? error?.code ?? codeOfHttpStatus(answered);
    const status = answered >= 500 ? answered : httpStatusOf(code);
    if (status < 500) return;
    failureChannel.publish({
      ...{ requestId: head.requestId, method: head.method, path: head.path, client: head.caller.address },
      ...{ rpc: plan?.rpc.name, status, code },
      message: failure?.message ?? error?.message ?? '',
      isReported: failure?.diagnosis !== undefined,
    } satisfies RequestFailure);
  }

  /** The fallback's answer has ended. */
  onDone(cause?: unknown): void {
    if (cause !== undefined) this.report(cause);
    this.settle();
  }

  /** Tells of a fault of ours; an error that a client may read is none. */
  report(cause: unknown): void {
    this.error ??= cause;
    this.observation?.failed(cause);
    if (cause instanceof StatusError) return;
    publishFault(cause, this.head);
  }

  /** The exchange no longer counts as under way. */
  private settle(): void {
    if (this.settled) return;
    this.settled = true;
    this.release();
  }
}

/** A request as a route sends it on. */
interface RoutedHead extends Pick<ForwardedHead, 'host' | 'timeoutMs' | 'change'> {
  /** Default: as it came. */
  readonly target?: string;
  /** The served RPCs that its path may name. */
  readonly rpcs?: readonly string[];
}

const NOT_ROUTED: RoutedHead = {};

const NOTHING = Buffer.alloc(0);

/** An error in no configured shape, for where those who know the shape have failed. */
function lastResort({ requestId }: RequestHead): Reply {
  const body = Buffer.from('{"code":13,"message":"internal error"}');
  const headers = [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    'x-request-id',
    requestId,
  ];
  return { status: 500, headers, body };
}

/** The time of `grpc-timeout`; what is malformed is for the server to refuse. */
function askedTime(headers: HeaderFields): number | undefined {
  const text = header(headers, 'grpc-timeout');
  if (text === undefined) return undefined;
  try {
    return deadlineOf(['grpc-timeout', text], { defaultDeadlineMs: undefined, maxDeadlineMs: undefined });
  } catch {
    return undefined;
  }
}

function notReached(rpc: string): StatusError {
  return new StatusError(Code.UNIMPLEMENTED, `${rpc} is not served here by its own path (option pass_through)`);
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

/** Headers as metadata. Characters that metadata cannot carry are left out by whoever set them. */
function metadataOf(fields: HeaderFields): Metadata {
  return headerPairs(fields).map(([name, value]) => [
    name,
    name.endsWith('-bin') ? Buffer.from(value, 'base64') : value,
  ]);
}
