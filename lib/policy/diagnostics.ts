/** What policies tell about their work, on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:jwks`: keys could not be fetched, or can again. Told once for each change. Message: `KeyFetch`. */
export const jwksChannel = channel('photongate:jwks');

export interface KeyFetch {
  readonly url: string;
  /** Completes "the signing keys …"; undefined: they are there again. */
  readonly problem: string | undefined;
}

export function publishFetch(message: KeyFetch): void {
  if (jwksChannel.hasSubscribers) jwksChannel.publish(message);
}
