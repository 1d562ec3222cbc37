/**
 * `alt=text`: one scalar of an answer, without JSON around it, or those of a list, each on a line. Which follows from the
 * types and from `$fields`.
 */
import type { Codec, Selection } from '../../codec/index.js';
import { hasTextForm, isTextType } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { makeTag, Reader, WireType, Writer } from '../../wire/index.js';
import { scalarText } from './field-headers.js';
import { submessage, submessages } from '../submessage.js';

/** What an answer prints: a message, or the value of a field. */
export type PrintedRoot =
  | { readonly message: MessageDescriptor; readonly field: undefined }
  | { readonly message: undefined; readonly field: FieldDescriptor };

/** The way to one scalar in a message, or to one in each element of a list. */
export interface TextPick {
  /** Messages, and entries of maps. */
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
 * What the selection picks: a scalar, or those of a list. Without a selection, the root itself or the only field of its type,
 * if that is a scalar. Undefined if it is anything else.
 */
export function pickText(root: PrintedRoot, selection: Selection | undefined): TextPick | undefined {
  if (selection === undefined || selection.whole) return leafOf([], root.message, root.field) ?? onlyField(root);
  const steps: TextStep[] = [];
  let { message, field } = root as { message: MessageDescriptor | undefined; field: FieldDescriptor | undefined };
  let at = selection;
  for (;;) {
    if (at === undefined || at.whole) return leafOf(steps, message, field, true);
    if (at.fields.size + at.keys.size !== 1) return undefined;
    if (at.keys.size === 1) {
      if (field?.map === undefined) return undefined;
      const [key, next] = [...at.keys][0]!;
      steps.push({ field, key });
      field = field.map.value;
      message = undefined;
      at = next;
    } else {
      if (field !== undefined) steps.push({ field, key: undefined });
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
  mayRepeat = false,
): TextPick | undefined {
  if (field === undefined) return isTextType(message!) ? { steps, leaf: undefined } : undefined;
  return (mayRepeat || !field.repeated) && hasTextForm(field) ? { steps, leaf: field } : undefined;
}

/** The only field of a type: it can be meant without being named. */
function onlyField({ message, field }: PrintedRoot): TextPick | undefined {
  const of = message ?? (field.repeated ? undefined : field.message);
  if (of?.fields.length !== 1 || of.extensions.length > 0) return undefined;
  return leafOf(field === undefined ? [] : [{ field, key: undefined }], undefined, of.fields[0]);
}

/**
 * The text of the picked scalar; '' if an entry or a message on the way is absent and the scalar has no default. Of a list,
 * each value and a line break behind it: so an empty list is not an empty value, and `while read` sees the last line.
 */
export function printText(pick: TextPick, message: MessageDescriptor, wire: Buffer, codec: Codec): string {
  const { steps, leaf } = pick;
  const write = leaf === undefined ? codec.writer(message) : codec.fieldWriter(leaf);
  const out = new Writer(64);
  const printed = (at: Buffer): string => {
    out.reset();
    write(at, out);
    return leaf?.repeated === true ? lines(elementTexts(out)) : scalarText(out);
  };
  if (leaf?.repeated !== true && steps.every(({ field }) => !field.repeated)) {
    const [at] = reached(steps, wire, codec);
    return at === undefined ? '' : printed(at);
  }
  const texts = reached(steps, wire, codec).map((at) => (at === undefined ? '' : printed(at)));
  return leaf?.repeated === true ? texts.join('') : lines(texts);
}

/** The messages that the steps lead to, one for each element on the way; undefined for a key that a map does not have. */
function reached(steps: readonly TextStep[], wire: Buffer, codec: Codec): (Buffer | undefined)[] {
  return steps.reduce<(Buffer | undefined)[]>(
    (all, { field, key }) =>
      all.flatMap((at) => {
        if (at === undefined) return [undefined];
        if (key !== undefined) return [entryOf(at, field, key, codec)];
        return field.repeated ? submessages(at, field) : [submessage(at, field)];
      }),
    [wire],
  );
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}

/** The elements of a JSON array of scalars, as `scalarText` has them. */
function elementTexts(out: Writer): string[] {
  const tokens =
    out
      .peek()
      .toString('utf8')
      .match(/"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,[\]]+/g) ?? [];
  return tokens.map((token) => (token.startsWith('"') ? (JSON.parse(token) as string) : token));
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

/** The fields that could be picked, for error messages: those of one value first, then lists. */
export function textFields({ message, field }: PrintedRoot): string[] {
  const fields = (message ?? field.message)?.fields ?? [];
  const texts = fields.filter(hasTextForm);
  const elements = fields.flatMap((list) => {
    const first = list.repeated
      ? list.message?.fields.find((inner) => !inner.repeated && hasTextForm(inner))
      : undefined;
    return hasTextForm(list) || first === undefined ? [] : [`${list.name}.${first.name}`];
  });
  const ofOne = texts.filter(({ repeated }) => !repeated).map(({ name }) => name);
  return [...ofOne, ...texts.filter(({ repeated }) => repeated).map(({ name }) => name), ...elements];
}
