/** The messages with a JSON form of their own → the content of those messages on the wire. */
import type { MessageDescriptor } from '../schema/types.js';
import { quote } from '../uri.js';
import { WireType, type Writer } from '../wire/index.js';
import { base64Expected, decodeBase64 } from './base64.js';
import { LOWER_F, LOWER_N, LOWER_T, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './chars.js';
import { fieldMaskExpected, parseFieldMask, snakeCaseMaskExpected } from './field-mask.js';
import type { JsonInput } from './json-input.js';
import { delimited, listReader, mapReader, readStringKey } from './read-collections.js';
import type { ElementReader, ReadContext, ValueReader } from './read-context.js';
import { isTypeKey, type MessageReader } from './read-message.js';
import { tagOf } from './tags.js';
import { readString } from './read-scalars.js';
import { shortDecimal } from './short-numbers.js';
import { durationExpected, parseDuration, parseTimestamp, Seconds, timestampExpected } from './times.js';
import { typeNameOf, wellKnownKind, wrappedField } from './well-known.js';

/** Tag of a length-delimited field. */
const bytesTag = (number: number): number => (number << 3) | WireType.BYTES;

/** The content reader of a well-known type; undefined for all that is an ordinary object. */
export function wellKnownReader(
  message: MessageDescriptor,
  context: ReadContext,
  messages: (message: MessageDescriptor) => MessageReader,
): ValueReader | undefined {
  switch (wellKnownKind(message)) {
    case 'Timestamp':
      return timeReader(
        (input, into) => parseTimestamp(input.text, input.textStart, input.textEnd, into, false),
        timestampExpected,
      );
    case 'Duration':
      return timeReader(
        (input, into) => parseDuration(input.text, input.textStart, input.textEnd, into),
        durationExpected,
      );
    case 'FieldMask':
      return fieldMaskReader(context.options.snakeCaseFieldMasks);
    case 'Struct':
      return dynamicReaders().struct;
    case 'Value':
      return dynamicReaders().value;
    case 'ListValue':
      return dynamicReaders().list;
    case 'Wrapper':
      return wrapperReader(message, context);
    case 'Any':
      return new AnyReader(context, messages).content;
    case undefined:
      return undefined;
  }
}

function timeReader(parse: (input: JsonInput, into: Seconds) => boolean, expected: string): ValueReader {
  const time = new Seconds();
  return (input) => {
    const offset = input.pos;
    if (input.buf[offset] !== QUOTE) return input.mismatch(expected);
    input.string();
    if (!parse(input, time)) return input.badToken(offset, expected);
    writeSeconds(input.out, time);
    return true;
  };
}

/** The content of a Timestamp or Duration; zeros are left out, as every protobuf writer does. */
export function writeSeconds(out: Writer, { seconds, nanos }: Seconds): void {
  if (seconds !== 0) {
    out.byte((1 << 3) | WireType.VARINT);
    out.varint64(seconds >>> 0, Math.floor(seconds / 0x1_0000_0000));
  }
  if (nanos !== 0) {
    out.byte((2 << 3) | WireType.VARINT);
    out.int32(nanos);
  }
}

function fieldMaskReader(allowSnakeCase: boolean): ValueReader {
  const expected = allowSnakeCase ? snakeCaseMaskExpected : fieldMaskExpected;
  return (input) => {
    const offset = input.pos;
    if (input.buf[offset] !== QUOTE) return input.mismatch(expected);
    input.string();
    const paths = parseFieldMask(input.text.toString('utf8', input.textStart, input.textEnd), allowSnakeCase);
    if (paths === undefined) return input.badToken(offset, expected);
    writeFieldMask(input.out, paths);
    return true;
  };
}

/** The content of a FieldMask. */
export function writeFieldMask(out: Writer, paths: readonly string[]): void {
  for (const path of paths) {
    out.byte(bytesTag(1));
    out.string(path);
  }
}

function wrapperReader(message: MessageDescriptor, context: ReadContext): ValueReader {
  const field = wrappedField(message)!;
  const tag = tagOf(field);
  const element = context.element(field);
  return (input) => {
    input.out.byte(tag);
    return element.read(input);
  };
}

/** Readers of Struct, Value and ListValue, which hold each other. */
function dynamicReaders(): { readonly struct: ValueReader; readonly value: ValueReader; readonly list: ValueReader } {
  const value: ValueReader = (input) => readValue(input, struct, list);
  const element = (number: number): ElementReader => ({
    read: delimited(value),
    tag: bytesTag(number),
    endTag: 0,
    acceptsNull: true,
    expected: 'any JSON value',
  });
  const struct = mapReader(bytesTag(1), { tag: bytesTag(1), read: readStringKey, expected: 'a string' }, element(2));
  const list = listReader(element(1));
  return { struct, value, list };
}

/** google.protobuf.Value: its oneof members are numbered as in struct.proto. */
function readValue(input: JsonInput, struct: ValueReader, list: ValueReader): boolean {
  const { out } = input;
  const char = input.buf[input.pos];
  switch (char) {
    case LOWER_N:
      input.word();
      out.byte((1 << 3) | WireType.VARINT);
      out.byte(0);
      return true;
    case QUOTE:
      out.byte(bytesTag(3));
      return readString(input);
    case LOWER_T:
    case LOWER_F:
      input.word();
      out.byte((4 << 3) | WireType.VARINT);
      out.byte(char === LOWER_T ? 1 : 0);
      return true;
    case OPEN_BRACE:
      out.byte(bytesTag(5));
      return delimited(struct)(input);
    case OPEN_BRACKET:
      out.byte(bytesTag(6));
      return delimited(list)(input);
    default:
      return readNumberValue(input);
  }
}

function readNumberValue(input: JsonInput): boolean {
  const offset = input.pos;
  if (!input.atNumber()) input.unexpectedValue();
  let value = shortDecimal(input);
  if (Number.isNaN(value)) {
    input.number();
    value = Number(input.text.toString('latin1', input.textStart, input.textEnd));
  }
  if (!Number.isFinite(value)) return input.badToken(offset, 'a number within the range of a double');
  input.out.byte((2 << 3) | WireType.FIXED64);
  input.out.double(value);
  return true;
}

const typeUrlExpected = 'the URL of a type, such as "type.googleapis.com/google.protobuf.Duration"';

/** google.protobuf.Any: `@type` says what the other members are, wherever among them it stands. */
class AnyReader {
  constructor(
    private readonly context: ReadContext,
    private readonly messages: (message: MessageDescriptor) => MessageReader,
  ) {}

  readonly content: ValueReader = (input) => {
    if (input.buf[input.pos] !== OPEN_BRACE) return input.mismatch('an object with "@type"');
    const { pos: start, depth } = input;
    // The empty object is the Any that says nothing.
    if (!input.openObject()) return true;
    const typeUrl = findType(input);
    input.pos = start;
    input.depth = depth;
    if (typeUrl === undefined) {
      input.violation(start, `found no "@type", expected ${typeUrlExpected}`);
      input.skipValue();
      return false;
    }
    const typeName = typeNameOf(typeUrl);
    if (typeName === undefined) {
      input.violation(start, `"@type" is ${quote(typeUrl)}, expected ${typeUrlExpected}`);
      input.skipValue();
      return false;
    }
    const { out } = input;
    out.byte(bytesTag(1));
    out.string(typeUrl);
    out.byte(bytesTag(2));
    const mark = out.begin();
    this.readPacked(input, typeName);
    out.finish(mark);
    return true;
  };

  private readPacked(input: JsonInput, typeName: string): void {
    const message = this.context.types.message(typeName);
    const offset = input.pos;
    input.openObject();
    if (message === undefined) {
      const why = `${quote(typeName)} is no type known here, so its value must be base64`;
      this.valueMember(input, { offset, why, read: readPackedBytes, optional: false });
    } else if (wellKnownKind(message) !== undefined) {
      const read = this.context.content(message);
      this.valueMember(input, { offset, why: `a ${typeName} is given as "value"`, read, optional: false });
    } else if (message.fullName === 'google.protobuf.Empty') {
      // Some printers write it as {"@type": …}, some with "value": {}.
      const read = this.context.content(message);
      this.valueMember(input, { offset, why: `${typeName} has no fields`, read, optional: true });
    } else {
      this.messages(message).members(input, true);
    }
  }

  /** Reads the members of an Any that has none but `@type` and `value`. */
  private valueMember(input: JsonInput, any: ValueMember): void {
    let types = 0;
    let values = 0;
    do {
      const offset = input.pos;
      input.string();
      const isType = isTypeKey(input);
      const isValue = !isType && isValueKey(input);
      input.colon();
      if (isValue && values++ === 0) {
        any.read(input);
        continue;
      }
      if (!(isType && types++ === 0) && !this.context.options.ignoreUnknownFields) {
        input.violation(
          offset,
          `found a member that does not belong here: ${any.why}; write "@type" and "value", each once`,
        );
      }
      input.skipValue();
    } while (input.moreMembers());
    if (values === 0 && !any.optional) input.violation(any.offset, `found no "value": ${any.why}`);
  }
}

/** What an Any that is given by its `value` looks like. */
interface ValueMember {
  /** Where the Any starts. */
  readonly offset: number;
  /** Why it has no other members; for messages. */
  readonly why: string;
  readonly read: ValueReader;
  /** True where it may be without. */
  readonly optional: boolean;
}

function isValueKey({ text, textStart, textEnd }: JsonInput): boolean {
  return textEnd - textStart === 5 && text.toString('latin1', textStart, textEnd) === 'value';
}

const readPackedBytes: ValueReader = (input) => {
  const offset = input.pos;
  if (input.buf[offset] !== QUOTE) return input.mismatch(base64Expected);
  input.string();
  if (decodeBase64(input.out, input.text, input.textStart, input.textEnd)) return true;
  return input.badToken(offset, base64Expected);
};

/** The value of `@type` in the object whose first key the input is at; undefined where there is none. Moves the input. */
function findType(input: JsonInput): string | undefined {
  do {
    input.string();
    const isType = isTypeKey(input);
    if (input.colon() === QUOTE && isType) {
      input.string();
      return input.text.toString('utf8', input.textStart, input.textEnd);
    }
    input.skipValue();
  } while (input.moreMembers());
  return undefined;
}
