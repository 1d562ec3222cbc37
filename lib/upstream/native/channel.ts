/**
 * `Channel` on our own HTTP/2 client. One connection to the first address that answers carries all calls; where the server
 * allows no more of them at once, further connections are opened, as calls that wait behind streams without end would wait
 * for ever. A connection that is lost, or that the server wants to end, is replaced by the next call, its name resolved anew.
 */
import type { SecureContext } from 'node:tls';
import type { Call, CallListener, CallRequest, CallStatus, Channel } from '../../exchange.js';
import type { Connection, ConnectionListener } from '../../http2/index.js';
import { StatusError } from '../../status.js';
import type { TlsMaterial, WatchedTlsFiles } from '../../tls/index.js';
import { failedCall } from '../failed-call.js';
import { MAX_TIMER_MS, type UpstreamOptions } from '../options.js';
import { ended, failure } from '../outcome.js';
import type { Target } from '../target.js';
import { secureContextOf, serverNameOf } from '../tls.js';
import { defaultAuthority } from './address.js';
import { type CallOwner, NativeCall } from './call.js';
import { Dial } from './dial.js';
import { type CallDefaults, requestFields } from './metadata.js';

/** A service that was restarted is found again within seconds. */
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 3000;
const BACKOFF_FACTOR = 1.6;

/** With these open and full, calls wait for one that ends. */
const MAX_CONNECTIONS = 32;

/** Somebody who wants to know when a connection stands. */
interface ConnectWaiter {
  readonly resolve: (connected: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

export class NativeChannel implements Channel, CallOwner {
  readonly target: string;
  readonly maxReceiveBytes: number;
  private readonly defaults: CallDefaults;
  private readonly serverName: string | undefined;
  private secureContext: SecureContext | undefined;
  /** Those that take new calls, unless they are full. */
  private connections: readonly Connection[] = [];
  private readonly waiting = new Set<NativeCall>();
  private readonly connectWaiters = new Set<ConnectWaiter>();
  private dial: Dial | undefined;
  private closed = false;

  private backoffMs = FIRST_BACKOFF_MS;
  /** Until then a call without a connection fails with `lastFailure`. */
  private retryAt = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private lastFailure: CallStatus | undefined;

  constructor(
    private readonly parsed: Target,
    private readonly options: UpstreamOptions,
    private readonly files: WatchedTlsFiles | undefined,
  ) {
    const authority = options.tls?.authority;
    this.target = parsed.text;
    this.maxReceiveBytes = options.maxReceiveBytes;
    this.serverName = serverNameOf(parsed, authority);
    this.secureContext = files && secureContextOf(files.material);
    this.defaults = {
      scheme: files === undefined ? 'http' : 'https',
      authority: authority ?? defaultAuthority(parsed),
      userAgent: options.userAgent,
    };
    files?.start(`upstream ${this.target}`, (material) => this.renew(material));
  }

  start(request: CallRequest, listener: CallListener): Call {
    if (this.closed) return failedCall(ended.channelClosed(this.target), listener);
    const { timeoutMs } = request;
    if (timeoutMs !== undefined && timeoutMs <= 0) return failedCall(ended.deadline(timeoutMs), listener);
    let fields: string[];
    try {
      fields = requestFields(request, this.defaults);
    } catch (error) {
      const { code, message } = StatusError.from(error);
      return failedCall(failure(code, message), listener);
    }
    const connection = this.connectionWithRoom();
    if (connection === undefined && this.backsOff()) return failedCall(this.lastFailure!, listener);
    const call = new NativeCall(this, fields, request, listener);
    if (connection !== undefined) call.begin(connection);
    else this.wait(call);
    return call;
  }

  connect(timeoutMs: number): Promise<boolean> {
    if (this.closed || this.connections.length > 0) return Promise.resolve(!this.closed);
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => {
          this.connectWaiters.delete(waiter);
          resolve(false);
        },
        Math.min(timeoutMs, MAX_TIMER_MS),
      );
      const waiter = { resolve, timer };
      this.connectWaiters.add(waiter);
      this.connectIfNeeded();
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.files?.stop();
    this.dial?.abort();
    clearTimeout(this.retryTimer);
    this.answerConnectWaiters(false);
    this.failWaiting(ended.channelClosed(this.target));
    for (const connection of this.connections) connection.drain();
  }

  forget(call: NativeCall): void {
    this.waiting.delete(call);
  }

  /** New calls use the new certificates; those under way end where they are. */
  private renew(material: TlsMaterial): void {
    this.secureContext = secureContextOf(material);
    this.dial?.abort();
    this.dial = undefined;
    for (const connection of this.connections) connection.drain();
    this.resetBackoff();
    this.connectIfNeeded();
  }

  // ------------------------------------------------------------------------------------- calls

  private connectionWithRoom(): Connection | undefined {
    for (const connection of this.connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** A server that was not there a moment ago costs its callers no time. */
  private backsOff(): boolean {
    return this.connections.length === 0 && this.dial === undefined && Date.now() < this.retryAt;
  }

  private wait(call: NativeCall): void {
    this.waiting.add(call);
    this.connectIfNeeded();
  }

  private startWaiting(): void {
    for (const call of this.waiting) {
      const connection = this.connectionWithRoom();
      if (connection === undefined) return this.connectIfNeeded();
      this.waiting.delete(call);
      call.begin(connection);
    }
  }

  private failWaiting(status: CallStatus): void {
    for (const call of this.waiting) {
      this.waiting.delete(call);
      call.abort(status);
    }
  }

  // ------------------------------------------------------------------------------------- connections

  private connectIfNeeded(): void {
    if (this.closed || this.dial !== undefined || this.connections.length >= MAX_CONNECTIONS) return;
    const wanted = this.waiting.size > 0 || (this.connectWaiters.size > 0 && this.connections.length === 0);
    if (!wanted) return;
    const pauseMs = this.retryAt - Date.now();
    if (pauseMs > 0) {
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(() => this.connectIfNeeded(), pauseMs);
      return;
    }
    const { connectTimeoutMs } = this.options;
    const { secureContext, serverName } = this;
    this.dial = new Dial(
      this.parsed,
      { connectTimeoutMs, secureContext, serverName },
      {
        onConnection: (connection) => this.connected(connection),
        onFailure: (status) => this.connectFailed(status),
      },
    );
  }

  private connected(connection: Connection): void {
    this.dial = undefined;
    this.resetBackoff();
    this.connections = [...this.connections, connection];
    connection.listener = new ConnectionWatch(
      () => this.startWaiting(),
      () => this.lost(connection),
    );
    this.answerConnectWaiters(true);
    this.startWaiting();
  }

  private connectFailed(status: CallStatus): void {
    this.dial = undefined;
    this.lastFailure = status;
    // Not all proxies in front of a server that comes back are to knock at the same moment.
    this.retryAt = Date.now() + this.backoffMs * (0.8 + Math.random() * 0.4);
    this.backoffMs = Math.min(this.backoffMs * BACKOFF_FACTOR, MAX_BACKOFF_MS);
    if (this.connections.length === 0) this.failWaiting(status);
    this.connectIfNeeded();
  }

  private lost(connection: Connection): void {
    this.connections = this.connections.filter((other) => other !== connection);
    this.connectIfNeeded();
  }

  private resetBackoff(): void {
    this.backoffMs = FIRST_BACKOFF_MS;
    this.retryAt = 0;
    clearTimeout(this.retryTimer);
  }

  private answerConnectWaiters(connected: boolean): void {
    for (const { resolve, timer } of this.connectWaiters) {
      clearTimeout(timer);
      resolve(connected);
    }
    this.connectWaiters.clear();
  }
}

/** What the channel wants to know of a connection. */
class ConnectionWatch implements ConnectionListener {
  constructor(
    readonly onRoom: () => void,
    readonly onDraining: () => void,
  ) {}

  onReady(): void {}

  /** One that closes without having drained is lost all the same. */
  onClose(): void {
    this.onDraining();
  }
}
