/**
 * Field blocks → header lists (RFC 7541). Octets become characters up to U+00FF. It never judges names or values: that is
 * for whoever knows what the list is; but a block that cannot be decoded ends the connection, as both sides' tables differ
 * from then on.
 */
import { header } from '../headers.js';
import { Pieces } from '../wire/index.js';
import { ConnectionError, ErrorCode } from './error.js';
import { decodeHuffman } from './huffman.js';
import { DEFAULT_TABLE_BYTES, entrySize, STATIC_ENTRIES, staticNames, staticValues } from './static-table.js';

/** Far above any length or index that can be right, and far below where 32 bits end. */
const MAX_INTEGER_SHIFT = 21;

/** A value that is sent with so many times the bytes of a limit is over it, however it is coded. */
const SURELY_TOO_LONG = 4;

const EMPTY = Buffer.alloc(0);

const noNames: ReadonlySet<string> = new Set();

/** Decodes the header blocks of one connection (RFC 7541). */
export class FieldDecoder {
  /** True if the last list was over its limit: it was decoded for the sake of the table, but not kept whole. */
  overflow = false;

  /** The dynamic table, the newest entry last; what stands before `first` was evicted. */
  private names: string[] = [];
  private values: string[] = [];
  private first = 0;
  private tableBytes = 0;
  private tableLimit: number;

  private buffer: Buffer = EMPTY;
  private pos = 0;
  private end = 0;

  /** The list so far, and what it counts. */
  private fields: string[] = [];
  private listBytes = 0;
  private hasField = false;
  /** The start of a header whose end is in the next part of its block. */
  private readonly held = new Pieces();
  private needed = 0;
  /** Bytes of a value that nobody will keep. */
  private skipped = 0;
  private readonly maxValueBytes: number;

  /**
   * @param maxListBytes of a header list; an entry counts 32 and the lengths of name and value.
   * @param essential names whose first value is kept though the list is over its limit, if it alone is not.
   * @param maxTableBytes what our SETTINGS_HEADER_TABLE_SIZE says.
   */
  constructor(
    private readonly maxListBytes: number,
    private readonly essential = noNames,
    private readonly maxTableBytes = DEFAULT_TABLE_BYTES,
  ) {
    this.tableLimit = maxTableBytes;
    // What is not kept is larger than the table, too, and leaves it empty.
    this.maxValueBytes = SURELY_TOO_LONG * Math.max(maxListBytes, maxTableBytes);
  }

  /**
   * Decodes one block, `buffer[start..end)`, into `[name, value, name, value …]`.
   * @throws ConnectionError COMPRESSION_ERROR
   */
  decode(buffer: Buffer, start: number, end: number): string[] {
    this.begin();
    this.read(buffer, start, end);
    return this.finish();
  }

  /** Starts a block that comes in parts. */
  begin(): void {
    this.fields = [];
    this.listBytes = 0;
    this.hasField = false;
    this.overflow = false;
  }

  /**
   * Decodes the next part of the block. However long that is, what is held of it is bounded, and a copy.
   * @throws ConnectionError COMPRESSION_ERROR
   */
  push(part: Buffer): void {
    const skipped = Math.min(this.skipped, part.length);
    this.skipped -= skipped;
    const { held } = this;
    if (held.length === 0) return this.read(part, skipped, part.length);
    held.copy(part, this.needed - held.length);
    if (held.length < this.needed) return;
    const whole = held.takeAll();
    this.read(whole, 0, whole.length);
  }

  /**
   * The block is complete: the list.
   * @throws ConnectionError COMPRESSION_ERROR
   */
  finish(): string[] {
    if (this.held.length > 0 || this.skipped > 0) throw new CutShort(0);
    const { fields } = this;
    this.fields = [];
    this.buffer = EMPTY;
    return fields;
  }

  private read(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.pos = start;
    this.end = end;
    let at = start;
    try {
      for (; this.pos < end; at = this.pos) this.field(buffer[at]!);
    } catch (error) {
      if (!(error instanceof CutShort)) throw error;
      // Nothing of it has changed the table yet.
      this.needed = end - at + error.missing;
      this.held.copy(buffer.subarray(at, end), this.needed);
    }
  }

  /** Decodes what starts with this byte. */
  private field(byte: number): void {
    if (byte >= 0x20 && byte < 0x40) {
      if (this.hasField) throw broken('a change of table size after a header');
      return this.resize(this.integer(5));
    }
    if (byte >= 0x80) {
      const index = this.integer(7);
      const value = index <= STATIC_ENTRIES ? staticValues[index] : this.values[this.positionOf(index)];
      return this.keep(this.nameAt(index), value!);
    }
    const indexed = byte >= 0x40;
    const index = this.integer(indexed ? 6 : 4);
    const name = index === 0 ? this.string() : this.nameAt(index);
    const value = this.value();
    if (value === undefined) {
      if (indexed) this.empty();
      this.hasField = true;
      this.overflow = true;
      return;
    }
    if (indexed) this.insert(name, value);
    this.keep(name, value);
  }

  private keep(name: string, value: string): void {
    const size = entrySize(name, value);
    this.hasField = true;
    if (this.listBytes + size <= this.maxListBytes) {
      this.listBytes += size;
      this.fields.push(name, value);
      return;
    }
    this.overflow = true;
    if (this.essential.has(name) && size <= this.maxListBytes && header(this.fields, name) === undefined) {
      this.fields.push(name, value);
    }
  }

  private nameAt(index: number): string {
    if (index === 0) throw broken('index 0');
    return index <= STATIC_ENTRIES ? staticNames[index]! : this.names[this.positionOf(index)]!;
  }

  private positionOf(index: number): number {
    const position = this.names.length - (index - STATIC_ENTRIES);
    if (position < this.first) throw broken(`index ${index}, which its table does not have`);
    return position;
  }

  private insert(name: string, value: string): void {
    this.names.push(name);
    this.values.push(value);
    this.tableBytes += entrySize(name, value);
    this.evict();
  }

  private resize(bytes: number): void {
    if (bytes > this.maxTableBytes) throw broken(`a table of ${bytes} bytes, expected ${this.maxTableBytes} at most`);
    this.tableLimit = bytes;
    this.evict();
  }

  private empty(): void {
    this.names = [];
    this.values = [];
    this.first = 0;
    this.tableBytes = 0;
  }

  /** An entry larger than the whole table leaves it empty. */
  private evict(): void {
    const { names, values } = this;
    while (this.tableBytes > this.tableLimit) {
      const oldest = this.first++;
      this.tableBytes -= entrySize(names[oldest]!, values[oldest]!);
      names[oldest] = '';
      values[oldest] = '';
    }
    if (this.first < 256) return;
    this.names = names.slice(this.first);
    this.values = values.slice(this.first);
    this.first = 0;
  }

  /** RFC 7541, section 5.1: a prefix of so many bits, and what does not fit it in groups of seven. */
  private integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let value = this.byte() & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift > MAX_INTEGER_SHIFT) throw broken('a number beyond all limits');
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  private string(): string {
    const huffman = this.pos < this.end && this.buffer[this.pos]! >= 0x80;
    return this.text(huffman, this.integer(7));
  }

  /** The same; undefined for a value that is too long to be held until its end comes. */
  private value(): string | undefined {
    const huffman = this.pos < this.end && this.buffer[this.pos]! >= 0x80;
    const length = this.integer(7);
    const missing = length - (this.end - this.pos);
    if (missing <= 0 || length <= this.maxValueBytes) return this.text(huffman, length);
    this.skipped = missing;
    this.pos = this.end;
    return undefined;
  }

  private text(huffman: boolean, length: number): string {
    const start = this.pos;
    if (length > this.end - start) {
      if (length > this.maxValueBytes) throw broken(`a name of ${length} bytes`);
      throw new CutShort(length - (this.end - start));
    }
    this.pos = start + length;
    return huffman ? decodeHuffman(this.buffer, start, this.pos) : this.buffer.toString('latin1', start, this.pos);
  }

  private byte(): number {
    if (this.pos >= this.end) throw new CutShort(1);
    return this.buffer[this.pos++]!;
  }
}

/** More bytes are needed. An error, if there are none. */
class CutShort extends ConnectionError {
  constructor(readonly missing: number) {
    super(ErrorCode.COMPRESSION_ERROR, `${CANNOT_BE_DECODED}: a header that is cut short`);
  }
}

const CANNOT_BE_DECODED = 'sent headers that cannot be decoded';

function broken(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `${CANNOT_BE_DECODED}: ${what}`);
}
