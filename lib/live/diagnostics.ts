/** What is told about schemas and reloads while the proxy runs, on `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel';
import type { Problem } from '../status.js';

/** `photongate:reload`. Message: `ReloadEvent`. */
export const reloadChannel = channel('photongate:reload');

/** What a reload did. */
export interface ReloadEvent {
  /**
   * `waiting`: an upstream has not told its schema, and requests are answered 503; `unreachable`: one that has told it does
   * not answer now; `kept`: what is new will not do, and the old routes go on; `loaded`: new routes serve.
   */
  readonly outcome: 'waiting' | 'unreachable' | 'kept' | 'loaded';
  /** Why; with `loaded`, what is odd about the new ones. */
  readonly problems: readonly Problem[];
}
