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

/** Takes frames as they are complete; the payload is `buffer[start..end)` and stays as it is. */
export interface FrameSink {
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
}

/** Cuts a byte stream into frames. The length is checked before anything of the payload is kept. */
export class FrameReader {
  private readonly kept = new Pieces();
  /** Of the first frame that is not complete: bytes that must be there before another look is worth it. */
  private needed = FRAME_HEAD_BYTES;

  /** @param maxPayloadBytes a frame that announces more is a FRAME_SIZE_ERROR. */
  constructor(
    private readonly sink: FrameSink,
    private readonly maxPayloadBytes = DEFAULT_MAX_FRAME_BYTES,
  ) {}

  /**
   * Hands the frames that are complete now to the sink.
   * @throws ConnectionError, and what the sink throws.
   */
  push(chunk: Buffer): void {
    const { kept } = this;
    if (kept.length === 0) return this.read(chunk);
    kept.push(chunk);
    if (kept.length >= this.needed) this.read(kept.takeAll());
  }

  private read(buffer: Buffer): void {
    let pos = 0;
    this.needed = FRAME_HEAD_BYTES;
    while (buffer.length - pos >= FRAME_HEAD_BYTES) {
      const length = (buffer[pos]! << 16) | (buffer[pos + 1]! << 8) | buffer[pos + 2]!;
      if (length > this.maxPayloadBytes) {
        const message = `sent a frame of ${length} bytes, expected ${this.maxPayloadBytes} at most`;
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, message);
      }
      const start = pos + FRAME_HEAD_BYTES;
      if (start + length > buffer.length) {
        this.needed = FRAME_HEAD_BYTES + length;
        break;
      }
      const streamId = buffer.readUInt32BE(pos + 5) & MAX_STREAM_ID;
      pos = start + length;
      this.sink.onFrame(buffer[start - 6]!, buffer[start - 5]!, streamId, buffer, start, pos);
    }
    if (pos === buffer.length) return;
    this.kept.push(pos === 0 ? buffer : buffer.subarray(pos));
    this.kept.settle();
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
