/** A request as filters see it. What few of them ask is found out when it is asked. */
import type { Channel, Exchange, RequestHead } from '../exchange.js';
import type { ProtocolMatch } from '../protocol/index.js';
import type { Claims } from '../policy/index.js';
import type { FilteredRequest } from '../routes/index.js';
import { decide } from './decide.js';
import type { GatewayParts } from './parts.js';
import { isProbe } from './probe.js';
import { requestOf } from './routing.js';
import { rpcNamesOf, rpcPath } from './rpc-names.js';

/** What is known of a request. */
export interface KnownRequest {
  readonly head: RequestHead;
  readonly exchange: Exchange;
  readonly parts: GatewayParts;
  /** Undefined for REST. */
  readonly protocol: ProtocolMatch<Channel> | undefined;
  readonly body: FilteredRequest['body'];
  readonly onGone: FilteredRequest['onGone'];
  readonly claims: Claims;
  readonly counted: Set<unknown>;
}

export function filteredRequest(known: KnownRequest): FilteredRequest {
  const { head, exchange, parts, body, onGone, claims, counted } = known;
  const { address: peer, port: peerPort, tls } = exchange.peer;
  const request = requestOf(head, exchange);
  return {
    ...request,
    path: parts.prefix + head.path,
    ...{ address: head.caller.address, peer, peerPort },
    hasCertificate: tls?.authorized === true,
    certificateSubject: tls?.subject,
    requestId: head.requestId,
    protocol: `HTTP/${exchange.httpVersion}`,
    claims,
    counted,
    isProbe: isProbe(parts, head),
    forwarded: head.caller.forwarded,
    body,
    onGone,
    rpc: () => callOf(known)?.rpc,
    route: () => callOf(known)?.route,
    routeSettings: (filter, path) => parts.routes?.filterSettings({ ...request, path }, filter),
  };
}

/** The RPC that a request leads to, and by which route. */
interface KnownCall {
  readonly rpc: string;
  readonly route: string;
}

/** What is passed on may name an RPC by its path, as `access` reads it. */
function callOf({ head, exchange, parts, protocol }: KnownRequest): KnownCall | undefined {
  const { prefix, rpcs, sockets } = parts;
  if (exchange.webSocket !== undefined) {
    const socket = sockets?.match('GET', head.path)?.value;
    return socket && { rpc: socket.plan.rpc.name, route: prefix + socket.template };
  }
  const decision = decide(parts, head, protocol);
  if (decision.kind === 'routed') {
    const rpc = rpcNamesOf(head.path).find((name) => rpcs.has(name));
    return rpc === undefined ? undefined : { rpc, route: rpcPath(rpc) };
  }
  // The name of a method that is not there is the client's own invention.
  if (decision.kind !== 'call' || decision.channel === undefined) return undefined;
  const { rpc } = decision.plan;
  return { rpc: rpc.name, route: decision.template === undefined ? rpc.path : prefix + decision.template };
}
