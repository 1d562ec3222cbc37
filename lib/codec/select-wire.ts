/**
 * Applies a selection to a message in wire form, for answers that are sent as protobuf. Fields keep their order and bytes.
 */
import type { FieldDescriptor, MapFields, MessageDescriptor, OneofDescriptor } from '../schema/types.js';
import { Reader, WireType, Writer } from '../wire/index.js';
import type { Selection } from './selection.js';
import { bytesTag, fieldByNumber, tagOf } from './tags.js';
import { wellKnownKind } from './well-known.js';
import { WireInput } from './wire-input.js';
import { defaultText, keyPrinter } from './write-scalars.js';
import { defaultCodecOptions } from './options.js';

/**
 * Appends the selected parts of `wire` to `out`. A google.protobuf.Struct, Value or ListValue is always copied whole.
 * @throws WireError if the bytes are not a message.
 */
export function selectWire(message: MessageDescriptor, selection: Selection, wire: Buffer, out: Writer): void {
  if (selection.whole || wellKnownKind(message) !== undefined) {
    out.raw(wire);
    return;
  }
  const chosen = lastOfOneofs(message, wire);
  const reader = new Reader(wire);
  while (!reader.done) {
    const start = reader.pos;
    const tag = reader.tag();
    const contentStart = reader.pos;
    reader.skip(tag);
    const field = fieldByNumber(message, tag >>> 3);
    const selected = field && selection.fields.get(field);
    if (selected === undefined || (field!.oneof !== undefined && chosen.get(field!.oneof) !== field)) continue;
    if (selected.whole || (tag & 7) !== WireType.BYTES) {
      out.rawRange(wire, start, reader.pos);
    } else {
      const content = new Reader(wire, contentStart, reader.pos).bytes();
      if (field!.map === undefined) writePart(field!, selected, content, out);
      else writeEntry(field!, field!.map, selected, content, out);
    }
  }
}

/** The last member of each oneof: it clears the others, whether it is selected or not. */
function lastOfOneofs(message: MessageDescriptor, wire: Buffer): ReadonlyMap<OneofDescriptor, FieldDescriptor> {
  const last = new Map<OneofDescriptor, FieldDescriptor>();
  if (message.oneofs.length === 0) return last;
  const reader = new Reader(wire);
  while (!reader.done) {
    const tag = reader.tag();
    reader.skip(tag);
    const field = message.fieldByNumber(tag >>> 3);
    if (field?.oneof !== undefined) last.set(field.oneof, field);
  }
  return last;
}

/** A message field of which a part is selected. */
function writePart(field: FieldDescriptor, selected: Selection, content: Buffer, out: Writer): void {
  out.uint32(bytesTag(field.number));
  const mark = out.begin();
  selectWire(field.message!, selected, content, out);
  out.finish(mark);
}

/** An entry of a map, if its key is selected. */
function writeEntry(
  map: FieldDescriptor,
  { key, value }: MapFields,
  selected: Selection,
  entry: Buffer,
  out: Writer,
): void {
  const inner = selected.keys.get(mapKeyText(entry, key));
  if (inner === undefined) return;
  out.uint32(bytesTag(map.number));
  const mark = out.begin();
  for (const parts = new Reader(entry); !parts.done;) {
    const start = parts.pos;
    const tag = parts.tag();
    const contentStart = parts.pos;
    parts.skip(tag);
    if (tag === tagOf(value) && !inner.whole && (tag & 7) === WireType.BYTES) {
      writePart(value, inner, new Reader(entry, contentStart, parts.pos).bytes(), out);
    } else {
      out.rawRange(entry, start, parts.pos);
    }
  }
  out.finish(mark);
}

/** The text of the key of a map's entry, as it would be printed. */
export function mapKeyText(entry: Buffer, key: FieldDescriptor): string {
  const reader = new Reader(entry);
  let text = defaultText(key, defaultCodecOptions).replaceAll('"', '');
  const scratch = new Writer(64);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === tagOf(key)) text = keyOf(entry.subarray(reader.pos), key, scratch);
    reader.skip(tag);
  }
  return text;
}

/** The text of the key at the start of `wire`, as it would be printed. */
function keyOf(wire: Buffer, key: FieldDescriptor, scratch: Writer): string {
  scratch.reset();
  keyPrinter(key)(new WireInput(wire, false), scratch);
  return JSON.parse(scratch.peek().toString('utf8')) as string;
}
