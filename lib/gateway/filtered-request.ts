/** A request as filters see it. What few of them ask is found out when it is asked. */
import type { Channel, Exchange, RequestHead } from '../exchange.js';
import type { ProtocolMatch } from '../protocol/index.js';
import type { FilteredRequest } from '../routes/index.js';
import { decide } from './decide.js';
import type { GatewayParts } from './parts.js';
import { requestOf } from './routing.js';

/** What is known of a request. */
export interface KnownRequest {
  readonly head: RequestHead;
  readonly exchange: Exchange;
  readonly parts: GatewayParts;
  /** Undefined for REST. */
  readonly protocol: ProtocolMatch<Channel> | undefined;
  readonly body: FilteredRequest['body'];
}

export function filteredRequest(known: KnownRequest): FilteredRequest {
  const { head, exchange, parts, body } = known;
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
    claims: {},
    forwarded: head.caller.forwarded,
    body,
    rpc: () => rpcOf(known),
    routeSettings: (filter, path) => parts.routes?.filterSettings({ ...request, path }, filter),
  };
}

function rpcOf({ head, exchange, parts, protocol }: KnownRequest): string | undefined {
  if (exchange.webSocket !== undefined) return parts.sockets?.match('GET', head.path)?.value.plan.rpc.name;
  const decision = decide(parts, head, protocol);
  return decision.kind === 'call' ? decision.plan.rpc.name : undefined;
}
