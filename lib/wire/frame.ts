/**
 * gRPC's length-prefixed messages (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): one flag byte,
 * four bytes of length, the payload. The reader takes chunks as they come from a socket.
 */
import { Code, StatusError } from '../status.js';

/** One message in transit: its payload and whether that is compressed with the call's `grpc-encoding`. */
export interface Frame {
  readonly compressed: boolean;
  readonly payload: Buffer;
}

export const FRAME_HEAD_BYTES = 5;

/** A frame that is not taken: by its first byte, or by the size that it announces. */
export class FrameError extends StatusError {
  constructor(
    code: number,
    message: string,
    /** The size that is too large; undefined where the first byte is at fault. */
    readonly size: number | undefined,
  ) {
    super(code, message);
  }
}

/** Head and payload in one buffer. */
export function encodeFrame(payload: Uint8Array, compressed = false): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame[0] = compressed ? 1 : 0;
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, FRAME_HEAD_BYTES);
  return frame;
}

/** Pieces smaller than this are collected in blocks of their own: each would cost an object, and the memory it came in. */
const SMALL_PIECE_BYTES = 2048;
const BLOCK_BYTES = 16 * 1024;

/** Cuts a byte stream into frames. The length is checked before anything of the payload is kept. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private buffered = 0;
  /** Bytes that are free behind the last chunk, where that is a block. */
  private room = 0;

  /** @param maxPayloadBytes a frame that announces more fails with RESOURCE_EXHAUSTED. */
  constructor(private readonly maxPayloadBytes: number) {}

  /**
   * Takes the next bytes and returns the frames that are complete now.
   * @throws FrameError
   */
  push(chunk: Buffer): Frame[] {
    if (this.chunks.length > 0 && chunk.length < SMALL_PIECE_BYTES) {
      this.append(chunk);
    } else {
      this.chunks.push(chunk);
      this.room = 0;
    }
    this.buffered += chunk.length;
    const frames: Frame[] = [];
    while (this.buffered >= FRAME_HEAD_BYTES) {
      const head = this.peekHead();
      const flag = head[0]!;
      if (flag > 1) {
        throw new FrameError(Code.INTERNAL, `a gRPC frame starts with flag ${flag}, expected 0 or 1`, undefined);
      }
      const length = head.readUInt32BE(1);
      if (length > this.maxPayloadBytes) {
        const limit = `the limit of ${this.maxPayloadBytes} bytes`;
        throw new FrameError(Code.RESOURCE_EXHAUSTED, `a message of ${length} bytes is larger than ${limit}`, length);
      }
      if (this.buffered < FRAME_HEAD_BYTES + length) break;
      const whole = this.take(FRAME_HEAD_BYTES + length);
      frames.push({ compressed: flag === 1, payload: whole.subarray(FRAME_HEAD_BYTES) });
    }
    return frames;
  }

  /** Bytes of a frame that is not complete; more than 0 at the end of a stream means it was cut short. */
  get pending(): number {
    return this.buffered;
  }

  private append(piece: Buffer): void {
    const { chunks } = this;
    if (this.room < piece.length) {
      chunks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES).subarray(0, 0));
      this.room = BLOCK_BYTES;
    }
    const last = chunks.length - 1;
    const { buffer, byteOffset, length } = chunks[last]!;
    const longer = Buffer.from(buffer, byteOffset, length + piece.length);
    piece.copy(longer, length);
    chunks[last] = longer;
    this.room -= piece.length;
  }

  private peekHead(): Buffer {
    const first = this.chunks[0]!;
    if (first.length >= FRAME_HEAD_BYTES) return first;
    return this.join();
  }

  private join(): Buffer {
    const whole = Buffer.concat(this.chunks, this.buffered);
    this.chunks = [whole];
    this.room = 0;
    return whole;
  }

  private take(count: number): Buffer {
    const first = this.chunks[0]!.length < count ? this.join() : this.chunks[0]!;
    this.buffered -= count;
    if (first.length === count) this.chunks.shift();
    else this.chunks[0] = first.subarray(count);
    return first.subarray(0, count);
  }
}
