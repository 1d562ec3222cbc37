/**
 * How `virtual_hosts` steer a request: which cluster a call goes to, what its headers become, how long it may take. The table
 * is that of `routes`; here it meets calls.
 */
import type { Channel, Exchange, Metadata, RequestHead, ResponseHead } from '../exchange.js';
import type { Fallback } from '../fallback/index.js';
import { header, type HeaderFields, headerPairs, printable, withoutFields } from '../headers.js';
import type { CommandContext } from '../commands.js';
import { type ForwardAction, type RoutedRequest, type RouteTable, schemeOf, targetOf } from '../routes/index.js';
import { withIdentity } from './access.js';
import { DelegateExchange } from './delegate-exchange.js';

/** A cluster that routes lead to. */
export interface RoutedCluster {
  readonly channel: Channel;
  readonly fallback: Fallback;
}

/** What is asked of `virtual_hosts`. */
export type Routes = Pick<
  RouteTable<RoutedCluster>,
  'match' | 'filterSettings' | 'changeOwnReply' | 'corsOf' | 'transcoderOf'
>;

/** A route that leads to a cluster. */
export type RoutedForward = ForwardAction<RoutedCluster>;

/** A request as it came. */
export function requestOf({ method, path, query, headers }: RequestHead, { secure }: Exchange): RoutedRequest {
  return { method, path, query, headers, host: (header(headers, 'host') ?? '').toLowerCase(), secure };
}

/** A request as the call that it becomes. */
export function callOf(request: RoutedRequest, rpcPath: string): RoutedRequest {
  const others = withoutFields(request.headers, (name) => name === 'content-type' || name === 'content-length');
  const headers = [...others, 'content-type', 'application/grpc', 'te', 'trailers'];
  return { ...request, method: 'POST', path: rpcPath, query: undefined, headers };
}

/** What the commands of header values tell of a request. */
export function contextOf(request: RoutedRequest, exchange: Exchange, cluster: string): CommandContext {
  const { address, port } = exchange.peer;
  return {
    request: request.headers,
    pseudo: {
      ':method': request.method,
      ':path': targetOf(request),
      ':authority': request.host,
      ':scheme': schemeOf(request),
    },
    protocol: `HTTP/${exchange.httpVersion}`,
    remoteAddress: address,
    remotePort: port,
    cluster,
  };
}

/**
 * The time that a call may take, in milliseconds; Infinity: any.
 * @param asked by the client or an option
 */
export function routeTime(
  asked: number | undefined,
  { timeoutMs = Infinity, maxGrpcTimeoutMs }: Pick<RoutedForward, 'timeoutMs' | 'maxGrpcTimeoutMs'>,
  headers: HeaderFields,
): number {
  const asksForTime = maxGrpcTimeoutMs !== undefined && header(headers, 'grpc-timeout') !== undefined;
  return Math.min(asked ?? Infinity, asksForTime ? maxGrpcTimeoutMs : timeoutMs);
}

/** By what a cluster that balances by hash picks the server of a request. */
export function hashKeyOf({ hashHeader }: RoutedForward, { headers }: RoutedRequest): string | undefined {
  return hashHeader === undefined ? undefined : header(headers, hashHeader);
}

/** How a call of a route differs from one without. */
interface RoutedCall {
  readonly request: RoutedRequest;
  readonly context: CommandContext;
  /** What the service is told besides, which the route does not change. */
  readonly identity: Metadata;
  /** Where the call came from. */
  readonly origin: Metadata;
}

/**
 * The channel of a route: its calls have the time of the route, its headers and its host.
 * @param channel of its cluster
 */
export function routedChannel(
  action: RoutedForward,
  channel: Channel,
  { request, context, identity, origin }: RoutedCall,
): Channel {
  const { requestChanges, host = header(request.headers, 'host') } = action;
  const hashKey = hashKeyOf(action, request);
  return {
    target: channel.target,
    start(call, listener) {
      const time = routeTime(call.timeoutMs, action, request.headers);
      const told = origin.length === 0 ? call.metadata : [...call.metadata, ...origin];
      const changed = requestChanges === undefined ? told : metadataOf(requestChanges(fieldsOf(told), context));
      const metadata = withIdentity(changed, identity);
      const timeoutMs = time === Infinity ? undefined : time;
      return channel.start({ ...call, metadata, timeoutMs, authority: host, hashKey }, listener);
    },
    connect: (time) => channel.connect(time),
    close: () => channel.close(),
  };
}

/** Metadata as HTTP headers. */
export function fieldsOf(metadata: Metadata): string[] {
  return metadata.flatMap(([name, value]) => [name, typeof value === 'string' ? value : value.toString('base64')]);
}

/** Headers as metadata. Characters that metadata cannot carry are left out by whoever set them. */
export function metadataOf(fields: HeaderFields): Metadata {
  return headerPairs(fields).map(([name, value]) => [
    name,
    name.endsWith('-bin') ? Buffer.from(value, 'base64') : value,
  ]);
}

/** Where a call came from, as Envoy's transcoder says it. */
export function originalRequest(method: string, target: string): Metadata {
  return [
    ['x-envoy-original-path', printable(target)],
    ['x-envoy-original-method', method],
  ];
}

/** An exchange whose answer is changed on its way out. */
export class ChangedExchange extends DelegateExchange {
  /** Set when it is known which route answers. */
  change: ((head: ResponseHead) => ResponseHead) | undefined;
  private readonly fieldChanges: ((fields: HeaderFields) => HeaderFields)[] = [];

  /** @param own fields of all answers, in the place of those of the service */
  constructor(
    inner: Exchange,
    private readonly own: HeaderFields,
  ) {
    super(inner);
  }

  /** Besides, whichever route answers. */
  changeFields(change: (fields: HeaderFields) => HeaderFields): void {
    this.fieldChanges.push(change);
  }

  override respond(head: ResponseHead): void {
    const { own } = this;
    const named =
      own.length === 0
        ? head
        : { ...head, headers: [...withoutFields(head.headers, (name) => header(own, name) !== undefined), ...own] };
    const changed = this.change === undefined ? named : this.change(named);
    const headers = this.fieldChanges.reduce((fields, change) => change(fields), changed.headers);
    super.respond(headers === changed.headers ? changed : { ...changed, headers });
  }
}
