/**
 * The service's half of a streaming call: messages → body bytes → client, with back-pressure. The first event decides the
 * status line: a message, the end of the call, or the time that the head may wait.
 */
import type { Call, CallStatus, Exchange, Metadata, Reply, ResponseStream, StreamEnd } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { type FaultOwner, quietly } from './quietly.js';

const NONE: Metadata = [];

/** Gets the outcome of a stream: exactly one of the three, once; none when the client is gone. Never throws. */
export interface StreamOutcome extends FaultOwner {
  /** The call ended with an error; the end of the answer comes next. */
  onCallFailed(status: CallStatus): void;
  /** The answer is one piece after all: nothing was sent yet. */
  onReply(reply: Reply): void;
  onError(error: unknown): void;
  /** The answer was sent, or broken off. */
  onStreamed(): void;
}

const noRoomNeeded = (): void => undefined;

const BROKEN: StreamEnd = { isBroken: true };

/** The answer of a streaming call on its way to the client. */
export class Download {
  private headers = NONE;
  private call: Call | undefined;
  private isOpen = false;
  private isDone = false;
  /** The reader is behind. */
  private isPaused = false;
  /** A message has begun: it is held back for want of room, or awaited. */
  private isHeld = false;
  private isAwaited = false;
  private headTimer: NodeJS.Timeout | undefined;
  private keepAliveTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly isHead: boolean,
    private readonly response: ResponseStream,
    private readonly failCall: (status: CallStatus, headers: Metadata) => Reply,
    private readonly outcome: StreamOutcome,
  ) {}

  /** Nothing more is to be sent. */
  get isOver(): boolean {
    return this.isDone;
  }

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

  onMessageStart(bytes: number): void {
    if (this.isDone) return;
    this.isAwaited = this.exchange.expect(bytes, () => this.onRoom());
    if (this.isAwaited) return;
    this.isHeld = true;
    this.call?.pause();
  }

  private onRoom(): void {
    if (this.isDone) return;
    this.isHeld = false;
    this.isAwaited = true;
    this.proceed();
  }

  onMessage(frame: Frame): void {
    if (this.isDone) return;
    if (this.isAwaited) this.exchange.expect(0, noRoomNeeded);
    this.isAwaited = false;
    this.guard(() => {
      if (!this.isOpen) return this.open(frame);
      const chunk = this.response.message(frame);
      if (chunk !== undefined) this.write(chunk);
    });
  }

  onEnd(status: CallStatus): void {
    // There is nothing to cancel any more.
    this.call = undefined;
    if (this.isDone) return;
    if (status.code !== Code.OK) this.outcome.onCallFailed(status);
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

  /** Something on this side went wrong; the call is cancelled. Never throws. */
  fail(thrown: unknown): void {
    if (this.isDone) return;
    this.stop();
    this.cancel();
    if (!this.isOpen) return this.outcome.onError(thrown);
    this.outcome.report(thrown);
    this.finish(this.endOf(thrown));
  }

  private endOf(thrown: unknown): StreamEnd {
    try {
      return this.response.fail(StatusError.from(thrown));
    } catch (fault) {
      this.outcome.report(fault);
      return BROKEN;
    }
  }

  /** Nobody waits for the answer any more. Never throws. */
  clientGone(): void {
    if (this.isDone) return;
    this.stop();
    this.cancel();
  }

  private cancel(): void {
    const { call } = this;
    if (call !== undefined) quietly(() => call.cancel(), this.outcome);
  }

  /** Sends the head, with the first message or, where that did not come in time, without. */
  private open(first: Frame | undefined): void {
    const { exchange, response } = this;
    const head = response.head(this.headers, first);
    // What cannot be printed fails before the head is out, and gets a true status.
    const chunk = first === undefined ? undefined : response.message(first);
    exchange.respond(head);
    // From here on there can be no other answer.
    this.isOpen = true;
    clearTimeout(this.headTimer);
    if (this.isHead) {
      this.stop();
      this.cancel();
      return this.finish({ isBroken: false });
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
    this.proceed();
  }

  private proceed(): void {
    if (!this.isPaused && !this.isHeld) this.guard(() => this.call?.resume());
  }

  private startKeepAlive(): void {
    const { keepAlive } = this.response;
    if (keepAlive === undefined) return;
    this.keepAliveTimer = setInterval(() => {
      // A reader that is behind has bytes on the way to it.
      if (!this.isPaused) this.guard(() => this.write(keepAlive.chunk));
    }, keepAlive.everyMs);
  }

  /** Never throws. */
  private finish({ chunk, trailers, isBroken }: StreamEnd): void {
    this.stop();
    const { exchange, outcome } = this;
    const rest = chunk?.length === 0 ? undefined : chunk;
    let mustBreak = isBroken;
    try {
      if (!isBroken) exchange.end(rest, trailers);
      else if (rest !== undefined) exchange.write(rest);
    } catch (fault) {
      outcome.report(fault);
      mustBreak = true;
    }
    if (mustBreak) quietly(() => exchange.abort(), outcome);
    outcome.onStreamed();
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
