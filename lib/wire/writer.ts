/**
 * A growing byte buffer with the protobuf wire primitives, for wire messages and JSON text. Field numbers and types are not
 * checked. Hot code may write `buf[pos++]` directly after `reserve(n)`.
 */
import { extraBytes, WaitingLengths } from './waiting-lengths.js';

/** Writes bytes into a buffer that grows. */
export class Writer {
  /** The storage, of which the first `pos` bytes are written. It is replaced when it grows. */
  buf: Buffer;
  /** Next position to write. */
  pos = 0;
  private waiting: WaitingLengths | undefined = undefined;

  constructor(initialBytes = 1024) {
    this.buf = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.pos + count > this.buf.length) this.grow(count);
  }

  private grow(count: number): void {
    const next = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.pos + count));
    this.buf.copy(next, 0, 0, this.pos);
    this.buf = next;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buf[this.pos++] = value;
  }

  /** An unsigned 32-bit varint; also a tag. */
  uint32(value: number): void {
    this.reserve(5);
    const buf = this.buf;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      buf[this.pos++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[this.pos++] = rest;
  }

  /** A signed 32-bit varint: negative values take ten bytes, as protobuf sign-extends them. */
  int32(value: number): void {
    if (value >= 0) this.uint32(value);
    else this.varint64(value | 0, -1);
  }

  /** A 64-bit varint given as two 32-bit halves (signed or unsigned bits alike). */
  varint64(low: number, high: number): void {
    this.reserve(10);
    const buf = this.buf;
    let lo = low >>> 0;
    let hi = high >>> 0;
    while (hi > 0) {
      buf[this.pos++] = (lo & 0x7f) | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    while (lo > 0x7f) {
      buf[this.pos++] = (lo & 0x7f) | 0x80;
      lo >>>= 7;
    }
    buf[this.pos++] = lo;
  }

  fixed32(value: number): void {
    this.reserve(4);
    this.pos = this.buf.writeInt32LE(value | 0, this.pos);
  }

  fixed64(low: number, high: number): void {
    this.fixed32(low);
    this.fixed32(high);
  }

  float(value: number): void {
    this.reserve(4);
    this.pos = this.buf.writeFloatLE(value, this.pos);
  }

  double(value: number): void {
    this.reserve(8);
    this.pos = this.buf.writeDoubleLE(value, this.pos);
  }

  /** Copies bytes as they are. */
  raw(source: Uint8Array): void {
    this.rawRange(source, 0, source.length);
  }

  /** Copies `source[start..end)` as it is. */
  rawRange(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    // A native copy costs about 40 ns whatever the size; a short loop is cheaper (bench: codec).
    if (count <= 24) {
      const buf = this.buf;
      let pos = this.pos;
      for (let index = start; index < end; index++) buf[pos++] = source[index]!;
      this.pos = pos;
    } else {
      this.buf.set(source.subarray(start, end), this.pos);
      this.pos += count;
    }
  }

  /** Text as UTF-8, no length in front. */
  utf8(text: string): void {
    // Each UTF-16 unit takes three bytes at most.
    this.reserve(text.length * 3);
    this.pos += this.buf.write(text, this.pos, 'utf8');
  }

  /** Text known to be ASCII, no length in front. */
  ascii(text: string): void {
    const count = text.length;
    this.reserve(count);
    if (count <= 24) {
      const buf = this.buf;
      let pos = this.pos;
      for (let index = 0; index < count; index++) buf[pos++] = text.charCodeAt(index);
      this.pos = pos;
    } else {
      this.pos += this.buf.write(text, this.pos, 'latin1');
    }
  }

  /** A length-delimited string: length, then UTF-8. */
  string(text: string): void {
    const mark = this.begin();
    this.utf8(text);
    this.finish(mark);
  }

  /** Length-delimited bytes: length, then the bytes. */
  bytes(source: Uint8Array): void {
    this.uint32(source.length);
    this.raw(source);
  }

  /**
   * Starts a length-delimited value of unknown length; pass the result to `finish` or `finishLater`. One byte is reserved for the
   * length.
   */
  begin(): number {
    this.reserve(1);
    return ++this.pos;
  }

  /** Writes the length of what was written since `begin`. A value of more than 127 bytes is moved. */
  finish(mark: number): void {
    const length = this.pos - mark;
    if (length <= 0x7f) {
      this.buf[mark - 1] = length;
      return;
    }
    const extra = extraBytes(length);
    this.reserve(extra);
    this.buf.copyWithin(mark + extra, mark, this.pos);
    this.pos = mark - 1;
    this.uint32(length);
    this.pos += length;
  }

  /**
   * The same for values that may be nested at any depth: bytes are moved once, by `settle`. A value that contains one which was
   * finished by `finishLater` must be finished by it too.
   */
  finishLater(mark: number): void {
    if (this.pos - mark <= 0x7f) this.buf[mark - 1] = this.pos - mark;
    else (this.waiting ??= new WaitingLengths()).add(mark, this.pos);
  }

  /** The number of lengths that `settle` has yet to write. */
  get waitingCount(): number {
    return this.waiting === undefined ? 0 : this.waiting.count;
  }

  /** Writes the lengths that were added since there were `count` of them. */
  settle(count: number): void {
    const { waiting } = this;
    if (waiting === undefined || waiting.count === count) return;
    const extra = waiting.extraSince(count);
    this.reserve(extra);
    const { buf } = this;
    let from = this.pos;
    let to = (this.pos += extra);
    waiting.takeSince(count, (mark, length) => {
      to -= from - mark;
      buf.copyWithin(to, mark, from);
      from = mark - 1;
      to -= 1 + extraBytes(length);
      writeLength(buf, to, length);
    });
  }

  /** Goes back to an earlier `pos`. */
  rewind(pos: number): void {
    this.pos = pos;
    this.waiting?.rewind(pos);
  }

  /** Returns what was written, which the writer will not change any more, and empties it for reuse. */
  take(): Buffer {
    const { buf, pos } = this;
    // Storage that would be freed is given away (bench: long; 1 MB of text is read in two thirds of the CPU).
    if (buf.length > MAX_KEPT_BYTES && pos * MAX_WASTE >= buf.length) {
      this.reset();
      return buf.subarray(0, pos);
    }
    const result = Buffer.allocUnsafe(this.pos);
    this.buf.copy(result, 0, 0, this.pos);
    this.reset();
    return result;
  }

  /** What was written, without a copy; valid until the next write. */
  peek(): Buffer {
    return this.buf.subarray(0, this.pos);
  }

  /** Empties the writer. Storage that a large message made grow is freed. */
  reset(): void {
    this.pos = 0;
    this.waiting?.clear();
    if (this.buf.length > MAX_KEPT_BYTES) this.buf = Buffer.allocUnsafeSlow(1024);
  }
}

/** Storage kept between uses. */
const MAX_KEPT_BYTES = 256 * 1024;

/** What is given away may be this many times as large as what was written. */
const MAX_WASTE = 2;

function writeLength(buf: Buffer, start: number, length: number): void {
  let pos = start;
  let rest = length;
  while (rest > 0x7f) {
    buf[pos++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buf[pos] = rest;
}
