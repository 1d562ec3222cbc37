/**
 * gRPC's length-prefixed messages (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): one flag byte,
 * four bytes of length, the payload. The reader takes chunks as they come from a socket.
 */
import { Code, StatusError } from '../status.js';
import { Pieces } from './pieces.js';

/** One message in transit: its payload and whether that is compressed with the call's `grpc-encoding`. */
export interface Frame {
  readonly compressed: boolean;
  readonly payload: Buffer;
}

/** One byte of flags and four of length. */
export const FRAME_HEAD_BYTES = 5;

/** A frame that is refused for its first byte or its announced size. */
export class FrameError extends StatusError {
  constructor(
    code: number,
    message: string,
    /** The announced size; undefined if the first byte is wrong. */
    readonly size: number | undefined,
  ) {
    super(code, message);
  }
}

/** Head and payload of a message in one buffer. */
export function encodeFrame(payload: Uint8Array, compressed = false): Buffer {
  return encodeFlagged(payload, compressed ? 1 : 0);
}

/** The same with any flags: the last frames of gRPC-Web and Connect are not messages. */
export function encodeFlagged(payload: Uint8Array, flags: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame[0] = flags;
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, FRAME_HEAD_BYTES);
  return frame;
}

/** Cuts a byte stream into frames. The length is checked before anything of the payload is kept. */
export class FrameReader {
  private readonly pieces = new Pieces();
  /** The payload that comes next; -1: a head comes next. */
  private payloadBytes = -1;
  private compressed = false;

  /** @param maxPayloadBytes a larger payload fails with RESOURCE_EXHAUSTED */
  constructor(private readonly maxPayloadBytes: number) {}

  /**
   * Takes the next bytes and returns the frames that are complete now.
   * @throws FrameError
   */
  push(chunk: Buffer): Frame[] {
    this.append(chunk);
    const frames: Frame[] = [];
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame);
    this.settle();
    return frames;
  }

  /** Adds bytes without cutting frames; `next` does that. Waiting bytes need less memory than waiting frames. */
  append(chunk: Buffer): void {
    this.pieces.push(chunk);
  }

  /** The same for bytes whose memory may then be used for something else. Each payload of up to 1 MiB is copied once. */
  appendCopy(chunk: Buffer): void {
    const { pieces, payloadBytes } = this;
    let expected = chunk.length;
    if (payloadBytes >= 0) expected = payloadBytes - pieces.length;
    else if (pieces.length === 0 && expected >= FRAME_HEAD_BYTES) {
      expected = FRAME_HEAD_BYTES + Math.min(chunk.readUInt32BE(1), this.maxPayloadBytes);
    }
    pieces.copy(chunk, expected);
  }

  /**
   * True if a frame is complete.
   * @throws FrameError
   */
  ready(): boolean {
    const { pieces } = this;
    if (this.payloadBytes < 0) {
      if (pieces.length < FRAME_HEAD_BYTES) return false;
      this.readHead(pieces.take(FRAME_HEAD_BYTES));
    }
    return pieces.length >= this.payloadBytes;
  }

  /**
   * The next frame that is complete; undefined if there is none.
   * @throws FrameError
   */
  next(): Frame | undefined {
    if (!this.ready()) return undefined;
    const frame = { compressed: this.compressed, payload: this.pieces.take(this.payloadBytes) };
    this.payloadBytes = -1;
    return frame;
  }

  /** The size of the payload whose head has come and whose end has not; 0 if there is none. */
  get awaitedBytes(): number {
    return Math.max(0, this.payloadBytes);
  }

  /** Call it before the rest waits for longer: it frees memory that the rest does not need. */
  settle(): void {
    this.pieces.settle();
  }

  /** Forgets what it holds. */
  clear(): void {
    this.pieces.clear();
    this.payloadBytes = -1;
  }

  /** Bytes of an incomplete frame; more than 0 at the end of a stream means that the last frame is cut off. */
  get pending(): number {
    return this.pieces.length + (this.payloadBytes < 0 ? 0 : FRAME_HEAD_BYTES);
  }

  private readHead(head: Buffer): void {
    const flag = head[0]!;
    if (flag > 1) {
      throw new FrameError(Code.INTERNAL, `a gRPC frame starts with flag ${flag}, expected 0 or 1`, undefined);
    }
    const length = head.readUInt32BE(1);
    if (length > this.maxPayloadBytes) {
      const limit = `the limit of ${this.maxPayloadBytes} bytes`;
      throw new FrameError(Code.RESOURCE_EXHAUSTED, `a message of ${length} bytes is larger than ${limit}`, length);
    }
    this.compressed = flag === 1;
    this.payloadBytes = length;
  }
}
