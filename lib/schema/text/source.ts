/**
 * A text and the places in it. Lexer and syntax tree store offsets; lines and columns are computed on demand, which is rare.
 * After parsing, the text is released, because thousands of files consist mostly of comments. A comment, or a place in a file
 * without services, then requires the file to be read again.
 */
import { crc32 } from 'node:zlib';
import type { SourcePlace } from '../../status.js';
import type { OptionPart } from './ast.js';

/** Reads the text of a file again; undefined if that fails. */
export type Reread = () => string | undefined;

/** The text of a file while it is needed, and the places in it. */
export class SourceText {
  private lineStarts: Uint32Array | undefined;
  private kept: string | undefined;
  private checksum = 0;
  private again: WeakRef<{ readonly text: string | undefined }> | undefined;

  constructor(
    /** The name in messages: relative to the working directory if the file is below it. */
    readonly file: string,
    text: string,
    /** If undefined, the text is never released. */
    private readonly reread?: Reread,
  ) {
    this.kept = text;
  }

  /** The text; undefined if it was released and the file has changed since. */
  get text(): string | undefined {
    return this.kept ?? this.readAgain();
  }

  /**
   * Releases the text.
   * @param keepLines keeps the line starts, because places will be needed.
   */
  release(keepLines: boolean): void {
    if (this.reread === undefined || this.kept === undefined) return;
    if (keepLines) this.lineStarts ??= findLineStarts(this.kept);
    this.checksum = crc32(this.kept);
    this.kept = undefined;
  }

  /** Line and column of an offset, both from 1. Columns count UTF-16 units, like editors do. */
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
    // The offsets of a changed file would select wrong comments, so it has none.
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
 * Interned copies of names. A slice of a text would keep the whole text in memory, and most names are mentioned often (`npm
 * run bench`, "start"). Values that depend on a name only are shared too.
 */
export class Names {
  private readonly known = new Map<string, string>();
  private readonly identifiers = new Map<string, { readonly identifier: string }>();
  private readonly paths = new Map<string, readonly OptionPart[]>();

  /** The option value of an identifier. */
  identifier(name: string): { readonly identifier: string } {
    let value = this.identifiers.get(name);
    if (value === undefined) this.identifiers.set(name, (value = { identifier: name }));
    return value;
  }

  /** An option name of one part, which is the usual case: each mention shares the list. */
  path(part: OptionPart): readonly OptionPart[] {
    const key = part.extension ? `(${part.text})` : part.text;
    let path = this.paths.get(key);
    if (path === undefined) this.paths.set(key, (path = [part]));
    return path;
  }

  intern(name: string): string {
    let copy = this.known.get(name);
    if (copy === undefined) {
      // Names are ASCII. Engines copy slices shorter than 13 characters anyway.
      copy = name.length < 13 ? name : Buffer.from(name, 'latin1').toString('latin1');
      this.known.set(copy, copy);
    }
    return copy;
  }
}

/** A copy that does not keep the text in memory that it was cut from. */
export function detached(text: string): string {
  const latin1 = /^[\0-\xff]*$/.test(text);
  const encoding = latin1 ? 'latin1' : 'utf16le';
  return Buffer.from(text, encoding).toString(encoding);
}
