/** A request whose cluster `virtual_hosts` knows: a call, or what no rule takes and goes on as it is. */
import type { Captures, Channel, Exchange, Metadata, MethodPlan, Reply, RequestHead, Rpc } from '../exchange.js';
import type { Fallback, ForwardedHead } from '../fallback/index.js';
import { header, type HeaderFields } from '../headers.js';
import { deadlineOf } from '../metadata/index.js';
import type { ProtocolMatch } from '../protocol/index.js';
import { Code, StatusError, UnresolvedRequest } from '../status.js';
import { isGrpc, type LocalAnswer, type RoutedRequest, targetOf } from '../routes/index.js';
import { quote } from '../uri.js';
import type { Admitted } from './access.js';
import type { Observation } from './observed.js';
import type { GatewayParts } from './parts.js';
import {
  callOf,
  type ChangedExchange,
  contextOf,
  hashKeyOf,
  originalRequest,
  requestOf,
  routedChannel,
  type RoutedForward,
  type Routes,
  routeTime,
} from './routing.js';
import { rpcNamesOf, rpcPath } from './rpc-names.js';

/** A request as a route sends it on. */
export interface RoutedHead extends Pick<ForwardedHead, 'host' | 'timeoutMs' | 'change' | 'hashKey'> {
  /** Default: as it came. */
  readonly target?: string;
  /** The served RPCs that its path may name. */
  readonly rpcs?: readonly string[];
}

const NOTHING = Buffer.alloc(0);

/** The exchange that is routed: what happens to it once its cluster is known. */
export interface RoutedOwner {
  readonly exchange: Exchange;
  readonly head: RequestHead;
  /** Of the request, as filters left it. */
  readonly target: string;
  readonly parts: GatewayParts;
  readonly observation: Observation | undefined;
  readonly protocol: ProtocolMatch<Channel> | undefined;
  /** What shapes an error; undefined: the listener does. */
  plan: MethodPlan | undefined;
  /** Goes on where the caller may make the call. */
  admitCall(rpc: Rpc, next: (admitted: Admitted) => void): void;
  /** The channel of a call, with retries as its route or the options say. */
  retrying(channel: Channel, rpc: Rpc, route: RoutedForward['retries']): Channel;
  start(plan: MethodPlan, captures: Captures, channel: Channel | undefined, head: RequestHead): void;
  forward(fallback: Fallback, routed: RoutedHead): void;
  onReply(reply: Reply): void;
  /** An answer that is no service's, in the form of `local_replies`. */
  inOwnForm(reply: Reply, request: RoutedRequest): Reply;
}

/** Routes one exchange. */
export class RoutedRun {
  /** @param changed the exchange, if its answer may be changed */
  constructor(
    private readonly owner: RoutedOwner,
    private readonly routes: Routes,
    private readonly changed: ChangedExchange | undefined,
  ) {}

  /** A call, whose cluster the virtual hosts know. */
  open(plan: MethodPlan, captures: Captures): void {
    const { owner, routes } = this;
    const { head, exchange, parts } = owner;
    const came = requestOf(head, exchange);
    const request = callOf(came, plan.rpc.path);
    const { matchIncomingRequestRoute, originalPathHeaders } = parts.options;
    const isRest = owner.protocol === undefined;
    const action = routes.match(matchIncomingRequestRoute && isRest ? came : request);
    owner.observation?.isRouted(action?.kind === 'forward' ? action.clusterName : undefined, action?.routeName);
    if (action?.kind !== 'forward') return this.answerLocally(action, request);
    const context = contextOf(request, exchange, action.clusterName);
    const origin = isRest && originalPathHeaders ? originalRequest(head.method, owner.target) : [];
    const channel = owner.retrying(action.cluster.channel, plan.rpc, action.retries);
    const start = (admitted: RequestHead, identity: Metadata): void => {
      this.changeAnswer(action, request);
      try {
        owner.start(plan, captures, routedChannel(action, channel, { request, context, identity, origin }), admitted);
      } catch (error) {
        if (!(error instanceof UnresolvedRequest)) throw error;
        owner.plan = undefined;
        this.keepAnswer();
        this.passOn();
      }
    };
    owner.admitCall(plan.rpc, (admitted) => start(admitted.head, admitted.metadata));
  }

  /** A request that no rule takes goes to its cluster as it is. */
  passOn(): void {
    const { owner, routes } = this;
    const { head, exchange, parts } = owner;
    const request = requestOf(head, exchange);
    const action = routes.match(request);
    owner.observation?.isRouted(action?.kind === 'forward' ? action.clusterName : undefined, action?.routeName);
    if (action?.kind !== 'forward') return this.answerLocally(action, request);
    const { cluster, rewrite, requestChanges } = action;
    const path = rewrite === undefined ? request.path : rewrite(request.path);
    const rpcs = rpcNamesOf(path).filter((name) => parts.rpcs.has(name));
    const hidden = rpcs.find((name) => !parts.protocols.reaches(rpcPath(name)));
    if (hidden !== undefined) throw notReached(hidden);
    const context = contextOf(request, exchange, action.clusterName);
    this.changeAnswer(action, request);
    const time = routeTime(isGrpc(head) ? askedTime(head.headers) : undefined, action, head.headers);
    owner.forward(cluster.fallback, {
      target: targetOf({ path, query: request.query }),
      host: action.host ?? header(head.headers, 'host'),
      timeoutMs: time === Infinity ? undefined : time,
      hashKey: hashKeyOf(action, request),
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
    const context = contextOf(request, this.owner.exchange, action.kind === 'forward' ? action.clusterName : '');
    this.changed.change = (head) => ({
      ...head,
      headers: responseChanges(head.headers, { ...context, response: head }),
    });
  }

  /** @param answer undefined: no route takes the request */
  private answerLocally(answer: LocalAnswer | undefined, request: RoutedRequest): void {
    const { owner } = this;
    const { head } = owner;
    if (answer === undefined) {
      if (isGrpc(head)) throw StatusError.http(404, `no route for ${quote(head.path)}`);
      const headers = ['content-length', '0', 'x-request-id', head.requestId];
      return owner.onReply(owner.inOwnForm({ status: 404, headers, body: NOTHING }, request));
    }
    this.changeAnswer(answer, request);
    const { status, headers, body } = answer;
    const length = status === 204 || status === 304 ? [] : ['content-length', String(body?.length ?? 0)];
    const reply = {
      status,
      headers: [...headers, ...length, 'x-request-id', head.requestId],
      body: length.length === 0 ? undefined : (body ?? NOTHING),
    };
    owner.onReply(owner.inOwnForm(reply, request));
  }
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
