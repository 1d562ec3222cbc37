/** How values are printed, as far as schemas and samples must agree. */
import { NULL_VALUE_ENUM, wellKnownKind } from '../codec/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import type { PrintOptions } from './options.js';

/** The defaults: canonical ProtoJSON. */
export const plainPrint: PrintOptions = Object.freeze({
  preserveProtoFieldNames: false,
  int64AsNumbers: false,
  alwaysPrintEnumsAsInts: false,
  alwaysPrintAllFields: false,
});

/** The name of a field in answers. */
export function printedName(field: FieldDescriptor, options: Pick<PrintOptions, 'preserveProtoFieldNames'>): string {
  return options.preserveProtoFieldNames ? field.name : field.jsonName;
}

/** True for google.protobuf.NullValue, whose only value is JSON's null. */
export function isNullValue(field: FieldDescriptor): boolean {
  return field.enum?.fullName === NULL_VALUE_ENUM;
}

/** True for types whose text form, in a query or a header, is JSON. */
export function isJsonText({ message }: FieldDescriptor): boolean {
  const kind = message === undefined ? undefined : wellKnownKind(message);
  return kind === 'Struct' || kind === 'Value' || kind === 'ListValue';
}
