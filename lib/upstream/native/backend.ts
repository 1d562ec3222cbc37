/**
 * The connections to one server. For pick_first the server is the address that answers first; for round_robin each address is
 * a server. One connection carries all calls. If the server limits concurrent streams, further connections are opened,
 * because calls must not wait behind endless streams. After a failure the delay before the next attempt grows
 * (https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md).
 */
import { monotonicMs } from '../../clock.js';
import type { ChannelStatus } from '../../channel-status.js';
import type { CallStatus } from '../../exchange.js';
import type { Connection, ConnectionListener } from '../../http2/index.js';
import { reportState } from '../diagnostics.js';
import type { AddressResolver } from './address.js';
import { Dial, type DialOptions } from './dial.js';

const BACKOFF_FACTOR = 1.6;
const BACKOFF_JITTER = 0.2;

/** Limit of connections; if all are full, calls wait for another call to end. */
const MAX_CONNECTIONS = 32;

/** Delays between attempts to connect. */
export interface BackoffOptions {
  /** Delay after the first failure, in milliseconds. */
  readonly initialReconnectBackoffMs: number;
  /** Longest delay, in milliseconds. */
  readonly maxReconnectBackoffMs: number;
}

/** Notifications to the channel. */
export interface BackendOwner {
  /** Read for each new connection. */
  readonly dialOptions: DialOptions;
  /** Waiting calls may find room. */
  onRoom(): void;
  /** An attempt to connect failed; the next one waits for the delay. */
  onConnectFailure(status: CallStatus): void;
  /** A connection does not take calls any more. */
  onLost(): void;
  onTooManyPings(): void;
}

/** What one backend has open. */
export interface BackendStatus extends Pick<ChannelStatus, 'calls' | 'problem'> {
  readonly connections: number;
}

/** The connections to one server. */
export class Backend {
  /** Those that take new calls, unless they are full. */
  private connections: readonly Connection[] = [];
  private dial: Dial | undefined;
  private closed = false;
  private backoffMs: number;
  private retryAt = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private failure: CallStatus | undefined;

  /** Connects on the first `connect`. */
  constructor(
    private readonly target: string,
    private readonly resolve: AddressResolver,
    private readonly backoff: BackoffOptions,
    private readonly owner: BackendOwner,
  ) {
    this.backoffMs = backoff.initialReconnectBackoffMs;
  }

  /** A connection with room for a call. */
  withRoom(): Connection | undefined {
    for (const connection of this.connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** Connections that stand, calls on them, and why the last attempt to connect failed. */
  status(): BackendStatus {
    const { connections, failure } = this;
    const calls = connections.reduce((sum, { streamCount }) => sum + streamCount, 0);
    return { connections: connections.length, calls, problem: failure?.diagnosis ?? failure?.message };
  }

  /** True if there is a connection. */
  get isReady(): boolean {
    return this.connections.length > 0;
  }

  /** Why there is no connection and none is being tried, so that a call fails at once. */
  get backoffFailure(): CallStatus | undefined {
    if (this.isReady || this.dial !== undefined || monotonicMs() >= this.retryAt) return undefined;
    return this.failure;
  }

  /**
   * Opens a connection, or one more, unless one is being opened. During a delay after a failure, it opens one at the end of
   * that.
   */
  connect(): void {
    if (this.closed || this.dial !== undefined || !this.mayGrow()) return;
    const pauseMs = this.retryAt - monotonicMs();
    if (pauseMs > 0) {
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(() => this.connect(), pauseMs);
      return;
    }
    this.dial = new Dial(this.target, this.resolve, this.owner.dialOptions, {
      onConnection: (connection) => this.connected(connection),
      onFailure: (status) => this.connectFailed(status),
    });
  }

  /** A server that accepts no stream on one connection accepts none on another. */
  private mayGrow(): boolean {
    const { connections } = this;
    return connections.length < MAX_CONNECTIONS && connections.every(({ streamCount }) => streamCount > 0);
  }

  /** New calls get new connections; current calls end on theirs. */
  renew(): void {
    this.dial?.abort();
    this.dial = undefined;
    for (const connection of this.connections) connection.drain();
    this.resetBackoff();
  }

  close(): void {
    this.closed = true;
    this.dial?.abort();
    clearTimeout(this.retryTimer);
    for (const connection of this.connections) connection.drain();
  }

  private connected(connection: Connection): void {
    this.dial = undefined;
    if (this.failure !== undefined) reportState(this.target, undefined);
    this.failure = undefined;
    this.resetBackoff();
    this.connections = [...this.connections, connection];
    connection.listener = new BackendConnectionListener(
      () => this.owner.onRoom(),
      () => this.lost(connection),
      () => this.owner.onTooManyPings(),
    );
    this.owner.onRoom();
  }

  private connectFailed(status: CallStatus): void {
    this.dial = undefined;
    if (this.failure === undefined) reportState(this.target, status.diagnosis ?? status.message);
    this.failure = status;
    // The jitter keeps many proxies from reconnecting to a restarted server at the same moment.
    this.retryAt = monotonicMs() + this.backoffMs * (1 + BACKOFF_JITTER * (2 * Math.random() - 1));
    this.backoffMs = Math.min(this.backoffMs * BACKOFF_FACTOR, this.backoff.maxReconnectBackoffMs);
    this.owner.onConnectFailure(status);
  }

  private lost(connection: Connection): void {
    if (!this.connections.includes(connection)) return;
    this.connections = this.connections.filter((other) => other !== connection);
    if (!this.closed) this.owner.onLost();
  }

  private resetBackoff(): void {
    this.backoffMs = this.backoff.initialReconnectBackoffMs;
    this.retryAt = 0;
    clearTimeout(this.retryTimer);
  }
}

/** Reports the events of one connection to its backend. */
class BackendConnectionListener implements ConnectionListener {
  constructor(
    readonly onRoom: () => void,
    readonly onDraining: () => void,
    readonly onTooManyPings: () => void,
  ) {}

  onReady(): void {}

  /** A connection that closes without draining is lost too. */
  onClose(): void {
    this.onDraining();
  }
}
