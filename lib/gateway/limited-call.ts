/** Calls within the limits of a service config: their time, and the size of each message both ways. */
import type { Call, CallListener, CallRequest, CallStatus, Channel, Metadata, MethodConfig } from '../exchange.js';
import { Code } from '../status.js';
import type { Frame } from '../wire/index.js';

/**
 * The channel within the limits of `config`.
 * @param hasDeadline the options say how long a call may take, and go before the config
 */
export function limitedChannel(channel: Channel, config: MethodConfig, hasDeadline: boolean): Channel {
  const { maxRequestBytes, maxResponseBytes } = config;
  const timeoutMs = hasDeadline ? undefined : config.timeoutMs;
  const isSized = maxRequestBytes !== undefined || maxResponseBytes !== undefined;
  return {
    target: channel.target,
    start(asked, listener) {
      const request = within(asked, timeoutMs);
      return isSized ? new LimitedCall(channel, request, listener, config) : channel.start(request, listener);
    },
    connect: (time) => channel.connect(time),
    close: () => channel.close(),
  };
}

function within(request: CallRequest, timeoutMs: number | undefined): CallRequest {
  if (timeoutMs === undefined || (request.timeoutMs !== undefined && request.timeoutMs <= timeoutMs)) return request;
  return { ...request, timeoutMs };
}

/** Ends at the first message that is too large. */
class LimitedCall implements Call, CallListener {
  private readonly call: Call;
  private problem: CallStatus | undefined;

  constructor(
    channel: Channel,
    request: CallRequest,
    private readonly listener: CallListener,
    private readonly limits: Pick<MethodConfig, 'maxRequestBytes' | 'maxResponseBytes'>,
  ) {
    this.call = channel.start(request, this);
  }

  send(frame: Frame): boolean {
    const { maxRequestBytes = Infinity } = this.limits;
    if (this.problem !== undefined) return true;
    const { length } = frame.payload;
    if (length <= maxRequestBytes) return this.call.send(frame);
    this.refuse(tooLarge(Code.RESOURCE_EXHAUSTED, 413, `a message of ${length} bytes to the service`, maxRequestBytes));
    return true;
  }

  halfClose(): void {
    if (this.problem === undefined) this.call.halfClose();
  }

  pause(): void {
    this.call.pause();
  }

  resume(): void {
    this.call.resume();
  }

  cancel(): void {
    this.call.cancel();
  }

  onHeaders(headers: Metadata): void {
    if (this.problem === undefined) this.listener.onHeaders(headers);
  }

  onMessageStart(bytes: number): void {
    if (this.isTaken(bytes)) this.listener.onMessageStart?.(bytes);
  }

  onMessage(frame: Frame): void {
    if (this.isTaken(frame.payload.length)) this.listener.onMessage(frame);
  }

  onDrain(): void {
    if (this.problem === undefined) this.listener.onDrain?.();
  }

  onEnd(status: CallStatus): void {
    this.listener.onEnd(this.problem ?? status);
  }

  /** True if a message of this size goes on to the listener. */
  private isTaken(bytes: number): boolean {
    const { maxResponseBytes = Infinity } = this.limits;
    if (this.problem !== undefined) return false;
    if (bytes <= maxResponseBytes) return true;
    // As with max_receive_bytes, the client cannot help it.
    this.refuse(tooLarge(Code.INTERNAL, undefined, `a message of ${bytes} bytes from the service`, maxResponseBytes));
    return false;
  }

  private refuse(problem: CallStatus): void {
    this.problem = problem;
    // A paused call would keep its end to itself.
    this.call.resume();
    this.call.cancel();
  }
}

function tooLarge(code: number, httpStatus: number | undefined, what: string, limit: number): CallStatus {
  const message = `${what} is larger than the limit of ${limit} bytes (of the service config)`;
  return { code, message, trailers: [], httpStatus, failure: 'local' };
}
