/**
 * Selects the server of a call. `pick_first`: the first address that answers gets all calls, and another one if it is lost.
 * `round_robin`: every address has a connection, and calls use them in turn, skipping those that are down
 * (https://github.com/grpc/grpc/blob/master/doc/load-balancing.md).
 */
import { monotonicMs } from '../../clock.js';
import type { CallStatus } from '../../exchange.js';
import type { Connection } from '../../http2/index.js';
import { failures, unresolved } from '../outcome.js';
import type { Target } from '../target.js';
import { type Address, addressKey, isNamed, resolveTarget } from './address.js';
import { Backend, type BackendOwner, type BackendStatus, type BackoffOptions } from './backend.js';

/** All servers of one target. */
export interface Servers {
  /** A connection for the next call; undefined if none has room. */
  pick(): Connection | undefined;
  /** Why a call fails at once: no server is connected, and none is being tried. */
  readonly backoffFailure: CallStatus | undefined;
  /** True if there is a connection. */
  readonly isReady: boolean;
  /** See `Backend`; of all servers together. */
  status(): BackendStatus;
  /** Called if calls wait: opens a connection, or one more. */
  connect(): void;
  /** See `Backend`. */
  renew(): void;
  close(): void;
}

/** One backend whose address is the first one that answers. The name is resolved anew for each connection. */
export class PickFirst extends Backend implements Servers {
  constructor(target: Target, backoff: BackoffOptions, owner: BackendOwner) {
    super(target.text, (listener) => resolveTarget(target, listener), backoff, owner);
  }

  pick(): Connection | undefined {
    return this.withRoom();
  }
}

/** Options of `round_robin`. */
export interface RoundRobinOptions extends BackoffOptions {
  /** Interval of name resolution, in milliseconds; undefined: only after a server is lost. */
  readonly dnsRefreshRateMs: number | undefined;
}

/** Least interval of name resolution, whatever is lost. */
const MIN_REFRESH_MS = 1000;

/** A backend for each address. */
export class RoundRobin implements Servers {
  private backends = new Map<string, Backend>();
  private ring: readonly Backend[] = [];
  private next = 0;
  private resolving = false;
  private resolvedAt = -Infinity;
  private refreshTimer: NodeJS.Timeout | undefined;
  private refreshAt = Infinity;
  private closed = false;
  /** Why there is no server at all. */
  private failure: CallStatus | undefined;
  private readonly backendOwner: BackendOwner;

  constructor(
    private readonly target: Target,
    private readonly options: RoundRobinOptions,
    private readonly owner: BackendOwner,
  ) {
    const reconnect = (): void => {
      for (const backend of this.ring) if (!backend.isReady) backend.connect();
    };
    this.backendOwner = {
      get dialOptions() {
        return owner.dialOptions;
      },
      onRoom: () => owner.onRoom(),
      onConnectFailure: (status) => {
        owner.onConnectFailure(status);
        reconnect();
        this.refreshSoon(MIN_REFRESH_MS);
      },
      onLost: () => {
        owner.onLost();
        reconnect();
        this.refreshSoon(MIN_REFRESH_MS);
      },
      onTooManyPings: () => owner.onTooManyPings(),
    };
  }

  status(): BackendStatus {
    const all = this.ring.map((backend) => backend.status());
    return {
      connections: all.reduce((sum, { connections }) => sum + connections, 0),
      calls: all.reduce((sum, { calls }) => sum + calls, 0),
      problem: all.find(({ problem }) => problem !== undefined)?.problem ?? this.failure?.diagnosis,
    };
  }

  pick(): Connection | undefined {
    const { ring } = this;
    for (let tried = 0; tried < ring.length; tried++) {
      this.next = (this.next + 1) % ring.length;
      const connection = ring[this.next]!.withRoom();
      if (connection !== undefined) return connection;
    }
    return undefined;
  }

  get backoffFailure(): CallStatus | undefined {
    const { ring } = this;
    if (ring.length === 0) return this.resolving || this.refreshIsDue() ? undefined : this.failure;
    let last: CallStatus | undefined;
    for (const backend of ring) {
      last = backend.backoffFailure;
      if (last === undefined) return undefined;
    }
    return last;
  }

  get isReady(): boolean {
    return this.ring.some((backend) => backend.isReady);
  }

  connect(): void {
    const { ring } = this;
    if (ring.length === 0) return this.refresh();
    const down = ring.filter((backend) => !backend.isReady);
    for (const backend of down) backend.connect();
    // All connected servers are full.
    if (down.length < ring.length && this.pick() === undefined) {
      for (let tried = 0; tried < ring.length; tried++) {
        this.next = (this.next + 1) % ring.length;
        if (ring[this.next]!.isReady) return ring[this.next]!.connect();
      }
    }
  }

  renew(): void {
    for (const backend of this.ring) backend.renew();
    for (const backend of this.ring) backend.connect();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.refreshTimer);
    for (const backend of this.ring) backend.close();
  }

  // ------------------------------------------------------------------------------------- addresses

  private refreshIsDue(): boolean {
    return monotonicMs() - this.resolvedAt >= MIN_REFRESH_MS;
  }

  private refresh(): void {
    if (this.resolving || this.closed) return;
    clearTimeout(this.refreshTimer);
    this.refreshAt = Infinity;
    if (!this.refreshIsDue()) return this.refreshSoon(MIN_REFRESH_MS);
    this.resolving = true;
    resolveTarget(this.target, (addresses) => this.resolved(addresses));
  }

  /**
   * Schedules a resolution. A list of addresses never changes. An earlier scheduled time stays, because several servers may
   * fail one after the other.
   */
  private refreshSoon(afterMs: number | undefined): void {
    if (this.closed || afterMs === undefined || !isNamed(this.target)) return;
    const at = monotonicMs() + afterMs;
    if (at >= this.refreshAt) return;
    clearTimeout(this.refreshTimer);
    this.refreshAt = at;
    this.refreshTimer = setTimeout(() => this.refresh(), afterMs);
    this.refreshTimer.unref();
  }

  private resolved(addresses: readonly Address[]): void {
    this.resolving = false;
    this.resolvedAt = monotonicMs();
    if (this.closed) return;
    // A failing name server does not remove servers.
    if (addresses.length > 0) this.update(addresses);
    else if (this.ring.length === 0) {
      this.failure = failures.cannotConnect(this.target.text, unresolved);
      this.owner.onConnectFailure(this.failure);
    }
    this.refreshSoon(this.ring.length === 0 ? MIN_REFRESH_MS : this.options.dnsRefreshRateMs);
  }

  private update(addresses: readonly Address[]): void {
    const old = this.backends;
    this.backends = new Map();
    for (const address of addresses) {
      const key = addressKey(address);
      this.backends.set(key, old.get(key) ?? this.backendAt(address));
    }
    this.ring = [...this.backends.values()];
    for (const [key, backend] of old) if (!this.backends.has(key)) backend.close();
    for (const backend of this.ring) if (!backend.isReady) backend.connect();
  }

  private backendAt(address: Address): Backend {
    return new Backend(this.target.text, (listener) => listener([address]), this.options, this.backendOwner);
  }
}
