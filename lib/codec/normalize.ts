/**
 * Puts the fields of one message in order: ascending by number, each singular field once. What protobuf says of repeated
 * occurrences is applied: of scalars the last counts, messages are merged (which is to put their bytes one behind the
 * other), and a member of a oneof clears the others. Unknown fields, and unknown numbers of closed enums, are left out.
 * Only one level: the messages inside are put in order when it is their turn. Duplicate keys of maps are not looked for.
 */
import type { FieldDescriptor, OneofDescriptor } from '../schema/types.js';
import { Writer, WireType } from '../wire/index.js';
import { WireInput } from './wire-input.js';

/** Finds the field that a tag (number and wire type) belongs to. */
export type FieldOfTag = (tag: number) => FieldDescriptor | undefined;

/** One appearance of a field, as offsets. */
interface Occurrence {
  /** Where its tag starts. */
  readonly start: number;
  /** The value, for messages without length and end tag. */
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
  readonly tag: number;
}

/**
 * The message from the input's `pos` to its `end`, in order: the input itself where it is so already.
 * @param keepsEnums keeps unknown numbers of closed enums: in a map entry, which is unknown as a whole then
 */
export function normalize(input: WireInput, fieldOfTag: FieldOfTag, keepsEnums = false): WireInput {
  const found = new Map<FieldDescriptor, Occurrence[]>();
  const chosen = new Map<OneofDescriptor, FieldDescriptor>();
  const from = input.pos;
  let lastNumber = 0;
  let inOrder = true;
  while (input.pos < input.end) {
    const start = input.pos;
    const tag = input.tag();
    const field = fieldOfTag(tag);
    if (field === undefined) {
      // Between two elements of a list it would end the list.
      inOrder = false;
      input.skip(tag);
      continue;
    }
    const occurrence = readOccurrence(input, start, tag);
    if (!keepsEnums && isUnknownEnum(field, input, occurrence)) {
      inOrder = false;
      continue;
    }
    if (field.number < lastNumber) inOrder = false;
    lastNumber = field.number;
    const occurrences = found.get(field);
    if (occurrences === undefined) found.set(field, [occurrence]);
    else occurrences.push(occurrence);
    if (occurrences !== undefined && isSingular(field)) inOrder = false;
    if (field.oneof !== undefined) {
      const other = chosen.get(field.oneof);
      if (other !== undefined && other !== field) {
        found.delete(other);
        inOrder = false;
      }
      chosen.set(field.oneof, field);
    }
  }
  input.pos = from;
  return inOrder ? input : reordered(input, found);
}

function isSingular(field: FieldDescriptor): boolean {
  return !field.repeated && field.map === undefined;
}

function readOccurrence(input: WireInput, start: number, tag: number): Occurrence {
  let contentStart = input.pos;
  let contentEnd = 0;
  switch (tag & 7) {
    case WireType.BYTES:
      contentEnd = input.lengthEnd();
      contentStart = input.pos;
      input.pos = contentEnd;
      break;
    case WireType.START_GROUP:
      contentEnd = input.groupEnd(tag);
      input.pos = contentEnd;
      input.tag();
      break;
    default:
      input.skip(tag);
      contentEnd = input.pos;
  }
  return { start, contentStart, contentEnd, end: input.pos, tag };
}

/** True for a singular closed enum with a number that it does not have: protobuf keeps that with the unknown fields. */
function isUnknownEnum(field: FieldDescriptor, input: WireInput, { contentStart, end }: Occurrence): boolean {
  if (field.enum?.closed !== true || !isSingular(field)) return false;
  input.pos = contentStart;
  const number = input.int32();
  input.pos = end;
  return field.enum.valueByNumber(number) === undefined;
}

function reordered(input: WireInput, found: Map<FieldDescriptor, Occurrence[]>): WireInput {
  const out = new Writer(input.end - input.pos + 16);
  const fields = [...found.keys()].sort((a, b) => a.number - b.number);
  for (const field of fields) writeField(out, input.buf, field, found.get(field)!);
  const ordered = new WireInput(out.take(), input.careful);
  ordered.depth = input.depth;
  return ordered;
}

function writeField(out: Writer, buf: Buffer, field: FieldDescriptor, occurrences: readonly Occurrence[]): void {
  const last = occurrences.at(-1)!;
  if (!isSingular(field)) for (const { start, end } of occurrences) out.rawRange(buf, start, end);
  else if (field.type === 'message' && occurrences.length > 1) writeMerged(out, buf, field, occurrences);
  else out.rawRange(buf, last.start, last.end);
}

function writeMerged(out: Writer, buf: Buffer, field: FieldDescriptor, occurrences: readonly Occurrence[]): void {
  const { tag } = occurrences[0]!;
  out.uint32(tag);
  if (!field.delimited)
    out.uint32(occurrences.reduce((sum, { contentStart, contentEnd }) => sum + contentEnd - contentStart, 0));
  for (const { contentStart, contentEnd } of occurrences) out.rawRange(buf, contentStart, contentEnd);
  if (field.delimited) out.uint32(((tag & ~7) | WireType.END_GROUP) >>> 0);
}
