/** Events of filters on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:filter`: a service that a filter asks gave no answer that counts. Message: `FilterFailure`. */
export const filterChannel = channel('photongate:filter');

/** What a service of a filter did not answer. */
export interface FilterFailure {
  /** Who was asked, and why its answer does not count. */
  readonly message: string;
}

/** Publishes that a service gave no answer that counts. */
export function publishFilterFailure(message: FilterFailure): void {
  if (filterChannel.hasSubscribers) filterChannel.publish(message);
}
