/**
 * One call in several attempts, one after the other, as gRPC's retry design has it
 * (https://github.com/grpc/proposal/blob/master/A6-client-retries.md). The request is held until the answer begins: from then
 * on, or if it is larger than what may be held, there is no further attempt.
 */
import { monotonicMs } from '../clock.js';
import type { Call, CallListener, CallRequest, CallStatus, Channel, Metadata, RetryRules } from '../exchange.js';
import { Code } from '../status.js';
import type { Frame } from '../wire/index.js';
import type { RetryBudget } from './budget.js';

const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
const PUSHBACK = 'grpc-retry-pushback-ms';

/** Bytes that may come during a pause before `send` returns false. */
const SEND_HIGH_WATER = 64 * 1024;

/** Counted for each message besides its bytes, so that empty ones are limited too. */
const MESSAGE_COST_BYTES = 64;

/** What a call that may be sent again needs besides its channel. */
export interface RetryContext {
  readonly policy: RetryRules;
  /** Undefined: nothing is counted. */
  readonly budget: RetryBudget | undefined;
  /** Told of each attempt after the first. */
  readonly onRetry?: (() => void) | undefined;
}

/** A call that is sent again if its policy allows it. */
export class RetryingCall implements Call {
  private attempt: Attempt | undefined;
  private attempts = 0;
  /** Pauses since the first attempt, or since a service said when to come back. */
  private pauses = 0;
  private readonly deadline: number | undefined;
  /** The messages so far; undefined once no further attempt is possible. */
  private held: Frame[] | undefined = [];
  private heldBytes = 0;
  private isHalfClosed = false;
  private isPaused = false;
  private isCancelled = false;
  private drainWanted = false;
  private timer: NodeJS.Timeout | undefined;
  /** It counts among the retries that the channel has at once. */
  private isCounted = false;

  constructor(
    private readonly channel: Channel,
    private readonly request: CallRequest,
    private readonly listener: CallListener,
    private readonly context: RetryContext,
  ) {
    const { timeoutMs } = request;
    this.deadline = timeoutMs === undefined ? undefined : monotonicMs() + timeoutMs;
  }

  /** Sends it for the first time. */
  start(): void {
    this.startAttempt(this.request);
  }

  private startAttempt(request: CallRequest): void {
    this.attempts++;
    const attempt = new Attempt(this, this.listener);
    this.attempt = attempt;
    attempt.start(this.channel, request, this.context.policy.perTryTimeoutMs);
    if (this.isPaused) attempt.call?.pause();
  }

  send(frame: Frame): boolean {
    const { attempt, held } = this;
    if (held !== undefined) {
      this.heldBytes += frame.payload.length + MESSAGE_COST_BYTES;
      held.push(frame);
      if (attempt === undefined) {
        this.drainWanted = this.heldBytes > SEND_HIGH_WATER;
        return !this.drainWanted;
      }
      if (this.heldBytes > this.context.policy.maxBufferedBytes) this.held = undefined;
    }
    const hasRoom = attempt?.call?.send(frame) ?? true;
    this.drainWanted = !hasRoom;
    return hasRoom;
  }

  halfClose(): void {
    this.isHalfClosed = true;
    this.attempt?.call?.halfClose();
  }

  pause(): void {
    this.isPaused = true;
    this.attempt?.call?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.attempt?.call?.resume();
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.held = undefined;
    if (this.attempt !== undefined) return void this.attempt.call?.cancel();
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.uncount();
    const status = { code: Code.CANCELLED, message: 'the call was cancelled', trailers: [] };
    queueMicrotask(() => this.listener.onEnd(status));
  }

  /** There is room again, also if it is another attempt that had none. */
  drained(): void {
    this.drainWanted = false;
    this.listener.onDrain?.();
  }

  /** The answer has begun: this attempt is the last, and it may take any time. */
  commit(): void {
    this.held = undefined;
    this.attempt?.stopTimer();
  }

  /** An attempt has ended. */
  ended(status: CallStatus): void {
    const { budget, policy } = this.context;
    this.attempt = undefined;
    this.uncount();
    const isRetriable = !this.isCancelled && status.code !== Code.OK && policy.mayRetry(status);
    if (status.code === Code.OK) budget?.onSuccess();
    else if (isRetriable) budget?.onFailure();
    const pauseMs = isRetriable ? this.pauseAfter(status) : undefined;
    if (pauseMs === undefined) return this.listener.onEnd(status);
    this.timer = setTimeout(() => this.retry(), pauseMs);
  }

  /** The pause before the next attempt; undefined: there is none. */
  private pauseAfter({ trailers }: CallStatus): number | undefined {
    const { budget, policy } = this.context;
    if (this.held === undefined || this.attempts >= policy.maxAttempts || budget?.allows === false) return undefined;
    const pushback = trailers.find(([name]) => name === PUSHBACK)?.[1];
    // Anything but a number that is not negative means that the service is not to be asked again.
    if (pushback !== undefined && !(typeof pushback === 'string' && /^\d{1,9}$/.test(pushback))) return undefined;
    const pauseMs = pushback === undefined ? policy.backoffMs(this.pauses) : Number(pushback);
    if (this.deadline !== undefined && monotonicMs() + pauseMs >= this.deadline) return undefined;
    if (this.channel.retryLimit?.take() === false) return undefined;
    this.isCounted = this.channel.retryLimit !== undefined;
    this.pauses = pushback === undefined ? this.pauses + 1 : 0;
    return pauseMs;
  }

  private uncount(): void {
    if (this.isCounted) this.channel.retryLimit?.release();
    this.isCounted = false;
  }

  private retry(): void {
    this.timer = undefined;
    this.context.onRetry?.();
    const { request, deadline, held = [] } = this;
    const metadata: Metadata = [
      ...request.metadata.filter(([name]) => name !== PREVIOUS_ATTEMPTS),
      [PREVIOUS_ATTEMPTS, String(this.attempts)],
    ];
    const timeoutMs = deadline === undefined ? undefined : Math.max(1, deadline - monotonicMs());
    this.startAttempt({ ...request, metadata, timeoutMs });
    const { attempt } = this;
    // It has ended already, and the next one sends what is held.
    if (attempt?.call === undefined) return;
    if (this.heldBytes > this.context.policy.maxBufferedBytes) this.held = undefined;
    let hasRoom = true;
    for (const frame of held) hasRoom = attempt.call.send(frame);
    if (this.isHalfClosed) attempt.call.halfClose();
    else if (this.drainWanted && hasRoom) this.drained();
  }
}

/** One attempt: what it hears goes on to the listener of the call, but for an end that is followed by another attempt. */
class Attempt implements CallListener {
  call: Call | undefined;
  private isOver = false;
  private isLate = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly owner: RetryingCall,
    private readonly listener: CallListener,
  ) {}

  start(channel: Channel, request: CallRequest, timeoutMs: number | undefined): void {
    const call = channel.start(request, this);
    if (this.isOver) return;
    this.call = call;
    if (timeoutMs === undefined) return;
    this.timer = setTimeout(() => {
      this.isLate = true;
      call.cancel();
    }, timeoutMs);
  }

  /** From here on it may take any time. */
  stopTimer(): void {
    clearTimeout(this.timer);
  }

  onHeaders(headers: Metadata): void {
    if (this.isLate) return;
    this.owner.commit();
    this.listener.onHeaders(headers);
  }

  onMessageStart(bytes: number): void {
    if (!this.isLate) this.listener.onMessageStart?.(bytes);
  }

  onMessage(frame: Frame): void {
    if (this.isLate) return;
    this.owner.commit();
    this.listener.onMessage(frame);
  }

  onDrain(): void {
    this.owner.drained();
  }

  onEnd(status: CallStatus): void {
    this.isOver = true;
    this.stopTimer();
    this.owner.ended(this.isLate ? TOO_LATE : status);
  }
}

/** The end of an attempt that `per_try_timeout` has cut. */
const TOO_LATE: CallStatus = {
  code: Code.DEADLINE_EXCEEDED,
  message: 'the service did not begin its answer in time (retries.per_try_timeout)',
  trailers: [],
  failure: 'timeout',
};
