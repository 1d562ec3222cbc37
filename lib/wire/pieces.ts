/**
 * A queue of bytes that arrive in pieces. Memory grows with the number of bytes, not of pieces: a Buffer costs some hundred
 * bytes and keeps alive the whole memory that it is a part of. So small pieces are copied into blocks, and large ones are
 * kept as they are.
 */
import { Queue } from '../queue.js';

/** Smaller pieces are copied into blocks. */
const SMALL_PIECE_BYTES = 2048;

/** A block that is made for bytes that are announced has this many of them at most: who announces much must also send it. */
const MAX_EXPECTED_BYTES = 1024 ** 2;

/** Up to this size the engine takes memory from a pool, which costs no allocation. */
const POOLED_BYTES = 2048;

/** A piece may keep alive this many times its size. */
const MAX_WASTE = 8;

const MIN_BLOCK_BYTES = 1024;
const MAX_BLOCK_BYTES = 16 * 1024;

const EMPTY = Buffer.alloc(0);

/** The queue. */
export class Pieces {
  private readonly pieces = new Queue<Buffer>();
  private bytes = 0;
  /** Free bytes after the last piece, if that is a block. */
  private room = 0;

  /** Bytes that are held. */
  get length(): number {
    return this.bytes;
  }

  /** Adds a piece, which must not change afterwards. The first one is not copied, as it may be the only one. */
  push(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.bytes === 0 || !(piece.length < SMALL_PIECE_BYTES || isWasteful(piece))) {
      this.pieces.push(piece);
      this.room = 0;
    } else {
      this.append(piece);
    }
    this.bytes += piece.length;
  }

  /**
   * Adds a copy of a piece, whose memory may then be used for something else.
   * @param expected bytes that belong together, from the first one of this piece on: they get one block of memory.
   */
  copy(piece: Buffer, expected = piece.length): void {
    const { length } = piece;
    if (length === 0) return;
    let rest = piece;
    if (this.room > 0) {
      const fits = Math.min(this.room, length);
      this.extend(piece, fits);
      this.bytes += fits;
      if (fits === length) return;
      rest = piece.subarray(fits);
    }
    const size = Math.max(
      rest.length,
      Math.min(MAX_EXPECTED_BYTES, expected - (length - rest.length)),
      this.bytes === 0 ? 0 : this.nextBlockBytes(),
    );
    const block = size <= POOLED_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    rest.copy(block);
    this.pieces.push(size === rest.length ? block : block.subarray(0, rest.length));
    this.room = size - rest.length;
    this.bytes += rest.length;
  }

  /** Call it before the rest waits for longer: a small rest must not keep a large piece alive. */
  settle(): void {
    const { pieces } = this;
    if (pieces.length !== 1 || this.room > 0 || !isWasteful(pieces.first!)) return;
    this.append(pieces.take()!);
  }

  /** Removes and returns the next `count` bytes; there must be that many. */
  take(count: number): Buffer {
    if (count === 0) return EMPTY;
    const { pieces } = this;
    const first = pieces.first!;
    this.bytes -= count;
    if (first.length < count) return this.gather(count);
    this.drop(first, count);
    return first.length === count ? first : first.subarray(0, count);
  }

  /** Removes and returns the next piece, or its first `max` bytes. */
  takeSome(max: number): Buffer {
    return this.take(Math.min(max, this.pieces.first?.length ?? 0));
  }

  /** Removes and returns everything. */
  takeAll(): Buffer {
    return this.take(this.bytes);
  }

  clear(): void {
    this.pieces.clear();
    this.bytes = 0;
    this.room = 0;
  }

  /** The pieces. */
  [Symbol.iterator](): Iterator<Buffer> {
    return this.pieces[Symbol.iterator]();
  }

  private append(piece: Buffer): void {
    const { pieces } = this;
    if (this.room < piece.length) {
      this.room = Math.max(piece.length, this.nextBlockBytes());
      pieces.push(Buffer.allocUnsafeSlow(this.room).subarray(0, 0));
    }
    this.extend(piece, piece.length);
  }

  /** The more is held, the more comes. */
  private nextBlockBytes(): number {
    return Math.min(MAX_BLOCK_BYTES, Math.max(MIN_BLOCK_BYTES, this.bytes));
  }

  /** Copies the first `count` bytes of a piece behind the last one, where room is. */
  private extend(piece: Buffer, count: number): void {
    const { pieces } = this;
    const { buffer, byteOffset, length } = pieces.last!;
    const longer = Buffer.from(buffer, byteOffset, length + count);
    piece.copy(longer, length, 0, count);
    pieces.replaceLast(longer);
    this.room -= count;
  }

  /** Removes `count` bytes from several pieces. Each byte is copied once. */
  private gather(count: number): Buffer {
    const whole = Buffer.allocUnsafeSlow(count);
    for (let length = 0; length < count;) {
      const first = this.pieces.first!;
      const taken = Math.min(first.length, count - length);
      first.copy(whole, length, 0, taken);
      this.drop(first, taken);
      length += taken;
    }
    return whole;
  }

  private drop(first: Buffer, count: number): void {
    const { pieces } = this;
    if (count < first.length) return pieces.replaceFirst(first.subarray(count));
    pieces.take();
    if (pieces.length === 0) this.room = 0;
  }
}

function isWasteful(piece: Buffer): boolean {
  return piece.length * MAX_WASTE < piece.buffer.byteLength;
}
