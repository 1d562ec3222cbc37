/**
 * Finds the `@type` of each google.protobuf.Any in one JSON text. It may come after the members that only it explains, so it
 * is searched for before the Any is read. The results of a search are kept, so that each byte is searched at most once,
 * however deep Anys are nested.
 */
import { OPEN_BRACE, OPEN_BRACKET, QUOTE } from './chars.js';
import type { JsonScanner } from './scanner.js';

const TYPE_KEY = Buffer.from('@type');

/** True if the last scanned string is `@type`. */
export function isTypeKey({ text, textStart, textEnd }: JsonScanner): boolean {
  return textEnd - textStart === TYPE_KEY.length && TYPE_KEY.equals(text.subarray(textStart, textEnd));
}

/** The types of the Anys in one text. */
export class AnyTypes {
  /** Offset of an object → offset of the string value of its `@type`, unless that is its first member. */
  private readonly offsets = new Map<number, number>();
  /** All objects that end before this offset have been searched. */
  private passedTo = 0;

  constructor(private readonly scanner: JsonScanner) {}

  /**
   * The offset of the value of `@type` in the object that starts at `start` and whose first key the scanner is at; -1 if
   * it has none. The scanner is moved.
   */
  find(start: number): number {
    const { scanner } = this;
    scanner.string();
    const isType = isTypeKey(scanner);
    if (scanner.colon() === QUOTE && isType) return scanner.pos;
    return start < this.passedTo ? (this.offsets.get(start) ?? -1) : this.lookAhead();
  }

  /** Continues from the first value of an object to its `@type`; returns the offset of its value. */
  private lookAhead(): number {
    const { scanner } = this;
    let offset = -1;
    this.passValue();
    while (offset < 0 && scanner.moreMembers()) offset = this.passMember();
    this.passedTo = scanner.pos;
    return offset;
  }

  /** Passes one member; returns the offset of its value if it is a `@type`, else -1. */
  private passMember(): number {
    const { scanner } = this;
    scanner.string();
    const isType = isTypeKey(scanner);
    if (scanner.colon() !== QUOTE || !isType) {
      this.passValue();
      return -1;
    }
    const offset = scanner.pos;
    scanner.string();
    return offset;
  }

  private passValue(): void {
    const { scanner } = this;
    const start = scanner.pos;
    switch (scanner.buf[start]) {
      case OPEN_BRACE: {
        if (!scanner.openObject()) return;
        // `find` sees a first member at once, so that needs no entry.
        let found = this.passMember() >= 0;
        while (scanner.moreMembers()) {
          const offset = this.passMember();
          if (!found && offset >= 0) this.offsets.set(start, offset);
          found ||= offset >= 0;
        }
        return;
      }
      case OPEN_BRACKET:
        if (!scanner.openArray()) return;
        do this.passValue();
        while (scanner.moreElements());
        return;
      case QUOTE:
        scanner.string();
        return;
      default:
        scanner.skipValue();
    }
  }
}
