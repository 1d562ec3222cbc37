/** Prints the messages that have a JSON form of their own. */
import type { MessageDescriptor } from '../schema/types.js';
import { quote } from '../uri.js';
import { type Reader, Writer } from '../wire/index.js';
import { CLOSE_BRACE, COMMA, OPEN_BRACE } from './chars.js';
import { printFieldPath } from './field-mask.js';
import { printDouble } from './floats.js';
import { printDuration, printTimestamp, Seconds } from './times.js';
import { typeNameOf, wellKnownKind, wrappedField } from './well-known.js';
import { outOfOrder, UnprintableError, type WireInput } from './wire-input.js';
import type { ContentPrinter, WriteContext } from './write-context.js';
import type { MessagePrinter } from './write-message.js';
import { defaultText } from './write-scalars.js';
import { printBytes, printString } from './write-strings.js';
import { normalize } from './normalize.js';
import { bytesTag, tagOf, varintTag } from './tags.js';

const TWO_32 = 0x1_0000_0000;

/** The content printer of a well-known type; undefined for ordinary messages. */
export function wellKnownPrinter(
  message: MessageDescriptor,
  context: WriteContext,
  messages: (message: MessageDescriptor) => MessagePrinter,
): ContentPrinter | undefined {
  switch (wellKnownKind(message)) {
    case 'Timestamp':
      return secondsPrinter(message.fullName, printTimestamp);
    case 'Duration':
      return secondsPrinter(message.fullName, printDuration);
    case 'FieldMask':
      return printFieldMask;
    case 'Struct':
    case 'ListValue':
      return messages(message).only(1);
    case 'Value':
      return valuePrinter(message, context);
    case 'Wrapper':
      return wrapperPrinter(message, context);
    case 'Any':
      return new AnyPrinter(context, messages).content;
    case undefined:
      return undefined;
  }
}

function secondsPrinter(typeName: string, print: (out: Writer, time: Seconds) => boolean): ContentPrinter {
  const time = new Seconds();
  return (input, out) => {
    readSeconds(input, time);
    if (print(out, time)) return;
    throw new UnprintableError(`a ${typeName} with seconds ${time.seconds} and nanos ${time.nanos} is out of range`);
  };
}

function readSeconds(input: WireInput, into: Seconds): void {
  into.seconds = 0;
  into.nanos = 0;
  while (input.pos < input.end) {
    const tag = input.tag();
    if (tag === varintTag(1)) {
      input.varint64();
      into.seconds = input.high * TWO_32 + (input.low >>> 0);
    } else if (tag === varintTag(2)) {
      into.nanos = input.int32();
    } else {
      input.skip(tag);
    }
  }
}

const printFieldMask: ContentPrinter = (input, out) => {
  const text = new Writer(64);
  let isFirst = true;
  while (input.pos < input.end) {
    const tag = input.tag();
    if (tag !== bytesTag(1)) {
      input.skip(tag);
      continue;
    }
    if (!isFirst) text.byte(COMMA);
    isFirst = false;
    const path = input.bytes();
    if (!printFieldPath(text, path)) throw badFieldPath(path);
  }
  printString(out, text.buf, 0, text.pos, undefined);
};

function badFieldPath(path: Buffer): UnprintableError {
  return new UnprintableError(
    `the path ${quote(path.toString('utf8'))} of a google.protobuf.FieldMask has no lowerCamelCase form`,
  );
}

function wrapperPrinter(message: MessageDescriptor, context: WriteContext): ContentPrinter {
  const field = wrappedField(message)!;
  const tag = tagOf(field);
  const print = context.value(field);
  const absent = defaultText(field, context.options);
  return (input, out) => {
    const start = out.pos;
    let seen = false;
    while (input.pos < input.end) {
      const found = input.tag();
      if (found !== tag) {
        input.skip(found);
        continue;
      }
      out.pos = start;
      seen = true;
      print(input, out);
    }
    if (!seen) out.ascii(absent);
  };
}

/** google.protobuf.Value, with the field numbers of struct.proto; a Value without a member prints as null. */
export function valuePrinter(message: MessageDescriptor, context: Pick<WriteContext, 'value'>): ContentPrinter {
  const struct = context.value(message.field('struct_value')!);
  const list = context.value(message.field('list_value')!);
  const fieldOfTag = (tag: number) => message.fields.find((field) => tagOf(field) === tag);
  return (unordered, out) => {
    const input = unordered.careful ? normalize(unordered, fieldOfTag) : unordered;
    const start = out.pos;
    for (input.nextTag(); input.ahead !== 0; input.nextTag()) {
      if (fieldOfTag(input.ahead) === undefined) {
        input.skip(input.ahead);
        continue;
      }
      if (out.pos !== start) throw outOfOrder;
      switch (input.ahead >>> 3) {
        case 2:
          printNumber(input, out);
          break;
        case 3: {
          const end = input.lengthEnd();
          printString(out, input.buf, input.pos, end, 'google.protobuf.Value.string_value');
          input.pos = end;
          break;
        }
        case 4:
          input.varint64();
          out.ascii((input.low | input.high) === 0 ? 'false' : 'true');
          break;
        case 5:
          struct(input, out);
          break;
        case 6:
          list(input, out);
          break;
        default:
          input.skip(input.ahead);
          out.ascii('null');
      }
    }
    if (out.pos === start) out.ascii('null');
    unordered.pos = unordered.end;
  };
}

function printNumber(input: WireInput, out: Writer): void {
  const value = input.double();
  if (!Number.isFinite(value))
    throw new UnprintableError(`a google.protobuf.Value holds ${value}, which JSON has no number for`);
  printDouble(out, value);
}

/** google.protobuf.Any: a known type prints with its fields, an unknown one with its bytes. */
export class AnyPrinter {
  constructor(
    private readonly context: WriteContext,
    private readonly messages: (message: MessageDescriptor) => MessagePrinter,
  ) {}

  readonly content: ContentPrinter = (input, out) => {
    const { end } = input;
    const url = new Range();
    const value = new Range();
    while (input.pos < end) {
      const tag = input.tag();
      if (tag === bytesTag(1)) url.read(input);
      else if (tag === bytesTag(2)) value.read(input);
      else input.skip(tag);
    }
    out.byte(OPEN_BRACE);
    if (url.start !== url.end || value.start !== value.end) {
      input.enter();
      out.ascii('"@type":');
      printString(out, input.buf, url.start, url.end, 'google.protobuf.Any.type_url');
      input.pos = value.start;
      input.end = value.end;
      this.printPacked(input.buf.toString('utf8', url.start, url.end), input, out);
      input.depth--;
    }
    out.byte(CLOSE_BRACE);
    input.end = end;
    input.pos = end;
  };

  /** Prints the members after `@type`; the input is the packed message. */
  private printPacked(typeUrl: string, input: WireInput, out: Writer): void {
    const typeName = typeNameOf(typeUrl);
    const message = typeName === undefined ? undefined : this.context.types.message(typeName);
    if (message !== undefined && wellKnownKind(message) === undefined) {
      this.messages(message).members(input, out);
      return;
    }
    out.byte(COMMA);
    out.ascii('"value":');
    if (message === undefined) printBytes(out, input.buf, input.pos, input.end);
    else this.context.content(message)(input, out);
  }
}

/** A length-delimited value as offsets. */
class Range {
  start = 0;
  end = 0;

  read(reader: Reader): void {
    this.end = reader.lengthEnd();
    this.start = reader.pos;
    reader.pos = this.end;
  }
}
