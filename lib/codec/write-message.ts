/**
 * Messages, lists and maps of the wire → JSON. A message's fields are found by their tags in one table; what is printed
 * around a value (comma, name, colon) is ready as bytes.
 */
import type { FieldDescriptor, MapFields, MessageDescriptor } from '../schema/types.js';
import { WireError, WireType, type Writer } from '../wire/index.js';
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET } from './chars.js';
import { KeyStack } from './key-stack.js';
import { normalize, type FieldOfTag } from './normalize.js';
import { tagOf } from './tags.js';
import { wellKnownKind } from './well-known.js';
import { outOfOrder, WireInput } from './wire-input.js';
import { Printed, type ContentPrinter, type ValuePrinter, type WriteContext } from './write-context.js';
import { defaultText, keyPrinter } from './write-scalars.js';

/** How one field of a message is printed. */
export interface FieldPrinter {
  readonly field: FieldDescriptor;
  readonly number: number;
  /** `,"name":` */
  readonly key: Buffer;
  /** The bit of its oneof, 0 where it is in none. */
  readonly oneofBit: number;
  /** True where the default is not printed. */
  readonly hidesDefault: boolean;
  /** What to print where the field is absent; undefined where that is nothing. */
  readonly absent: Buffer | undefined;
  /** Its position among the message's fields by number. */
  readonly index: number;
  /** Prints the value, of lists and maps all that come in a row; the input is then a tag further. */
  readonly print: ValuePrinter;
}

/** Tags up to this are looked up in an array. */
const MAX_ARRAY_TAG = 4096;

/** Prints one message type; made ready when it is first used, so that recursive types end somewhere. */
export class MessagePrinter {
  private fields: readonly FieldPrinter[] | undefined;
  private byTag: (FieldPrinter | undefined)[] = [];
  private readonly byLargeTag = new Map<number, FieldPrinter>();
  private readonly fieldOfTag: FieldOfTag = (tag) => this.find(tag)?.field;

  constructor(
    readonly message: MessageDescriptor,
    private readonly context: WriteContext,
  ) {}

  readonly content: ContentPrinter = (input, out) => {
    out.byte(OPEN_BRACE);
    this.members(input, out);
    out.byte(CLOSE_BRACE);
  };

  /** Prints the fields alone, each with a comma in front unless an opening brace stands there. */
  members(unordered: WireInput, out: Writer): void {
    const fields = this.fields ?? this.compile();
    unordered.enter();
    const input = this.inOrder(unordered);
    const printAll = this.context.options.alwaysPrintPrimitiveFields;
    let last = 0;
    let oneofs = 0;
    let next = 0;
    input.nextTag();
    while (input.ahead !== 0) {
      const field = this.find(input.ahead);
      if (field === undefined) {
        input.skip(input.ahead);
        input.nextTag();
        continue;
      }
      if ((field.number <= last || (field.oneofBit & oneofs) !== 0) && !input.careful) throw outOfOrder;
      last = field.number;
      oneofs |= field.oneofBit;
      if (printAll) {
        printAbsent(out, fields, next, field.index);
        next = field.index + 1;
      }
      printMember(input, out, field);
    }
    if (printAll) printAbsent(out, fields, next, fields.length);
    unordered.pos = unordered.end;
    unordered.depth--;
  }

  /** The printer of the value of one field: that of the message's bytes, or what stands for its absence. */
  only(number: number): ContentPrinter {
    let wanted: FieldPrinter | undefined;
    return (unordered, out) => {
      wanted ??= (this.fields ?? this.compile()).find((field) => field.number === number)!;
      this.printOnly(unordered, out, wanted);
    };
  }

  private printOnly(unordered: WireInput, out: Writer, wanted: FieldPrinter): void {
    const input = this.inOrder(unordered);
    const start = out.pos;
    let printed: Printed = Printed.NOTHING;
    let seen = false;
    input.nextTag();
    while (input.ahead !== 0) {
      const field = this.find(input.ahead);
      // What comes later may add to it or clear it.
      if (seen && field !== undefined && !input.careful && affects(field, wanted)) throw outOfOrder;
      if (field === wanted) {
        seen = true;
        printed = wanted.print(input, out);
      } else {
        input.skip(input.ahead);
        input.nextTag();
      }
    }
    if (printed === Printed.NOTHING) {
      out.pos = start;
      out.ascii(absentText(wanted.field, this.context));
    }
    unordered.pos = unordered.end;
  }

  /** The message in an order that can be printed in one pass; the quick pass hopes that it is. */
  private inOrder(input: WireInput): WireInput {
    return input.careful ? normalize(input, this.fieldOfTag) : input;
  }

  find(tag: number): FieldPrinter | undefined {
    return tag < this.byTag.length ? this.byTag[tag] : this.byLargeTag.get(tag);
  }

  private compile(): readonly FieldPrinter[] {
    const { message } = this;
    const descriptors = [...message.fields, ...message.extensions].sort((a, b) => a.number - b.number);
    const fields = descriptors.map((field, index) => this.compileField(field, index));
    const tags = fields.flatMap((field) => tagsOf(field.field).map((tag) => [tag, field] as const));
    const largest = Math.max(0, ...tags.map(([tag]) => tag).filter((tag) => tag <= MAX_ARRAY_TAG));
    this.byTag = new Array<FieldPrinter | undefined>(largest + 1).fill(undefined);
    for (const [tag, field] of tags) {
      if (tag <= MAX_ARRAY_TAG) this.byTag[tag] = field;
      else this.byLargeTag.set(tag, field);
    }
    this.fields = fields;
    return fields;
  }

  private compileField(field: FieldDescriptor, index: number): FieldPrinter {
    const { options } = this.context;
    const name = options.preserveProtoFieldNames && !field.isExtension ? field.name : field.jsonName;
    const printsAbsent =
      options.alwaysPrintPrimitiveFields && !field.hasPresence && (field.type !== 'message' || !isSingular(field));
    const oneof = field.oneof === undefined ? -1 : this.message.oneofs.indexOf(field.oneof);
    return {
      field,
      number: field.number,
      key: Buffer.from(`,${JSON.stringify(name)}:`),
      // More oneofs than bits share one: that can only make the pass careful without need.
      oneofBit: oneof < 0 ? 0 : 1 << Math.min(oneof, 31),
      hidesDefault: !options.alwaysPrintPrimitiveFields && !field.hasPresence,
      absent: printsAbsent ? Buffer.from(absentText(field, this.context)) : undefined,
      index,
      print: fieldPrinter(field, this.context),
    };
  }
}

/** True where an occurrence of `field` behind one of `wanted` changes its value. */
function affects(field: FieldPrinter, wanted: FieldPrinter): boolean {
  return field === wanted || (field.oneofBit & wanted.oneofBit) !== 0;
}

function isSingular(field: FieldDescriptor): boolean {
  return !field.repeated && field.map === undefined;
}

/** Both tags of lists that may be packed. */
function tagsOf(field: FieldDescriptor): number[] {
  const tag = tagOf(field);
  const packed = packedTagOf(field);
  return packed === tag || !field.repeated ? [tag] : [tag, packed];
}

function packedTagOf(field: FieldDescriptor): number {
  return field.type === 'message' ? tagOf(field) : ((field.number << 3) | WireType.BYTES) >>> 0;
}

function printMember(input: WireInput, out: Writer, field: FieldPrinter): void {
  const start = out.pos;
  printKey(out, field.key);
  const printed = field.print(input, out);
  if (printed === Printed.NOTHING || (printed === Printed.DEFAULT && field.hidesDefault)) out.pos = start;
}

/** Prints `,"name":`, or `"name":` right behind an opening brace. */
function printKey(out: Writer, key: Buffer): void {
  out.rawRange(key, out.buf[out.pos - 1] === OPEN_BRACE ? 1 : 0, key.length);
}

/** Prints the fields `from` to `to` (not included), which are not in the message, as far as they are to be printed. */
function printAbsent(out: Writer, fields: readonly FieldPrinter[], from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const { absent, key } = fields[index]!;
    if (absent === undefined) continue;
    printKey(out, key);
    out.raw(absent);
  }
}

/** What an absent field's value prints as. */
function absentText(field: FieldDescriptor, { options }: WriteContext): string {
  if (field.repeated) return '[]';
  if (field.map !== undefined) return '{}';
  if (field.type !== 'message') return defaultText(field, options);
  const kind = wellKnownKind(field.message!);
  return kind === undefined || kind === 'Any' || kind === 'Struct' ? '{}' : 'null';
}

function fieldPrinter(field: FieldDescriptor, context: WriteContext): ValuePrinter {
  if (field.map !== undefined) return new MapPrinter(tagOf(field), field.map, context).print;
  const value = context.value(field);
  if (field.repeated) return listPrinter(value, tagOf(field), packedTagOf(field));
  return (input, out) => {
    const printed = value(input, out);
    input.nextTag();
    return printed;
  };
}

/** Prints all elements that come in a row, packed or not. */
function listPrinter(value: ValuePrinter, tag: number, packedTag: number): ValuePrinter {
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

/** Prints a map: entries in the order of the wire; of two with one key the later value at the earlier place. */
class MapPrinter {
  private readonly keyTag: number;
  private readonly valueTag: number;
  private readonly key: ValuePrinter;
  private readonly value: ValuePrinter;
  private readonly defaultKey: string;
  private readonly printDefault: (out: Writer) => void;
  private readonly fieldOfTag: FieldOfTag;

  constructor(
    private readonly tag: number,
    { key, value }: MapFields,
    context: WriteContext,
  ) {
    this.keyTag = tagOf(key);
    this.valueTag = tagOf(value);
    this.key = keyPrinter(key);
    this.value = context.value(value);
    this.defaultKey = JSON.stringify(defaultText(key, context.options).replaceAll('"', ''));
    this.printDefault = defaultPrinter(value, this.value, context);
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

  /** Prints the entries as they come; a key that comes again ends the quick pass. */
  private printAll(input: WireInput, out: Writer): void {
    const keys = (input.keys ??= new KeyStack(out));
    const map = keys.enter();
    const mapStart = out.pos;
    do {
      const start = out.pos;
      if (start !== mapStart) out.byte(COMMA);
      const keyStart = out.pos;
      const keyEnd = this.printEntry(input, out);
      if (keyEnd < 0) {
        out.pos = start;
      } else {
        if (keys.has(map, keyStart, keyEnd)) throw outOfOrder;
        keys.add(map, keyStart, keyEnd);
      }
      input.nextTag();
    } while (input.ahead === this.tag);
    keys.leave(map);
  }

  /** Prints the entries, then keeps one text for each key. */
  private printUnique(input: WireInput, out: Writer): void {
    const entries = new Map<string, Buffer>();
    const start = out.pos;
    do {
      const keyEnd = this.printEntry(input, out);
      if (keyEnd >= 0)
        entries.set(out.buf.toString('latin1', start, keyEnd), Buffer.from(out.buf.subarray(start, out.pos)));
      out.pos = start;
      input.nextTag();
    } while (input.ahead === this.tag);
    for (const entry of entries.values()) {
      if (out.pos !== start) out.byte(COMMA);
      out.raw(entry);
    }
  }

  /** Prints one entry; returns where its key ends, or -1 where the entry counts as unknown. */
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
    if (input.ahead === this.keyTag) {
      this.key(input, out);
      this.advanceToKnown(input);
    } else {
      out.ascii(this.defaultKey);
    }
    const keyEnd = out.pos;
    out.byte(COLON);
    if (input.ahead === this.valueTag) {
      if (this.value(input, out) === Printed.NOTHING) return -1;
      this.advanceToKnown(input);
    } else {
      this.printDefault(out);
    }
    if (input.ahead !== 0) throw outOfOrder;
    return keyEnd;
  }

  private advanceToKnown(input: WireInput): void {
    input.nextTag();
    while (input.ahead !== 0 && input.ahead !== this.keyTag && input.ahead !== this.valueTag) {
      input.skip(input.ahead);
      input.nextTag();
    }
  }
}

/** Prints the value of a map entry that has none: of a message, what the empty message prints as. */
function defaultPrinter(field: FieldDescriptor, value: ValuePrinter, { options }: WriteContext): (out: Writer) => void {
  if (field.type !== 'message') {
    const text = defaultText(field, options);
    return (out) => out.ascii(text);
  }
  const lengthZero = Buffer.of(0);
  return (out) => void value(new WireInput(lengthZero, false), out);
}

/** The printer of a message-typed value: what stands behind the tag, a length or the end tag of a group included. */
export function messageValuePrinter(field: FieldDescriptor, content: ContentPrinter): ValuePrinter {
  if (field.delimited) return groupPrinter(content);
  return (input, out) => {
    const outerEnd = input.end;
    const end = input.lengthEnd();
    input.end = end;
    content(input, out);
    input.pos = end;
    input.end = outerEnd;
    return Printed.VALUE;
  };
}

function groupPrinter(content: ContentPrinter): ValuePrinter {
  return (input, out) => {
    const outerEnd = input.end;
    const end = input.groupEnd(input.ahead);
    input.end = end;
    content(input, out);
    input.pos = end;
    input.end = outerEnd;
    if ((input.tag() & 7) !== WireType.END_GROUP) throw new WireError('a group has no end');
    return Printed.VALUE;
  };
}
