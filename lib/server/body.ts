/**
 * A request body on its way from a Node stream to a `BodySink`: back-pressure and the idle time-out, which counts only while
 * the client's bytes are awaited. When a body broke off is for the protocol to find out: it calls `fail`.
 */
import type { Readable } from 'node:stream';
import type { BodySink } from '../exchange.js';
import { StatusError } from '../status.js';

export class BodyReader {
  private done = false;
  private timer: NodeJS.Timeout | undefined;
  /** The time is over, but bytes that came while the process was busy may still wait to be read. */
  private lastLook: NodeJS.Immediate | undefined;
  private readonly onData = (chunk: Buffer): void => {
    if (this.lastLook !== undefined) this.startTimer();
    else this.timer?.refresh();
    this.sink.onData(chunk);
  };
  private readonly onEnd = (): void => {
    if (this.finish()) this.sink.onEnd();
  };

  /** Starts at once. */
  constructor(
    private readonly source: Readable,
    private readonly sink: BodySink,
    private readonly idleTimeoutMs: number,
  ) {
    source.on('data', this.onData);
    source.on('end', this.onEnd);
    this.startTimer();
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

  /** The body will never be whole; does nothing after its end. */
  fail(error?: StatusError): void {
    if (this.finish()) this.sink.onAbort(error);
  }

  /** Nobody wants the rest: no more calls to the sink. */
  detach(): void {
    this.finish();
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
    }, this.idleTimeoutMs);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    clearImmediate(this.lastLook);
    this.timer = undefined;
    this.lastLook = undefined;
  }

  private timeOut(): void {
    const seconds = this.idleTimeoutMs / 1000;
    this.fail(StatusError.http(408, `no byte of the request body came for ${seconds}s; send it again without a pause`));
  }
}
