/**
 * Collects the frames of one turn of the event loop, so that they go to the socket in one write. Small frames are written
 * one after the other into a slab of memory; large payloads are not copied.
 */
import { DEFAULT_MAX_FRAME_BYTES, Flag, FRAME_HEAD_BYTES, FrameType } from './frame.js';

const SLAB_BYTES = 64 * 1024;

/** A payload up to this size is copied: a buffer of its own in a batch costs more than the copy. */
const MAX_COPIED_BYTES = 2048;

/** Collects the frames of one turn of the event loop, and writes them at once. */
export class FrameWriter {
  private slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** What of the slab is part of the batch and not yet in `parts`: `[start, pos)`. */
  private start = 0;
  private pos = 0;
  private parts: Buffer[] = [];
  private bytesInParts = 0;
  /** Where the flags of the last DATA frame stand, and of which stream it is: it may still become the last one. */
  private lastDataFlags = -1;
  private lastDataStream = 0;

  /** Bytes collected since the last `take`. */
  get size(): number {
    return this.bytesInParts + this.pos - this.start;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.slab.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** A frame whose payload is so many 32-bit numbers. */
  numbers(type: number, flags: number, streamId: number, first: number, second?: number): void {
    const length = second === undefined ? 4 : 8;
    this.head(length, type, flags, streamId);
    this.pos = this.slab.writeUInt32BE(first, this.pos);
    if (second !== undefined) this.pos = this.slab.writeUInt32BE(second, this.pos);
  }

  /** We take no streams of the server, so the last one of them that we saw is none. */
  goAway(code: number): void {
    this.numbers(FrameType.GOAWAY, 0, 0, 0, code);
  }

  /** A frame with a small payload, which is copied. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.head(payload.length, type, flags, streamId);
    this.slab.set(payload, this.pos);
    this.pos += payload.length;
  }

  /** HEADERS, and CONTINUATION where the field block is longer than what every server takes in a frame. */
  headers(streamId: number, block: Buffer, endStream: boolean, maxFrameBytes = DEFAULT_MAX_FRAME_BYTES): void {
    const first = Math.min(block.length, maxFrameBytes);
    const flags = (endStream ? Flag.END_STREAM : 0) | (first === block.length ? Flag.END_HEADERS : 0);
    this.frame(FrameType.HEADERS, flags, streamId, block.subarray(0, first));
    for (let pos = first; pos < block.length; pos += maxFrameBytes) {
      const end = Math.min(block.length, pos + maxFrameBytes);
      const last = end === block.length ? Flag.END_HEADERS : 0;
      this.frame(FrameType.CONTINUATION, last, streamId, block.subarray(pos, end));
    }
  }

  /** A DATA frame; the payload must stay as it is until the batch was sent. */
  data(streamId: number, payload: Buffer, endStream: boolean): void {
    const copied = payload.length <= MAX_COPIED_BYTES;
    this.head(payload.length, FrameType.DATA, endStream ? Flag.END_STREAM : 0, streamId, copied ? payload.length : 0);
    this.lastDataFlags = this.pos - FRAME_HEAD_BYTES + 4;
    this.lastDataStream = streamId;
    if (copied) {
      payload.copy(this.slab, this.pos);
      this.pos += payload.length;
    } else {
      this.cut();
      this.parts.push(payload);
      this.bytesInParts += payload.length;
    }
  }

  /** Ends the stream with the last DATA frame of the batch if that is its own; else with an empty one. */
  endStream(streamId: number): void {
    if (this.lastDataFlags >= 0 && this.lastDataStream === streamId) {
      this.slab[this.lastDataFlags] = Flag.END_STREAM;
      this.lastDataFlags = -1;
    } else {
      this.head(0, FrameType.DATA, Flag.END_STREAM, streamId);
    }
  }

  /** The batch, which starts anew. */
  take(): Buffer[] {
    this.cut();
    const { parts } = this;
    this.parts = [];
    this.bytesInParts = 0;
    this.lastDataFlags = -1;
    return parts;
  }

  /** The nine bytes in front of a payload, and room for what of it will be copied. */
  private head(length: number, type: number, flags: number, streamId: number, room = length): void {
    this.reserve(FRAME_HEAD_BYTES + room);
    const { slab } = this;
    let { pos } = this;
    slab[pos++] = length >>> 16;
    slab[pos++] = length >>> 8;
    slab[pos++] = length;
    slab[pos++] = type;
    slab[pos++] = flags;
    slab[pos++] = streamId >>> 24;
    slab[pos++] = streamId >>> 16;
    slab[pos++] = streamId >>> 8;
    slab[pos++] = streamId;
    this.pos = pos;
  }

  private reserve(count: number): void {
    if (this.pos + count <= this.slab.length) return;
    this.cut();
    // What was cut from the old one keeps it until the socket has sent it.
    this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.start = 0;
    this.pos = 0;
    this.lastDataFlags = -1;
  }

  private cut(): void {
    if (this.pos === this.start) return;
    this.parts.push(this.slab.subarray(this.start, this.pos));
    this.bytesInParts += this.pos - this.start;
    this.start = this.pos;
  }
}
