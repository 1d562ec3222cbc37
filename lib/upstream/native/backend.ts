/**
 * The connections to one server: for pick_first the server is whichever address answers first, for round_robin each address
 * is a server of its own. One connection carries all calls; where the server allows no more of them at once, further ones are
 * opened, as calls that wait behind streams without end would wait for ever. After a failure it waits longer and longer
 * before it tries again (https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md).
 */
import type { CallStatus } from '../../exchange.js';
import type { Connection, ConnectionListener } from '../../http2/index.js';
import type { AddressResolver } from './address.js';
import { Dial, type DialOptions } from './dial.js';

const BACKOFF_FACTOR = 1.6;
const BACKOFF_JITTER = 0.2;

/** With these open and full, calls wait for one that ends. */
const MAX_CONNECTIONS = 32;

export interface BackoffOptions {
  /** The wait after the first failure, in milliseconds. */
  readonly initialBackoffMs: number;
  /** The longest wait, in milliseconds. */
  readonly maxBackoffMs: number;
}

/** What a backend tells its channel. */
export interface BackendOwner {
  /** Read for each new connection. */
  readonly dialOptions: DialOptions;
  /** There may be room for calls that wait. */
  onRoom(): void;
  /** No connection could be made; the next attempt waits until its time. */
  onConnectFailure(status: CallStatus): void;
  /** A connection takes no more calls. */
  onLost(): void;
  onTooManyPings(): void;
}

export class Backend {
  /** Those that take new calls, unless they are full. */
  private connections: readonly Connection[] = [];
  private dial: Dial | undefined;
  private closed = false;
  private backoffMs: number;
  private retryAt = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private failure: CallStatus | undefined;

  /** Connects when it is first asked to. */
  constructor(
    private readonly target: string,
    private readonly resolve: AddressResolver,
    private readonly backoff: BackoffOptions,
    private readonly owner: BackendOwner,
  ) {
    this.backoffMs = backoff.initialBackoffMs;
  }

  /** A connection that takes a call now. */
  withRoom(): Connection | undefined {
    for (const connection of this.connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** True where a connection stands. */
  get isReady(): boolean {
    return this.connections.length > 0;
  }

  /** Why there is no connection, and none is tried just now: a call costs its caller no time then. */
  get backsOff(): CallStatus | undefined {
    if (this.isReady || this.dial !== undefined || Date.now() >= this.retryAt) return undefined;
    return this.failure;
  }

  /** Opens a connection, or one more, unless one is under way; at the end of the pause where there is one. */
  connect(): void {
    if (this.closed || this.dial !== undefined || !this.mayGrow()) return;
    const pauseMs = this.retryAt - Date.now();
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

  /** A server that takes no call at all on a connection takes none on another. */
  private mayGrow(): boolean {
    const { connections } = this;
    return connections.length < MAX_CONNECTIONS && connections.every(({ streamCount }) => streamCount > 0);
  }

  /** New calls get new connections; those under way end where they are. */
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
    this.resetBackoff();
    this.connections = [...this.connections, connection];
    connection.listener = new ConnectionWatch(
      () => this.owner.onRoom(),
      () => this.lost(connection),
      () => this.owner.onTooManyPings(),
    );
    this.owner.onRoom();
  }

  private connectFailed(status: CallStatus): void {
    this.dial = undefined;
    this.failure = status;
    // Not all proxies in front of a server that comes back are to knock at the same moment.
    this.retryAt = Date.now() + this.backoffMs * (1 + BACKOFF_JITTER * (2 * Math.random() - 1));
    this.backoffMs = Math.min(this.backoffMs * BACKOFF_FACTOR, this.backoff.maxBackoffMs);
    this.owner.onConnectFailure(status);
  }

  private lost(connection: Connection): void {
    if (!this.connections.includes(connection)) return;
    this.connections = this.connections.filter((other) => other !== connection);
    if (!this.closed) this.owner.onLost();
  }

  private resetBackoff(): void {
    this.backoffMs = this.backoff.initialBackoffMs;
    this.retryAt = 0;
    clearTimeout(this.retryTimer);
  }
}

/** What a backend wants to know of a connection. */
class ConnectionWatch implements ConnectionListener {
  constructor(
    readonly onRoom: () => void,
    readonly onDraining: () => void,
    readonly onTooManyPings: () => void,
  ) {}

  onReady(): void {}

  /** One that closes without having drained is lost all the same. */
  onClose(): void {
    this.onDraining();
  }
}
