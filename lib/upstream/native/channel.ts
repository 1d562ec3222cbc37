/**
 * `Channel` on the native HTTP/2 client. A call uses a connection of `Servers`, waits for one, or fails with the reason why
 * there is none. A call that no server has processed is sent again on another connection.
 */
import type { SecureContext } from 'node:tls';
import type { ChannelState, ChannelStatus, Connectivity } from '../../channel-status.js';
import type {
  Call,
  CallListener,
  CallRequest,
  CallStatus,
  Channel,
  HttpChannel,
  HttpListener,
  HttpRequest,
  MethodConfigs,
} from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { StatusError } from '../../status.js';
import type { TlsMaterial, WatchedTlsFiles } from '../../tls/index.js';
import { failedCall } from '../failed-call.js';
import { MAX_TIMER_MS, type UpstreamOptions } from '../options.js';
import { failures, localFailure } from '../outcome.js';
import { compileMethods } from '../service-config/methods.js';
import type { Target } from '../target.js';
import { secureContextOf, serverNameOf } from '../tls.js';
import { defaultAuthority } from './address.js';
import type { BackendOwner, BackendStatus } from './backend.js';
import { type CallOwner, NativeCall } from './call.js';
import type { DialOptions } from './dial.js';
import { type CallDefaults, requestFields } from './metadata.js';
import { NativeRequest } from './request.js';
import type { Sending } from './sending.js';
import { PickFirst, RoundRobin, type Servers } from './servers.js';

/** A caller of `connect` that waits for a connection. */
interface ConnectWaiter {
  readonly resolve: (connected: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

/** The channel to one target. */
export class NativeChannel implements Channel, HttpChannel, CallOwner, BackendOwner {
  readonly target: string;
  readonly maxReceiveBytes: number;
  readonly maxHeaderBytes: number;
  readonly methodConfigs: MethodConfigs | undefined;
  private readonly defaults: CallDefaults;
  private readonly serverName: string | undefined;
  private secureContext: SecureContext | undefined;
  private keepaliveTimeMs: number | undefined;
  private readonly servers: Servers;
  private readonly waiting = new Set<Sending>();
  private readonly connectWaiters = new Set<ConnectWaiter>();
  private closed = false;
  private retries = 0;

  constructor(
    parsed: Target,
    private readonly options: UpstreamOptions,
    private readonly files: WatchedTlsFiles | undefined,
  ) {
    const authority = options.tls?.authority ?? options.resolvedFrom;
    this.target = parsed.text;
    this.methodConfigs = compileMethods(options.serviceConfig);
    this.maxReceiveBytes = options.maxReceiveBytes;
    this.maxHeaderBytes = options.maxUpstreamHeaderBytes;
    this.keepaliveTimeMs = options.upstreamKeepaliveTimeMs;
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
    if (this.closed) return failedCall(this.target, request.path, failures.channelClosed(this.target), listener);
    const { timeoutMs } = request;
    if (timeoutMs !== undefined && timeoutMs <= 0)
      return failedCall(this.target, request.path, failures.deadline(timeoutMs), listener);
    let fields: string[];
    try {
      fields = requestFields(request, this.defaults);
    } catch (error) {
      const { code, message } = StatusError.from(error);
      return failedCall(this.target, request.path, localFailure(code, message), listener);
    }
    const connection = this.servers.pick();
    const down = connection === undefined ? this.servers.backoffFailure : undefined;
    if (down !== undefined) return failedCall(this.target, request.path, down, listener);
    const call = new NativeCall(this, fields, request, listener);
    if (connection !== undefined) call.startOn(connection);
    else this.wait(call);
    return call;
  }

  request(fields: HeaderFields, listener: HttpListener): HttpRequest {
    const { scheme, authority } = this.defaults;
    const missing = fields.includes(':authority') ? [] : [':authority', authority];
    const request = new NativeRequest(this, [':scheme', scheme, ...missing, ...fields], listener);
    const connection = this.closed ? undefined : this.servers.pick();
    const down = this.closed ? failures.channelClosed(this.target) : this.servers.backoffFailure;
    if (connection !== undefined) request.startOn(connection);
    else if (down !== undefined) request.abortSoon(down);
    else this.wait(request);
    return request;
  }

  get state(): ChannelState {
    if (this.servers.isReady) return 'ready';
    return this.servers.backoffFailure === undefined ? 'idle' : 'down';
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

  status(): ChannelStatus {
    const { target, retries, waiting } = this;
    const servers = this.servers.status();
    return { target, state: this.connectivity(servers), ...servers, waiting: waiting.size, retries };
  }

  private connectivity({ connections, problem }: BackendStatus): Connectivity {
    if (this.closed) return 'SHUTDOWN';
    if (connections > 0) return 'READY';
    if (problem !== undefined) return 'TRANSIENT_FAILURE';
    return this.waiting.size > 0 ? 'CONNECTING' : 'IDLE';
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.files?.stop();
    this.answerConnectWaiters(false);
    this.failWaiting(failures.channelClosed(this.target));
    this.servers.close();
  }

  removeWaiting(call: Sending): void {
    this.waiting.delete(call);
  }

  retry(call: Sending): void {
    this.retries++;
    if (this.closed) return call.abort(failures.channelClosed(this.target));
    const connection = this.servers.pick();
    const down = connection === undefined ? this.servers.backoffFailure : undefined;
    if (connection !== undefined) call.startAfterWait(connection);
    else if (down !== undefined) call.abort(down);
    else this.wait(call);
  }

  /** New calls use the new certificates; current calls end on their connections. */
  private renew(material: TlsMaterial): void {
    this.secureContext = secureContextOf(material);
    this.servers.renew();
    this.connectIfNeeded();
  }

  // ------------------------------------------------------------------------------------- calls

  private wait(call: Sending): void {
    this.waiting.add(call);
    this.connectIfNeeded();
  }

  private startWaiting(): void {
    for (const call of this.waiting) {
      const connection = this.servers.pick();
      if (connection === undefined) return this.connectIfNeeded();
      this.waiting.delete(call);
      call.startAfterWait(connection);
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
    const { connectTimeoutMs, upstreamKeepaliveTimeoutMs: keepaliveTimeoutMs, maxUpstreamHeaderBytes } = this.options;
    return {
      connectTimeoutMs,
      secureContext,
      serverName,
      keepaliveTimeMs,
      keepaliveTimeoutMs,
      maxHeaderListBytes: maxUpstreamHeaderBytes,
    };
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
    if (this.servers.backoffFailure !== undefined) this.failWaiting(status);
    this.connectIfNeeded();
  }

  onLost(): void {
    this.connectIfNeeded();
  }

  /** As in gRPC: new connections have twice the keep-alive time. */
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
