/**
 * Header lists → field blocks (RFC 7541). What repeats goes into the dynamic table and costs a byte from then on; what
 * differs from call to call (a trace, a request id) is written out, so that it pushes nothing out of the table. Secrets
 * are never indexed, here or by proxies behind us (section 7.1).
 */
import { Queue } from '../queue.js';
import { Writer } from '../wire/index.js';
import { DEFAULT_TABLE_BYTES, entrySize, STATIC_ENTRIES, staticByName } from './static-table.js';

const secrets = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** Values worth an entry when they are seen first: there are few of them on one connection. */
const repeated = new Set([':path', ':authority', 'content-type', 'te', 'user-agent', 'grpc-accept-encoding']);

/** Names whose last value is remembered. */
const MAX_REMEMBERED = 256;

/** One entry of the dynamic table. */
interface Entry {
  readonly name: string;
  readonly value: string;
  /** How many were added before. */
  readonly number: number;
}

/** Writes the field blocks of one connection, in the order in which they are sent. */
export class FieldEncoder {
  private readonly out = new Writer(1024);
  private readonly entries = new Queue<Entry>();
  private readonly byName = new Map<string, Map<string, Entry>>();
  private readonly lastValues = new Map<string, string>();
  private added = 0;
  private tableBytes = 0;
  private tableLimit = DEFAULT_TABLE_BYTES;
  /** Table sizes to announce at the start of the next block: the smallest in between, and the one that holds. */
  private smallestLimit = DEFAULT_TABLE_BYTES;
  private limitChanged = false;

  /** The other side's SETTINGS_HEADER_TABLE_SIZE; more than the default is not used. */
  setMaxTableBytes(bytes: number): void {
    const limit = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (limit === this.tableLimit) return;
    this.tableLimit = limit;
    this.smallestLimit = this.limitChanged ? Math.min(this.smallestLimit, limit) : limit;
    this.limitChanged = true;
    this.evict(limit);
  }

  /**
   * Encodes `[name, value, name, value …]`: names in lower case, characters up to U+00FF.
   * The block is valid until the next call.
   */
  encode(fields: readonly string[]): Buffer {
    const { out } = this;
    out.reset();
    if (this.limitChanged) this.announceLimit();
    for (let index = 0; index < fields.length; index += 2) this.field(fields[index]!, fields[index + 1]!);
    return out.peek();
  }

  private announceLimit(): void {
    if (this.smallestLimit < this.tableLimit) this.integer(0x20, 5, this.smallestLimit);
    this.integer(0x20, 5, this.tableLimit);
    this.limitChanged = false;
  }

  private field(name: string, value: string): void {
    const fixed = staticByName.get(name);
    const known = this.byName.get(name);
    if (secrets.has(name) || name.endsWith('-bin')) {
      return this.literal(0x10, 4, fixed?.index ?? 0, name, value);
    }
    const index = fixed?.values.get(value) ?? this.indexOf(known?.get(value));
    if (index !== undefined) return this.integer(0x80, 7, index);
    const nameIndex = fixed?.index ?? this.indexOf(firstOf(known)) ?? 0;
    if (this.isWorthAnEntry(name, value, nameIndex)) {
      this.literal(0x40, 6, nameIndex, name, value);
      this.insert(name, value);
    } else {
      this.literal(0, 4, nameIndex, name, value);
    }
  }

  /** A value that came twice in a row may come again; of a new name one entry is worth it for the name. */
  private isWorthAnEntry(name: string, value: string, nameIndex: number): boolean {
    if (entrySize(name, value) > this.tableLimit / 4) return false;
    if (repeated.has(name) || nameIndex === 0) return true;
    if (this.lastValues.get(name) === value) return true;
    if (this.lastValues.size >= MAX_REMEMBERED) this.lastValues.clear();
    this.lastValues.set(name, value);
    return false;
  }

  private indexOf(entry: Entry | undefined): number | undefined {
    return entry === undefined ? undefined : STATIC_ENTRIES + this.added - entry.number;
  }

  private insert(name: string, value: string): void {
    const size = entrySize(name, value);
    this.evict(this.tableLimit - size);
    const entry = { name, value, number: this.added++ };
    this.entries.push(entry);
    this.tableBytes += size;
    const values = this.byName.get(name);
    if (values === undefined) this.byName.set(name, new Map([[value, entry]]));
    else values.set(value, entry);
  }

  private evict(limit: number): void {
    while (this.tableBytes > limit) {
      const { name, value } = this.entries.take()!;
      this.tableBytes -= entrySize(name, value);
      const values = this.byName.get(name)!;
      values.delete(value);
      if (values.size === 0) this.byName.delete(name);
    }
  }

  private literal(prefix: number, prefixBits: number, nameIndex: number, name: string, value: string): void {
    this.integer(prefix, prefixBits, nameIndex);
    if (nameIndex === 0) this.string(name);
    this.string(value);
  }

  private string(text: string): void {
    this.integer(0, 7, text.length);
    this.out.ascii(text);
  }

  private integer(prefix: number, prefixBits: number, value: number): void {
    const most = (1 << prefixBits) - 1;
    if (value < most) return this.out.byte(prefix | value);
    this.out.byte(prefix | most);
    this.out.uint32(value - most);
  }
}

function firstOf(values: Map<string, Entry> | undefined): Entry | undefined {
  if (values === undefined) return undefined;
  for (const entry of values.values()) return entry;
  return undefined;
}
