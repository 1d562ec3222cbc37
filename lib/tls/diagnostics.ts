/**
 * What is told about certificates while the proxy runs, on `node:diagnostics_channel`: a file was renewed and taken, or was
 * renewed and will not do. Nobody else hears of it, as no request fails.
 */
import { channel } from 'node:diagnostics_channel';
import type { Problem } from '../status.js';

/** `photongate:tls`. Message: `TlsEvent`. */
export const tlsChannel = channel('photongate:tls');

export interface TlsEvent {
  /** Whose files they are: `listener https://127.0.0.1:8443`, `upstream dns:///iam:50053`. */
  readonly subject: string;
  /** `kept`: the new files have problems, and the old ones stay in use. */
  readonly outcome: 'renewed' | 'kept';
  /** Why the old ones stay; with `renewed`, what is odd about the new ones. */
  readonly problems: readonly Problem[];
}
