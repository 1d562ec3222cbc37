/**
 * The servers of a cluster: found by name if they have one, checked, and picked. A host name stands for all its addresses,
 * each of which is a server. Until a name is resolved, and if it cannot be, its calls go to the name itself.
 */
import { monotonicMs } from '../../clock.js';
import type { ChannelState } from '../../channel-status.js';
import type { RetryLimit } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { Holder } from '../../shared.js';
import { ConfigError } from '../../status.js';
import { reportHealth } from '../diagnostics.js';
import {
  type Address,
  addressKey,
  connectAddress,
  defaultAuthority,
  isNamed,
  resolveTarget,
} from '../native/address.js';
import { parseTarget } from '../target.js';
import { type BreakerOptions, CircuitBreaker } from './breaker.js';
import { HealthChecker } from './checker.js';
import { Host, type HostPlace, type HostStatus } from './host.js';
import type { HealthCheckOptions, OutlierOptions } from './options.js';
import { OutlierDetector } from './outlier.js';
import { Picker, type PickerOptions } from './picker.js';
import type { Probe } from './probe.js';

/** An endpoint of the configuration. */
export interface Endpoint {
  /** A target. */
  readonly value: string;
  /** At least 1. */
  readonly weight: number;
  /** 0 comes first. Default 0. */
  readonly priority?: number | undefined;
  /** Where it runs. */
  readonly zone?: string | undefined;
}

/** How the servers of a cluster are found, judged and picked. */
export interface HostsOptions extends PickerOptions {
  /** For messages. */
  readonly cluster: string;
  readonly endpoints: readonly Endpoint[];
  /** Where the proxy runs; undefined: all zones are alike. */
  readonly zone: string | undefined;
  /** Each address of a name is a server. False: the name is one, at whichever address answers. */
  readonly splitsNames: boolean;
  /** How often names are resolved; undefined: only if a connection is lost. */
  readonly dnsRefreshRateMs: number | undefined;
  readonly healthCheck: HealthCheckOptions | undefined;
  readonly outlierDetection: OutlierOptions | undefined;
  readonly circuitBreaker: BreakerOptions | undefined;
}

/** A server to be opened. */
export interface HostTarget {
  /** `10.0.0.1:50051` */
  readonly target: string;
  /** The name that it is an address of: `svc:50051`. */
  readonly of: string | undefined;
  readonly address: Address;
}

/** What calls and checks of one server go through. */
export interface OpenedHost<T> {
  readonly value: T;
  readonly state: () => ChannelState;
  /** Connects in the background, so that the state becomes known. */
  readonly connect: (() => Promise<unknown>) | undefined;
  readonly probe: Probe | undefined;
  /** Calls that wait for a connection. Default: none ever does. */
  readonly waiting?: () => number;
}

/** A server that was picked. */
export interface Picked<T> {
  readonly value: T;
  /** The call has ended with this gRPC code, or in a way that says nothing of the server; once. */
  release(code?: number): void;
}

/** Least interval of name resolution, whatever is lost. */
const MIN_REFRESH_MS = 1000;

interface Member<T> {
  readonly host: Host<T>;
  readonly opened: OpenedHost<T>;
  readonly holder: Holder;
  checker: HealthChecker | undefined;
  isConnecting: boolean;
}

/** Why a cluster takes no more calls, and the headers of the answer. */
export interface Overload {
  /** `1000 calls are under way (max_calls)` */
  readonly reason: string;
  readonly headers: HeaderFields;
}

/** All servers of one cluster. */
export class Hosts<T> {
  private members = new Map<string, Member<T>>();
  private list: readonly Host<T>[] = [];
  private readonly picker: Picker<T>;
  private readonly outliers: OutlierDetector<T> | undefined;
  private readonly breaker: CircuitBreaker | undefined;
  /** Of endpoints that are names: what they resolve to. */
  private readonly resolved = new Map<Endpoint, readonly Address[]>();
  private readonly named: readonly Endpoint[];
  private refreshTimer: NodeJS.Timeout | undefined;
  private refreshedAt = -Infinity;
  private resolving = 0;
  private isStarted = false;
  private isClosed = false;

  /**
   * @param open for as long as the holder holds it
   * @throws ConfigError as `open`
   */
  constructor(
    private readonly options: HostsOptions,
    private readonly open: (target: HostTarget, holder: Holder) => OpenedHost<T>,
  ) {
    const { cluster, endpoints, outlierDetection, circuitBreaker, splitsNames } = options;
    this.breaker = circuitBreaker && new CircuitBreaker(circuitBreaker, () => this.waiting);
    this.picker = new Picker(options);
    this.outliers = outlierDetection && new OutlierDetector(cluster, outlierDetection, () => this.list);
    this.named = splitsNames ? endpoints.filter(({ value }) => isNamed(parseTarget(value))) : [];
    this.update();
  }

  /** Resolves names and checks servers from now on, until `close`; a second time it does nothing. */
  start(): void {
    if (this.isStarted || this.isClosed) return;
    this.isStarted = true;
    for (const member of this.members.values()) this.startChecks(member);
    this.refresh();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.refreshTimer);
    this.outliers?.close();
    for (const { checker, holder } of this.members.values()) {
      checker?.stop();
      holder.release();
    }
    this.members.clear();
  }

  /** How many calls may be sent again at once. */
  get retryLimit(): RetryLimit | undefined {
    return this.breaker?.retryLimit;
  }

  /** Why no call may start now, whatever the servers are like; undefined: it may. */
  refusal(): Overload | undefined {
    const reason = this.breaker?.refusal();
    return reason === undefined ? undefined : { reason, headers: this.breaker!.headers };
  }

  private get waiting(): number {
    let count = 0;
    for (const { opened } of this.members.values()) {
      const own = opened.waiting?.() ?? 0;
      // A call may go to this server without waiting.
      if (own === 0 && opened.state() === 'ready') return 0;
      count += own;
    }
    return count;
  }

  /** Undefined: no server is well. */
  pick(key?: bigint): Picked<T> | undefined {
    const host = this.picker.pick(key);
    if (host === undefined) return undefined;
    if (this.options.policy !== 'pick_first') this.connectOthers(host);
    host.active++;
    const { outliers, breaker } = this;
    breaker?.begin();
    return {
      value: host.value,
      release: (code) => {
        breaker?.end();
        host.active--;
        // A server that is gone is not judged any more.
        if (code !== undefined && host.onIdle === undefined) outliers?.count(host, code);
        if (host.active === 0) host.onIdle?.();
      },
    };
  }

  get values(): readonly T[] {
    return this.list.map(({ value }) => value);
  }

  status(): HostStatus[] {
    const { cluster, healthCheck } = this.options;
    return this.list.map(({ name, weight, priority, health, healthProblem, ejectedFor, active, connectionState }) => ({
      cluster,
      target: name,
      state: connectionState,
      calls: active,
      weight,
      priority,
      health: healthCheck && health,
      problem: healthProblem ?? ejectedFor,
      ejected: this.outliers && ejectedFor !== undefined,
    }));
  }

  /** Who is not connected is known to be there or not before a call depends on it. */
  private connectOthers(picked: Host<T>): void {
    for (const member of this.members.values()) {
      const { host, opened } = member;
      const state = host.connectionState;
      if (state === 'down') this.refreshSoon();
      if (host === picked || member.isConnecting || opened.connect === undefined || state !== 'idle') continue;
      member.isConnecting = true;
      void opened.connect().then(() => (member.isConnecting = false));
    }
  }

  // ------------------------------------------------------------------------------------------- names

  private refresh(): void {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = undefined;
    if (this.isClosed || this.resolving > 0 || this.named.length === 0) return;
    this.refreshedAt = monotonicMs();
    this.resolving = this.named.length;
    for (const endpoint of this.named) {
      resolveTarget(parseTarget(endpoint.value), (addresses) => {
        this.resolving--;
        if (this.isClosed) return;
        // A failing name server does not remove servers.
        if (addresses.length > 0) {
          this.resolved.set(endpoint, addresses);
          this.update();
        }
        if (this.resolving === 0) this.scheduleRefresh();
      });
    }
  }

  private scheduleRefresh(): void {
    const isKnown = this.named.every((endpoint) => this.resolved.has(endpoint));
    const delayMs = isKnown ? this.options.dnsRefreshRateMs : MIN_REFRESH_MS;
    if (delayMs === undefined) return;
    this.refreshTimer = setTimeout(() => this.refresh(), delayMs);
    this.refreshTimer.unref();
  }

  /** A server is lost: its name may have moved. */
  private refreshSoon(): void {
    if (this.isStarted && monotonicMs() - this.refreshedAt >= MIN_REFRESH_MS) this.refresh();
  }

  // ------------------------------------------------------------------------------------------- servers

  /** Opens what is new, and closes what is gone. */
  private update(): void {
    const { endpoints, healthCheck } = this.options;
    const before = this.members;
    const after = new Map<string, Member<T>>();
    for (const endpoint of endpoints) {
      for (const target of this.targetsOf(endpoint)) {
        const { weight, priority } = rankOf(target, endpoint);
        const isNear = endpoint.zone !== undefined && endpoint.zone === this.options.zone;
        const key = `${priority} ${weight} ${isNear} ${target.target} ${target.of ?? ''}`;
        if (after.has(key)) continue;
        const place = { name: target.target.replace(/^dns:\/\/\//, ''), weight, priority, isNear };
        const member = before.get(key) ?? this.opened(target, place, healthCheck !== undefined);
        if (member !== undefined) after.set(key, member);
      }
    }
    this.members = after;
    this.list = [...after.values()].map(({ host }) => host);
    this.picker.setHosts(this.list);
    for (const [key, member] of before) {
      if (after.has(key)) continue;
      this.outliers?.forget(member.host);
      remove(member);
    }
  }

  private targetsOf(endpoint: Endpoint): readonly HostTarget[] {
    const parsed = parseTarget(endpoint.value);
    const found = this.resolved.get(endpoint);
    if (found !== undefined) {
      const of = defaultAuthority(parsed);
      return found.map((address) => ({ target: addressText(address), of, address }));
    }
    const list = /^ipv[46]:(.+,.+)$/.exec(parsed.uri)?.[1];
    if (list === undefined || !this.options.splitsNames) {
      return [{ target: endpoint.value, of: undefined, address: connectAddress(parsed) }];
    }
    return list.split(',').map((target) => ({ target, of: undefined, address: connectAddress(parseTarget(target)) }));
  }

  /** Undefined if a server that was found later cannot be opened: its files may be in the middle of a renewal. */
  private opened(target: HostTarget, place: HostPlace, isChecked: boolean): Member<T> | undefined {
    const holder = new Holder();
    try {
      const opened = this.open(target, holder);
      const host = new Host(opened.value, place, opened.state, isChecked, monotonicMs());
      const member = { host, opened, holder, checker: undefined, isConnecting: false };
      if (this.isStarted) this.startChecks(member);
      return member;
    } catch (error) {
      holder.release();
      if (!this.isStarted || !(error instanceof ConfigError)) throw error;
      reportHealth(this.options.cluster, place.name, error.message);
      return undefined;
    }
  }

  private startChecks(member: Member<T>): void {
    const { healthCheck, cluster } = this.options;
    const { host, opened } = member;
    if (healthCheck === undefined || opened.probe === undefined) return;
    member.checker = new HealthChecker(opened.probe, healthCheck, (state, problem) => {
      const wasUnhealthy = host.health === 'unhealthy';
      host.health = state;
      host.healthProblem = problem;
      if (problem !== undefined) reportHealth(cluster, host.name, `its health check fails: ${problem}`);
      else if (wasUnhealthy) reportHealth(cluster, host.name, undefined);
    });
  }
}

/** Its calls go on to their end, also those that still wait for a connection. */
function remove<T>({ host, checker, holder }: Member<T>): void {
  checker?.stop();
  if (host.active === 0) holder.release();
  else host.onIdle = () => holder.release();
}

/** SRV records have ranks of their own, below those of the endpoint. */
function rankOf({ address }: HostTarget, endpoint: Endpoint): { readonly weight: number; readonly priority: number } {
  const { weight, priority = 0 } = endpoint;
  if ('path' in address || address.weight === undefined) return { weight, priority };
  const { weight: share, priority: level = 0 } = address;
  return { weight: weight * Math.max(1, share), priority: priority * SRV_PRIORITIES + level };
}

/** An SRV record has a priority below it. */
const SRV_PRIORITIES = 65_536;

/** As a target. */
function addressText(address: Address): string {
  if ('path' in address) return `unix:${addressKey(address)}`;
  const { host, port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
