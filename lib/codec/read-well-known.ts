/** Reads the messages that have a JSON form of their own. */
import type { MessageDescriptor } from '../schema/types.js';
import { quote } from '../uri.js';
import { makeTag, WireType, type Writer } from '../wire/index.js';
import { isTypeKey } from './any-types.js';
import { base64Expected, decodeBase64 } from './base64.js';
import { LOWER_F, LOWER_N, LOWER_T, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './chars.js';
import { fieldMaskExpected, snakeCaseMaskExpected, writeFieldMask } from './field-mask.js';
import type { JsonInput } from './json-input.js';
import { delimited, listReader, mapReader, readStringKey } from './read-collections.js';
import type { ElementReader, ReadContext, ValueReader } from './read-context.js';
import type { MessageReader } from './read-message.js';
import { bytesTag, tagOf, varintTag } from './tags.js';
import { readString } from './read-scalars.js';
import { shortDecimal } from './short-numbers.js';
import { durationExpected, parseDuration, parseTimestamp, Seconds, timestampExpected } from './times.js';
import { typeNameOf, wellKnownKind, wrappedField } from './well-known.js';

/** The content reader of a well-known type; undefined for ordinary messages. */
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

/** Writes the content of a Timestamp or Duration, without zeros. */
export function writeSeconds(out: Writer, { seconds, nanos }: Seconds): void {
  if (seconds !== 0) {
    out.byte(varintTag(1));
    out.varint64(seconds >>> 0, Math.floor(seconds / 0x1_0000_0000));
  }
  if (nanos !== 0) {
    out.byte(varintTag(2));
    out.int32(nanos);
  }
}

function fieldMaskReader(allowSnakeCase: boolean): ValueReader {
  const expected = allowSnakeCase ? snakeCaseMaskExpected : fieldMaskExpected;
  return (input) => {
    const offset = input.pos;
    if (input.buf[offset] !== QUOTE) return input.mismatch(expected);
    input.string();
    const { out, text, textStart, textEnd } = input;
    return writeFieldMask(out, text, textStart, textEnd, allowSnakeCase) || input.badToken(offset, expected);
  };
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

/** Readers of Struct, Value and ListValue, which contain each other. */
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
      out.byte(varintTag(1));
      out.byte(0);
      return true;
    case QUOTE:
      out.byte(bytesTag(3));
      return readString(input);
    case LOWER_T:
    case LOWER_F:
      input.word();
      out.byte(varintTag(4));
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
  input.out.byte(makeTag(2, WireType.FIXED64));
  input.out.double(value);
  return true;
}

const typeUrlExpected = 'the URL of a type, such as "type.googleapis.com/google.protobuf.Duration"';

/** google.protobuf.Any: `@type`, which may be any of the members, decides how the others are read. */
class AnyReader {
  constructor(
    private readonly context: ReadContext,
    private readonly messages: (message: MessageDescriptor) => MessageReader,
  ) {}

  readonly content: ValueReader = (input) => {
    if (input.buf[input.pos] !== OPEN_BRACE) return input.mismatch('an object with "@type"');
    const { pos: start, depth } = input;
    // `{}` is the empty Any.
    if (!input.openObject()) return true;
    const typeUrl = readTypeUrl(input, start);
    input.pos = start;
    input.depth = depth;
    if (typeUrl === undefined) {
      input.violation(start, `found no "@type", expected ${typeUrlExpected}`);
      input.skipValue();
      return false;
    }
    const typeName = typeNameOf(typeUrl);
    // A text without a slash is accepted only if it is the name of a known type.
    const isUrl =
      typeUrl.includes('/') || (typeName !== undefined && this.context.types.message(typeName) !== undefined);
    if (typeName === undefined || !isUrl) {
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
    out.finishLater(mark);
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

  /** Reads an Any whose only members are `@type` and `value`. */
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

/** An Any that is given by its member `value`. */
interface ValueMember {
  /** Where the Any starts. */
  readonly offset: number;
  /** Why it has no other members, for error messages. */
  readonly why: string;
  readonly read: ValueReader;
  /** True if `value` may be absent. */
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

/** The `@type` of the object at `start`; the input must be at its first key and is moved. */
function readTypeUrl(input: JsonInput, start: number): string | undefined {
  const offset = input.anyTypes.find(start);
  if (offset < 0) return undefined;
  input.pos = offset;
  input.string();
  return input.text.toString('utf8', input.textStart, input.textEnd);
}
