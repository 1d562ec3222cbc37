/** An `Exchange` whose request body is limited as a whole, whatever reads it: `max_request_bytes`. */
import type { BodySink, Exchange } from '../exchange.js';
import { header } from '../headers.js';
import { StatusError } from '../status.js';
import { DelegateExchange } from './delegate-exchange.js';

export class LimitedExchange extends DelegateExchange {
  constructor(
    inner: Exchange,
    private readonly maxBytes: number,
  ) {
    super(inner);
  }

  /** Refuses a body by its announced length. @throws StatusError 413 */
  checkLength(): void {
    const announced = header(this.headers, 'content-length');
    if (announced !== undefined && Number(announced) > this.maxBytes) throw tooLarge(this.maxBytes);
  }

  override read(sink: BodySink): void {
    super.read(new LimitedBody(sink, this.maxBytes));
  }
}

/** Passes on what is within the limit; what comes after it is dropped. */
class LimitedBody implements BodySink {
  private left: number;
  private isOver = false;

  constructor(
    private readonly inner: BodySink,
    private readonly maxBytes: number,
  ) {
    this.left = maxBytes;
  }

  onData(chunk: Buffer): void {
    if (this.isOver) return;
    this.left -= chunk.length;
    if (this.left >= 0) return this.inner.onData(chunk);
    this.isOver = true;
    this.inner.onAbort(tooLarge(this.maxBytes));
  }
  onEnd(): void {
    if (!this.isOver) this.inner.onEnd();
  }
  onAbort(error?: StatusError): void {
    if (!this.isOver) this.inner.onAbort(error);
  }
}

function tooLarge(maxBytes: number): StatusError {
  return StatusError.tooLarge(maxBytes, 'the body', 'max_request_bytes');
}
