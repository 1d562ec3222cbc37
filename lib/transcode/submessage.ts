/** Steps into a message in wire form, for what looks at one field deep inside it. */
import type { FieldDescriptor } from '../schema/types.js';
import { Reader, WireType } from '../wire/index.js';

/** The bytes of a singular message field, none where it is absent; the concatenation of its occurrences is their merge. */
export function submessage(message: Buffer, field: FieldDescriptor): Buffer {
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
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** How many bytes a tag takes; start and end tags of a group take the same. */
export function tagBytes(tag: number): number {
  return Math.max(1, Math.ceil((32 - Math.clz32(tag)) / 7));
}
