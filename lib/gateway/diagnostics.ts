/**
 * What the gateway tells about its work, on `node:diagnostics_channel`. Subscribers (logs, metrics) come from above;
 * with none, each costs one boolean.
 */
import { channel } from 'node:diagnostics_channel';
import type { RequestHead } from '../exchange.js';

/** `photongate:error`: a request failed by a fault of ours. Message: `InternalError`. */
export const errorChannel = channel('photongate:error');

/** A fault of the proxy itself. */
export interface InternalError {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  /** The address of who called: `Caller.address`. */
  readonly client: string;
  /** What was thrown; the client saw "internal error" alone. */
  readonly cause: unknown;
}

/**
 * `photongate:failure`: a request was answered by 500 or more, or its stream broke, and not by a fault of ours. Message:
 * `RequestFailure`.
 */
export const failureChannel = channel('photongate:failure');

/** A request that was answered with 500 or more. */
export interface RequestFailure {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  /** The address of who called: `Caller.address`. */
  readonly client: string;
  /** `package.Service.Method`; undefined if no call was made. */
  readonly rpc: string | undefined;
  /** HTTP status of the answer, or the one that a broken stream would have had. */
  readonly status: number;
  /** gRPC code. */
  readonly code: number;
  readonly message: string;
  /** True if `photongate:upstream` has reported the same, with the address of the upstream, or `photongate:overload` has. */
  readonly isReported: boolean;
}

/** Reports a fault of ours. `head` is what is known of the request: of one that the parser refused, not its path. */
export function publishFault(
  cause: unknown,
  { requestId, method, path = '', caller }: Pick<RequestHead, 'requestId' | 'method'> & Partial<RequestHead>,
): void {
  if (!errorChannel.hasSubscribers) return;
  const client = caller?.address ?? 'unknown';
  errorChannel.publish({ requestId, method, path, client, cause } satisfies InternalError);
}
