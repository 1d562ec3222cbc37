/** Finds a message inside a message in wire form, without decoding the rest. */
import type { FieldDescriptor } from '../schema/types.js';
import { Reader, WireType } from '../wire/index.js';

/** The bytes of a singular message field; empty if it is absent. Occurrences are concatenated, which merges them. */
export function submessage(message: Buffer, field: FieldDescriptor): Buffer {
  const parts = submessages(message, field);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** The bytes of each occurrence of a message field: the elements, if it is repeated. */
export function submessages(message: Buffer, field: FieldDescriptor): Buffer[] {
  const reader = new Reader(message);
  const parts: Buffer[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    const start = reader.pos;
    if (tag >>> 3 === field.number && (tag & 7) === WireType.BYTES) {
      parts.push(reader.bytes());
      continue;
    }
    reader.skip(tag);
    if (tag >>> 3 === field.number && (tag & 7) === WireType.START_GROUP) {
      parts.push(message.subarray(start, reader.pos - tagBytes(tag)));
    }
  }
  return parts;
}

/** The encoded length of a tag; start and end tag of a group are equally long. */
export function tagBytes(tag: number): number {
  return Math.max(1, Math.ceil((32 - Math.clz32(tag)) / 7));
}
