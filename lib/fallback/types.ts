/** What a fallback is told, and what it answers: types alone. */
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';
import type { Caller, Exchange } from '../exchange.js';
import type { HeaderFields } from '../headers.js';

/** How a server is checked, and which certificate is ours. */
export type ForwardTls = SecureContextOptions & Pick<ConnectionOptions, 'servername'>;

export interface FallbackOptions {
  /** `http://host:port`, or with a path that goes before that of each request. */
  readonly fallback: string;
  /**
   * How long the upstream may keep us waiting: for its answer to begin, or for room for the next bytes of an upload; 504
   * after that. In milliseconds.
   */
  readonly fallbackTimeoutMs: number;
  /** How long a connection to it may take; 504 after that. In milliseconds. */
  readonly connectTimeoutMs: number;
  /** How its certificate is checked, and which is ours; the options of `tls.connect`. Default: as Node does. */
  readonly tls?: ForwardTls | undefined;
}

/** What becomes of a request: one of the two, once. Never throws. */
export interface FallbackOutcome {
  /** The answer has ended, was broken off, or nobody waits for it any more; `cause` is a fault of ours that broke it. */
  onDone(cause?: unknown): void;
  /** Nothing was answered. */
  onError(error: unknown): void;
}

/** What the server gets of a request's head. */
export interface ForwardedHead {
  readonly requestId: string;
  readonly target: string;
  readonly caller: Caller;
  /** Those of the client. */
  readonly headers: HeaderFields;
  /** What the proxy says of the client, besides. */
  readonly identity: HeaderFields;
  /** Sent as `host`. Default: the server's own. */
  readonly host?: string | undefined;
  /** See `CallRequest`. */
  readonly hashKey?: string | undefined;
  /** What a route makes of the headers, with those that this proxy adds. */
  readonly change?: ((fields: HeaderFields) => HeaderFields) | undefined;
  /** For the whole exchange, 504 or a break after that. Default: any. */
  readonly timeoutMs?: number | undefined;
}

/** Where unmatched requests go. */
export interface Fallback {
  /** Takes an exchange over. */
  forward(exchange: Exchange, head: ForwardedHead, outcome: FallbackOutcome): void;
}
