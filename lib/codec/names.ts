/**
 * Names found by their UTF-8 bytes, without making a string: the keys of a message, the values of an enum.
 * A name is unescaped before it is looked up.
 */
import { QUOTE } from './chars.js';

/** One name and what it stands for. */
export class NameEntry<T> {
  /** The bytes of the name and the closing quote. */
  readonly bytes: Uint8Array;
  readonly hash: number;
  /** The entry that followed this one last time: clients send the same members in the same order again and again. */
  guess: NameEntry<T> | undefined = undefined;

  constructor(
    readonly name: string,
    readonly value: T,
  ) {
    const bytes = Buffer.from(`${name}"`, 'utf8');
    this.bytes = bytes;
    this.hash = hashOf(bytes, 0, bytes.length - 1);
  }

  /** True if the JSON string whose content starts at `start` is exactly this name, written without escapes. */
  matches(buf: Buffer, start: number): boolean {
    const { bytes } = this;
    const count = bytes.length;
    if (start + count > buf.length) return false;
    for (let index = 0; index < count; index++) {
      if (buf[start + index] !== bytes[index]) return false;
    }
    return true;
  }
}

function hashOf(buf: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + buf[index]!) | 0;
  return hash;
}

/** An immutable table of names. If two names are equal, the first one wins. */
export class NameTable<T> {
  private readonly buckets: (readonly NameEntry<T>[])[];
  private readonly mask: number;
  /** In the order given. */
  readonly entries: readonly NameEntry<T>[];

  constructor(names: Iterable<readonly [name: string, value: T]>) {
    const first = new Map<string, NameEntry<T>>();
    for (const [name, value] of names) if (!first.has(name)) first.set(name, new NameEntry(name, value));
    this.entries = [...first.values()];
    let size = 8;
    while (size < this.entries.length * 2) size *= 2;
    this.mask = size - 1;
    const buckets = Array.from({ length: size }, (): NameEntry<T>[] => []);
    for (const entry of this.entries) buckets[entry.hash & this.mask]!.push(entry);
    this.buckets = buckets;
    for (const [index, entry] of this.entries.entries()) entry.guess = this.entries[index + 1];
  }

  /** The entry of the name `buf[start..end)`, unescaped, which a quote may or may not follow. */
  find(buf: Buffer, start: number, end: number): NameEntry<T> | undefined {
    const hash = hashOf(buf, start, end);
    for (const entry of this.buckets[hash & this.mask]!) {
      if (entry.hash !== hash || entry.bytes.length !== end - start + 1) continue;
      if (equalRange(entry.bytes, buf, start, end)) return entry;
    }
    return undefined;
  }

  names(): string[] {
    return this.entries.map((entry) => entry.name);
  }
}

function equalRange(bytes: Uint8Array, buf: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    if (buf[index] !== bytes[index - start]) return false;
  }
  return bytes[end - start] === QUOTE;
}
