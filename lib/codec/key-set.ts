/**
 * The keys of one map, to detect duplicates. Keys are compared by their bytes in a writer, so that no strings are made. Equal
 * keys must be written as equal bytes.
 */
import { createHash } from 'node:crypto';
import type { Writer } from '../wire/index.js';

/** Up to this many keys are compared one by one. */
const FEW = 16;

/** The keys of one map. */
export class KeySet {
  /** Start and end of each key in the writer's buffer. */
  private readonly ranges: number[] = [];
  /** Used for more than a few keys. V8 seeds its string hash, so that no input makes this quadratic. */
  private many: Set<string> | undefined;

  constructor(private readonly out: Writer) {}

  /** True if a key that was added has the bytes `[start, end)` of the writer. */
  has(start: number, end: number): boolean {
    if (this.many !== undefined) return this.many.has(this.text(start, end));
    const { ranges } = this;
    const { buf } = this.out;
    for (let index = 0; index < ranges.length; index += 2) {
      if (equalRanges(buf, ranges[index]!, ranges[index + 1]!, start, end)) return true;
    }
    return false;
  }

  add(start: number, end: number): void {
    if (this.many !== undefined) {
      this.many.add(this.text(start, end));
      return;
    }
    this.ranges.push(start, end);
    if (this.ranges.length > FEW * 2) this.many = this.toStrings();
  }

  private toStrings(): Set<string> {
    const strings = new Set<string>();
    for (let index = 0; index < this.ranges.length; index += 2) {
      strings.add(this.text(this.ranges[index]!, this.ranges[index + 1]!));
    }
    return strings;
  }

  private text(start: number, end: number): string {
    return keyText(this.out.buf, start, end);
  }
}

/** V8 hashes a string longer than 16383 by its length only, so many such keys would all be compared with each other. */
const MAX_HASHED_BYTES = 8192;

/** Bytes as a key of a Set or Map: equal if and only if the bytes are. */
export function keyText(buf: Buffer, start = 0, end = buf.length): string {
  if (end - start <= MAX_HASHED_BYTES) return buf.toString('latin1', start, end);
  const digest = createHash('sha256').update(buf.subarray(start, end)).digest('base64');
  // Longer than any text above, so it equals none of them.
  return digest.padEnd(MAX_HASHED_BYTES + 1);
}

function equalRanges(buf: Buffer, startA: number, endA: number, startB: number, endB: number): boolean {
  if (endA - startA !== endB - startB) return false;
  for (let index = endA - startA - 1; index >= 0; index--) {
    if (buf[startA + index] !== buf[startB + index]) return false;
  }
  return true;
}
