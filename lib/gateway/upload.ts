/**
 * The client's half of a streaming call: body bytes → messages → call, with back-pressure. A body that breaks off, or is
 * wrong, cancels the call: it is never half-closed, so that the service cannot take half for whole.
 */
import type { BodySink, Call, Exchange, RequestStream } from '../exchange.js';
import type { StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';
import { type BodyReading, readBody } from './decode.js';
import { type FaultOwner, quietly } from './quietly.js';

/** What an upload tells its run. */
export interface UploadOwner extends FaultOwner {
  /** Starts the call; asked for once, at the first message or the end. */
  startCall(): Call;
  /**
   * The body cannot be used (with what to answer), or the client is gone (without): the call must be cancelled. Never
   * throws.
   */
  onUploadFailure(error: unknown): void;
}

/** The request messages of a streaming call on their way to the service. */
export class Upload implements BodySink {
  private call: Call | undefined;
  private reading: BodyReading | undefined;
  private isStopped = false;
  private isBlocked = false;
  private readonly send = (message: Frame): void => {
    if (this.isStopped) return;
    if (!this.open().send(message)) this.isBlocked = true;
  };

  constructor(
    private readonly exchange: Exchange,
    private readonly requests: RequestStream,
    private readonly owner: UploadOwner,
  ) {}

  /** Asks the client for the body, and reads it. Never throws. */
  start(): void {
    const { exchange } = this;
    // The call may have failed at once.
    if (this.isStopped) return;
    if (!exchange.hasBody) return this.onEnd();
    this.guard(() => {
      exchange.continue();
      this.reading = readBody(exchange, this.requests.contentCodings, this);
    });
  }

  /** The call, started now at the latest. */
  open(): Call {
    return (this.call ??= this.owner.startCall());
  }

  /** Nobody wants the rest. Never throws. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    quietly(() => this.reading?.stop(), this.owner);
  }

  /** The call takes messages again. */
  onDrain(): void {
    if (!this.isBlocked || this.isStopped) return;
    this.isBlocked = false;
    this.guard(() => this.reading?.resume());
  }

  onData(chunk: Buffer): void {
    if (this.isStopped) return;
    const wasBlocked = this.isBlocked;
    this.guard(() => {
      this.requests.push(chunk, this.send);
      if (this.isBlocked && !wasBlocked && !this.isStopped) this.reading?.pause();
    });
  }

  onEnd(): void {
    if (this.isStopped) return;
    this.guard(() => {
      this.requests.finish(this.send);
      if (!this.isStopped) this.open().halfClose();
    });
    this.isStopped = true;
  }

  onAbort(error?: StatusError): void {
    if (!this.isStopped) this.fail(error);
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.stop();
    this.owner.onUploadFailure(error);
  }
}
