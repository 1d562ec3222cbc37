/**
 * The body of a response on its way into an HTTP/2 stream. Node reports only that a whole write is done, and a client may
 * take minutes for a large one. So writes are given to the stream in slices: each one done shows that the client reads.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { Pieces } from '../wire/index.js';
import type { Written } from './progress.js';

/** The size of a slice. */
const SLICE_BYTES = 16 * 1024;

/** Writes a response body in slices, and knows how much of it the client has taken. */
export class Outbox implements Written {
  private givenBytes = 0;
  /** What the stream has not got yet; undefined if there never was such a thing. */
  private waiting: Pieces | undefined;
  /** The stream is writing a slice; the next one follows it. */
  private isFeeding = false;
  /** What to do after the last slice. */
  private atLast: (() => void) | undefined;
  private isDrainWanted = false;

  /** @param onSent called when the stream has taken something; `isAll`: `write` may be called again */
  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly onSent: (isAll: boolean) => void,
  ) {}

  get unsentBytes(): number {
    return (this.waiting?.length ?? 0) + this.stream.writableLength;
  }

  get takenBytes(): number {
    return this.givenBytes - this.stream.writableLength;
  }

  /** False asks to wait until all is sent. */
  write(chunk: Buffer): boolean {
    if (this.isStraight(chunk)) {
      this.givenBytes += chunk.length;
      if (this.stream.write(chunk)) return true;
      if (this.waiting === undefined) this.stream.on('drain', () => this.drained());
      this.waiting ??= new Pieces();
    } else {
      this.queue(chunk);
    }
    this.isDrainWanted = true;
    return false;
  }

  /** Writes the last bytes, and ends the stream after them. */
  end(chunk: Buffer): void {
    if (this.isStraight(chunk)) {
      this.givenBytes += chunk.length;
      if (chunk.length === 0) this.stream.end();
      else this.stream.end(chunk);
    } else {
      this.queue(chunk);
      this.behindAll(() => this.stream.end());
    }
  }

  /** Calls `step` once the stream has got everything. */
  behindAll(step: () => void): void {
    if (this.isFeeding) this.atLast = step;
    else step();
  }

  /** Nobody reads the rest. */
  clear(): void {
    this.waiting?.clear();
  }

  private isStraight(chunk: Buffer): boolean {
    return chunk.length <= SLICE_BYTES && !this.isFeeding;
  }

  private queue(chunk: Buffer): void {
    this.waiting ??= new Pieces();
    this.waiting.push(chunk);
    if (!this.isFeeding) this.feed();
  }

  private feed(): void {
    const slice = this.waiting!.takeSome(SLICE_BYTES);
    this.isFeeding = slice.length > 0;
    if (!this.isFeeding) return;
    this.givenBytes += slice.length;
    this.stream.write(slice, () => this.fed());
  }

  /** The stream has taken a slice, or is gone. */
  private fed(): void {
    if (this.stream.destroyed) return;
    this.feed();
    if (this.isFeeding) return this.onSent(false);
    const { atLast } = this;
    this.atLast = undefined;
    if (atLast === undefined) this.drained();
    else atLast();
  }

  private drained(): void {
    if (!this.isDrainWanted || this.isFeeding) return;
    this.isDrainWanted = false;
    this.onSent(true);
  }
}
