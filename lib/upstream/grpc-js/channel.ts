/**
 * `Channel` on `@grpc/grpc-js`: options, one connection state, one `GrpcJsCall` for each call. Retries, service configs from
 * DNS and the environment's HTTP proxies are off: what a client sent goes out once, to the configured target.
 */
import { Channel as RawChannel, connectivityState, credentials, type ChannelOptions } from '@grpc/grpc-js';
import type { Call, CallListener, CallRequest, Channel } from '../../exchange.js';
import { StatusError } from '../../status.js';
import type { TlsMaterial, WatchedTlsFiles } from '../../tls/index.js';
import { failedCall } from '../failed-call.js';
import { MAX_TIMER_MS, type UpstreamOptions } from '../options.js';
import { ended, failure } from '../outcome.js';
import type { Target } from '../target.js';
import { GrpcJsCall } from './call.js';
import { toGrpcMetadata } from './metadata.js';
import { tlsCredentials } from './tls.js';

/** Beyond the time-out that a call waits for its connection. */
const RETIRE_SLACK_MS = 1000;

export class GrpcJsChannel implements Channel {
  readonly target: string;
  private raw: RawChannel;
  /** Channels with certificates that were renewed; calls may still run on them. */
  private readonly retired = new Set<RawChannel>();
  private closed = false;

  constructor(
    private readonly parsed: Target,
    private readonly options: UpstreamOptions,
    private readonly files: WatchedTlsFiles | undefined,
  ) {
    this.target = parsed.text;
    this.raw = this.open(files?.material);
    files?.start(`upstream ${this.target}`, (material) => this.renew(material));
  }

  private open(material: TlsMaterial | undefined): RawChannel {
    const { parsed, options } = this;
    const authority = options.tls?.authority;
    const how = material === undefined ? credentials.createInsecure() : tlsCredentials(material, parsed, authority);
    return new RawChannel(parsed.uri, how, rawOptions(options));
  }

  /** New calls use the new certificates; those under way end where they are. */
  private renew(material: TlsMaterial): void {
    const old = this.raw;
    this.raw = this.open(material);
    this.retired.add(old);
    // A closed channel fails what still waits for its connection, and by then nothing does.
    setTimeout(() => this.bury(old), this.options.connectTimeoutMs + RETIRE_SLACK_MS).unref();
  }

  private bury(raw: RawChannel): void {
    if (this.retired.delete(raw)) raw.close();
  }

  start(request: CallRequest, listener: CallListener): Call {
    try {
      return this.startUnchecked(request, listener);
    } catch (error) {
      const { code, message } = StatusError.from(error);
      return failedCall(failure(code, message), listener);
    }
  }

  private startUnchecked(request: CallRequest, listener: CallListener): Call {
    if (this.closed) return failedCall(ended.channelClosed(this.target), listener);
    const { timeoutMs } = request;
    const metadata = toGrpcMetadata(request.metadata);
    const facts = {
      target: this.target,
      timeoutMs,
      maxReceiveBytes: this.options.maxReceiveBytes,
      tls: this.files !== undefined,
      cancelled: false,
      contentType: undefined,
    };
    const channel = this.raw;
    const raw = channel.createCall(request.path, deadlineOf(timeoutMs), null, null, null);
    if (isReady(channel)) return new GrpcJsCall(raw, metadata, facts, listener);
    return this.startUnconnected(channel, (waiting) => new GrpcJsCall(raw, metadata, facts, waiting), listener);
  }

  /** A server that takes the connection and then says nothing would keep its callers for ever. */
  private startUnconnected(
    channel: RawChannel,
    start: (listener: CallListener) => GrpcJsCall,
    listener: CallListener,
  ): GrpcJsCall {
    const { connectTimeoutMs } = this.options;
    const timer = setTimeout(() => {
      if (!isReady(channel)) {
        call.fail(ended.noConnection(this.target, connectTimeoutMs));
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
    const deadline = Date.now() + Math.min(timeoutMs, MAX_TIMER_MS);
    return new Promise((resolve) => {
      const look = (error?: Error): void => {
        if (this.closed || error !== undefined) return resolve(false);
        const { raw } = this;
        const state = raw.getConnectivityState(true);
        if (state === connectivityState.READY) return resolve(true);
        raw.watchConnectivityState(state, deadline, look);
      };
      look();
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.files?.stop();
    this.raw.close();
    for (const raw of this.retired) this.bury(raw);
  }
}

function isReady(channel: RawChannel): boolean {
  return channel.getConnectivityState(false) === connectivityState.READY;
}

function deadlineOf(timeoutMs: number | undefined): number {
  return timeoutMs === undefined || timeoutMs > MAX_TIMER_MS ? Infinity : Date.now() + timeoutMs;
}

function rawOptions(options: UpstreamOptions): ChannelOptions {
  return {
    'grpc.enable_retries': 0,
    // Else the write callback comes before the bytes are out, and `send` could not hold the sender back.
    'grpc.per_rpc_retry_buffer_size': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': options.maxReceiveBytes,
    'grpc.initial_reconnect_backoff_ms': options.initialBackoffMs,
    'grpc.max_reconnect_backoff_ms': options.maxBackoffMs,
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ [options.loadBalancingPolicy]: {} }] }),
    ...(options.keepaliveTimeMs === undefined ? {} : { 'grpc.keepalive_time_ms': options.keepaliveTimeMs }),
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    'grpc.primary_user_agent': options.userAgent,
    ...(options.tls?.authority === undefined ? {} : { 'grpc.default_authority': options.tls.authority }),
  };
}
