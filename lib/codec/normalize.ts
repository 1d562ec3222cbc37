/**
 * Sorts the fields of one message by number, each singular field once. Repeated occurrences are resolved as protobuf defines:
 * the last scalar wins, messages are merged (their bytes are concatenated), and a member of a oneof clears the others.
 * Unknown fields and unknown numbers of closed enums are dropped. Inner messages are normalized when they are printed, and
 * duplicate keys of maps are not handled here.
 */
import type { FieldDescriptor, OneofDescriptor } from '../schema/types.js';
import { endTagOf, WireType, Writer } from '../wire/index.js';
import { WireInput } from './wire-input.js';
import { isSingular } from './tags.js';

/** Finds the field that a tag (number and wire type) belongs to. */
export type FieldOfTag = (tag: number) => FieldDescriptor | undefined;

/** One occurrence of a field, as offsets. */
interface Occurrence {
  /** Where its tag starts. */
  readonly start: number;
  /** The value; for a message, without its length or end tag. */
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
  readonly tag: number;
}

/**
 * The message from the input's `pos` to its `end`, sorted; the input itself if it is sorted already.
 * @param keepsEnums keep unknown numbers of closed enums: they make a map entry unknown as a whole
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
      // An unknown field between two elements would end the list.
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

/** True for a singular closed enum with an unknown number, which protobuf treats as an unknown field. */
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
  if (field.delimited) out.uint32(endTagOf(tag));
}
