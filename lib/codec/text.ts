/**
 * Text values (a path segment, a query value, a header, a map key in a query) → one tagged wire value. Which reader a field
 * has is decided once; types without a text form have none. The text is already percent-decoded.
 */
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor, ScalarType } from '../schema/types.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import { decodeBase64 } from './base64.js';
import { expectedOf, suggestion } from './describe.js';
import { parseFieldMask, snakeCaseMaskExpected } from './field-mask.js';
import { parseFloatText, toFloat } from './floats.js';
import { Halves, int32Kind, integerKindOf, parseInteger } from './integers.js';
import { JsonInput } from './json-input.js';
import type { CodecOptions } from './options.js';
import { integerWriter } from './read-collections.js';
import type { ValueReader } from './read-context.js';
import { tagOf } from './tags.js';
import { writeFieldMask, writeSeconds } from './read-well-known.js';
import { parseDuration, parseTimestamp, Seconds } from './times.js';
import { ValueError } from './value-error.js';
import { NULL_VALUE_ENUM, wellKnownKind, wrappedField } from './well-known.js';

/**
 * Reads one text and appends tag and value to `out`.
 * @throws ValueError where the text is no value of the field's type; `out` may hold part of it then
 */
export type TextReader = (text: string, out: Writer) => void;

/** Writes the value alone, without a tag; false where the text is none of the type. */
type ValueWriter = (text: string, out: Writer) => boolean;

/** Gives the JSON reader of a message's content, for the types whose text form is JSON. */
export type ContentOf = (message: MessageDescriptor) => ValueReader;

/** The reader of a field (of one element, where it is repeated); undefined where its type has no text form. */
export function compileTextReader(
  field: FieldDescriptor,
  options: CodecOptions,
  contentOf: ContentOf,
): TextReader | undefined {
  if (field.map !== undefined) return undefined;
  const write = valueWriter(field, options, contentOf);
  if (write === undefined) return undefined;
  const tag = tagOf(field);
  const expected = field.type === 'string' ? '' : describeTextValue(field);
  return (text, out) => {
    out.uint32(tag);
    if (!write(text, out)) throw unreadable(field, text, expected);
  };
}

function unreadable(field: FieldDescriptor, text: string, expected: string): ValueError {
  if (field.type !== 'enum' || text === '') return new ValueError(`found ${quote(text)}, expected ${expected}`);
  const names = field.enum!.values.map((value) => value.name);
  return new ValueError(`${quote(text)} is no value of ${field.enum!.fullName}; ${suggestion(text, names, 'values')}`);
}

function valueWriter(field: FieldDescriptor, options: CodecOptions, contentOf: ContentOf): ValueWriter | undefined {
  switch (field.type) {
    case 'message':
      return field.delimited ? undefined : messageWriter(field.message!, options, contentOf);
    case 'enum':
      return enumWriter(field.enum!, options);
    case 'string':
      return writeString;
    case 'bytes':
      return writeBytes;
    case 'bool':
      return boolWriter(options.lenientBools);
    case 'double':
    case 'float':
      return floatWriter(field.type === 'float');
    default:
      return integerTextWriter(field.type);
  }
}

const writeString: ValueWriter = (text, out) => {
  out.string(text);
  return true;
};

const writeBytes: ValueWriter = (text, out) => {
  // An unescaped "+" of the standard alphabet arrives as a space.
  const chars = Buffer.from(text.replaceAll(' ', '+'), 'utf8');
  const mark = out.begin();
  if (!decodeBase64(out, chars, 0, chars.length)) return false;
  out.finish(mark);
  return true;
};

/** The empty text is true: `?flag`, and what clients make of it, `?flag=`. */
function boolWriter(lenient: boolean): ValueWriter {
  return (text, out) => {
    const word = lenient ? text.toLowerCase() : text;
    const isTrue = word === 'true' || word === '' || (lenient && word === '1');
    if (!isTrue && word !== 'false' && !(lenient && word === '0')) return false;
    out.byte(isTrue ? 1 : 0);
    return true;
  };
}

function floatWriter(single: boolean): ValueWriter {
  return (text, out) => {
    const double = parseFloatText(text, false);
    const value = single && double !== undefined ? toFloat(double) : double;
    if (value === undefined) return false;
    if (single) out.float(value);
    else out.double(value);
    return true;
  };
}

function integerTextWriter(type: ScalarType): ValueWriter {
  const kind = integerKindOf(type)!;
  const write = integerWriter(type);
  const halves = new Halves();
  // Room for every integer and idle zeros in front; three bytes for a character that is none of either.
  const chars = Buffer.alloc(64 * 3);
  return (text, out) => {
    if (text.length > 64) return false;
    const length = chars.write(text, 0);
    if (!parseInteger(chars, 0, length, kind, false, halves)) return false;
    write(out, halves);
    return true;
  };
}

/** By name, in any case where the option says so, or by number: any int32 for open enums. */
function enumWriter(type: EnumDescriptor, options: CodecOptions): ValueWriter {
  const names = new Map<string, number>();
  const keyOf = (name: string): string => (options.caseInsensitiveEnums ? name.toUpperCase() : name);
  for (const value of type.values) if (!names.has(keyOf(value.name))) names.set(keyOf(value.name), value.number);
  if (type.fullName === NULL_VALUE_ENUM) names.set('null', 0);
  const parseNumber = integerTextWriter('int32');
  const halves = new Halves();
  return (text, out) => {
    const byName = names.get(text) ?? names.get(keyOf(text));
    if (byName !== undefined) {
      out.int32(byName);
      return true;
    }
    if (!type.closed) return parseNumber(text, out);
    const chars = Buffer.from(text.slice(0, 64), 'utf8');
    const isNumber = parseInteger(chars, 0, chars.length, int32Kind, false, halves);
    if (!isNumber || type.valueByNumber(halves.low | 0) === undefined) return false;
    out.int32(halves.low | 0);
    return true;
  };
}

function messageWriter(
  message: MessageDescriptor,
  options: CodecOptions,
  contentOf: ContentOf,
): ValueWriter | undefined {
  switch (wellKnownKind(message)) {
    case 'Timestamp':
      return secondsWriter((chars, into) => parseTimestamp(chars, 0, chars.length, into, true));
    case 'Duration':
      return secondsWriter((chars, into) => parseDuration(chars, 0, chars.length, into));
    case 'FieldMask':
      return writeMask;
    case 'Struct':
    case 'Value':
    case 'ListValue':
      return jsonWriter(message, options, contentOf);
    case 'Wrapper':
      return wrapperWriter(message, options, contentOf);
    default:
      return undefined;
  }
}

function secondsWriter(parse: (chars: Buffer, into: Seconds) => boolean): ValueWriter {
  const time = new Seconds();
  return (text, out) => {
    if (text.length > 64 || !parse(Buffer.from(text, 'utf8'), time)) return false;
    const mark = out.begin();
    writeSeconds(out, time);
    out.finish(mark);
    return true;
  };
}

const writeMask: ValueWriter = (text, out) => {
  const paths = parseFieldMask(text, true);
  if (paths === undefined) return false;
  const mark = out.begin();
  writeFieldMask(out, paths);
  out.finish(mark);
  return true;
};

function wrapperWriter(message: MessageDescriptor, options: CodecOptions, contentOf: ContentOf): ValueWriter {
  const field = wrappedField(message)!;
  const write = valueWriter(field, options, contentOf)!;
  const tag = tagOf(field);
  return (text, out) => {
    const mark = out.begin();
    out.uint32(tag);
    if (!write(text, out)) return false;
    out.finish(mark);
    return true;
  };
}

function jsonWriter(message: MessageDescriptor, options: CodecOptions, contentOf: ContentOf): ValueWriter {
  const content = contentOf(message);
  return (text, out) => {
    const mark = out.begin();
    try {
      new JsonInput(Buffer.from(text, 'utf8'), out, options.maxJsonDepth).readDocument(content, message);
    } catch (error) {
      if (error instanceof StatusError) throw new ValueError(error.message, { cause: error });
      throw error;
    }
    out.finish(mark);
    return true;
  };
}

/** What a text value of a field must look like; for a field without a text form, what it is instead. */
export function describeTextValue(field: FieldDescriptor): string {
  if (field.map !== undefined) return 'a map';
  if (field.type === 'enum') return `${expectedOf(field)} by name or number`;
  if (field.type !== 'message') return expectedOf(field);
  const { fullName } = field.message!;
  switch (wellKnownKind(field.message!)) {
    case 'Struct':
      return 'a JSON object';
    case 'Value':
      return 'a JSON value';
    case 'ListValue':
      return 'a JSON array';
    case 'FieldMask':
      return snakeCaseMaskExpected;
    case 'Any':
    case undefined:
      return `a message (${fullName})`;
    default:
      return expectedOf(field);
  }
}
