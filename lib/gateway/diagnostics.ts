/**
 * What the gateway tells about its work, on `node:diagnostics_channel`. Subscribers (logs, metrics) come from above;
 * with none, each costs one boolean.
 */
import { channel } from 'node:diagnostics_channel';

/** `photongate:error`: a request failed by a fault of ours. Message: `InternalError`. */
export const errorChannel = channel('photongate:error');

export interface InternalError {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  /** What was thrown; the client saw "internal error" alone. */
  readonly cause: unknown;
}
