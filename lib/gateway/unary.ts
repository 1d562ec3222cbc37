/**
 * One unary call from head to answer: body in, request message, call, answer message, reply. Callbacks all the way, as
 * each step may come from the client's socket or from the service's.
 */
import type { Call, CallListener, CallStatus, Channel, Exchange, Metadata, Reply, UnaryExchange } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { type BodyOutcome, checkAnnouncedLength, collectBody } from './body.js';
import type { KeyedCall } from './keyed-call.js';
import type { LargeCall } from './large-messages.js';
import { quietly } from './quietly.js';
import type { UnaryOutcome } from './unary-outcome.js';

const NONE: Metadata = [];

/** One unary call on its way. */
export class UnaryRun implements CallListener {
  private headers: Metadata = NONE;
  private message: Buffer | undefined;
  private call: Call | undefined;
  private done = false;
  /** The client is gone, and the call goes on to its end. */
  private isDetached = false;
  private cancelDetached: (() => void) | undefined;

  /**
   * @param keyed present if the call is made once for its `Idempotency-Key`; it is the outcome, too
   * @param large present if another thread works on its large messages
   */
  constructor(
    private readonly exchange: Exchange,
    private readonly unary: UnaryExchange,
    private readonly channel: Channel,
    private readonly path: string,
    private readonly outcome: UnaryOutcome,
    private readonly keyed?: KeyedCall,
    private readonly large?: LargeCall,
  ) {}

  /** @throws StatusError 413 where the head announces too large a body. */
  start(): void {
    const { exchange, unary, large } = this;
    const { maxBodyBytes, contentCodings } = unary;
    checkAnnouncedLength(exchange, maxBodyBytes, contentCodings);
    const outcome: BodyOutcome = {
      onBody: (body) => this.guard(() => this.send(unary.request(body))),
      onLargeBody: (parts) => this.whenDone(large!.request(parts, unary), (message) => this.send(message)),
      onFailure: (error) => {
        if (error === undefined) this.settle();
        else this.fail(error);
      },
    };
    collectBody(exchange, maxBodyBytes, contentCodings, outcome, large?.aboveBytes);
  }

  /** Goes on when another thread has done its part, unless nobody waits any more. */
  private whenDone<Result>(work: Promise<Result>, next: (result: Result) => void): void {
    work.then(
      (result) => {
        if (!this.done) this.guard(() => next(result));
      },
      (error: unknown) => this.fail(error),
    );
  }

  private send(message: Buffer): void {
    if (this.keyed === undefined) this.startCall(message);
    else this.sendOnce(message, this.keyed);
  }

  /** Makes the call, unless a request with the same key has made it. */
  private sendOnce(message: Buffer, keyed: KeyedCall): void {
    if (this.done) return;
    keyed.reserve(message).then(
      (known) => {
        if (this.done) return keyed.giveUp();
        this.guard(() => (known === undefined ? this.startCall(message) : this.finish(known)));
      },
      (error: unknown) => this.fail(error),
    );
  }

  private startCall(message: Buffer): void {
    if (this.done) return;
    const { metadata, timeoutMs } = this.unary;
    const call = this.channel.start({ path: this.path, metadata, timeoutMs }, this);
    this.call = call;
    call.send({ compressed: false, payload: message });
    call.halfClose();
  }

  onHeaders(headers: Metadata): void {
    this.headers = headers;
  }

  onMessageStart(bytes: number): void {
    if (this.isDetached) return;
    if (!this.exchange.expect(bytes, () => this.guard(() => this.call?.resume()))) this.call?.pause();
  }

  onMessage(frame: Frame): void {
    if (this.message === undefined) {
      this.message = frame.payload;
      return;
    }
    this.fail(new StatusError(Code.INTERNAL, 'the service sent more than one message for a unary call'));
  }

  onEnd(status: CallStatus): void {
    // There is nothing to cancel any more.
    this.call = undefined;
    if (this.done) return;
    this.guard(() => {
      if (status.code !== Code.OK) {
        this.outcome.onCallFailed(status);
        this.finish(this.unary.fail(status, this.headers));
        return;
      }
      if (this.message === undefined) {
        throw new StatusError(Code.INTERNAL, 'the service ended the call without a message');
      }
      const { message, headers, unary, large } = this;
      const { trailers } = status;
      if (large === undefined || message.length <= large.aboveBytes) {
        this.finish(unary.reply(message, headers, trailers));
      } else {
        this.whenDone(large.reply(message, headers, trailers, unary), (reply) => this.finish(reply));
      }
    });
  }

  /** Nobody waits for the answer any more. */
  clientGone(): void {
    if (this.done) return;
    if (this.keyed !== undefined && this.call !== undefined) return this.detach(this.keyed, this.call);
    this.settle();
    this.cancel();
  }

  /** The client may come again for the answer. */
  private detach({ runningTimeoutMs }: KeyedCall, call: Call): void {
    this.isDetached = true;
    // It may wait for room that this client would have had.
    quietly(() => call.resume(), this.outcome);
    const timer = setTimeout(() => {
      this.fail(StatusError.http(504, 'the call has taken too long without its client (running_timeout)'));
    }, runningTimeoutMs).unref();
    this.cancelDetached = () => clearTimeout(timer);
  }

  private cancel(): void {
    const { call } = this;
    if (call !== undefined) quietly(() => call.cancel(), this.outcome);
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.done) return;
    this.settle();
    this.cancel();
    this.outcome.onError(error);
  }

  private settle(): void {
    this.done = true;
    if (this.large !== undefined) this.large.isWanted = false;
    this.cancelDetached?.();
  }

  private finish(reply: Reply): void {
    this.settle();
    this.outcome.onReply(reply);
  }
}
