/** Scalar and enum values of the wire → JSON, one closure for each protobuf type. */
import type { EnumDescriptor, FieldDescriptor, ScalarType } from '../schema/types.js';
import type { Writer } from '../wire/index.js';
import { QUOTE } from './chars.js';
import { printDouble, printFloat } from './floats.js';
import { integerKindOf, printInteger, printInteger64, read64 } from './integers.js';
import type { CodecOptions } from './options.js';
import { NULL_VALUE_ENUM } from './well-known.js';
import type { WireInput } from './wire-input.js';
import { Printed, type ValuePrinter } from './write-context.js';
import { printBytes, printString } from './write-strings.js';

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** The printer of a scalar or enum type. */
export function scalarPrinter(field: FieldDescriptor, options: CodecOptions): ValuePrinter {
  switch (field.type) {
    case 'enum':
      return enumPrinter(field.enum!, options);
    case 'string':
      return stringPrinter(field.validateUtf8 ? field.fullName : undefined);
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return printer64(field.type, !options.int64AsNumbers);
    default:
      return simplePrinters[field.type as keyof typeof simplePrinters];
  }
}

/** The printer of map keys: JSON strings, whatever their type. */
export function keyPrinter(field: FieldDescriptor): ValuePrinter {
  const type = field.type as ScalarType;
  if (type === 'string') return stringPrinter(field.validateUtf8 ? field.fullName : undefined);
  if (integerKindOf(type)?.bits === 64) return printer64(type, true);
  const print = simplePrinters[type as keyof typeof simplePrinters];
  return (input, out) => {
    out.byte(QUOTE);
    const printed = print(input, out);
    out.byte(QUOTE);
    return printed;
  };
}

const simplePrinters = {
  bool: (input, out) => {
    input.varint64();
    const value = (input.low | input.high) !== 0;
    out.raw(value ? TRUE : FALSE);
    return value ? Printed.VALUE : Printed.DEFAULT;
  },
  int32: (input, out) => print32(out, input.int32()),
  uint32: (input, out) => print32(out, input.uint32()),
  sint32: (input, out) => {
    const bits = input.uint32();
    return print32(out, (bits >>> 1) ^ -(bits & 1));
  },
  fixed32: (input, out) => print32(out, input.fixed32() >>> 0),
  sfixed32: (input, out) => print32(out, input.fixed32()),
  float: (input, out) => {
    const value = input.float();
    printFloat(out, value);
    return Object.is(value, 0) ? Printed.DEFAULT : Printed.VALUE;
  },
  double: (input, out) => {
    const value = input.double();
    printDouble(out, value);
    return Object.is(value, 0) ? Printed.DEFAULT : Printed.VALUE;
  },
  bytes: (input, out) => {
    const end = input.lengthEnd();
    const start = input.pos;
    printBytes(out, input.buf, start, end);
    input.pos = end;
    return end === start ? Printed.DEFAULT : Printed.VALUE;
  },
} satisfies Partial<Record<ScalarType, ValuePrinter>>;

function print32(out: Writer, value: number): Printed {
  printInteger(out, value);
  return value === 0 ? Printed.DEFAULT : Printed.VALUE;
}

function printer64(type: ScalarType, quoted: boolean): ValuePrinter {
  const { signed } = integerKindOf(type)!;
  return (input, out) => {
    read64(type, input);
    const { low, high } = input;
    if (quoted) out.byte(QUOTE);
    printInteger64(out, low, high, signed);
    if (quoted) out.byte(QUOTE);
    return (low | high) === 0 ? Printed.DEFAULT : Printed.VALUE;
  };
}

function stringPrinter(owner: string | undefined): ValuePrinter {
  return (input, out) => {
    const end = input.lengthEnd();
    const start = input.pos;
    printString(out, input.buf, start, end, owner);
    input.pos = end;
    return end === start ? Printed.DEFAULT : Printed.VALUE;
  };
}

function enumPrinter(type: EnumDescriptor, options: CodecOptions): ValuePrinter {
  if (type.fullName === NULL_VALUE_ENUM) return printNull;
  const names = new Map<number, Buffer>();
  for (const { name, number } of type.values) {
    if (!names.has(number))
      names.set(number, Buffer.from(options.alwaysPrintEnumsAsInts ? String(number) : `"${name}"`));
  }
  return (input, out) => {
    const number = input.int32();
    const name = names.get(number);
    if (name !== undefined) out.raw(name);
    else if (type.closed) return Printed.NOTHING;
    else printInteger(out, number);
    return number === 0 ? Printed.DEFAULT : Printed.VALUE;
  };
}

function printNull(input: WireInput, out: Writer): Printed {
  const number = input.int32();
  out.raw(NULL);
  return number === 0 ? Printed.DEFAULT : Printed.VALUE;
}

/** How the default of a scalar or enum type is printed. */
export function defaultText(field: FieldDescriptor, options: CodecOptions): string {
  switch (field.type) {
    case 'bool':
      return 'false';
    case 'string':
    case 'bytes':
      return '""';
    case 'enum':
      return defaultEnumText(field.enum!, options);
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return options.int64AsNumbers ? '0' : '"0"';
    default:
      return '0';
  }
}

/** The default of an enum is its first value. */
function defaultEnumText(type: EnumDescriptor, options: CodecOptions): string {
  if (type.fullName === NULL_VALUE_ENUM) return 'null';
  const first = type.values[0];
  if (first === undefined) return '0';
  return options.alwaysPrintEnumsAsInts ? String(first.number) : `"${first.name}"`;
}
