/**
 * The keys of the maps that are being read or printed, to notice a second one. They are compared as bytes that were already
 * written to a buffer, in a form where equal keys have equal bytes, so that keys of any type cost no strings; and all maps
 * of a document, one inside the other, share one stack, so that a small map costs no object (bench: codec).
 */
import type { Writer } from '../wire/index.js';

/** Up to so many keys are compared one by one. */
const FEW = 16;

export class KeyStack {
  /** Start and end of each key in the writer's buffer. */
  private readonly ranges: number[] = [];
  /** Where the next key goes. */
  private top = 0;
  /** Of maps with many keys. V8's own string hash cannot be guessed, so that no input makes this quadratic. */
  private many: Map<number, Set<string>> | undefined;

  constructor(private readonly out: Writer) {}

  /** Starts a map; hand the result to the other methods. */
  enter(): number {
    return this.top;
  }

  leave(map: number): void {
    this.top = map;
    this.many?.delete(map);
  }

  /** True if a key that was added to the map has the bytes `[start, end)` of the writer. */
  has(map: number, start: number, end: number): boolean {
    const { ranges, top } = this;
    if (top - map > FEW * 2) return this.many!.get(map)!.has(this.text(start, end));
    const { buf } = this.out;
    for (let index = map; index < top; index += 2) {
      if (equalRanges(buf, ranges[index]!, ranges[index + 1]!, start, end)) return true;
    }
    return false;
  }

  add(map: number, start: number, end: number): void {
    const { ranges, top } = this;
    if (top - map > FEW * 2) {
      this.many!.get(map)!.add(this.text(start, end));
      return;
    }
    ranges[top] = start;
    ranges[top + 1] = end;
    this.top = top + 2;
    if (this.top - map > FEW * 2) (this.many ??= new Map()).set(map, this.toStrings(map));
  }

  private toStrings(map: number): Set<string> {
    const strings = new Set<string>();
    for (let index = map; index < this.top; index += 2)
      strings.add(this.text(this.ranges[index]!, this.ranges[index + 1]!));
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
