/**
 * A request body on its way from a Node stream to a `BodySink`: back-pressure and the idle time-out, which runs only while
 * bytes of the client are awaited. The protocol notices when a body breaks off, and calls `fail`.
 */
import type { Readable } from 'node:stream';
import type { BodySink } from '../exchange.js';
import { StatusError } from '../status.js';
import { DRAIN_BYTES } from './options.js';

/** What a body reader asks of its exchange. */
export interface BodyOwner {
  /** How long the client may send nothing. */
  readonly idleTimeoutMs: number;
  /** What is wrong with the body once all of it has come, its trailers included. */
  bodyProblem(): StatusError | undefined;
  /** The sink threw. */
  fault(error: unknown): void;
}

/** Passes a body to its sink. Starts at once. */
export class BodyReader {
  private done = false;
  private timer: NodeJS.Timeout | undefined;
  /** The time is over, but bytes that came while the process was busy may still wait to be read. */
  private lastLook: NodeJS.Immediate | undefined;
  private readonly onData = (chunk: Buffer): void => {
    if (this.lastLook !== undefined) this.startTimer();
    else this.timer?.refresh();
    this.call(() => this.sink.onData(chunk));
  };
  private readonly onEnd = (): void => {
    const problem = this.owner.bodyProblem();
    if (problem !== undefined) this.fail(problem);
    else if (this.finish()) this.call(() => this.sink.onEnd());
  };

  constructor(
    private readonly source: Readable,
    private readonly sink: BodySink,
    private readonly owner: BodyOwner,
  ) {
    source.on('data', this.onData);
    source.on('end', this.onEnd);
    this.startTimer();
    // An empty body may have ended before anybody read it (HTTP/2: END_STREAM in a frame of its own), and 'end' comes once.
    if (source.readableEnded) queueMicrotask(this.onEnd);
    else if (source.destroyed) queueMicrotask(() => this.fail());
  }

  pause(): void {
    if (this.done) return;
    this.stopTimer();
    this.source.pause();
  }

  resume(): void {
    if (this.done) return;
    this.startTimer();
    this.source.resume();
  }

  /** The body will never be complete. Does nothing after its end. */
  fail(error?: StatusError): void {
    if (this.finish()) this.call(() => this.sink.onAbort(error));
  }

  /** Nobody wants the rest: the sink is not called any more. */
  detach(): void {
    this.finish();
  }

  private call(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.owner.fault(error);
    }
  }

  private finish(): boolean {
    if (this.done) return false;
    this.done = true;
    this.stopTimer();
    this.source.off('data', this.onData);
    this.source.off('end', this.onEnd);
    return true;
  }

  private startTimer(): void {
    this.stopTimer();
    this.timer = setTimeout(() => {
      this.lastLook = setImmediate(() => this.timeOut());
    }, this.owner.idleTimeoutMs);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    clearImmediate(this.lastLook);
    this.timer = undefined;
    this.lastLook = undefined;
  }

  private timeOut(): void {
    const seconds = this.owner.idleTimeoutMs / 1000;
    this.fail(StatusError.http(408, `no byte of the request body came for ${seconds}s; send it again without a pause`));
  }
}

/**
 * Reads a body that nobody wants, so that its client gets to read the response, and stops after `DRAIN_BYTES`.
 * @param onLimit called for each read beyond them
 */
export function drainBody(source: Readable, onLimit = (): void => undefined): void {
  let left = DRAIN_BYTES;
  source.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left >= 0) return;
    source.pause();
    onLimit();
  });
  source.resume();
}
