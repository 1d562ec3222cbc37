/**
 * A text and the places in it. Offsets are what the lexer and the syntax tree carry; lines and columns are computed
 * when somebody asks, since almost nobody does.
 */
import type { SourcePlace } from '../status.js';

export class SourceText {
  private lineStarts: number[] | undefined;

  constructor(
    /** The file as messages name it: relative to the working directory where it lies below that. */
    readonly file: string,
    readonly text: string,
  ) {}

  /** Line and column of an offset, both from 1; columns count UTF-16 units, as editors do. */
  placeAt(offset: number): SourcePlace {
    const starts = (this.lineStarts ??= findLineStarts(this.text));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - starts[low]! + 1 };
  }
}

function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
