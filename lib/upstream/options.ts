/** How upstreams are called. `config` fills in what was not given. */
import type { UpstreamTls } from './tls.js';

/** Who speaks HTTP/2 with a service: this module's own client, or `@grpc/grpc-js`. */
export type UpstreamClient = 'native' | 'grpc-js';

/** How one upstream is called. */
export interface UpstreamOptions {
  /** The largest message that a service may send, in bytes; a larger one fails its call with INTERNAL. Default 64 MiB. */
  readonly maxReceiveBytes: number;
  /** How long a call waits for a connection before it fails with UNAVAILABLE, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs: number;
  /**
   * Default `native`. With `grpc-js` compressed messages cannot pass through, the service sees that library's `user-agent`,
   * and an upload that is given up ends like a complete one for services that do not look at the reset.
   */
  readonly client: UpstreamClient;
  /** What a service is told about us where the caller's metadata has no `user-agent`. Default `photongate`. */
  readonly userAgent: string;
  /** Undefined: cleartext, which is the default. */
  readonly tls: UpstreamTls | undefined;
}

export const defaultUpstreamOptions: UpstreamOptions = Object.freeze({
  maxReceiveBytes: 64 * 1024 * 1024,
  connectTimeoutMs: 10_000,
  client: 'native',
  userAgent: 'photongate',
  tls: undefined,
});

/** The longest time that a timer takes; a deadline beyond it (24 days) is none. */
export const MAX_TIMER_MS = 0x7fffffff;
