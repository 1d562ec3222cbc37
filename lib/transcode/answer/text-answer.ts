/**
 * `alt=text`: one scalar of an answer, without JSON around it. Which one follows from the types and from `$fields`.
 */
import type { Codec, Selection } from '../../codec/index.js';
import { hasTextForm, isTextType } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { makeTag, Reader, WireType, Writer } from '../../wire/index.js';
import { scalarText } from './field-headers.js';
import { submessage } from '../submessage.js';

/** What an answer prints: a message, or the value of a field. */
export type PrintedRoot =
  | { readonly message: MessageDescriptor; readonly field: undefined }
  | { readonly message: undefined; readonly field: FieldDescriptor };

/** The way to one scalar in a message. */
export interface TextPick {
  /** Singular messages, and entries of maps. */
  readonly steps: readonly TextStep[];
  /** The field of the scalar; undefined if the message itself prints as one (a wrapper, a Timestamp). */
  readonly leaf: FieldDescriptor | undefined;
}

interface TextStep {
  readonly field: FieldDescriptor;
  /** The text of the key if the field is a map. */
  readonly key: string | undefined;
}

/**
 * The scalar that the selection picks; without a selection, the root itself or the only field of its type. Undefined if that
 * is not exactly one scalar.
 */
export function pickText(root: PrintedRoot, selection: Selection | undefined): TextPick | undefined {
  if (selection === undefined || selection.whole) return leafOf([], root.message, root.field) ?? onlyField(root);
  const steps: TextStep[] = [];
  let { message, field } = root as { message: MessageDescriptor | undefined; field: FieldDescriptor | undefined };
  let at = selection;
  for (;;) {
    if (at === undefined || at.whole) return leafOf(steps, message, field);
    if (at.fields.size + at.keys.size !== 1) return undefined;
    if (at.keys.size === 1) {
      if (field?.map === undefined) return undefined;
      const [key, next] = [...at.keys][0]!;
      steps.push({ field, key });
      field = field.map.value;
      message = undefined;
      at = next;
    } else {
      if (field !== undefined) {
        if (field.repeated) return undefined;
        steps.push({ field, key: undefined });
      }
      const [next, inner] = [...at.fields][0]!;
      field = next;
      message = undefined;
      at = inner;
    }
  }
}

function leafOf(
  steps: readonly TextStep[],
  message: MessageDescriptor | undefined,
  field: FieldDescriptor | undefined,
): TextPick | undefined {
  if (field === undefined) return isTextType(message!) ? { steps, leaf: undefined } : undefined;
  return !field.repeated && hasTextForm(field) ? { steps, leaf: field } : undefined;
}

/** The only field of a type: it can be meant without being named. */
function onlyField({ message, field }: PrintedRoot): TextPick | undefined {
  const of = message ?? (field.repeated ? undefined : field.message);
  if (of?.fields.length !== 1 || of.extensions.length > 0) return undefined;
  return leafOf(field === undefined ? [] : [{ field, key: undefined }], undefined, of.fields[0]);
}

/** The text of the picked scalar; '' if an entry or a message on the way is absent and the scalar has no default. */
export function printText(pick: TextPick, message: MessageDescriptor, wire: Buffer, codec: Codec): string {
  let at = wire;
  for (const { field, key } of pick.steps) {
    const next = key === undefined ? submessage(at, field) : entryOf(at, field, key, codec);
    // The map does not have this key.
    if (next === undefined) return '';
    at = next;
  }
  const out = new Writer(64);
  if (pick.leaf === undefined) codec.writer(message)(at, out);
  else codec.fieldWriter(pick.leaf)(at, out);
  return scalarText(out);
}

/** The bytes of the last entry of a map with that key. */
function entryOf(wire: Buffer, map: FieldDescriptor, key: string, codec: Codec): Buffer | undefined {
  const reader = new Reader(wire);
  const out = new Writer(64);
  let found: Buffer | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== makeTag(map.number, WireType.BYTES)) {
      reader.skip(tag);
      continue;
    }
    const entry = reader.bytes();
    out.reset();
    codec.fieldWriter(map.map!.key)(entry, out);
    if (scalarText(out) === key) found = entry;
  }
  return found;
}

/** The fields that could be picked, for error messages. */
export function textFields({ message, field }: PrintedRoot): string[] {
  const of = message ?? (field.repeated ? undefined : field.message);
  return (of?.fields ?? []).filter((inner) => !inner.repeated && hasTextForm(inner)).map(({ name }) => name);
}
