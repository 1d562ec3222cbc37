/**
 * The lengths of nested values of more than 127 bytes that are not written yet. They are added when a value ends, so each
 * follows those inside it. The index of the first of these is kept, which makes the list a tree.
 */
export class WaitingLengths {
  count = 0;
  /** Where each value starts, after the byte that is reserved for its length. */
  private marks: number[] = [];
  private lengths: number[] = [];
  /** The bytes that its length and those inside it need beyond the reserved ones. */
  private extras: number[] = [];
  /** The index of the first one inside it; its own index if there is none. */
  private firsts: number[] = [];

  /** Adds the length of a value from `mark` to `pos`. */
  add(mark: number, pos: number): void {
    const { marks, count } = this;
    let extra = 0;
    let first = count;
    while (first > 0 && marks[first - 1]! >= mark) {
      extra += this.extras[first - 1]!;
      first = this.firsts[first - 1]!;
    }
    const length = pos - mark + extra;
    marks[count] = mark;
    this.lengths[count] = length;
    this.extras[count] = extra + extraBytes(length);
    this.firsts[count] = first;
    this.count++;
  }

  /** The bytes that all lengths from an index on need beyond the reserved ones. */
  extraSince(index: number): number {
    let extra = 0;
    for (let at = this.count; at > index; at = this.firsts[at - 1]!) extra += this.extras[at - 1]!;
    return extra;
  }

  /** Removes the lengths from an index on and passes them to `take`, last mark first. */
  takeSince(index: number, take: (mark: number, length: number) => void): void {
    const { marks, lengths, firsts } = this;
    const open: number[] = [];
    for (let at = this.count - 1; at >= index;) {
      const first = firsts[at]!;
      if (first < at) {
        // Those inside it have later marks.
        open.push(at--);
        continue;
      }
      take(marks[at]!, lengths[at]!);
      while (open.length > 0 && firsts[open[open.length - 1]!] === first) {
        const outer = open.pop()!;
        take(marks[outer]!, lengths[outer]!);
      }
      at = first - 1;
    }
    this.count = index;
  }

  /** Removes the values that start at `pos` or later. */
  rewind(pos: number): void {
    while (this.count > 0 && this.marks[this.count - 1]! >= pos) this.count--;
  }

  clear(): void {
    this.count = 0;
    if (this.marks.length <= MAX_KEPT) return;
    this.marks = [];
    this.lengths = [];
    this.extras = [];
    this.firsts = [];
  }
}

/** Storage kept between uses. */
const MAX_KEPT = 4096;

/** The bytes that a length of more than 127 needs beyond the reserved one. */
export function extraBytes(length: number): number {
  return length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : length < 0x1000_0000 ? 3 : 4;
}
