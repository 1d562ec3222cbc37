/**
 * The one owner of what a proxy has open towards others: channels to services with their certificates, connections to
 * fallback servers, fetched keys. Configurations take it by leases; what no lease has any more is closed.
 */
import { monotonicMs } from './clock.js';
import type { ChannelStatus } from './channel-status.js';
import type { Channel, HttpChannel } from './exchange.js';
import { type Fallback, type FallbackOptions, Fallbacks, Http2Fallback } from './fallback/index.js';
import { headerPairs } from './headers.js';
import {
  ApiKeyFiles,
  type ApiKeySource,
  type KeyServers,
  type KeySet,
  type KnownKeys,
  type RemoteKeysOptions,
  RemoteKeySets,
} from './policy/index.js';
import { Shedder } from './overload/index.js';
import { type IdempotencySettings, type IdempotencyStore, MemoryStore, RedisStore } from './idempotency/index.js';
import { RetryBudgets } from './retry/index.js';
import { type BucketSize, TokenBuckets } from './routes/index.js';
import { Holder, Shared } from './shared.js';
import { Code, type Problem, StatusError } from './status.js';
import {
  ChannelPool,
  ClusterPool,
  type ClusterSpec,
  forwardTls,
  forwardUrl,
  type Hosts,
  MAX_TIMER_MS,
  needsHosts,
  type UpstreamOptions,
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
  readonly clusters: number;
  readonly fallbacks: number;
  readonly keySets: number;
  readonly apiKeyFiles: number;
  readonly shedders: number;
}

/** Everything that all configurations have open. */
export class Connections {
  /** What may be sent again to each upstream. */
  readonly retryBudgets = new RetryBudgets();
  private readonly channels = new ChannelPool();
  private readonly clusters = new ClusterPool(this.channels);
  private readonly fallbacks = new Fallbacks();
  private readonly keySets = new RemoteKeySets();
  private readonly apiKeyFiles = new ApiKeyFiles();
  private readonly buckets = new Shared<TokenBuckets>(() => undefined);
  private readonly shedders = new Shared<Shedder>((shedder) => shedder.close());
  private readonly idempotency = new Shared<IdempotencyStore>((store) => store.close());

  /** For one user, who takes what it needs and lets go of all of it at once. */
  lease(): Lease {
    const { channels, clusters, fallbacks, keySets, apiKeyFiles, buckets, shedders, idempotency } = this;
    return new Lease(channels, clusters, fallbacks, keySets, apiKeyFiles, buckets, shedders, idempotency);
  }

  /** What the channels to upstreams have open. */
  get upstreams(): readonly ChannelStatus[] {
    return this.clusters.withHosts(this.channels.status);
  }

  get counts(): ConnectionCounts {
    const { channels, clusters, fallbacks, keySets, apiKeyFiles, shedders } = this;
    return {
      channels: channels.size,
      clusters: clusters.size,
      fallbacks: fallbacks.size,
      keySets: keySets.size,
      apiKeyFiles: apiKeyFiles.size,
      shedders: shedders.size,
    };
  }

  /** Closes everything, whatever is under way: calls go on to their end, requests to fallback servers are cut. */
  close(): void {
    this.clusters.close();
    this.channels.close();
    this.fallbacks.close();
    this.keySets.close();
    this.apiKeyFiles.close();
    this.shedders.closeAll();
    this.idempotency.closeAll();
  }
}

/** What one user has of the connections: the same thing for the same options, also where others have it. */
export class Lease {
  private readonly holder = new Holder();

  constructor(
    private readonly channels: ChannelPool,
    private readonly clusters: ClusterPool,
    private readonly fallbacks: Fallbacks,
    private readonly keySets: RemoteKeySets,
    private readonly apiKeyFiles: ApiKeyFiles,
    private readonly buckets: Shared<TokenBuckets>,
    private readonly shedders: Shared<Shedder>,
    private readonly idempotency: Shared<IdempotencyStore>,
  ) {}

  /** @throws ConfigError as `ChannelPool.open` */
  open(target: string, { balancing, ...options }: Partial<UpstreamOptions> = {}): Channel {
    if (balancing === undefined) return this.channels.open(target, options, this.holder);
    const { tls, ...others } = options;
    const spec: ClusterSpec = {
      ...balancing,
      name: target,
      endpoints: [{ value: target, weight: 1 }],
      protocol: 'http2',
      tls,
      options: { ...others, loadBalancingPolicy: 'round_robin' },
    };
    return this.clusters.channel(spec, this.holder);
  }

  /** @throws ConfigError as `open` */
  cluster(spec: ClusterSpec): Cluster {
    if (spec.protocol === 'http1') return { channel: withoutHttp2(spec.name), fallback: this.http1Fallback(spec) };
    const channel = this.http2Channel(spec);
    return { channel, fallback: new Http2Fallback(channel) };
  }

  private http2Channel(spec: ClusterSpec): Channel & HttpChannel {
    const { endpoints, tls, options } = spec;
    const [only] = endpoints;
    if (only === undefined || needsHosts(spec)) return this.clusters.channel(spec, this.holder);
    return this.channels.openHttp(only.value, { ...options, tls }, this.holder);
  }

  private http1Fallback(spec: ClusterSpec): Fallback {
    const { tls, options } = spec;
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
    const hosts = this.clusters.http1<RestingFallback>(spec, this.holder, {
      open: (target, holder) => {
        const fallback = this.fallbacks.to(
          {
            fallback: forwardUrl(target, tls),
            fallbackTimeoutMs: MAX_TIMER_MS,
            connectTimeoutMs,
            tls: forwardTls(target, tls),
          },
          holder,
        );
        const value: RestingFallback = { fallback, restsUntil: 0 };
        return { value, state: () => (value.restsUntil > monotonicMs() ? 'down' : 'ready') };
      },
    });
    return balancedFallback(spec.name, hosts);
  }

  /** Names of clusters are resolved, their servers checked and control planes asked from now on: call it when this serves. */
  start(): void {
    this.channels.start(this.holder);
    this.clusters.start(this.holder);
  }

  fallback(options: FallbackOptions): Fallback {
    return this.fallbacks.to(options, this.holder);
  }

  /**
   * The keys of a URL.
   * @param cluster whose servers have them. Default: the host of the URL
   */
  keySet(options: RemoteKeysOptions, cluster?: ClusterSpec): KeySet {
    return this.keySets.of({ ...options, servers: cluster && keyServersOf(cluster) }, this.holder);
  }

  /** The buckets of a limit of rate, which outlive a reload that keeps the limit. */
  bucketsOf(identity: string, bucket: BucketSize): TokenBuckets {
    return this.buckets.hold(identity, this.holder, () => new TokenBuckets(bucket));
  }

  /** What refuses requests while the event loop is later than that. It looks from now on. */
  shedder(maxDelayMs: number): Shedder {
    return this.shedders.hold(String(maxDelayMs), this.holder, () => new Shedder(maxDelayMs));
  }

  /**
   * Where the answers of requests with keys are kept, also after a reload that keeps the settings.
   * @throws ConfigError `redis-package`
   */
  idempotencyStore({ redis, maxEntries, maxBytes }: IdempotencySettings): IdempotencyStore {
    return this.idempotency.hold(JSON.stringify([redis, maxEntries, maxBytes]), this.holder, () =>
      redis === undefined ? new MemoryStore({ maxEntries, maxBytes, now: monotonicMs }) : new RedisStore(redis),
    );
  }

  /** @throws ConfigError if the file cannot be read */
  apiKeys(source: ApiKeySource): KnownKeys {
    return this.apiKeyFiles.of(source, this.holder);
  }

  /** What is odd about the certificates of its channels. */
  get warnings(): readonly Problem[] {
    return [...this.channels.warningsFor(this.holder), ...this.clusters.warningsFor(this.holder)];
  }

  /** Lets go of all of it; call when nothing of it is in use any more. */
  release(): void {
    this.holder.release();
  }
}

function keyServersOf({ name, endpoints, tls }: ClusterSpec): KeyServers {
  const [first] = endpoints;
  return {
    name,
    origins: endpoints.map(({ value }) => forwardUrl(value, tls)),
    tls: first && forwardTls(first.value, tls),
  };
}

const CONNECT_TIMEOUT_MS = 5000;

/** An endpoint that failed gets no requests for so long, if there are others. */
const REST_MS = 3000;

interface RestingFallback {
  readonly fallback: Fallback;
  /** By `monotonicMs`. */
  restsUntil: number;
}

/** Each request goes to one of the servers. */
function balancedFallback(name: string, hosts: Hosts<RestingFallback>): Fallback {
  return {
    forward(exchange, head, outcome) {
      const full = hosts.refusal();
      if (full !== undefined) {
        const cause = new Error(`${name} is overloaded: ${full.reason}`);
        const headers = headerPairs(full.headers);
        return outcome.onError(StatusError.http(503, 'the service is overloaded', { cause, headers }));
      }
      const picked = hosts.pick();
      if (picked === undefined) {
        const cause = new Error(`no server of ${name} is healthy`);
        return outcome.onError(StatusError.http(503, 'no server of the service is healthy', { cause }));
      }
      picked.value.fallback.forward(exchange, head, {
        onDone(cause) {
          picked.release(Code.OK);
          outcome.onDone(cause);
        },
        onError(error) {
          const isServers = isOfServer(error);
          if (isServers) picked.value.restsUntil = monotonicMs() + REST_MS;
          picked.release(isServers ? Code.UNAVAILABLE : undefined);
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
