/** What `transcode` tells about answers that it could not take as they were, on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:ignored-status`: a service's `x-http-code` was ignored. Message: `IgnoredStatus`. */
export const ignoredStatusChannel = channel('photongate:ignored-status');

export interface IgnoredStatus {
  /** `package.Service.Method`. */
  readonly rpc: string;
  readonly requestId: string;
  /** What the service sent. */
  readonly found: string;
  /** `expected …`. */
  readonly reason: string;
}
