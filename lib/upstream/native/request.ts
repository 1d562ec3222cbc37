/** An HTTP request of any kind on a connection of the native client: headers, bytes and trailers pass as they are. */
import type { CallStatus, HttpListener, HttpRequest } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import type { StreamFailure } from '../../http2/index.js';
import { failures } from '../outcome.js';
import { Sending, type SendingOwner } from './sending.js';

export interface NativeRequestOwner extends SendingOwner {
  readonly maxHeaderBytes: number;
}

export class NativeRequest extends Sending implements HttpRequest {
  private paused = false;
  /** Received bytes for which the server gets no window before the listener has room. */
  private unconsumedBytes = 0;

  constructor(
    protected override readonly owner: NativeRequestOwner,
    fields: string[],
    private readonly listener: HttpListener,
  ) {
    super(owner, fields);
  }

  // ------------------------------------------------------------------------------------- for the caller

  write(chunk: Buffer): boolean {
    if (this.over || this.ended) return true;
    const room = this.sendChunk(chunk);
    this.drainWanted = !room;
    return room;
  }

  end(): void {
    this.endBody();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.consume();
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.release();
  }

  // ------------------------------------------------------------------------------------- for the connection

  onDrain(): void {
    if (this.over || !this.drainWanted || this.ended) return;
    this.drainWanted = false;
    this.listener.onDrain();
  }

  onHeaders(status: number, fields: HeaderFields, last: boolean, cut: boolean): void {
    if (this.over) return;
    this.kept = undefined;
    if (cut) return this.abort(this.tooLarge());
    this.over = last;
    // The first field is `:status`.
    this.listener.onHead(status, fields.slice(2), last);
  }

  onData(chunk: Buffer): void {
    if (this.over) return;
    this.unconsumedBytes += chunk.length;
    if (!this.listener.onData(Buffer.from(chunk))) this.paused = true;
    if (!this.paused) this.consume();
  }

  onTrailers(fields: HeaderFields, cut: boolean): void {
    if (this.over) return;
    if (cut) return this.abort(this.tooLarge());
    this.over = true;
    this.listener.onTrailers(fields);
  }

  onEnd(): void {
    if (this.over) return;
    this.over = true;
    this.listener.onEnd();
  }

  protected failed(failure: StreamFailure): void {
    if (!this.over) this.finish(this.statusOf(failure));
  }

  protected report(status: CallStatus): void {
    this.listener.onFail(status);
  }

  private consume(): void {
    const bytes = this.unconsumedBytes;
    this.unconsumedBytes = 0;
    if (bytes > 0) this.stream!.consumed(bytes);
  }

  private tooLarge(): CallStatus {
    return failures.headersTooLarge(this.owner.target, this.owner.maxHeaderBytes);
  }
}
