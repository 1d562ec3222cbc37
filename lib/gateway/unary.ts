/**
 * One unary call from head to answer: body in, request message, call, answer message, reply. Callbacks all the way, as
 * each step may come from the client's socket or from the service's.
 */
import type { Call, CallListener, CallStatus, Channel, Exchange, Metadata, Reply, UnaryExchange } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { checkAnnouncedLength, collectBody } from './body.js';
import type { KeyedCall } from './keyed-call.js';
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

  /** @param keyed present if the call is made once for its `Idempotency-Key`; it is the outcome, too */
  constructor(
    private readonly exchange: Exchange,
    private readonly unary: UnaryExchange,
    private readonly channel: Channel,
    private readonly path: string,
    private readonly outcome: UnaryOutcome,
    private readonly keyed?: KeyedCall,
  ) {}

  /** @throws StatusError 413 where the head announces too large a body. */
  start(): void {
    const { exchange, unary } = this;
    const { maxBodyBytes, contentCodings } = unary;
    checkAnnouncedLength(exchange, maxBodyBytes, contentCodings);
    collectBody(exchange, maxBodyBytes, contentCodings, {
      onBody: (body) => this.guard(() => this.send(unary.request(body))),
      onFailure: (error) => {
        if (error === undefined) this.done = true;
        else this.fail(error);
      },
    });
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
      this.finish(this.unary.reply(this.message, this.headers, status.trailers));
    });
  }

  /** Nobody waits for the answer any more. */
  clientGone(): void {
    if (this.done) return;
    if (this.keyed !== undefined && this.call !== undefined) return this.detach(this.keyed, this.call);
    this.done = true;
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
    this.done = true;
    this.cancelDetached?.();
    this.cancel();
    this.outcome.onError(error);
  }

  private finish(reply: Reply): void {
    this.done = true;
    this.cancelDetached?.();
    this.outcome.onReply(reply);
  }
}
