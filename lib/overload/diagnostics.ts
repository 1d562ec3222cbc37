/** Events of overload on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';

/** `photongate:overload`: requests begin to be refused because the process is overloaded, or end to be. Message: `Overload`. */
export const overloadChannel = channel('photongate:overload');

export interface Overload {
  readonly state: 'begins' | 'ends';
  /** How late the event loop is, and may be, in milliseconds. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** How many requests were refused since it began. */
  readonly refused: number;
}

export function publishOverload(event: Overload): void {
  if (overloadChannel.hasSubscribers) overloadChannel.publish(event);
}
