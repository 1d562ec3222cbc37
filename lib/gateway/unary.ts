/**
 * One unary call from head to answer: body in, request message, call, answer message, reply. Callbacks all the way, as
 * each step may come from the client's socket or from the service's.
 */
import type { Call, CallListener, CallStatus, Channel, Exchange, Metadata, Reply, UnaryExchange } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { checkAnnouncedLength, collectBody } from './body.js';

const NONE: Metadata = [];

/** Gets the answer, or why there is none. One of the two is called, once; neither when the client is gone. */
export interface UnaryOutcome {
  onReply(reply: Reply): void;
  onError(error: unknown): void;
}

export class UnaryRun implements CallListener {
  private headers: Metadata = NONE;
  private message: Buffer | undefined;
  private call: Call | undefined;
  private done = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly unary: UnaryExchange,
    private readonly channel: Channel,
    private readonly path: string,
    private readonly outcome: UnaryOutcome,
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

  onMessage(frame: Frame): void {
    if (this.message === undefined) {
      this.message = frame.payload;
      return;
    }
    this.fail(new StatusError(Code.INTERNAL, 'the service sent more than one message for a unary call'));
    this.call?.cancel();
  }

  onEnd(status: CallStatus): void {
    if (this.done) return;
    this.guard(() => {
      if (status.code !== Code.OK) {
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
    this.done = true;
    this.call?.cancel();
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
    this.outcome.onError(error);
  }

  private finish(reply: Reply): void {
    this.done = true;
    this.outcome.onReply(reply);
  }
}
