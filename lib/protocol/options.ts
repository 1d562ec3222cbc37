/** What steers native gRPC, gRPC-Web and Connect. */
import type { HeaderNames } from '../metadata/index.js';

export interface ProtocolOptions {
  /**
   * Which methods they reach: those that have a rule (or `auto_mapping`), all of the services served, or none. A refused
   * native call gets grpc-status 12. Default `mapped`.
   */
  readonly passThrough: 'mapped' | 'all' | 'off';
  /** Largest message from a client, in bytes. */
  readonly maxBodyBytes: number;
  /** Show google.rpc.DebugInfo details. */
  readonly debugInfo: boolean;
  /** Names that a client may not say of itself. */
  readonly identityHeaders: readonly string[];
  readonly defaultDeadlineMs: number | undefined;
  readonly maxDeadlineMs: number | undefined;
}

/** The options, and what follows from them. */
export interface ProtocolSettings extends ProtocolOptions {
  readonly names: HeaderNames;
}

export const defaultProtocolOptions: Pick<ProtocolOptions, 'passThrough'> = Object.freeze({ passThrough: 'mapped' });
