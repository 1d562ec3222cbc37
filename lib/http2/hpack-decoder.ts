/**
 * Field blocks → header lists (RFC 7541). Octets become characters up to U+00FF. It never judges names or values: that is
 * for whoever knows what the list is; but a block that cannot be decoded ends the connection, as both sides' tables differ
 * from then on.
 */
import { ConnectionError, ErrorCode } from './error.js';
import { decodeHuffman } from './huffman.js';
import { DEFAULT_TABLE_BYTES, entrySize, STATIC_ENTRIES, staticNames, staticValues } from './static-table.js';

/** Far above any length or index that can be right, and far below where 32 bits end. */
const MAX_INTEGER_SHIFT = 21;

export class FieldDecoder {
  /** True where the last list was over its limit: it was decoded for the sake of the table, but not kept whole. */
  overflow = false;

  /** The dynamic table, the newest entry last; what stands before `first` was evicted. */
  private names: string[] = [];
  private values: string[] = [];
  private first = 0;
  private tableBytes = 0;
  private tableLimit: number;

  private buffer: Buffer = Buffer.alloc(0);
  private pos = 0;
  private end = 0;

  /**
   * @param maxListBytes of a header list; an entry counts 32 and the lengths of name and value.
   * @param maxTableBytes what our SETTINGS_HEADER_TABLE_SIZE says.
   */
  constructor(
    private readonly maxListBytes: number,
    private readonly maxTableBytes = DEFAULT_TABLE_BYTES,
  ) {
    this.tableLimit = maxTableBytes;
  }

  /**
   * Decodes one block, `buffer[start..end)`, into `[name, value, name, value …]`.
   * @throws ConnectionError COMPRESSION_ERROR
   */
  decode(buffer: Buffer, start: number, end: number): string[] {
    this.buffer = buffer;
    this.pos = start;
    this.end = end;
    this.overflow = false;
    const fields: string[] = [];
    let listBytes = 0;
    while (this.pos < this.end) {
      const byte = buffer[this.pos]!;
      if (byte >= 0x20 && byte < 0x40) {
        if (fields.length > 0 || listBytes > 0) throw broken('a change of table size after a header');
        this.resize(this.integer(5));
        continue;
      }
      let name: string;
      let value: string;
      if (byte >= 0x80) {
        const index = this.integer(7);
        name = this.nameAt(index);
        value = index <= STATIC_ENTRIES ? staticValues[index]! : this.values[this.positionOf(index)]!;
      } else {
        const indexed = byte >= 0x40;
        const index = this.integer(indexed ? 6 : 4);
        name = index === 0 ? this.string() : this.nameAt(index);
        value = this.string();
        if (indexed) this.insert(name, value);
      }
      listBytes += entrySize(name, value);
      if (listBytes <= this.maxListBytes) fields.push(name, value);
      else this.overflow = true;
    }
    return fields;
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
    if (this.pos >= this.end) throw broken('a header that is cut short');
    const huffman = this.buffer[this.pos]! >= 0x80;
    const length = this.integer(7);
    const start = this.pos;
    if (length > this.end - start) throw broken('a header that is cut short');
    this.pos = start + length;
    return huffman ? decodeHuffman(this.buffer, start, this.pos) : this.buffer.toString('latin1', start, this.pos);
  }

  private byte(): number {
    if (this.pos >= this.end) throw broken('a header that is cut short');
    return this.buffer[this.pos++]!;
  }
}

function broken(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `sent headers that cannot be decoded: ${what}`);
}
