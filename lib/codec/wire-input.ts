/**
 * One message on its way to JSON: the wire reader, one tag ahead, with the limit on nesting.
 *
 * Messages are printed in one pass as long as their fields come in ascending order, each singular one once, as all
 * protobuf libraries write them. The first field out of order ends that pass with `outOfOrder`; printing then starts again
 * with `careful` set, and every message is put in order before it is printed.
 */
import { Reader, WireError, WireType } from '../wire/index.js';

/** Deepest nesting of JSON objects and arrays in an answer; protobuf's own libraries stop at 100 messages. */
const MAX_WIRE_DEPTH = 200;

/** Thrown by the quick pass, caught where printing starts. No stack is needed, so one object serves all. */
export const outOfOrder = new Error('the fields are not in ascending order');

/** The message is valid on the wire, but ProtoJSON has no form for what it holds. */
export class UnprintableError extends Error {}

export class WireInput extends Reader {
  /** The tag that was read last and whose value is next; 0 at the end. */
  ahead = 0;
  depth = 0;

  constructor(
    buf: Buffer,
    /** True where messages are put in order before they are printed. */
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

  /** Called on entering an object or array; `depth` is lowered by whoever leaves it. */
  enter(): void {
    if (++this.depth > MAX_WIRE_DEPTH) throw new WireError(`it is nested deeper than ${MAX_WIRE_DEPTH} levels`);
  }

  /** Where the group ends whose start tag was just read: the offset of its end tag. */
  groupEnd(startTag: number): number {
    const from = this.pos;
    const endTag = ((startTag & ~7) | WireType.END_GROUP) >>> 0;
    for (;;) {
      const at = this.pos;
      const tag = this.tag();
      if (tag === endTag) {
        this.pos = from;
        return at;
      }
      this.skip(tag);
    }
  }
}
