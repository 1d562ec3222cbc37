/** How values of fields are encoded (https://protobuf.dev/programming-guides/encoding). */
import { WireType } from '../wire/index.js';
import type { FieldDescriptor } from './types.js';

/** The wire type of one value of a field; for a list that is not packed, of one element. */
export function wireTypeOf({ type, delimited }: FieldDescriptor): number {
  switch (type) {
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
      return delimited ? WireType.START_GROUP : WireType.BYTES;
    default:
      return WireType.VARINT;
  }
}
