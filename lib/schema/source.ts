/**
 * A text and the places in it. Offsets are what the lexer and the syntax tree carry; lines and columns are computed
 * when somebody asks, since almost nobody does. Once it is parsed the text is let go, as thousands of files are mostly
 * comments; who wants one later, or a place in a file without services, has the file read again.
 */
import { crc32 } from 'node:zlib';
import type { SourcePlace } from '../status.js';
import type { OptionPart } from './ast.js';

/** Reads a file's text once more; undefined where that fails. */
export type Reread = () => string | undefined;

export class SourceText {
  private lineStarts: Uint32Array | undefined;
  private kept: string | undefined;
  private checksum = 0;
  private again: WeakRef<{ readonly text: string | undefined }> | undefined;

  constructor(
    /** The file as messages name it: relative to the working directory where it lies below that. */
    readonly file: string,
    text: string,
    /** Without it the text is never let go. */
    private readonly reread?: Reread,
  ) {
    this.kept = text;
  }

  /** The text; undefined where it was let go and the file is no longer what was loaded. */
  get text(): string | undefined {
    return this.kept ?? this.readAgain();
  }

  /**
   * Lets the text go.
   * @param keepLines places will be asked for, so note where its lines start.
   */
  release(keepLines: boolean): void {
    if (this.reread === undefined || this.kept === undefined) return;
    if (keepLines) this.lineStarts ??= findLineStarts(this.kept);
    this.checksum = crc32(this.kept);
    this.kept = undefined;
  }

  /** Line and column of an offset, both from 1; columns count UTF-16 units, as editors do. */
  placeAt(offset: number): SourcePlace {
    const starts = (this.lineStarts ??= findLineStarts(this.text));
    if (starts === undefined) return { file: this.file };
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - starts[low]! + 1 };
  }

  private readAgain(): string | undefined {
    const known = this.again?.deref();
    if (known !== undefined) return known.text;
    const found = this.reread!();
    // Comments of a changed file would be cut out of anywhere: better none.
    const text = found !== undefined && crc32(found) === this.checksum ? found : undefined;
    this.again = new WeakRef({ text });
    return text;
  }
}

function findLineStarts(text: string | undefined): Uint32Array | undefined {
  if (text === undefined) return undefined;
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return Uint32Array.from(starts);
}

/**
 * Copies of names, one for each: a slice of a text would keep the whole text, and there are far fewer names than
 * mentions of them (`npm run bench`, "start"). What is made of a name alone is shared as well.
 */
export class Names {
  private readonly known = new Map<string, string>();
  private readonly identifiers = new Map<string, { readonly identifier: string }>();
  private readonly paths = new Map<string, readonly OptionPart[]>();

  /** The option value that a word is. */
  identifier(name: string): { readonly identifier: string } {
    let value = this.identifiers.get(name);
    if (value === undefined) this.identifiers.set(name, (value = { identifier: name }));
    return value;
  }

  /** The option names of one part, which most are: the same list for each mention. */
  path(part: OptionPart): readonly OptionPart[] {
    const key = part.extension ? `(${part.text})` : part.text;
    let path = this.paths.get(key);
    if (path === undefined) this.paths.set(key, (path = [part]));
    return path;
  }

  intern(name: string): string {
    let copy = this.known.get(name);
    if (copy === undefined) {
      // Names are ASCII, and an engine copies what is so short anyway.
      copy = name.length < 13 ? name : Buffer.from(name, 'latin1').toString('latin1');
      this.known.set(copy, copy);
    }
    return copy;
  }
}

/** A copy that shares no memory with the text that it was cut from. */
export function detached(text: string): string {
  const latin1 = /^[\0-\xff]*$/.test(text);
  const encoding = latin1 ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}
