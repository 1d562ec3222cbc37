/**
 * `Channel` on `@grpc/grpc-js`: options, one connection state, one `GrpcCall` for each call. Retries, service configs from
 * DNS and the environment's HTTP proxies are off: what a client sent goes out once, to the configured target.
 */
import { Channel as RawChannel, connectivityState, credentials, type ChannelOptions } from '@grpc/grpc-js';
import type { Call, CallListener, CallRequest, Channel } from '../exchange.js';
import { Code, type Problem, StatusError } from '../status.js';
import { type TlsMaterial, type WatchedTlsFiles, watchTlsFiles } from '../tls/index.js';
import { failedCall, GrpcCall } from './call.js';
import { toGrpcMetadata } from './metadata.js';
import { failure } from './outcome.js';
import { parseTarget, type Target } from './target.js';
import { tlsCredentials, type UpstreamTls, upstreamTlsFiles, upstreamTlsNames } from './tls.js';

/** How one upstream is called. */
export interface UpstreamOptions {
  /** The largest message that a service may send, in bytes; a larger one fails its call with INTERNAL. Default 64 MiB. */
  readonly maxReceiveBytes: number;
  /** How long a call waits for a connection before it fails with UNAVAILABLE, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs: number;
  /** Undefined: cleartext, which is the default. */
  readonly tls: UpstreamTls | undefined;
}

export const defaultUpstreamOptions: UpstreamOptions = Object.freeze({
  maxReceiveBytes: 64 * 1024 * 1024,
  connectTimeoutMs: 10_000,
  tls: undefined,
});

/** The longest time that a timer takes; a deadline beyond it (24 days) is none. */
const MAX_TIMER_MS = 0x7fffffff;

/** Beyond the time-out that a call waits for its connection. */
const RETIRE_SLACK_MS = 1000;

/** Channels by target and options: the same pair is the same channel, with one set of connections. */
export class ChannelPool {
  /** What is odd about the certificates of the channels that were opened. */
  readonly warnings: Problem[] = [];
  private readonly channels = new Map<string, Channel>();

  /**
   * The channel to a target; nothing is connected before the first call or `connect`.
   * @throws ConfigError `bad-target`, and what `readTlsFiles` throws.
   */
  open(target: string, options: Partial<UpstreamOptions> = {}): Channel {
    const parsed = parseTarget(target);
    const complete: UpstreamOptions = { ...defaultUpstreamOptions, ...options };
    const { maxReceiveBytes, connectTimeoutMs, tls } = complete;
    const key = JSON.stringify([parsed.uri, maxReceiveBytes, connectTimeoutMs, tls && sortedTls(tls)]);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      const files = tls && watchTlsFiles(upstreamTlsFiles(tls), upstreamTlsNames);
      this.warnings.push(...(files?.material.warnings ?? []));
      channel = new GrpcChannel(parsed, complete, files);
      this.channels.set(key, channel);
    }
    return channel;
  }

  /** Closes all channels; calls in flight go on to their end. */
  close(): void {
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
  }
}

/** Equal for equal settings. */
function sortedTls({ ca, cert, key, authority }: UpstreamTls): unknown[] {
  return [ca, cert, key, authority];
}

class GrpcChannel implements Channel {
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
    if (this.closed) throw new StatusError(Code.UNAVAILABLE, `the channel to ${this.target} is closed`);
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
    if (isReady(channel)) return new GrpcCall(raw, metadata, facts, listener);
    return this.startUnconnected(channel, (waiting) => new GrpcCall(raw, metadata, facts, waiting), listener);
  }

  /** A server that takes the connection and then says nothing would keep its callers for ever. */
  private startUnconnected(
    channel: RawChannel,
    start: (listener: CallListener) => GrpcCall,
    listener: CallListener,
  ): GrpcCall {
    const { connectTimeoutMs } = this.options;
    const timer = setTimeout(() => {
      if (!isReady(channel)) {
        call.fail(failure(Code.UNAVAILABLE, `no connection to ${this.target} within ${connectTimeoutMs / 1000}s`));
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
    // A service that was restarted is found again within seconds; grpc-js would wait up to two minutes.
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 3000,
    'grpc.primary_user_agent': 'photongate',
    ...(options.tls?.authority === undefined ? {} : { 'grpc.default_authority': options.tls.authority }),
  };
}
