/** Repeated fields → JSON arrays, maps → JSON objects. */
import type { FieldDescriptor, MapFields } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET } from './chars.js';
import { KeySet } from './key-set.js';
import { normalize, type FieldOfTag } from './normalize.js';
import { tagOf } from './tags.js';
import type { Selection } from './selection.js';
import { outOfOrder, UnprintableError, WireInput } from './wire-input.js';
import { Printed, type ValuePrinter, type WriteContext } from './write-context.js';
import { defaultText, keyPrinter } from './write-scalars.js';

/** Prints all consecutive elements of a list, packed or not. */
export function listPrinter(value: ValuePrinter, tag: number, packedTag: number): ValuePrinter {
  return (input, out) => {
    input.enter();
    out.byte(OPEN_BRACKET);
    const start = out.pos;
    do {
      if (input.ahead === tag) printElement(input, out, value, start);
      else printPacked(input, out, value, start);
      input.nextTag();
    } while (input.ahead === tag || input.ahead === packedTag);
    input.depth--;
    out.byte(CLOSE_BRACKET);
    return out.pos === start + 1 ? Printed.DEFAULT : Printed.VALUE;
  };
}

function printElement(input: WireInput, out: Writer, value: ValuePrinter, listStart: number): void {
  const start = out.pos;
  if (start !== listStart) out.byte(COMMA);
  if (value(input, out) === Printed.NOTHING) out.pos = start;
}

function printPacked(input: WireInput, out: Writer, value: ValuePrinter, listStart: number): void {
  const outerEnd = input.end;
  input.end = input.lengthEnd();
  while (input.pos < input.end) printElement(input, out, value, listStart);
  input.end = outerEnd;
}

/** How the value of one entry is printed. */
interface EntryPrinter {
  readonly print: ValuePrinter;
  /** Prints an entry that has no value. */
  readonly printDefault: (out: Writer) => void;
}

/** Prints a map in the order of the wire. If a key occurs twice, the later value replaces the earlier one in its place. */
export class MapPrinter {
  private readonly keyTag: number;
  private readonly valueTag: number;
  private readonly key: ValuePrinter;
  private readonly defaultKey: string;
  private readonly value: EntryPrinter;
  /** The selected keys by their text; undefined for all. */
  private readonly selected: ReadonlyMap<string, EntryPrinter> | undefined;
  private readonly fieldOfTag: FieldOfTag;
  /** The error of the last printed entry, whose value has no JSON form. */
  private failure: UnprintableError | undefined;

  constructor(
    private readonly tag: number,
    { key, value }: MapFields,
    context: WriteContext,
    keys?: ReadonlyMap<string, Selection>,
  ) {
    this.keyTag = tagOf(key);
    this.valueTag = tagOf(value);
    this.key = keyPrinter(key);
    this.defaultKey = JSON.stringify(defaultText(key, context.options).replaceAll('"', ''));
    const entryPrinter = (print: ValuePrinter): EntryPrinter => ({
      print,
      printDefault: defaultPrinter(value, print, context),
    });
    this.value = entryPrinter(context.value(value));
    this.selected =
      keys &&
      new Map(
        [...keys].map(([text, selection]) => [
          text,
          selection.whole ? this.value : entryPrinter(context.selectedValue(value, selection)),
        ]),
      );
    this.fieldOfTag = (tag) => (tag === this.keyTag ? key : tag === this.valueTag ? value : undefined);
  }

  readonly print: ValuePrinter = (input, out) => {
    input.enter();
    const start = out.pos;
    out.byte(OPEN_BRACE);
    if (input.careful) this.printUnique(input, out);
    else this.printAll(input, out);
    input.depth--;
    out.byte(CLOSE_BRACE);
    return out.pos === start + 2 ? Printed.DEFAULT : Printed.VALUE;
  };

  /** Prints the entries in order; a duplicate key ends the fast pass. */
  private printAll(input: WireInput, out: Writer): void {
    const keys = new KeySet(out);
    const mapStart = out.pos;
    do {
      const start = out.pos;
      if (start !== mapStart) out.byte(COMMA);
      const keyStart = out.pos;
      const keyEnd = this.printEntry(input, out);
      if (keyEnd < 0) {
        out.pos = start;
      } else {
        if (keys.has(keyStart, keyEnd)) throw outOfOrder;
        keys.add(keyStart, keyEnd);
      }
      input.nextTag();
    } while (input.ahead === this.tag);
  }

  /** Prints the entries and keeps the last text of each key. */
  private printUnique(input: WireInput, out: Writer): void {
    const entries = new Map<string, Buffer | UnprintableError>();
    const start = out.pos;
    do {
      const keyEnd = this.printEntry(input, out);
      const { failure } = this;
      this.failure = undefined;
      if (keyEnd >= 0) {
        const key = out.buf.toString('latin1', start, keyEnd);
        entries.set(key, failure ?? Buffer.from(out.buf.subarray(start, out.pos)));
      }
      out.pos = start;
      input.nextTag();
    } while (input.ahead === this.tag);
    for (const entry of entries.values()) {
      if (entry instanceof UnprintableError) throw entry;
      if (out.pos !== start) out.byte(COMMA);
      out.raw(entry);
    }
  }

  /** Prints one entry; returns where its key ends, or -1 if the entry is to be left out. */
  private printEntry(input: WireInput, out: Writer): number {
    const outerEnd = input.end;
    const end = input.lengthEnd();
    input.end = end;
    const keyEnd = this.printPair(input.careful ? normalize(input, this.fieldOfTag, true) : input, out);
    input.pos = end;
    input.end = outerEnd;
    return keyEnd;
  }

  private printPair(input: WireInput, out: Writer): number {
    this.advanceToKnown(input);
    const keyStart = out.pos;
    if (input.ahead === this.keyTag) {
      this.key(input, out);
      this.advanceToKnown(input);
    } else {
      out.ascii(this.defaultKey);
    }
    const keyEnd = out.pos;
    const value = this.selected === undefined ? this.value : this.selectedAt(out, keyStart);
    out.byte(COLON);
    if (input.ahead === this.valueTag) {
      if (value === undefined) input.skip(input.ahead);
      else {
        const printed = this.printValue(value, input, out);
        if (this.failure !== undefined) return keyEnd;
        if (printed === Printed.NOTHING) return -1;
      }
      this.advanceToKnown(input);
    } else {
      value?.printDefault(out);
    }
    if (input.ahead !== 0) throw outOfOrder;
    return value === undefined ? -1 : keyEnd;
  }

  /** In the careful pass, a value without a JSON form becomes `failure`, because a later entry may replace it. */
  private printValue(value: EntryPrinter, input: WireInput, out: Writer): Printed {
    const { depth } = input;
    try {
      return value.print(input, out);
    } catch (error) {
      if (!input.careful || !(error instanceof UnprintableError)) throw error;
      this.failure = error;
      input.depth = depth;
      return Printed.VALUE;
    }
  }

  /** The printer for the key that was printed at `start`; undefined if the key is not selected. */
  private selectedAt(out: Writer, start: number): EntryPrinter | undefined {
    return this.selected!.get(JSON.parse(out.buf.toString('utf8', start, out.pos)) as string);
  }

  private advanceToKnown(input: WireInput): void {
    input.nextTag();
    while (input.ahead !== 0 && input.ahead !== this.keyTag && input.ahead !== this.valueTag) {
      input.skip(input.ahead);
      input.nextTag();
    }
  }
}

/** The printer of the default value of a map entry; for a message, of the empty message. */
function defaultPrinter(field: FieldDescriptor, value: ValuePrinter, { options }: WriteContext): (out: Writer) => void {
  if (field.type !== 'message') {
    const text = defaultText(field, options);
    return (out) => out.ascii(text);
  }
  const lengthZero = Buffer.of(0);
  return (out) => void value(new WireInput(lengthZero, false), out);
}
