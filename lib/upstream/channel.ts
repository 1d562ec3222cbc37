/**
 * `Channel` on `@grpc/grpc-js`: options, one connection state, one `GrpcCall` for each call. Retries, service configs from
 * DNS and the environment's HTTP proxies are off: what a client sent goes out once, to the configured target.
 */
import { Channel as RawChannel, connectivityState, credentials, type ChannelOptions } from '@grpc/grpc-js';
import type { Call, CallListener, CallRequest, Channel } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import { failedCall, GrpcCall } from './call.js';
import { toGrpcMetadata } from './metadata.js';
import { failure } from './outcome.js';
import { parseTarget, type Target } from './target.js';

/** How one upstream is called. */
export interface UpstreamOptions {
  /** The largest message that a service may send, in bytes; a larger one fails its call with INTERNAL. Default 64 MiB. */
  readonly maxReceiveBytes: number;
  /** How long a call waits for a connection before it fails with UNAVAILABLE, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs: number;
}

export const defaultUpstreamOptions: UpstreamOptions = Object.freeze({
  maxReceiveBytes: 64 * 1024 * 1024,
  connectTimeoutMs: 10_000,
});

/** The longest time that a timer takes; a deadline beyond it (24 days) is none. */
const MAX_TIMER_MS = 0x7fffffff;

/** Channels by target and options: the same pair is the same channel, with one set of connections. */
export class ChannelPool {
  private readonly channels = new Map<string, Channel>();

  /**
   * The channel to a target; nothing is connected before the first call or `connect`.
   * @throws ConfigError `bad-target`.
   */
  open(target: string, options: Partial<UpstreamOptions> = {}): Channel {
    const parsed = parseTarget(target);
    const complete: UpstreamOptions = { ...defaultUpstreamOptions, ...options };
    const key = JSON.stringify([parsed.uri, complete.maxReceiveBytes, complete.connectTimeoutMs]);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      channel = new GrpcChannel(parsed, complete);
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

class GrpcChannel implements Channel {
  readonly target: string;
  private readonly raw: RawChannel;
  private closed = false;

  constructor(
    target: Target,
    private readonly options: UpstreamOptions,
  ) {
    this.target = target.text;
    this.raw = new RawChannel(target.uri, credentials.createInsecure(), rawOptions(options));
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
      cancelled: false,
      contentType: undefined,
    };
    const raw = this.raw.createCall(request.path, deadlineOf(timeoutMs), null, null, null);
    if (this.isReady()) return new GrpcCall(raw, metadata, facts, listener);
    return this.startUnconnected((waiting) => new GrpcCall(raw, metadata, facts, waiting), listener);
  }

  /** A server that takes the connection and then says nothing would keep its callers for ever. */
  private startUnconnected(start: (listener: CallListener) => GrpcCall, listener: CallListener): GrpcCall {
    const { connectTimeoutMs } = this.options;
    const timer = setTimeout(() => {
      if (!this.isReady()) {
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

  private isReady(): boolean {
    return this.raw.getConnectivityState(false) === connectivityState.READY;
  }

  connect(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + Math.min(timeoutMs, MAX_TIMER_MS);
    return new Promise((resolve) => {
      const look = (error?: Error): void => {
        if (this.closed || error !== undefined) return resolve(false);
        const state = this.raw.getConnectivityState(true);
        if (state === connectivityState.READY) return resolve(true);
        this.raw.watchConnectivityState(state, deadline, look);
      };
      look();
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.raw.close();
  }
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
  };
}
