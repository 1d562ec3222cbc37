/**
 * The keys of one map, to notice a second one. They are compared as bytes that were already written to a buffer, in a form
 * where equal keys have equal bytes, so that keys of any type cost no strings.
 */
import type { Writer } from '../wire/index.js';

/** Up to so many keys are compared one by one. */
const FEW = 16;

export class KeySet {
  /** Start and end of each key in the writer's buffer. */
  private readonly ranges: number[] = [];
  /** Beyond a few keys. V8's own string hash cannot be guessed, so that no input makes this quadratic. */
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
    return this.out.buf.toString('latin1', start, end);
  }
}

function equalRanges(buf: Buffer, startA: number, endA: number, startB: number, endB: number): boolean {
  if (endA - startA !== endB - startB) return false;
  for (let index = endA - startA - 1; index >= 0; index--) {
    if (buf[startA + index] !== buf[startB + index]) return false;
  }
  return true;
}
