/**
 * Messages of the wire → JSON objects. Fields are looked up by tag in one table; comma, name and colon are prepared as bytes.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { makeTag, WireError, WireType, type Writer } from '../wire/index.js';
import { CLOSE_BRACE, OPEN_BRACE } from './chars.js';
import { normalize, type FieldOfTag } from './normalize.js';
import type { CodecOptions } from './options.js';
import type { Selection } from './selection.js';
import { isSingular, tagOf } from './tags.js';
import { wellKnownKind } from './well-known.js';
import { outOfOrder, type WireInput } from './wire-input.js';
import { listPrinter, MapPrinter } from './write-collections.js';
import { Printed, type ContentPrinter, type ValuePrinter, type WriteContext } from './write-context.js';
import { defaultText } from './write-scalars.js';

/** How one field of a message is printed. */
export interface FieldPrinter {
  readonly field: FieldDescriptor;
  readonly number: number;
  /** `,"name":` */
  readonly key: Buffer;
  /** The bit of its oneof; 0 if there is none. */
  readonly oneofBit: number;
  /** True if the default value is not printed. */
  readonly hidesDefault: boolean;
  /** What is printed if the field is absent; undefined for nothing. */
  readonly absent: Buffer | undefined;
  /** Its index among the fields of the message, sorted by number. */
  readonly index: number;
  /** Prints the value, or all consecutive elements or entries, and reads the next tag. */
  readonly print: ValuePrinter;
}

/** Tags up to this are looked up in an array. */
const MAX_ARRAY_TAG = 4096;

/** Prints one message type. It is compiled on first use, because types may be recursive. */
export class MessagePrinter {
  private fields: readonly FieldPrinter[] | undefined;
  private byTag: (FieldPrinter | undefined)[] = [];
  private readonly byLargeTag = new Map<number, FieldPrinter>();
  private readonly fieldOfTag: FieldOfTag = (tag) => this.find(tag)?.field;

  constructor(
    readonly message: MessageDescriptor,
    private readonly context: WriteContext,
    /** The fields to print; undefined for all. */
    private readonly selection?: Selection,
  ) {}

  readonly content: ContentPrinter = (input, out) => {
    out.byte(OPEN_BRACE);
    this.members(input, out);
    out.byte(CLOSE_BRACE);
  };

  /** Prints the members without braces, each after a comma unless it follows an opening brace. */
  members(unordered: WireInput, out: Writer): void {
    const fields = this.fields ?? this.compile();
    unordered.enter();
    const input = this.inOrder(unordered);
    const printAll = printsDefaults(this.context.options);
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

  /** The printer of the value of one field; if it is absent, of its default. */
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
      // A later field may add to the value or clear it.
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

  /** In the careful pass, the normalized message; the fast pass assumes that it is in order. */
  private inOrder(input: WireInput): WireInput {
    return input.careful ? normalize(input, this.fieldOfTag) : input;
  }

  find(tag: number): FieldPrinter | undefined {
    return tag < this.byTag.length ? this.byTag[tag] : this.byLargeTag.get(tag);
  }

  private compile(): readonly FieldPrinter[] {
    const { message } = this;
    const descriptors = [...message.fields, ...message.extensions]
      .filter((field) => this.matters(field))
      .sort((a, b) => a.number - b.number);
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

  /** True for fields to read: selected ones, and members of oneofs, which may clear a selected one. */
  private matters(field: FieldDescriptor): boolean {
    return this.selection === undefined || this.selection.fields.has(field) || field.oneof !== undefined;
  }

  private compileField(field: FieldDescriptor, index: number): FieldPrinter {
    const { options } = this.context;
    const name = options.preserveProtoFieldNames && !field.isExtension ? field.name : field.jsonName;
    const oneof = field.oneof === undefined ? -1 : this.message.oneofs.indexOf(field.oneof);
    const selected = this.selection === undefined ? everything : this.selection.fields.get(field);
    return {
      field,
      number: field.number,
      key: Buffer.from(`,${JSON.stringify(name)}:`),
      // With more oneofs than bits, some share a bit: at worst, a message is printed in the careful pass without need.
      oneofBit: oneof < 0 ? 0 : 1 << Math.min(oneof, 31),
      hidesDefault: !printsDefaults(options) && !field.hasPresence,
      absent: this.absent(field),
      index,
      print: selected === undefined ? printNothing : fieldPrinter(field, this.context, selected),
    };
  }

  /** What the options print for a field that is not set. */
  private absent(field: FieldDescriptor): Buffer | undefined {
    const { options } = this.context;
    if (field.type === 'message' && isSingular(field)) {
      const isChoice = field.oneof !== undefined || field.isProto3Optional || field.isExtension;
      return options.alwaysPrintAllFields && !isChoice ? Buffer.from('null') : undefined;
    }
    return printsDefaults(options) && !field.hasPresence ? Buffer.from(absentText(field, this.context)) : undefined;
  }
}

/** True if fields without presence are printed even if they have their default value. */
function printsDefaults(options: CodecOptions): boolean {
  return options.alwaysPrintPrimitiveFields || options.alwaysPrintAllFields;
}

const everything: Selection = { whole: true, fields: new Map(), keys: new Map() };

/** The printer of a field that is left out. */
const printNothing: ValuePrinter = (input) => {
  input.skip(input.ahead);
  input.nextTag();
  return Printed.NOTHING;
};

/** True if `field` changes the value of an earlier `wanted`. */
function affects(field: FieldPrinter, wanted: FieldPrinter): boolean {
  return field === wanted || (field.oneofBit & wanted.oneofBit) !== 0;
}

/** The tags of a field; a list that may be packed has two. */
function tagsOf(field: FieldDescriptor): number[] {
  const tag = tagOf(field);
  const packed = packedTagOf(field);
  return packed === tag || !field.repeated ? [tag] : [tag, packed];
}

function packedTagOf(field: FieldDescriptor): number {
  return field.type === 'message' ? tagOf(field) : makeTag(field.number, WireType.BYTES);
}

function printMember(input: WireInput, out: Writer, field: FieldPrinter): void {
  const start = out.pos;
  printKey(out, field.key);
  const printed = field.print(input, out);
  if (printed === Printed.NOTHING || (printed === Printed.DEFAULT && field.hidesDefault)) out.pos = start;
}

/** Prints `,"name":`, or `"name":` directly after an opening brace. */
function printKey(out: Writer, key: Buffer): void {
  out.rawRange(key, out.buf[out.pos - 1] === OPEN_BRACE ? 1 : 0, key.length);
}

/** Prints the absent fields from index `from` up to `to`, if the options ask for them. */
function printAbsent(out: Writer, fields: readonly FieldPrinter[], from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const { absent, key } = fields[index]!;
    if (absent === undefined) continue;
    printKey(out, key);
    out.raw(absent);
  }
}

/** The value of an absent field. */
function absentText(field: FieldDescriptor, { options }: WriteContext): string {
  if (field.repeated) return '[]';
  if (field.map !== undefined) return '{}';
  if (field.type !== 'message') return defaultText(field, options);
  const kind = wellKnownKind(field.message!);
  return kind === undefined || kind === 'Any' || kind === 'Struct' ? '{}' : 'null';
}

function fieldPrinter(field: FieldDescriptor, context: WriteContext, selection: Selection): ValuePrinter {
  if (field.map !== undefined) {
    return new MapPrinter(tagOf(field), field.map, context, selection.whole ? undefined : selection.keys).print;
  }
  const value = selection.whole ? context.value(field) : context.selectedValue(field, selection);
  if (field.repeated) return listPrinter(value, tagOf(field), packedTagOf(field));
  return (input, out) => {
    const printed = value(input, out);
    input.nextTag();
    return printed;
  };
}

/** The printer of a value of a message type, with its length or the end tag of a group. */
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
