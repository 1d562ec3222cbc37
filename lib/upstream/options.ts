/** How upstreams are called. `config` fills in what was not given. */
import type { UpstreamTls } from './tls.js';

/** Who speaks HTTP/2 with a service: this module's own client, or `@grpc/grpc-js`. */
export type UpstreamClient = 'native' | 'grpc-js';

/** Which of a target's addresses get calls; the names are gRPC's. */
export type LoadBalancingPolicy = 'pick_first' | 'round_robin';

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
  /**
   * Default `pick_first`: the first address that answers has all calls, and another when it is gone. `round_robin`: all have a
   * connection each and get calls in turn; those that are down are left out until they are back.
   */
  readonly loadBalancingPolicy: LoadBalancingPolicy;
  /**
   * While a call is under way and nothing has come for so long, the service is asked by PING whether it is still there, in
   * milliseconds; undefined: never. Default 6 minutes: gRPC servers take offence at less than 5.
   */
  readonly keepaliveTimeMs: number | undefined;
  /** A service that says nothing for so long after a PING is dead, and its calls fail, in milliseconds. Default 20 000. */
  readonly keepaliveTimeoutMs: number;
  /** How long after a failure no connection is tried, in milliseconds: at first, and at most after many. Default 200 and 3000. */
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  /** With `round_robin`: how often a host name is resolved anew, in milliseconds; undefined: when a server is lost. Default 30 000. */
  readonly dnsRefreshMs: number | undefined;
  /** What a service is told about us where the caller's metadata has no `user-agent`. Default `photongate`. */
  readonly userAgent: string;
  /** Undefined: cleartext, which is the default. */
  readonly tls: UpstreamTls | undefined;
}

export const defaultUpstreamOptions: UpstreamOptions = Object.freeze({
  maxReceiveBytes: 64 * 1024 * 1024,
  connectTimeoutMs: 10_000,
  client: 'native',
  loadBalancingPolicy: 'pick_first',
  keepaliveTimeMs: 360_000,
  keepaliveTimeoutMs: 20_000,
  // A service that was restarted is found again within seconds; gRPC's 1 and 120 seconds suit those that are down for long.
  initialBackoffMs: 200,
  maxBackoffMs: 3000,
  dnsRefreshMs: 30_000,
  userAgent: 'photongate',
  tls: undefined,
});

/** The longest time that a timer takes; a deadline beyond it (24 days) is none. */
export const MAX_TIMER_MS = 0x7fffffff;
