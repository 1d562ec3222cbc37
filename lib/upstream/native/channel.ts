/**
 * `Channel` on our own HTTP/2 client: calls go out on the connections that `Servers` has, wait for one, or fail with the
 * reason why there is none. A call that no server has looked at begins again on another connection.
 */
import type { SecureContext } from 'node:tls';
import type { Call, CallListener, CallRequest, CallStatus, Channel } from '../../exchange.js';
import { StatusError } from '../../status.js';
import type { TlsMaterial, WatchedTlsFiles } from '../../tls/index.js';
import { failedCall } from '../failed-call.js';
import { MAX_TIMER_MS, type UpstreamOptions } from '../options.js';
import { ended, failure } from '../outcome.js';
import type { Target } from '../target.js';
import { secureContextOf, serverNameOf } from '../tls.js';
import { defaultAuthority } from './address.js';
import type { BackendOwner } from './backend.js';
import { type CallOwner, NativeCall } from './call.js';
import type { DialOptions } from './dial.js';
import { type CallDefaults, requestFields } from './metadata.js';
import { PickFirst, RoundRobin, type Servers } from './servers.js';

/** Somebody who wants to know when a connection stands. */
interface ConnectWaiter {
  readonly resolve: (connected: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

export class NativeChannel implements Channel, CallOwner, BackendOwner {
  readonly target: string;
  readonly maxReceiveBytes: number;
  private readonly defaults: CallDefaults;
  private readonly serverName: string | undefined;
  private secureContext: SecureContext | undefined;
  private keepaliveTimeMs: number | undefined;
  private readonly servers: Servers;
  private readonly waiting = new Set<NativeCall>();
  private readonly connectWaiters = new Set<ConnectWaiter>();
  private closed = false;

  constructor(
    parsed: Target,
    private readonly options: UpstreamOptions,
    private readonly files: WatchedTlsFiles | undefined,
  ) {
    const authority = options.tls?.authority;
    this.target = parsed.text;
    this.maxReceiveBytes = options.maxReceiveBytes;
    this.keepaliveTimeMs = options.keepaliveTimeMs;
    this.serverName = serverNameOf(parsed, authority);
    this.secureContext = files && secureContextOf(files.material);
    this.defaults = {
      scheme: files === undefined ? 'http' : 'https',
      authority: authority ?? defaultAuthority(parsed),
      userAgent: options.userAgent,
    };
    this.servers =
      options.loadBalancingPolicy === 'round_robin'
        ? new RoundRobin(parsed, options, this)
        : new PickFirst(parsed, options, this);
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
    const connection = this.servers.pick();
    const down = connection === undefined ? this.servers.backsOff : undefined;
    if (down !== undefined) return failedCall(down, listener);
    const call = new NativeCall(this, fields, request, listener);
    if (connection !== undefined) call.begin(connection);
    else this.wait(call);
    return call;
  }

  connect(timeoutMs: number): Promise<boolean> {
    if (this.closed || this.servers.isReady) return Promise.resolve(!this.closed);
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
    this.answerConnectWaiters(false);
    this.failWaiting(ended.channelClosed(this.target));
    this.servers.close();
  }

  forget(call: NativeCall): void {
    this.waiting.delete(call);
  }

  again(call: NativeCall): void {
    if (this.closed) return call.abort(ended.channelClosed(this.target));
    const connection = this.servers.pick();
    const down = connection === undefined ? this.servers.backsOff : undefined;
    if (connection !== undefined) call.beginLate(connection);
    else if (down !== undefined) call.abort(down);
    else this.wait(call);
  }

  /** New calls use the new certificates; those under way end where they are. */
  private renew(material: TlsMaterial): void {
    this.secureContext = secureContextOf(material);
    this.servers.renew();
    this.connectIfNeeded();
  }

  // ------------------------------------------------------------------------------------- calls

  private wait(call: NativeCall): void {
    this.waiting.add(call);
    this.connectIfNeeded();
  }

  private startWaiting(): void {
    for (const call of this.waiting) {
      const connection = this.servers.pick();
      if (connection === undefined) return this.connectIfNeeded();
      this.waiting.delete(call);
      call.beginLate(connection);
    }
  }

  private failWaiting(status: CallStatus): void {
    for (const call of this.waiting) {
      this.waiting.delete(call);
      call.abort(status);
    }
  }

  // ------------------------------------------------------------------------------------- connections

  get dialOptions(): DialOptions {
    const { secureContext, serverName, keepaliveTimeMs } = this;
    const { connectTimeoutMs, keepaliveTimeoutMs } = this.options;
    return { connectTimeoutMs, secureContext, serverName, keepaliveTimeMs, keepaliveTimeoutMs };
  }

  private connectIfNeeded(): void {
    if (this.closed) return;
    if (this.waiting.size > 0 || (this.connectWaiters.size > 0 && !this.servers.isReady)) this.servers.connect();
  }

  onRoom(): void {
    if (this.servers.isReady) this.answerConnectWaiters(true);
    this.startWaiting();
  }

  onConnectFailure(status: CallStatus): void {
    if (this.servers.backsOff !== undefined) this.failWaiting(status);
    this.connectIfNeeded();
  }

  onLost(): void {
    this.connectIfNeeded();
  }

  /** As gRPC has it: twice the time on the connections to come. */
  onTooManyPings(): void {
    if (this.keepaliveTimeMs !== undefined) this.keepaliveTimeMs = Math.min(this.keepaliveTimeMs * 2, MAX_TIMER_MS);
  }

  private answerConnectWaiters(connected: boolean): void {
    for (const { resolve, timer } of this.connectWaiters) {
      clearTimeout(timer);
      resolve(connected);
    }
    this.connectWaiters.clear();
  }
}
