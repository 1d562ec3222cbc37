/** Reports on `node:diagnostics_channel` what a service sent and `transcode` ignored. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:ignored-status`: a service's `x-http-code` was ignored. Message: `IgnoredStatus`. */
export const ignoredStatusChannel = channel('photongate:ignored-status');

/** A message of `ignoredStatusChannel`. */
export interface IgnoredStatus {
  /** `package.Service.Method`. */
  readonly rpc: string;
  readonly requestId: string;
  /** The value that the service sent. */
  readonly found: string;
  /** `expected …`. */
  readonly reason: string;
}
