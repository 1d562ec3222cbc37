/** Puts the field blocks of one connection together (RFC 9113, section 4.3), decodes them, and bounds what they may cost. */
import type { HeaderFields } from '../headers.js';
import { ConnectionError, ErrorCode, protocolError } from './error.js';
import { Flag, FrameType, paddingOf } from './frame.js';
import { FieldDecoder } from './hpack-decoder.js';

/** A header list that is complete. */
export interface FieldList {
  readonly streamId: number;
  readonly fields: HeaderFields;
  /** True if it ends its stream. */
  readonly last: boolean;
  /** True if it is over its limit, and a part of it is missing. */
  readonly cut: boolean;
}

/**
 * A block as it is sent. No other frame may come before it is complete, so one without end would stop all streams. What is
 * over the limit of a list, and not over this, costs its own stream a part of the list.
 */
const MIN_BLOCK_LIMIT_BYTES = 16 * 1024 ** 2;

/** CONTINUATION frames of a block: so many, and one more for each of so many bytes. */
const MAX_CONTINUATIONS = 64;
const MIN_CONTINUATION_BYTES = 1024;

/** Joins the frames of a header block. */
export class BlockReader {
  /** The largest block that is read, in bytes. */
  readonly maxBlockBytes: number;
  private readonly decoder: FieldDecoder;
  /** A block whose end has not come: its stream, or 0. */
  private streamId = 0;
  private flags = 0;
  private frames = 0;
  private bytes = 0;

  /** The parameters are those of `FieldDecoder`. */
  constructor(maxListBytes: number, essential: ReadonlySet<string>) {
    this.decoder = new FieldDecoder(maxListBytes, essential);
    this.maxBlockBytes = Math.max(MIN_BLOCK_LIMIT_BYTES, 2 * maxListBytes);
  }

  /**
   * Every frame is shown to it, before anybody reads it.
   * @throws ConnectionError if it stands in the middle of a block and is no part of that.
   */
  check(type: number, streamId: number): void {
    if (this.streamId !== 0 && (type !== FrameType.CONTINUATION || streamId !== this.streamId)) {
      throw protocolError('sent another frame between HEADERS and CONTINUATION');
    }
  }

  /**
   * A HEADERS frame: its list, if that is complete.
   * @throws ConnectionError
   */
  headers(flags: number, streamId: number, buffer: Buffer, start: number, end: number): FieldList | undefined {
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      to -= paddingOf(buffer, start, end);
      from++;
    }
    if ((flags & Flag.PRIORITY) !== 0) from += 5;
    if (from > to) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'sent HEADERS that are cut short');
    const { decoder } = this;
    if ((flags & Flag.END_HEADERS) !== 0) return this.list(streamId, flags, decoder.decode(buffer, from, to));
    this.streamId = streamId;
    this.flags = flags;
    this.frames = 1;
    this.bytes = to - from;
    decoder.begin();
    decoder.push(buffer.subarray(from, to));
    return undefined;
  }

  /**
   * A CONTINUATION frame: the list, if that is complete.
   * @throws ConnectionError
   */
  continuation(flags: number, buffer: Buffer, start: number, end: number): FieldList | undefined {
    const { streamId, decoder } = this;
    if (streamId === 0) throw protocolError('sent CONTINUATION without HEADERS');
    this.frames++;
    this.bytes += end - start;
    if (this.bytes > this.maxBlockBytes || this.frames > MAX_CONTINUATIONS + this.bytes / MIN_CONTINUATION_BYTES) {
      const found = `${this.bytes} bytes in ${this.frames} frames`;
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `sent headers without end: ${found} so far`);
    }
    decoder.push(buffer.subarray(start, end));
    if ((flags & Flag.END_HEADERS) === 0) return undefined;
    this.streamId = 0;
    return this.list(streamId, this.flags, decoder.finish());
  }

  private list(streamId: number, flags: number, fields: HeaderFields): FieldList {
    return { streamId, fields, last: (flags & Flag.END_STREAM) !== 0, cut: this.decoder.overflow };
  }
}
