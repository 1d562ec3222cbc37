/**
 * The clusters of a proxy: the same one for the same settings, so that a reload keeps what is known of its servers. Checks and
 * timers end with the last that holds a cluster.
 */
import type { ChannelStatus } from '../channel-status.js';
import type { Channel, HttpChannel } from '../exchange.js';
import { type Holder, Shared } from '../shared.js';
import type { Problem } from '../status.js';
import { Hosts, type HostsOptions, type HostTarget, type OpenedHost } from './balance/hosts.js';
import type { HostStatus } from './balance/host.js';
import { grpcProbe, http1Probe, http2Probe, type Probe, type ProbeTarget, tcpProbe } from './balance/probe.js';
import { ClusterChannel, type ClusterSpec, connectIn } from './cluster.js';
import { forwardTls } from './forward.js';
import { defaultAuthority, isNamed } from './native/address.js';
import type { ChannelPool } from './pool.js';
import { compileMethods } from './service-config/methods.js';
import { isSrv, parseTarget } from './target.js';

interface OpenCluster {
  readonly hosts: Hosts<unknown>;
  /** Of certificates, when it was opened. */
  readonly warnings: readonly Problem[];
}

/** Servers for HTTP/1 requests, and how each is called. */
export interface Http1Servers<T> {
  open(target: string, holder: Holder): Pick<OpenedHost<T>, 'value' | 'state'>;
}

/** True if a cluster is more than one channel can do by itself. */
export function needsHosts({ endpoints, policy, protocol, options, ...judged }: ClusterSpec): boolean {
  const [first, ...others] = endpoints;
  if (others.length > 0 || first === undefined || protocol === 'http1') return true;
  const { healthCheck, outlierDetection, circuitBreaker } = judged;
  if ([healthCheck, outlierDetection, circuitBreaker].some((one) => one !== undefined)) return true;
  const target = parseTarget(first.value);
  // Records have weights and priorities, which a channel does not know.
  if (isSrv(target) && options.loadBalancingPolicy !== 'pick_first') return true;
  const { uri } = target;
  const hasSeveral = options.loadBalancingPolicy !== 'pick_first' && (isNamed({ uri, text: uri }) || uri.includes(','));
  return hasSeveral && policy !== 'round_robin';
}

/** Opens clusters, and closes each with its last holder. */
export class ClusterPool {
  private readonly clusters = new Shared<OpenCluster>(({ hosts }) => hosts.close());

  constructor(private readonly channels: ChannelPool) {}

  get size(): number {
    return this.clusters.size;
  }

  /**
   * The channel of a cluster that speaks HTTP/2.
   * @throws ConfigError as `ChannelPool.open`
   */
  channel(spec: ClusterSpec, holder: Holder): Channel & HttpChannel {
    const { tls, options } = spec;
    const open = (host: HostTarget, own: Holder): OpenedHost<Channel & HttpChannel> => {
      const { target, of } = host;
      const complete = { ...options, tls, ...(of !== undefined && { resolvedFrom: of }) };
      const channel = this.channels.openHttp(target, complete, own);
      return {
        value: channel,
        state: () => channel.state ?? 'ready',
        connect: connectIn(channel),
        probe: probeOf(spec, host, channel),
        waiting: () => channel.status?.().waiting ?? 0,
      };
    };
    const hosts = this.hosts(spec, holder, open);
    return new ClusterChannel(spec.name, hosts, spec.hashHeader, compileMethods(options.serviceConfig));
  }

  /** The servers of a cluster that speaks HTTP/1. */
  http1<T>(spec: ClusterSpec, holder: Holder, servers: Http1Servers<T>): Hosts<T> {
    return this.hosts(spec, holder, (host, own) => {
      return { ...servers.open(host.target, own), connect: undefined, probe: probeOf(spec, host, undefined) };
    });
  }

  /** Of the clusters that a holder holds: names are resolved and servers checked from now on. */
  start(holder: Holder): void {
    for (const { hosts } of this.clusters.heldBy(holder)) hosts.start();
  }

  /** Warnings about the certificates of the clusters of a holder. */
  warningsFor(holder: Holder): Problem[] {
    return [...this.clusters.heldBy(holder)].flatMap(({ warnings }) => warnings);
  }

  /** What the channels have open, with what is known of them as servers of clusters. */
  withHosts(channels: readonly ChannelStatus[]): ChannelStatus[] {
    const byTarget = new Map<string, HostStatus[]>();
    for (const status of [...this.clusters.values()].flatMap(({ hosts }) => hosts.status())) {
      byTarget.set(status.target, [...(byTarget.get(status.target) ?? []), status]);
    }
    const known = channels.map((channel) => {
      const target = channel.target.replace(/^dns:\/\/\//, '');
      const found = byTarget.get(target);
      byTarget.delete(target);
      return found === undefined ? channel : { ...channel, hosts: found.map(facts) };
    });
    // Servers that speak HTTP/1 have no channel.
    const others = [...byTarget].map(([target, found]): ChannelStatus => {
      const isDown = found.every(({ state }) => state === 'down');
      const calls = found.reduce((sum, status) => sum + status.calls, 0);
      return { target, state: isDown ? 'TRANSIENT_FAILURE' : 'READY', calls, hosts: found.map(facts) };
    });
    return [...known, ...others];
  }

  /** Closes all of them. */
  close(): void {
    this.clusters.closeAll();
  }

  private hosts<T>(
    spec: ClusterSpec,
    holder: Holder,
    open: (host: HostTarget, own: Holder) => OpenedHost<T>,
  ): Hosts<T> {
    const warnings: Problem[] = [];
    const opened = this.clusters.hold(JSON.stringify(spec), holder, () => {
      const hosts = new Hosts<T>(hostsOptions(spec), (host, own) => {
        const one = open(host, own);
        warnings.push(...this.channels.warningsFor(own));
        return one;
      });
      return { hosts, warnings: [...warnings] };
    });
    return opened.hosts as Hosts<T>;
  }
}

function hostsOptions(spec: ClusterSpec): HostsOptions {
  const { name, endpoints, policy, protocol, options, slowStartMs = 0, panicThreshold = 0 } = spec;
  return {
    cluster: name,
    ...{ endpoints, policy, slowStartMs, panicThreshold },
    zone: spec.zone,
    splitsNames: protocol === 'http2' && options.loadBalancingPolicy !== 'pick_first',
    dnsRefreshRateMs: 'dnsRefreshRateMs' in options ? options.dnsRefreshRateMs : DNS_REFRESH_MS,
    healthCheck: spec.healthCheck,
    circuitBreaker: spec.circuitBreaker,
    outlierDetection: spec.outlierDetection,
  };
}

const DNS_REFRESH_MS = 30_000;

function probeOf(
  { healthCheck, protocol, tls }: ClusterSpec,
  { target, of, address }: HostTarget,
  channel: HttpChannel | undefined,
): Probe | undefined {
  if (healthCheck === undefined) return undefined;
  const { kind, httpVersion } = healthCheck;
  if (kind === 'tcp') return tcpProbe({ address });
  if (kind === 'grpc' && channel !== undefined) return grpcProbe(channel, healthCheck);
  const version = httpVersion === 'cluster' ? protocol : httpVersion;
  if (version === 'http2' && channel !== undefined) return http2Probe(channel, healthCheck);
  const host = of ?? defaultAuthority(parseTarget(target));
  const where: ProbeTarget = { address, host, tls: forwardTls(of ?? target, tls) };
  return http1Probe(where, healthCheck);
}

function facts({
  target: _target,
  state: _state,
  calls: _calls,
  ...host
}: HostStatus): Omit<HostStatus, 'target' | 'state' | 'calls'> {
  return host;
}
