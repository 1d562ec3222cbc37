/** Events of policies on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/**
 * `photongate:jwks`: keys could not be fetched, or can be fetched again. Published once for each change. Message: `KeyFetch`.
 */
export const jwksChannel = channel('photongate:jwks');

/** The outcome of fetching a key set. */
export interface KeyFetch {
  readonly url: string;
  /** Completes "the signing keys …"; undefined: they are available again. */
  readonly problem: string | undefined;
}

/** Publishes the outcome of a fetch. */
export function publishFetch(message: KeyFetch): void {
  if (jwksChannel.hasSubscribers) jwksChannel.publish(message);
}
