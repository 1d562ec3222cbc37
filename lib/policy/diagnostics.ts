/** Events of policies on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';
import type { Problem } from '../status.js';

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

/** `photongate:api-keys`: a file of API keys changed. Message: `KeysRead`. */
export const apiKeysChannel = channel('photongate:api-keys');

/** What came of a file that changed. */
export interface KeysRead {
  readonly file: string;
  /** `kept`: it cannot be used, and the keys that were read before stay valid. */
  readonly outcome: 'renewed' | 'kept';
  /** How many are valid now. */
  readonly keys: number;
  readonly problems: readonly Problem[];
}

/** Publishes what came of a file. */
export function publishKeysRead(message: KeysRead): void {
  if (apiKeysChannel.hasSubscribers) apiKeysChannel.publish(message);
}
