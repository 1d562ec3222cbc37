/**
 * The service's half of a streaming call: messages → body bytes → client, with back-pressure. The first event decides the
 * status line: a message, the end of the call, or the time that the head may wait.
 */
import type { Call, CallStatus, Exchange, Metadata, Reply, ResponseStream, StreamEnd } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';

const NONE: Metadata = [];

/** Gets the outcome of a stream: exactly one of the three, once; none when the client is gone. */
export interface StreamOutcome {
  /** The answer is one piece after all: nothing was sent yet. */
  onReply(reply: Reply): void;
  onError(error: unknown): void;
  /** The answer was sent, or broken off; `cause` is a fault of ours that broke it. */
  onStreamed(cause?: unknown): void;
}

export class Download {
  private headers = NONE;
  private call: Call | undefined;
  private isOpen = false;
  private isDone = false;
  private isPaused = false;
  private headTimer: NodeJS.Timeout | undefined;
  private keepAliveTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly isHead: boolean,
    private readonly response: ResponseStream,
    private readonly failCall: (status: CallStatus, headers: Metadata) => Reply,
    private readonly outcome: StreamOutcome,
  ) {}

  /** The call was started. */
  attach(call: Call): void {
    if (this.isDone) return;
    this.call = call;
    const { headDelayMs } = this.response;
    if (headDelayMs > 0 && !this.isOpen) {
      this.headTimer = setTimeout(() => this.guard(() => this.open(undefined)), headDelayMs);
    }
    this.exchange.onDrain(() => this.onDrain());
  }

  onHeaders(headers: Metadata): void {
    this.headers = headers;
    if (this.response.headDelayMs === 0 && !this.isOpen && !this.isDone) this.guard(() => this.open(undefined));
  }

  onMessage(frame: Frame): void {
    if (this.isDone) return;
    this.guard(() => {
      if (!this.isOpen) return this.open(frame);
      const chunk = this.response.message(frame);
      if (chunk !== undefined) this.write(chunk);
    });
  }

  onEnd(status: CallStatus): void {
    if (this.isDone) return;
    this.guard(() => {
      if (!this.isOpen) {
        if (status.code !== Code.OK) {
          const reply = this.failCall(status, this.headers);
          this.stop();
          return this.outcome.onReply(reply);
        }
        this.open(undefined);
        if (this.isDone) return;
      }
      this.finish(this.response.end(status));
    });
  }

  /** Something on this side went wrong; the call is cancelled. */
  fail(thrown: unknown): void {
    if (this.isDone) return;
    this.call?.cancel();
    if (!this.isOpen) {
      this.stop();
      return this.outcome.onError(thrown);
    }
    this.finish(this.response.fail(StatusError.from(thrown)), thrown);
  }

  /** Nobody waits for the answer any more. */
  clientGone(): void {
    if (this.isDone) return;
    this.stop();
    this.call?.cancel();
  }

  /** Sends the head, with the first message or, where that did not come in time, without. */
  private open(first: Frame | undefined): void {
    const { exchange, response } = this;
    const head = response.head(this.headers, first);
    // What cannot be printed fails before the head is out, and gets a true status.
    const chunk = first === undefined ? undefined : response.message(first);
    this.isOpen = true;
    clearTimeout(this.headTimer);
    exchange.respond(head);
    if (this.isHead) {
      this.stop();
      exchange.end();
      this.call?.cancel();
      return this.outcome.onStreamed();
    }
    const bytes = joined(head.chunk, chunk);
    if (bytes !== undefined) this.write(bytes);
    this.startKeepAlive();
  }

  private write(chunk: Buffer): void {
    if (chunk.length === 0 || this.exchange.write(chunk) || this.isPaused) return;
    this.isPaused = true;
    this.call?.pause();
  }

  private onDrain(): void {
    if (!this.isPaused || this.isDone) return;
    this.isPaused = false;
    this.call?.resume();
  }

  private startKeepAlive(): void {
    const { keepAlive } = this.response;
    if (keepAlive === undefined) return;
    this.keepAliveTimer = setInterval(() => {
      // A reader that is behind has bytes on the way to it.
      if (!this.isPaused) this.write(keepAlive.chunk);
    }, keepAlive.everyMs);
  }

  private finish({ chunk, trailers, isBroken }: StreamEnd, cause?: unknown): void {
    this.stop();
    const { exchange } = this;
    const rest = chunk?.length === 0 ? undefined : chunk;
    if (isBroken) {
      if (rest !== undefined) exchange.write(rest);
      exchange.abort();
    } else {
      exchange.end(rest, trailers);
    }
    this.outcome.onStreamed(cause);
  }

  private stop(): void {
    this.isDone = true;
    clearTimeout(this.headTimer);
    clearInterval(this.keepAliveTimer);
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }
}

function joined(a: Buffer | undefined, b: Buffer | undefined): Buffer | undefined {
  if (a === undefined || a.length === 0) return b;
  return b === undefined ? a : Buffer.concat([a, b]);
}
