/**
 * `Channel` on `@grpc/grpc-js`: options, one connection state, and a `GrpcJsCall` for each call. Retries, service configs
 * from DNS and HTTP proxies of the environment are off: each request is sent once, to the configured target.
 */
import type { Channel as RawChannel, ChannelOptions } from '@grpc/grpc-js';
import { monotonicMs, wallClock } from '../../clock.js';
import type { Connectivity, ChannelStatus } from '../../channel-status.js';
import type { Call, CallListener, CallRequest, Channel, MethodConfigs } from '../../exchange.js';
import { grpcJs } from '../../packages.js';
import { StatusError } from '../../status.js';
import type { TlsMaterial, WatchedTlsFiles } from '../../tls/index.js';
import { failedCall } from '../failed-call.js';
import { MAX_TIMER_MS, type UpstreamOptions } from '../options.js';
import { failures, localFailure } from '../outcome.js';
import { compileMethods } from '../service-config/methods.js';
import { isXds, type Target } from '../target.js';
import { GrpcJsCall } from './call.js';
import { type GuardedCredentials, guardedCredentials } from './credentials.js';
import { HeaderLists } from './header-lists.js';
import { toGrpcMetadata } from './metadata.js';
import { openXds, type Xds } from './xds.js';

/** Added to the longest wait of a call for its connection. */
const RETIRE_SLACK_MS = 1000;

/** The channel to one target. */
export class GrpcJsChannel implements Channel {
  readonly target: string;
  readonly methodConfigs: MethodConfigs | undefined;
  private readonly lists = new HeaderLists();
  private readonly xds: Xds | undefined;
  private credentials!: GuardedCredentials;
  private raw: RawChannel;
  /** Channels that were replaced; calls may still use them. */
  private readonly retired = new Set<RawChannel>();
  private replacedAt = -Infinity;
  private closed = false;
  /** Under way. */
  private calls = 0;

  /** @throws ConfigError as `openXds` */
  constructor(
    private readonly parsed: Target,
    private readonly options: UpstreamOptions,
    private readonly files: WatchedTlsFiles | undefined,
  ) {
    this.target = parsed.text;
    this.methodConfigs = compileMethods(options.serviceConfig);
    this.xds = isXds(parsed) ? openXds(parsed) : undefined;
    this.raw = this.open(files?.material);
    files?.start(`upstream ${this.target}`, (material) => this.renew(material));
  }

  private open(material: TlsMaterial | undefined): RawChannel {
    const { parsed, options } = this;
    const { tls, maxUpstreamHeaderBytes: maxHeaderBytes, connectTimeoutMs } = options;
    this.credentials = guardedCredentials(
      material,
      parsed,
      tls?.authority,
      { maxHeaderBytes, connectTimeoutMs },
      this.lists,
      this.xds,
    );
    return new (grpcJs().Channel)(parsed.uri, this.credentials, rawOptions(options));
  }

  /** New calls use the new certificates; current calls end on their connections. */
  private renew(material: TlsMaterial | undefined): void {
    const old = this.raw;
    this.raw = this.open(material);
    this.retired.add(old);
    // Closing a channel fails calls that still wait for a connection; by then none does.
    setTimeout(() => this.closeRetired(old), this.options.connectTimeoutMs + RETIRE_SLACK_MS).unref();
  }

  /** If a GOAWAY comes before grpc-js listens for it, it keeps a connection on which no call can ever start. */
  private replace(): void {
    const now = monotonicMs();
    if (this.closed || now - this.replacedAt < this.options.initialReconnectBackoffMs) return;
    this.replacedAt = now;
    this.renew(this.files?.material);
  }

  private closeRetired(raw: RawChannel): void {
    if (this.retired.delete(raw)) raw.close();
  }

  start(request: CallRequest, listener: CallListener): Call {
    try {
      return this.startUnchecked(request, listener);
    } catch (error) {
      const { code, message } = StatusError.from(error);
      return failedCall(this.target, request.path, localFailure(code, message), listener);
    }
  }

  private startUnchecked(request: CallRequest, listener: CallListener): Call {
    if (this.closed) return failedCall(this.target, request.path, failures.channelClosed(this.target), listener);
    const { path, timeoutMs } = request;
    const metadata = toGrpcMetadata(request.metadata);
    const { maxReceiveBytes, maxUpstreamHeaderBytes: maxHeaderBytes } = this.options;
    const facts = {
      target: this.target,
      path,
      timeoutMs,
      maxReceiveBytes,
      maxHeaderBytes,
      passThrough: false,
      tls: this.files !== undefined,
      xdsServer: this.xds?.server,
      tlsProblem: () => this.credentials.lastProblem,
    };
    const channel = this.raw;
    const raw = channel.createCall(request.path, deadlineOf(timeoutMs), null, null, null);
    this.calls++;
    const ended = (isUnusable: boolean): void => {
      this.calls--;
      if (isUnusable && channel === this.raw) this.replace();
    };
    const start = (next: CallListener): GrpcJsCall => new GrpcJsCall(raw, metadata, facts, this.lists, next, ended);
    return isReady(channel) ? start(listener) : this.startUnconnected(channel, start, listener);
  }

  /** Limits the wait for a server that accepts the connection but stays silent. */
  private startUnconnected(
    channel: RawChannel,
    start: (listener: CallListener) => GrpcJsCall,
    listener: CallListener,
  ): GrpcJsCall {
    const { connectTimeoutMs } = this.options;
    const timer = setTimeout(() => {
      if (!isReady(channel)) {
        call.fail(failures.noConnection(this.target, connectTimeoutMs, this.xds?.server));
      }
    }, connectTimeoutMs);
    timer.unref();
    const call = start({
      onHeaders: (headers) => listener.onHeaders(headers),
      onMessage: (frame) => listener.onMessage(frame),
      onDrain: () => listener.onDrain?.(),
      onEnd: (status) => {
        clearTimeout(timer);
        listener.onEnd(status);
      },
    });
    return call;
  }

  connect(timeoutMs: number): Promise<boolean> {
    const deadline = monotonicMs() + Math.min(timeoutMs, MAX_TIMER_MS);
    return new Promise((resolve) => {
      const look = (error?: Error): void => {
        if (this.closed || error !== undefined) return resolve(false);
        const { raw } = this;
        const state = raw.getConnectivityState(true);
        if (state === grpcJs().connectivityState.READY) return resolve(true);
        raw.watchConnectivityState(state, deadlineIn(deadline - monotonicMs()), look);
      };
      look();
    });
  }

  /** Asks the control plane for the addresses of an `xds:` target. */
  prepare(): void {
    if (this.xds !== undefined && !this.closed) this.raw.getConnectivityState(true);
  }

  status(): ChannelStatus {
    const { target, calls, closed } = this;
    // A channel that is closed throws.
    const state = closed ? 'SHUTDOWN' : grpcJs().connectivityState[this.raw.getConnectivityState(false)];
    return { target, state: state as Connectivity, calls };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.files?.stop();
    this.raw.close();
    for (const raw of this.retired) this.closeRetired(raw);
    this.credentials.abandon();
  }
}

function isReady(channel: RawChannel): boolean {
  return channel.getConnectivityState(false) === grpcJs().connectivityState.READY;
}

function deadlineOf(timeoutMs: number | undefined): number {
  return timeoutMs === undefined || timeoutMs > MAX_TIMER_MS ? Infinity : deadlineIn(timeoutMs);
}

/** grpc-js accepts a date, from which it sets a timer at once. */
function deadlineIn(timeoutMs: number): number {
  return wallClock().getTime() + timeoutMs;
}

function rawOptions(options: UpstreamOptions): ChannelOptions {
  return {
    'grpc.enable_retries': 0,
    // Otherwise the write callback is called before the bytes are sent, and `send` could not apply back-pressure.
    'grpc.per_rpc_retry_buffer_size': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': options.maxReceiveBytes,
    'grpc.initial_reconnect_backoff_ms': options.initialReconnectBackoffMs,
    'grpc.max_reconnect_backoff_ms': options.maxReconnectBackoffMs,
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ [options.loadBalancingPolicy]: {} }] }),
    ...(options.upstreamKeepaliveTimeMs === undefined
      ? {}
      : { 'grpc.keepalive_time_ms': options.upstreamKeepaliveTimeMs }),
    'grpc.keepalive_timeout_ms': options.upstreamKeepaliveTimeoutMs,
    'grpc.primary_user_agent': options.userAgent,
    ...(options.tls?.authority === undefined ? {} : { 'grpc.default_authority': options.tls.authority }),
  };
}
