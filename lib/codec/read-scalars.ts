/**
 * JSON scalars → wire values, one closure for each protobuf type. Common spellings (an integer of few digits, a string
 * without escapes) have a fast path; all others take the exact one.
 */
import type { EnumDescriptor, FieldDescriptor, ScalarType } from '../schema/types.js';
import { quote } from '../uri.js';
import { base64Expected, decodeBase64Bytes } from './base64.js';
import { LOWER_F, LOWER_N, LOWER_T, QUOTE } from './chars.js';
import { suggestion } from './describe.js';
import { finite, floatExpected, parseFloatText, toFloat } from './floats.js';
import {
  Halves,
  int32Kind,
  integerKindOf,
  parseInteger,
  splitSafeInteger,
  writers32,
  writers64,
  type IntegerKind,
  type Write32,
  type Write64,
} from './integers.js';
import type { JsonInput } from './json-input.js';
import { type NameEntry, NameTable } from './names.js';
import type { CodecOptions } from './options.js';
import type { ValueReader } from './read-context.js';
import { longInteger, shortDecimal, shortInteger } from './short-numbers.js';
import { NULL_VALUE_ENUM } from './well-known.js';

/** The reader of a scalar or enum type. */
export function scalarReader(field: FieldDescriptor, options: CodecOptions): ValueReader {
  if (field.type === 'enum') return enumReader(field.enum!, options);
  return scalarReaders[field.type as ScalarType];
}

const scalarReaders: Record<ScalarType, ValueReader> = {
  bool: readBool,
  string: readString,
  bytes: readBytes,
  double: readDouble,
  float: readFloat,
  int32: integerReader('int32'),
  uint32: integerReader('uint32'),
  sint32: integerReader('sint32'),
  fixed32: integerReader('fixed32'),
  sfixed32: integerReader('sfixed32'),
  int64: integerReader('int64'),
  uint64: integerReader('uint64'),
  sint64: integerReader('sint64'),
  fixed64: integerReader('fixed64'),
  sfixed64: integerReader('sfixed64'),
};

function readBool(input: JsonInput): boolean {
  const char = input.buf[input.pos];
  if (char !== LOWER_T && char !== LOWER_F) return input.mismatch('true or false, without quotes');
  input.word();
  input.out.byte(char === LOWER_T ? 1 : 0);
  return true;
}

/** Reads a string, without a tag. */
export function readString(input: JsonInput): boolean {
  if (input.buf[input.pos] !== QUOTE) return input.mismatch('a string in double quotes');
  input.string();
  const { out, textStart, textEnd } = input;
  out.uint32(textEnd - textStart);
  out.rawRange(input.text, textStart, textEnd);
  return true;
}

function readBytes(input: JsonInput): boolean {
  const offset = input.pos;
  if (input.buf[offset] !== QUOTE) return input.mismatch(`${base64Expected}, in double quotes`);
  input.string();
  if (decodeBase64Bytes(input.out, input.text, input.textStart, input.textEnd)) return true;
  return input.badToken(offset, base64Expected);
}

function readDouble(input: JsonInput): boolean {
  const value = floatingPoint(input, false);
  if (value === undefined) return false;
  input.out.double(value);
  return true;
}

function readFloat(input: JsonInput): boolean {
  const value = floatingPoint(input, true);
  if (value === undefined) return false;
  input.out.float(value);
  return true;
}

/** A number, quoted or not. Returns undefined and records a violation if it is not one or too large. */
function floatingPoint(input: JsonInput, single: boolean): number | undefined {
  const short = shortDecimal(input);
  if (!Number.isNaN(short)) return short;
  const offset = input.pos;
  let value: number | undefined;
  if (input.atNumber()) {
    input.number();
    value = finite(Number(input.text.toString('latin1', input.textStart, input.textEnd)));
  } else if (input.buf[offset] === QUOTE) {
    input.string();
    value = parseFloatText(input.text.toString('latin1', input.textStart, input.textEnd), 'json');
  } else {
    input.mismatch(floatExpected);
    return undefined;
  }
  if (single && value !== undefined) value = toFloat(value);
  if (value === undefined) {
    input.badToken(offset, `${floatExpected}, within the range of a ${single ? 'float' : 'double'}`);
  }
  return value;
}

function integerReader(type: ScalarType): ValueReader {
  const kind = integerKindOf(type)!;
  return kind.bits === 32 ? reader32(kind, writers32[type]!) : reader64(kind, writers64[type]!);
}

function reader32(kind: IntegerKind, write: Write32): ValueReader {
  const min = Number(kind.min);
  const max = Number(kind.max);
  const halves = new Halves();
  return (input) => {
    const start = input.pos;
    const value = shortInteger(input);
    if (value >= min && value <= max) {
      write(input.out, value);
      return true;
    }
    input.pos = start;
    if (!exactInteger(input, kind, halves)) return false;
    write(input.out, kind.signed ? halves.low | 0 : halves.low);
    return true;
  };
}

function reader64(kind: IntegerKind, write: Write64): ValueReader {
  const min = kind.signed ? Number.MIN_SAFE_INTEGER : 0;
  const halves = new Halves();
  return (input) => {
    const start = input.pos;
    const value = shortInteger(input);
    if (value >= min) {
      splitSafeInteger(value, halves);
    } else {
      input.pos = start;
      if (!longInteger(input, kind, halves) && !exactInteger(input, kind, halves)) return false;
    }
    write(input.out, halves.low, halves.high);
    return true;
  };
}

/** Any spelling of an integer. Returns false and records a violation if it is not one or out of range. */
function exactInteger(input: JsonInput, kind: IntegerKind, into: Halves): boolean {
  const offset = input.pos;
  if (input.buf[offset] === QUOTE) input.string();
  else if (input.atNumber()) input.number();
  else return input.mismatch(kind.expected);
  if (parseInteger(input.text, input.textStart, input.textEnd, kind, true, into)) return true;
  return input.badToken(offset, kind.expected);
}

function enumReader(type: EnumDescriptor, options: CodecOptions): ValueReader {
  if (type.fullName === NULL_VALUE_ENUM) return readNullValue;
  const names = new NameTable(type.values.map((value) => [value.name, value.number] as const));
  let guess = names.entries[0];
  const inAnyCase = options.caseInsensitiveEnums ? anyCaseFinder(names) : undefined;
  // Envoy refuses them, though it skips unknown fields.
  const ignoresUnknown = options.ignoreUnknownFields && !options.envoyValues;
  return (input) => {
    if (input.buf[input.pos] !== QUOTE) return readEnumNumber(input, type, options);
    if (guess?.matches(input.buf, input.pos + 1) === true) {
      input.pos += guess.bytes.length + 1;
      input.out.int32(guess.value);
      return true;
    }
    const offset = input.pos;
    input.string();
    const entry = names.find(input.text, input.textStart, input.textEnd) ?? inAnyCase?.(input);
    if (entry === undefined) return ignoresUnknown ? false : unknownEnumName(input, offset, names, type);
    guess = entry;
    input.out.int32(entry.value);
    return true;
  };
}

/** Finds names whatever their case is. */
function anyCaseFinder({ entries }: NameTable<number>): (input: JsonInput) => NameEntry<number> | undefined {
  const byName = new Map(entries.map((entry) => [entry.name.toUpperCase(), entry] as const));
  return ({ text, textStart, textEnd }) =>
    byName.get(text.toString('latin1', textStart, Math.min(textEnd, textStart + 1000)).toUpperCase());
}

function unknownEnumName(input: JsonInput, offset: number, names: NameTable<number>, type: EnumDescriptor): false {
  const name = input.text.toString('utf8', input.textStart, Math.min(input.textEnd, input.textStart + 200));
  input.violation(
    offset,
    `${quote(name)} is no value of ${type.fullName}; ${suggestion(name, names.names(), 'values')}`,
  );
  return false;
}

const enumHalves = new Halves();

function readEnumNumber(input: JsonInput, type: EnumDescriptor, options: CodecOptions): boolean {
  const offset = input.pos;
  if (!input.atNumber()) return input.mismatch(`the name of a value of ${type.fullName}, or its number`);
  let number = shortInteger(input);
  if ((number | 0) !== number) {
    input.pos = offset;
    if (!exactInteger(input, int32Kind, enumHalves)) return false;
    number = enumHalves.low | 0;
  }
  if (type.closed && type.valueByNumber(number) === undefined) {
    if (options.ignoreUnknownFields) return false;
    const names = type.values.map((value) => value.name);
    input.violation(offset, `${number} is no value of ${type.fullName}; ${suggestion('', names, 'values')}`);
    return false;
  }
  input.out.int32(number);
  return true;
}

/** NullValue is null; older printers wrote its name or number. */
function readNullValue(input: JsonInput): boolean {
  const char = input.buf[input.pos];
  if (char === LOWER_N) {
    input.word();
  } else {
    const offset = input.pos;
    if (char === QUOTE) input.string();
    else if (input.atNumber()) input.number();
    else return input.mismatch('null');
    const text = input.text.toString('latin1', input.textStart, Math.min(input.textEnd, input.textStart + 20));
    if (text !== 'NULL_VALUE' && text !== '0') return input.badToken(offset, 'null');
  }
  input.out.byte(0);
  return true;
}
