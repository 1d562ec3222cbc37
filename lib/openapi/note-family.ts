/** Options for documents come in families, one for each generator that has some. What all of them need. */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import type { FieldNotes, Json, JsonObject, OperationNotes } from './options.js';

/** What an option stands at. `message` is the schema of one. */
export type NoteKind = 'document' | 'tag' | 'operation' | 'message' | 'field' | 'enum';

/** The options of one generator, in ProtoJSON → parts of an OpenAPI 3.1 document. */
export interface NoteFamily {
  /** Full names of the options that there are. */
  readonly names: Readonly<Partial<Record<NoteKind, string>>>;
  readonly document: (option: JsonObject) => JsonObject;
  readonly tag: (option: JsonObject) => JsonObject;
  readonly operation: (option: JsonObject) => OperationNotes;
  readonly message: (option: JsonObject, message: MessageDescriptor) => JsonObject;
  readonly field: (option: JsonObject, field: FieldDescriptor) => FieldNotes;
  readonly enum: (option: JsonObject) => JsonObject;
  /** The members of an option that documents do not follow. */
  readonly ignored: (kind: NoteKind, option: JsonObject) => readonly string[];
}

/** A member that is an object; an empty one if it is missing. */
export function object(value: Json | undefined): JsonObject {
  return (value ?? {}) as JsonObject;
}

/** An object with each value replaced. */
export function mapped(values: JsonObject, make: (value: JsonObject) => JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, make(object(value))]));
}

/** A message with `extensions`, whose other members have the names of OpenAPI. */
export function plain(message: JsonObject): JsonObject {
  const { extensions: _, ...members } = message;
  return { ...members, ...extensions(message) };
}

/** Only `x-…` may stand in a document beside its own members. */
export function extensions({ extensions: found }: JsonObject): JsonObject {
  return onlyExtensions(object(found));
}

/** The members `x-…` of an object. */
export function onlyExtensions(found: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(found).filter(([name]) => name.startsWith('x-')));
}

/** Keywords that are 64-bit numbers in protos, which ProtoJSON has as strings. */
export const COUNTS: readonly string[] = [
  ...['maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties'],
];

/** True for a field whose value is a string in JSON, whatever an example of it looks like. */
export function isTextField({ type, repeated, map }: FieldDescriptor): boolean {
  return /^(?:string|bytes|enum|.*64)$/.test(type) && !repeated && map === undefined;
}

/** The names that a schema requires, as the `.proto` has them. */
export function requiredNames(required: Json | undefined, message: MessageDescriptor): string[] | undefined {
  const names = Array.isArray(required) ? (required as readonly string[]) : [];
  if (names.length === 0) return undefined;
  return names.map((name) => (message.field(name) ?? byJsonName(message, name))?.name ?? name);
}

function byJsonName(message: MessageDescriptor, name: string): FieldDescriptor | undefined {
  return message.fields.find(({ jsonName }) => jsonName === name);
}

/** Keywords of a field: of a list, those that constrain one value hold for its elements. */
export function fieldNotesOf(all: JsonObject, field: FieldDescriptor, required: Json | undefined): FieldNotes {
  const isRequired = Array.isArray(required) && required.some((name) => name === field.name || name === field.jsonName);
  if (!field.repeated) return { schema: all, items: {}, isRequired };
  const isOfItem = ([name]: [string, Json]): boolean => ITEM_KEYWORDS.has(name);
  const entries = Object.entries<Json>(all);
  return {
    schema: Object.fromEntries(entries.filter((entry) => !isOfItem(entry))),
    items: Object.fromEntries(entries.filter(isOfItem)),
    isRequired,
  };
}

const ITEM_KEYWORDS: ReadonlySet<string> = new Set([
  ...['format', 'pattern', 'minLength', 'maxLength', 'enum', 'multipleOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]);
