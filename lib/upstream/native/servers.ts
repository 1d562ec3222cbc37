/**
 * Which server of a target a call goes to. `pick_first`: the first address that answers has all calls, and another when it is
 * gone. `round_robin`: every address has a connection, and calls go to them in turn; those that are down are left out until
 * they are back (https://github.com/grpc/grpc/blob/master/doc/load-balancing.md).
 */
import type { CallStatus } from '../../exchange.js';
import type { Connection } from '../../http2/index.js';
import { ended, unresolved } from '../outcome.js';
import type { Target } from '../target.js';
import { type Address, addressKey, isNamed, resolveTarget } from './address.js';
import { Backend, type BackendOwner, type BackoffOptions } from './backend.js';

/** All servers of one target. */
export interface Servers {
  /** A connection for the next call; undefined where none has room. */
  pick(): Connection | undefined;
  /** Why a call need not wait: no server is there, and none is tried just now. */
  readonly backsOff: CallStatus | undefined;
  /** True where a connection stands. */
  readonly isReady: boolean;
  /** Calls wait: opens a connection, or one more. */
  connect(): void;
  /** See `Backend`. */
  renew(): void;
  close(): void;
}

/** One backend whose address is whichever answers first, the name resolved anew for each connection. */
export class PickFirst extends Backend implements Servers {
  constructor(target: Target, backoff: BackoffOptions, owner: BackendOwner) {
    super(target.text, (listener) => resolveTarget(target, listener), backoff, owner);
  }

  pick(): Connection | undefined {
    return this.withRoom();
  }
}

export interface RoundRobinOptions extends BackoffOptions {
  /** How often a name is resolved anew, in milliseconds; undefined: only when a server is lost. */
  readonly dnsRefreshMs: number | undefined;
}

/** Names are not resolved more often, whatever is lost. */
const MIN_REFRESH_MS = 1000;

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

  pick(): Connection | undefined {
    const { ring } = this;
    for (let tried = 0; tried < ring.length; tried++) {
      this.next = (this.next + 1) % ring.length;
      const connection = ring[this.next]!.withRoom();
      if (connection !== undefined) return connection;
    }
    return undefined;
  }

  get backsOff(): CallStatus | undefined {
    const { ring } = this;
    if (ring.length === 0) return this.resolving || this.refreshIsDue() ? undefined : this.failure;
    let last: CallStatus | undefined;
    for (const backend of ring) {
      last = backend.backsOff;
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
    // All that are there are full.
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
    return performance.now() - this.resolvedAt >= MIN_REFRESH_MS;
  }

  private refresh(): void {
    if (this.resolving || this.closed) return;
    clearTimeout(this.refreshTimer);
    this.refreshAt = Infinity;
    if (!this.refreshIsDue()) return this.refreshSoon(MIN_REFRESH_MS);
    this.resolving = true;
    resolveTarget(this.target, (addresses) => this.resolved(addresses));
  }

  /** A list of addresses stays as it is. What is planned for an earlier time stays too: failures come one after the other. */
  private refreshSoon(afterMs: number | undefined): void {
    if (this.closed || afterMs === undefined || !isNamed(this.target)) return;
    const at = performance.now() + afterMs;
    if (at >= this.refreshAt) return;
    clearTimeout(this.refreshTimer);
    this.refreshAt = at;
    this.refreshTimer = setTimeout(() => this.refresh(), afterMs);
    this.refreshTimer.unref();
  }

  private resolved(addresses: readonly Address[]): void {
    this.resolving = false;
    this.resolvedAt = performance.now();
    if (this.closed) return;
    // A name server that is down takes no server away.
    if (addresses.length > 0) this.update(addresses);
    else if (this.ring.length === 0) {
      this.failure = ended.cannotConnect(this.target.text, unresolved);
      this.owner.onConnectFailure(this.failure);
    }
    this.refreshSoon(this.ring.length === 0 ? MIN_REFRESH_MS : this.options.dnsRefreshMs);
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
