/**
 * `alt=text`: one scalar of an answer, bare. Which one is decided by the head of the request; that it can be done at all
 * is decided by the types alone.
 */
import type { Codec, Selection } from '../codec/index.js';
import { hasTextForm, isTextType } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { Reader, Writer } from '../wire/index.js';
import { submessage } from './submessage.js';

/** What is printed alone: a message, or the value of a field. */
export type PrintedRoot =
  | { readonly message: MessageDescriptor; readonly field: undefined }
  | { readonly message: undefined; readonly field: FieldDescriptor };

/** One scalar in a message: the steps to it. */
export interface TextPick {
  /** Singular messages and, as entries, maps on the way. */
  readonly steps: readonly TextStep[];
  /** The scalar's field; undefined: the message is one (a wrapper, a Timestamp). */
  readonly leaf: FieldDescriptor | undefined;
}

interface TextStep {
  readonly field: FieldDescriptor;
  /** The key's text, where the field is a map. */
  readonly key: string | undefined;
}

/**
 * The scalar that is the whole root or the only field of its type, or that the selection picks in it; undefined where that
 * is no lone scalar.
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

/** The scalar of a type that has no other field: it needs no name to be meant. */
function onlyField({ message, field }: PrintedRoot): TextPick | undefined {
  const of = message ?? (field.repeated ? undefined : field.message);
  if (of?.fields.length !== 1 || of.extensions.length > 0) return undefined;
  return leafOf(field === undefined ? [] : [{ field, key: undefined }], undefined, of.fields[0]);
}

/** The text of the picked scalar; '' where a message or an entry on the way is absent and the scalar has no default. */
export function printText(pick: TextPick, message: MessageDescriptor, wire: Buffer, codec: Codec): string {
  let at = wire;
  for (const { field, key } of pick.steps) {
    const next = key === undefined ? submessage(at, field) : entryOf(at, field, key, codec);
    // A map has no such key: there is nothing to print.
    if (next === undefined) return '';
    at = next;
  }
  const out = new Writer(64);
  if (pick.leaf === undefined) codec.writer(message)(at, out);
  else codec.fieldWriter(pick.leaf)(at, out);
  return plainText(out);
}

/** The last entry of a map with that key, as the message that it is on the wire. */
function entryOf(wire: Buffer, map: FieldDescriptor, key: string, codec: Codec): Buffer | undefined {
  const reader = new Reader(wire);
  const out = new Writer(64);
  let found: Buffer | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== ((map.number << 3) | 2) >>> 0) {
      reader.skip(tag);
      continue;
    }
    const entry = reader.bytes();
    out.reset();
    codec.fieldWriter(map.map!.key)(entry, out);
    if (plainText(out) === key) found = entry;
  }
  return found;
}

/** A scalar's JSON without its quotes. */
function plainText(out: Writer): string {
  const json = out.peek().toString('utf8');
  if (json === 'null') return '';
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/** The fields that could be picked, for messages. */
export function textFields({ message, field }: PrintedRoot): string[] {
  const of = message ?? (field.repeated ? undefined : field.message);
  return (of?.fields ?? []).filter((inner) => !inner.repeated && hasTextForm(inner)).map(({ name }) => name);
}
