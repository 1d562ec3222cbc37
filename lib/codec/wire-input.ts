/**
 * One message being printed: a wire reader that is one tag ahead and limits nesting.
 *
 * A message whose fields are sorted by number, each singular one once, is printed in one pass. All protobuf libraries write
 * messages like that. The first field out of order ends the pass with `outOfOrder`. Printing then starts again with
 * `careful` set, and every message is normalized before it is printed.
 */
import { endTagOf, Reader, WireError, WireType } from '../wire/index.js';

/** Deepest nesting of JSON objects and arrays in an answer; protobuf's own libraries stop at 100 messages. */
const MAX_WIRE_DEPTH = 200;

/** As deep as `skip` goes into groups. */
const MAX_GROUP_DEPTH = 100;

/** Thrown by the fast pass and caught where printing starts. One object for all, as no stack is needed. */
export const outOfOrder = new Error('the fields are not in ascending order');

/** The message is valid, but ProtoJSON cannot represent its content. */
export class UnprintableError extends Error {}

/** Reads one message for a printer. */
export class WireInput extends Reader {
  /** The last tag, whose value is next; 0 at the end. */
  ahead = 0;
  depth = 0;
  /** Offset of the content of a group → offset of its end tag. Made when first needed. */
  private groupEnds: Map<number, number> | undefined = undefined;

  constructor(
    buf: Buffer,
    /** True if messages are normalized before they are printed. */
    readonly careful: boolean,
    start = 0,
    end = buf.length,
  ) {
    super(buf, start, end);
  }

  /** Reads the next tag into `ahead`. */
  nextTag(): void {
    this.ahead = this.pos < this.end ? this.tag() : 0;
  }

  /** Call it on entering an object or array; lower `depth` on leaving. */
  enter(): void {
    if (++this.depth > MAX_WIRE_DEPTH) throw new WireError(`it is nested deeper than ${MAX_WIRE_DEPTH} levels`);
  }

  /** The offset of the end tag of the group whose start tag was read last. */
  groupEnd(startTag: number): number {
    const from = this.pos;
    const ends = (this.groupEnds ??= new Map<number, number>());
    if (!ends.has(from)) {
      this.passGroup(startTag, ends, 0);
      this.pos = from;
    }
    return ends.get(from)!;
  }

  /**
   * Passes a group and records its end and those of the groups inside it, so that each byte is passed once.
   */
  private passGroup(startTag: number, ends: Map<number, number>, depth: number): void {
    if (depth > MAX_GROUP_DEPTH) throw new WireError(`groups are nested more than ${MAX_GROUP_DEPTH} deep`);
    const from = this.pos;
    const endTag = endTagOf(startTag);
    for (;;) {
      const at = this.pos;
      const tag = this.tag();
      if (tag === endTag) {
        ends.set(from, at);
        return;
      }
      if ((tag & 7) === WireType.START_GROUP) this.passGroup(tag, ends, depth + 1);
      else this.skip(tag);
    }
  }
}
