/**
 * Events of certificates on `node:diagnostics_channel`: a renewal was applied or refused. Nothing else reports this,
 * because no request fails.
 */
import { channel } from 'node:diagnostics_channel';
import type { Problem } from '../status.js';

/** `photongate:tls`. Message: `TlsEvent`. */
export const tlsChannel = channel('photongate:tls');

/** A renewal of certificate files. */
export interface TlsEvent {
  /** The owner of the files: `listener https://127.0.0.1:8443`, `upstream dns:///iam:50053`. */
  readonly subject: string;
  /** `kept`: the new files are invalid, and the old ones stay in use. */
  readonly outcome: 'renewed' | 'kept';
  /** Why the old files stay in use; with `renewed`, warnings about the new ones. */
  readonly problems: readonly Problem[];
}
