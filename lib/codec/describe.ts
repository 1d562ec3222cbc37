/** Field types in words, for error messages and documentation of parameters. */
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { nearestName } from '../status.js';
import { quote } from '../uri.js';
import { base64Expected } from './base64.js';
import { fieldMaskExpected } from './field-mask.js';
import { floatExpected } from './floats.js';
import { integerKindOf } from './integers.js';
import { durationExpected, timestampExpected } from './times.js';
import { wrappedField } from './well-known.js';

/** The expected form of one value in JSON or as text: `a decimal integer from -2147483648 to 2147483647`. */
export function expectedOf(field: FieldDescriptor): string {
  switch (field.type) {
    case 'bool':
      return 'true or false';
    case 'string':
      return 'a string';
    case 'bytes':
      return base64Expected;
    case 'float':
    case 'double':
      return floatExpected;
    case 'enum':
      return expectedEnum(field.enum!);
    case 'message':
      return field.map !== undefined ? 'an object' : expectedMessage(field.message!);
    default:
      return integerKindOf(field.type)!.expected;
  }
}

/** The expected form of a message in JSON. */
function expectedMessage(message: MessageDescriptor): string {
  const wrapped = wrappedField(message);
  if (wrapped !== undefined) return expectedOf(wrapped);
  switch (message.fullName) {
    case 'google.protobuf.Timestamp':
      return timestampExpected;
    case 'google.protobuf.Duration':
      return durationExpected;
    case 'google.protobuf.FieldMask':
      return fieldMaskExpected;
    case 'google.protobuf.Value':
      return 'any JSON value';
    case 'google.protobuf.ListValue':
      return 'an array';
    case 'google.protobuf.Struct':
      return 'an object';
    default:
      return `an object (${message.fullName})`;
  }
}

function expectedEnum(type: EnumDescriptor): string {
  return `a value of ${type.fullName} (${listed(type.values.map((value) => value.name))})`;
}

/** The end of an error message about an unknown name: `did you mean "cpus"?`, or a list of what there is. */
export function suggestion(name: string, known: readonly string[], what: string): string {
  const near = nearestName(name, known);
  if (near !== undefined) return `did you mean ${quote(near)}?`;
  return known.length === 0 ? `it has no ${what}` : `its ${what} are ${listed(known)}`;
}

function listed(names: readonly string[]): string {
  return names.length <= 12 ? names.join(', ') : `${names.slice(0, 12).join(', ')} and ${names.length - 12} more`;
}
