/** Wire tags of fields: number and wire type in one. */
import type { FieldDescriptor } from '../schema/types.js';
import { WireType } from '../wire/index.js';

/** The tag in front of one value of a field (of one element, where it is repeated and not packed). */
export function tagOf(field: FieldDescriptor): number {
  return ((field.number << 3) | wireTypeOf(field)) >>> 0;
}

function wireTypeOf(field: FieldDescriptor): number {
  switch (field.type) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return WireType.FIXED64;
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return WireType.FIXED32;
    case 'string':
    case 'bytes':
      return WireType.BYTES;
    case 'message':
      return field.delimited ? WireType.START_GROUP : WireType.BYTES;
    default:
      return WireType.VARINT;
  }
}
