/**
 * Reads protobuf wire primitives from a byte range. The caller checks UTF-8 and the depth of messages, because only it knows
 * the fields.
 */

/** Protobuf wire types (https://protobuf.dev/programming-guides/encoding/#structure). */
export const WireType = { VARINT: 0, FIXED64: 1, BYTES: 2, START_GROUP: 3, END_GROUP: 4, FIXED32: 5 } as const;

/** The tag in front of a value. */
export function makeTag(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

/** The tag that ends the group which a tag starts. */
export function endTagOf(startTag: number): number {
  return ((startTag & ~7) | WireType.END_GROUP) >>> 0;
}

/** The bytes are not a protobuf message. */
export class WireError extends Error {}

/** Reads the values of one message, or of a part of it. */
export class Reader {
  pos: number;
  /** Low half of the last 64-bit value, as a signed 32-bit integer. */
  low = 0;
  /** High half of the last 64-bit value, as a signed 32-bit integer. */
  high = 0;

  constructor(
    readonly buf: Buffer,
    start = 0,
    public end = buf.length,
  ) {
    this.pos = start;
  }

  get done(): boolean {
    return this.pos >= this.end;
  }

  /**
   * A field tag: `number << 3 | wireType`, unsigned.
   * @throws WireError if it does not fit 32 bits or has field number 0.
   */
  tag(): number {
    if (this.pos < this.end) {
      const first = this.buf[this.pos]!;
      if (first >= 8 && first < 0x80) {
        this.pos++;
        return first;
      }
    }
    this.varint64();
    const tag = this.low >>> 0;
    if (this.high !== 0 || tag < 8) throw new WireError('invalid field number in a tag');
    return tag;
  }

  /** The low 32 bits of a varint, unsigned. */
  uint32(): number {
    const buf = this.buf;
    if (this.pos < this.end) {
      const first = buf[this.pos]!;
      if (first < 0x80) {
        this.pos++;
        return first;
      }
    }
    this.varint64();
    return this.low >>> 0;
  }

  /** The low 32 bits of a varint, signed: int32 and enum. */
  int32(): number {
    return this.uint32() | 0;
  }

  /** A varint of up to ten bytes into `low` and `high`. */
  varint64(): void {
    const { buf, end } = this;
    let pos = this.pos;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (pos >= end) throw truncated();
      const byte = buf[pos++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.pos = pos;
        this.low = low;
        this.high = high;
        return;
      }
    }
    throw new WireError('a varint is longer than ten bytes');
  }

  fixed32(): number {
    const at = this.advance(4);
    return this.buf.readInt32LE(at);
  }

  fixed64(): void {
    const at = this.advance(8);
    this.low = this.buf.readInt32LE(at);
    this.high = this.buf.readInt32LE(at + 4);
  }

  float(): number {
    return this.buf.readFloatLE(this.advance(4));
  }

  double(): number {
    return this.buf.readDoubleLE(this.advance(8));
  }

  /** Reads a length and returns the end of the value that follows; `pos` is at its start. */
  lengthEnd(): number {
    this.high = 0;
    const length = this.uint32();
    const end = this.pos + length;
    if (end > this.end || this.high !== 0) throw truncated();
    return end;
  }

  /** Length-delimited bytes, without a copy. */
  bytes(): Buffer {
    const end = this.lengthEnd();
    const view = this.buf.subarray(this.pos, end);
    this.pos = end;
    return view;
  }

  /** Reads a length-delimited value; while `read` runs, the value is all that there is. */
  within(read: () => void): void {
    const outer = this.end;
    this.end = this.lengthEnd();
    read();
    this.pos = this.end;
    this.end = outer;
  }

  /** Skips the value of a tag that was just read, groups included. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case WireType.VARINT:
        this.varint64();
        return;
      case WireType.FIXED64:
        this.advance(8);
        return;
      case WireType.BYTES:
        this.pos = this.lengthEnd();
        return;
      case WireType.START_GROUP:
        this.skipGroup(tag, depth);
        return;
      case WireType.FIXED32:
        this.advance(4);
        return;
      default:
        throw new WireError(`unexpected wire type ${tag & 7} of field ${tag >>> 3}`);
    }
  }

  private skipGroup(tag: number, depth: number): void {
    if (depth >= 100) throw new WireError('groups are nested more than 100 deep');
    const endTag = endTagOf(tag);
    for (;;) {
      const inner = this.tag();
      if (inner === endTag) return;
      this.skip(inner, depth + 1);
    }
  }

  private advance(count: number): number {
    const at = this.pos;
    if (at + count > this.end) throw truncated();
    this.pos = at + count;
    return at;
  }
}

function truncated(): WireError {
  return new WireError('the message ends in the middle of a value');
}
