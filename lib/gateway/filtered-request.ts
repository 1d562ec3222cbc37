/** A request as filters see it. What few of them ask is found out when it is asked. */
import type { Channel, Exchange, RequestHead } from '../exchange.js';
import type { ProtocolMatch } from '../protocol/index.js';
import type { Claims } from '../policy/index.js';
import type { FilteredRequest } from '../routes/index.js';
import { decide } from './decide.js';
import type { GatewayParts } from './parts.js';
import { isProbe } from './probe.js';
import { requestOf } from './routing.js';
import { rpcNamesOf } from './rpc-names.js';

/** What is known of a request. */
export interface KnownRequest {
  readonly head: RequestHead;
  readonly exchange: Exchange;
  readonly parts: GatewayParts;
  /** Undefined for REST. */
  readonly protocol: ProtocolMatch<Channel> | undefined;
  readonly body: FilteredRequest['body'];
  readonly claims: Claims;
  readonly counted: Set<unknown>;
}

export function filteredRequest(known: KnownRequest): FilteredRequest {
  const { head, exchange, parts, body, claims, counted } = known;
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
    rpc: () => rpcOf(known),
    routeSettings: (filter, path) => parts.routes?.filterSettings({ ...request, path }, filter),
  };
}

/** What is passed on may name an RPC by its path, as `access` reads it. */
function rpcOf({ head, exchange, parts, protocol }: KnownRequest): string | undefined {
  if (exchange.webSocket !== undefined) return parts.sockets?.match('GET', head.path)?.value.plan.rpc.name;
  const decision = decide(parts, head, protocol);
  if (decision.kind === 'routed') return rpcNamesOf(head.path).find((name) => parts.rpcs.has(name));
  // The name of a method that is not there is the client's own invention.
  return decision.kind === 'call' && decision.channel !== undefined ? decision.plan.rpc.name : undefined;
}
