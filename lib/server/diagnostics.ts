/**
 * What the server tells of requests that it refuses itself, before the gateway and its observers see them: on
 * `node:diagnostics_channel`, at the cost of one boolean when nobody listens.
 */
import { channel } from 'node:diagnostics_channel';
import type { Exchange, Peer } from '../exchange.js';
import type { StatusError } from '../status.js';

/** `photongate:refused`: a request that could not be read, or is over a limit of its port. Message: `RefusedRequest`. */
export const refusedChannel = channel('photongate:refused');

/** Few enough to be a label of a metric. */
export type RefusalReason =
  /** The bytes are not HTTP, or break its rules. */
  | 'malformed'
  /** The head did not come whole in time. */
  | 'timeout'
  | 'url_too_long'
  | 'headers_too_large'
  | 'expectation'
  /** CONNECT, a coding of the transfer. */
  | 'not_implemented'
  | 'client_certificate'
  /** The handshake failed, or there was none on a port that wants one. */
  | 'tls'
  /** A frame broke the protocol, which ends the connection. */
  | 'http2'
  | 'other';

/** What is known of it: of what the parser refuses, only where it came from. */
export interface RefusedHead {
  readonly peer: Peer;
  readonly method?: string | undefined;
  readonly target?: string | undefined;
  readonly headers?: Exchange['headers'];
  readonly httpVersion: Exchange['httpVersion'];
}

export interface RefusedRequest extends RefusedHead {
  readonly reason: RefusalReason;
  /** That of the answer. */
  readonly requestId: string;
  /** HTTP status of the answer; 0 if there is none. */
  readonly status: number;
  /** Why, as the client is told. */
  readonly message: string;
}

const reasons: Readonly<Record<number, RefusalReason>> = {
  400: 'malformed',
  408: 'timeout',
  414: 'url_too_long',
  417: 'expectation',
  431: 'headers_too_large',
  501: 'not_implemented',
};

/** Tells that a request is answered with an error. */
export function publishRefusal(
  { httpStatus = 0, message }: StatusError,
  head: RefusedHead,
  requestId: string,
  reason: RefusalReason = reasons[httpStatus] ?? 'other',
): void {
  publish({ ...factsOf(head), reason, requestId, status: httpStatus, message });
}

/** Tells that a connection ends before there was a request that could be answered. */
export function publishBroken(reason: 'tls' | 'http2', message: string, peer: Peer): void {
  const httpVersion = reason === 'http2' ? '2' : '1.1';
  publish({ peer, httpVersion, reason, requestId: '', status: 0, message });
}

function publish(refused: RefusedRequest): void {
  if (refusedChannel.hasSubscribers) refusedChannel.publish(refused);
}

/** Of an exchange, which has much more. */
function factsOf({ peer, method, target, headers, httpVersion }: RefusedHead): RefusedHead {
  return { peer, method, target, httpVersion, ...(headers === undefined ? {} : { headers }) };
}
