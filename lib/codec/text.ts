/**
 * Text values (from a path segment, query, header, or map key in a query) → one tagged wire value. The text is already
 * percent-decoded.
 */
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor, ScalarType } from '../schema/types.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import { decodeBase64, textValues } from './base64.js';
import { expectedOf, suggestion } from './describe.js';
import { snakeCaseMaskExpected, writeFieldMask } from './field-mask.js';
import { parseFloatText, toFloat } from './floats.js';
import { Halves, int32Kind, integerKindOf, parseInteger } from './integers.js';
import { JsonInput } from './json-input.js';
import { envoyBool } from './relax.js';
import type { CodecOptions } from './options.js';
import { integerWriter } from './read-collections.js';
import type { ValueReader } from './read-context.js';
import { tagOf } from './tags.js';
import { writeSeconds } from './read-well-known.js';
import { parseDuration, parseGoDuration, parseTimestamp, Seconds } from './times.js';
import { ValueError } from './value-error.js';
import { NULL_VALUE_ENUM, wellKnownKind, wrappedField } from './well-known.js';

/**
 * Reads one text and appends tag and value to `out`.
 * @throws ValueError if the text is not a value of the field's type; `out` may then hold a part of it
 */
export type TextReader = (text: string, out: Writer) => void;

/** Writes the value without a tag; false if the text is not a value of the type. */
type ValueWriter = (text: string, out: Writer) => boolean;

/** The JSON reader of a message's content, for types whose text form is JSON. */
export type ContentOf = (message: MessageDescriptor) => ValueReader;

/** The reader of a field, or of one element of a repeated field; undefined if the type has no text form. */
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
      return boolWriter(options);
    case 'double':
    case 'float':
      return floatWriter(field.type === 'float', options.grpcGatewayValues);
    default:
      return options.grpcGatewayValues
        ? signed(integerTextWriter(field.type), field.type)
        : integerTextWriter(field.type);
  }
}

const writeString: ValueWriter = (text, out) => {
  out.string(text);
  return true;
};

const writeBytes = delimited((text, out) => {
  const chars = Buffer.from(text, 'utf8');
  return decodeBase64(out, chars, 0, chars.length, textValues);
});

/** Puts the length in front of what a writer writes. */
function delimited(write: ValueWriter): ValueWriter {
  return (text, out) => {
    const mark = out.begin();
    if (!write(text, out)) return false;
    out.finish(mark);
    return true;
  };
}

/** The empty text is true: `?flag`, which some clients send as `?flag=`. */
function boolWriter({ lenientBools, grpcGatewayValues, envoyValues }: CodecOptions): ValueWriter {
  if (envoyValues) {
    return (text, out) => {
      const value = envoyBool(text);
      if (value !== undefined) out.byte(value ? 1 : 0);
      return value !== undefined;
    };
  }
  const words = new Map([
    ['', 1],
    ['true', 1],
    ['false', 0],
  ]);
  if (lenientBools) words.set('1', 1).set('0', 0);
  if (grpcGatewayValues) words.set('t', 1).set('T', 1).set('f', 0).set('F', 0);
  return (text, out) => {
    const value = words.get(text) ?? (lenientBools ? words.get(text.toLowerCase()) : undefined);
    if (value === undefined) return false;
    out.byte(value);
    return true;
  };
}

function floatWriter(single: boolean, anySign: boolean): ValueWriter {
  const form = anySign ? 'go' : 'text';
  return (text, out) => {
    const double = parseFloatText(text, form);
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
  // Room for 64 characters, each of up to three bytes.
  const chars = Buffer.alloc(64 * 3);
  return (text, out) => {
    if (text.length > 64) return false;
    const length = chars.write(text, 0);
    if (!parseInteger(chars, 0, length, kind, false, halves)) return false;
    write(out, halves);
    return true;
  };
}

/** Accepts a plus sign, except for unsigned types. */
function signed(write: ValueWriter, type: ScalarType): ValueWriter {
  if (type.startsWith('u') || type.startsWith('fixed')) return write;
  return (text, out) => write(/^\+\d/.test(text) ? text.slice(1) : text, out);
}

/** Reads a name, in any case if the option is set, or a number; open enums accept any int32. */
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
    // Envoy takes no number of a text that the enum does not declare.
    if (!type.closed && !options.envoyValues) return parseNumber(text, out);
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
      return delimited(secondsWriter((chars, into) => parseTimestamp(chars, 0, chars.length, into, true)));
    case 'Duration':
      return delimited(secondsWriter(durationParser(options.grpcGatewayValues)));
    case 'FieldMask':
      return writeMask;
    case 'Struct':
    case 'Value':
    case 'ListValue':
      return delimited(jsonWriter(message, options, contentOf));
    case 'Wrapper':
      return delimited(wrapperWriter(message, options, contentOf));
    default:
      return options.grpcGatewayValues && message.fullName === 'google.protobuf.Empty' ? writeEmpty : undefined;
  }
}

const writeEmpty: ValueWriter = (text, out) => {
  if (text !== '' && text !== '{}') return false;
  out.byte(0);
  return true;
};

function durationParser(goToo: boolean): SecondsParser {
  const parse: SecondsParser = (chars, into) => parseDuration(chars, 0, chars.length, into);
  if (!goToo) return parse;
  return (chars, into) => parse(chars, into) || parseGoDuration(chars.toString('utf8'), into);
}

type SecondsParser = (chars: Buffer, into: Seconds) => boolean;

function secondsWriter(parse: SecondsParser): ValueWriter {
  const time = new Seconds();
  return (text, out) => {
    if (text.length > 64 || !parse(Buffer.from(text, 'utf8'), time)) return false;
    writeSeconds(out, time);
    return true;
  };
}

const writeMask = delimited((text, out) => {
  const chars = Buffer.from(text, 'utf8');
  return writeFieldMask(out, chars, 0, chars.length, true);
});

function wrapperWriter(message: MessageDescriptor, options: CodecOptions, contentOf: ContentOf): ValueWriter {
  const field = wrappedField(message)!;
  const write = valueWriter(field, options, contentOf)!;
  const tag = tagOf(field);
  return (text, out) => {
    out.uint32(tag);
    return write(text, out);
  };
}

function jsonWriter(message: MessageDescriptor, options: CodecOptions, contentOf: ContentOf): ValueWriter {
  const content = contentOf(message);
  return (text, out) => {
    try {
      new JsonInput(Buffer.from(text, 'utf8'), out, options.maxJsonDepth).readDocument(content, message);
    } catch (error) {
      if (error instanceof StatusError) throw new ValueError(error.message, { cause: error });
      throw error;
    }
    return true;
  };
}

/** The expected form of a text value, for error messages; for a field without text form, its type. */
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
