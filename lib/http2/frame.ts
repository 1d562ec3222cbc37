/** Frames of HTTP/2 (RFC 9113, sections 4 and 6): their numbers, and the reader that cuts a byte stream into them. */
import { Pieces } from '../wire/index.js';
import { ConnectionError, ErrorCode, protocolError } from './error.js';

/** Frame types (RFC 9113, section 6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Frame flags. */
export const Flag = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Ids of SETTINGS. */
export const SettingId = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Length of the head of each frame. */
export const FRAME_HEAD_BYTES = 9;

/** The payload that both sides take without a word about it. */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;

/** Flow-control window before any SETTINGS. */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** The largest flow-control window. */
export const MAX_WINDOW_BYTES = 0x7fffffff;
/** The last id of a stream; after it a connection is used up. */
export const MAX_STREAM_ID = 0x7fffffff;

/**
 * Takes frames as they are complete; the payload is `buffer[start..end)`, and is only there until the call returns. A DATA frame
 * may come as several, as if the peer had sent it like that.
 */
export interface FrameSink {
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
}

/** Cuts a byte stream into frames. The length is checked before anything of the payload is kept. What is kept is copied. */
export class FrameReader {
  private readonly kept = new Pieces();
  /** Of the first frame that is not complete: bytes that must be there before another look is worth it. */
  private needed = FRAME_HEAD_BYTES;
  /** What is left of a DATA frame whose first part was handed on, and its flags and stream. */
  private restBytes = 0;
  private restFlags = 0;
  private restStreamId = 0;

  /**
   * @param maxPayloadBytes a frame that announces more is a FRAME_SIZE_ERROR.
   * @param splitsData hand on what has come of a DATA frame: kept until the rest comes, it would be copied (bench: long)
   */
  constructor(
    private readonly sink: FrameSink,
    private readonly maxPayloadBytes = DEFAULT_MAX_FRAME_BYTES,
    private readonly splitsData = false,
  ) {}

  /**
   * Hands the frames that are complete now to the sink.
   * @throws ConnectionError, and what the sink throws.
   */
  push(chunk: Buffer): void {
    const { kept } = this;
    if (kept.length === 0) return this.read(chunk);
    kept.copy(chunk, this.needed - kept.length);
    if (kept.length >= this.needed) this.read(kept.takeAll());
  }

  private read(buffer: Buffer): void {
    let pos = this.restBytes > 0 ? this.readRest(buffer) : 0;
    this.needed = FRAME_HEAD_BYTES;
    while (buffer.length - pos >= FRAME_HEAD_BYTES) {
      const length = (buffer[pos]! << 16) | (buffer[pos + 1]! << 8) | buffer[pos + 2]!;
      if (length > this.maxPayloadBytes) {
        const message = `sent a frame of ${length} bytes, expected ${this.maxPayloadBytes} at most`;
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, message);
      }
      const start = pos + FRAME_HEAD_BYTES;
      const streamId = buffer.readUInt32BE(pos + 5) & MAX_STREAM_ID;
      if (start + length > buffer.length) {
        if (start < buffer.length && this.startPart(buffer[pos + 3]!, buffer[pos + 4]!, streamId)) {
          this.restBytes = start + length - buffer.length;
          return this.sink.onFrame(FrameType.DATA, 0, streamId, buffer, start, buffer.length);
        }
        this.needed = FRAME_HEAD_BYTES + length;
        break;
      }
      pos = start + length;
      this.sink.onFrame(buffer[start - 6]!, buffer[start - 5]!, streamId, buffer, start, pos);
    }
    if (pos === buffer.length) return;
    this.kept.copy(pos === 0 ? buffer : buffer.subarray(pos), this.needed);
  }

  /** True if the frame may be handed on in parts. Only the last part can end the stream; padding would have to be found first. */
  private startPart(type: number, flags: number, streamId: number): boolean {
    if (!this.splitsData || type !== FrameType.DATA || (flags & Flag.PADDED) !== 0) return false;
    this.restFlags = flags;
    this.restStreamId = streamId;
    return true;
  }

  /** Hands on what has come of the rest of a DATA frame; returns where that ends. */
  private readRest(buffer: Buffer): number {
    const end = Math.min(this.restBytes, buffer.length);
    this.restBytes -= end;
    this.sink.onFrame(FrameType.DATA, this.restBytes > 0 ? 0 : this.restFlags, this.restStreamId, buffer, 0, end);
    return end;
  }
}

/**
 * The bytes of padding of a frame that has the flag, without the byte that announces them.
 * @throws ConnectionError if they are more than the frame.
 */
export function paddingOf(buffer: Buffer, start: number, end: number): number {
  const padding = start < end ? buffer[start]! : 0;
  if (start + 1 + padding > end) throw protocolError('sent more padding than its frame holds');
  return padding;
}
