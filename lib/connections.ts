/**
 * The one owner of what a proxy has open towards others: channels to services with their certificates, connections to
 * fallback servers, fetched keys. Configurations take it by leases; what no lease has any more is closed.
 */
import { monotonicMs } from './clock.js';
import type { Channel, ChannelStatus } from './exchange.js';
import { type Fallback, type FallbackOptions, Fallbacks, Http2Fallback } from './fallback/index.js';
import { type KeySet, type RemoteKeysOptions, RemoteKeySets } from './policy/index.js';
import { RetryBudgets } from './retry/index.js';
import { Holder } from './shared.js';
import { type Problem, StatusError } from './status.js';
import {
  Balancer,
  ChannelPool,
  type BalancingPolicy,
  ClusterChannel,
  ClusterHttpChannel,
  type ClusterSpec,
  forwardTls,
  forwardUrl,
  MAX_TIMER_MS,
  type UpstreamOptions,
  type Weighted,
  withoutHttp2,
} from './upstream/index.js';

/** A cluster that routes lead to: gRPC calls, and requests that are passed on as they are. */
export interface Cluster {
  readonly channel: Channel;
  readonly fallback: Fallback;
}

/** How many of each kind are open. */
export interface ConnectionCounts {
  readonly channels: number;
  readonly fallbacks: number;
  readonly keySets: number;
}

/** Everything that all configurations have open. */
export class Connections {
  /** What may be sent again to each upstream. */
  readonly retryBudgets = new RetryBudgets();
  private readonly channels = new ChannelPool();
  private readonly fallbacks = new Fallbacks();
  private readonly keySets = new RemoteKeySets();

  /** For one user, who takes what it needs and lets go of all of it at once. */
  lease(): Lease {
    return new Lease(this.channels, this.fallbacks, this.keySets);
  }

  /** What the channels to upstreams have open. */
  get upstreams(): readonly ChannelStatus[] {
    return this.channels.status;
  }

  get counts(): ConnectionCounts {
    return { channels: this.channels.size, fallbacks: this.fallbacks.size, keySets: this.keySets.size };
  }

  /** Closes everything, whatever is under way: calls go on to their end, requests to fallback servers are cut. */
  close(): void {
    this.channels.close();
    this.fallbacks.close();
    this.keySets.close();
  }
}

/** What one user has of the connections: the same thing for the same options, also where others have it. */
export class Lease {
  private readonly holder = new Holder();

  constructor(
    private readonly channels: ChannelPool,
    private readonly fallbacks: Fallbacks,
    private readonly keySets: RemoteKeySets,
  ) {}

  /** @throws ConfigError as `ChannelPool.open` */
  open(target: string, options?: Partial<UpstreamOptions>): Channel {
    return this.channels.open(target, options, this.holder);
  }

  /** @throws ConfigError as `open` */
  cluster(spec: ClusterSpec): Cluster {
    const { name, endpoints, policy, protocol, tls, options } = spec;
    if (protocol === 'http1') return { channel: withoutHttp2(name), fallback: this.http1Fallback(spec) };
    const endpoint = { ...options, tls };
    const calls = endpoints.map(({ value, weight }) => ({ weight, value: this.open(value, endpoint) }));
    const others = endpoints.map(({ value, weight }) => ({
      weight,
      value: this.channels.openHttp(value, endpoint, this.holder),
    }));
    return {
      channel: calls.length === 1 ? calls[0]!.value : new ClusterChannel(name, calls, policy),
      fallback: new Http2Fallback(others.length === 1 ? others[0]!.value : new ClusterHttpChannel(others, policy)),
    };
  }

  private http1Fallback({ endpoints, policy, tls, options }: ClusterSpec): Fallback {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
    return balancedFallback(
      endpoints.map(({ value, weight }) => {
        const fallback = this.fallback({
          fallback: forwardUrl(value, tls),
          fallbackTimeoutMs: MAX_TIMER_MS,
          connectTimeoutMs,
          tls: forwardTls(value, tls),
        });
        return { weight, value: { fallback, restsUntil: 0 } };
      }),
      policy,
    );
  }

  fallback(options: FallbackOptions): Fallback {
    return this.fallbacks.to(options, this.holder);
  }

  keySet(options: RemoteKeysOptions): KeySet {
    return this.keySets.of(options, this.holder);
  }

  /** What is odd about the certificates of its channels. */
  get warnings(): readonly Problem[] {
    return this.channels.warningsFor(this.holder);
  }

  /** Lets go of all of it; call when nothing of it is in use any more. */
  release(): void {
    this.holder.release();
  }
}

const CONNECT_TIMEOUT_MS = 5000;

/** An endpoint that failed gets no requests for so long, if there are others. */
const REST_MS = 3000;

interface RestingFallback {
  readonly fallback: Fallback;
  /** By `monotonicMs`. */
  restsUntil: number;
}

/** Each request goes to one of the endpoints. */
function balancedFallback(endpoints: readonly Weighted<RestingFallback>[], policy: BalancingPolicy): Fallback {
  const balancer = new Balancer(endpoints, policy, ({ restsUntil }) => (restsUntil > monotonicMs() ? 0 : 1));
  return {
    forward(exchange, head, outcome) {
      const picked = balancer.pick();
      picked.value.fallback.forward(exchange, head, {
        onDone(cause) {
          picked.release();
          outcome.onDone(cause);
        },
        onError(error) {
          picked.release();
          if (isOfServer(error)) picked.value.restsUntil = monotonicMs() + REST_MS;
          outcome.onError(error);
        },
      });
    },
  };
}

/** True if no connection came up or it broke. False for what is wrong with the request, or takes long. */
function isOfServer(error: unknown): boolean {
  if (!(error instanceof StatusError)) return true;
  return error.cause !== undefined && (error.httpStatus === 502 || error.httpStatus === 504);
}
