/**
 * A raw path split at its slashes, as offsets: nothing is decoded, and text is copied only on demand. One instance is reused for
 * all requests of a matcher, because a match is synchronous.
 */
import { normalizeSegment } from '../uri.js';

const SLASH = 0x2f;
const COLON = 0x3a;

/** 1 for ASCII characters that `normalizeSegment` leaves alone. */
const plainChars = Uint8Array.from({ length: 128 }, (_, code) => (isPlain(String.fromCharCode(code)) ? 1 : 0));

function isPlain(char: string): boolean {
  return char !== '%' && normalizeSegment(char) === char;
}

/** The segments of the current path. */
export class PathSegments {
  /** Number of visible segments; `/` has none. */
  count = 0;
  /** Index of the first empty segment; `Infinity` if there is none. */
  firstEmpty = Infinity;
  /** True if no segment needs to be normalized. */
  plain = true;
  /** Nodes visited since `cut`, for the test that bounds them. */
  visits = 0;

  private path = '';
  /** Offset of each segment and of the one that would follow. It grows to the longest path. */
  private starts = new Int32Array(32);
  /** Offset of the visible end, including a verb. */
  private end = 0;
  private lastColon = -1;

  /** Sets the path; false if it does not start with a slash. */
  cut(path: string): boolean {
    if (path.charCodeAt(0) !== SLASH) return false;
    this.path = path;
    this.plain = true;
    this.firstEmpty = Infinity;
    this.visits = 0;
    this.lastColon = -1;
    this.count = path.length === 1 ? 0 : this.scan(path);
    this.end = path.length;
    this.showVerb();
    return true;
  }

  /** Finds the segments; returns their number. */
  private scan(path: string): number {
    let count = 0;
    let start = 1;
    let plain = true;
    for (let at = 1; at < path.length; at++) {
      const char = path.charCodeAt(at);
      if (char === SLASH) {
        this.addSegment(count++, start, at);
        start = at + 1;
      } else if (char === COLON) {
        this.lastColon = at;
      } else if (char > 127 || plainChars[char] === 0) {
        plain = false;
      }
    }
    this.plain = plain;
    this.addSegment(count++, start, path.length);
    return count;
  }

  private addSegment(index: number, start: number, end: number): void {
    if (start === end && this.firstEmpty === Infinity) this.firstEmpty = index;
    // There must be room for this segment and for the end after it.
    if (index + 1 >= this.starts.length) {
      const grown = new Int32Array(this.starts.length * 2);
      grown.set(this.starts);
      this.starts = grown;
    }
    this.starts[index] = start;
  }

  /** True if the path ends with a slash that can be dropped. */
  get endsInSlash(): boolean {
    return this.count > 1 && this.starts[this.count - 1] === this.end;
  }

  /** Hides the empty segment after a trailing slash. */
  dropTrailingSlash(): void {
    this.count--;
    this.end--;
  }

  /** The text after the last colon of the last visible segment; undefined if there is no colon or no text. */
  verb(): string | undefined {
    const { lastColon, count } = this;
    if (lastColon < 0 || lastColon < this.starts[count - 1]!) return undefined;
    const text = this.path.slice(lastColon + 1, this.endOf(count - 1));
    return text === '' ? undefined : text;
  }

  /** Hides the verb and its colon. Call it only after `verb()` returned one. */
  hideVerb(): void {
    this.starts[this.count] = this.lastColon + 1;
  }

  /** Undoes `hideVerb`. */
  showVerb(): void {
    this.starts[this.count] = this.end + 1;
  }

  /** Offset of the first character of a segment; for the one after the last, the end. */
  startOf(index: number): number {
    return index < this.count ? this.starts[index]! : this.starts[this.count]! - 1;
  }

  /** Offset after the last character of a segment. */
  endOf(index: number): number {
    return this.starts[index + 1]! - 1;
  }

  lengthOf(index: number): number {
    return this.starts[index + 1]! - this.starts[index]! - 1;
  }

  textOf(index: number): string {
    return this.path.slice(this.starts[index], this.starts[index + 1]! - 1);
  }

  normalTextOf(index: number): string {
    return normalizeSegment(this.textOf(index));
  }
}
