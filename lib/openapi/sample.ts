/**
 * Sample values for documentation and curl lines, from the types, names and comments of fields. A sample is valid for its
 * type, but a service may refuse it.
 */
import { wellKnownKind, wrappedField } from '../codec/index.js';
import { hasTextForm } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor, OneofDescriptor } from '../schema/types.js';
import { type FreeField, freeFields, type Given } from './given.js';
import { isNullValue, printedName } from './print.js';
import type { Json, JsonObject, PrintOptions } from './options.js';
import { isMarked, isNeeded } from './required.js';
import { keptSample, repeatedSample } from './rule-samples.js';

/** Deeper messages show only their required fields. */
const MAX_DEPTH = 3;
/** Required fields may form a cycle, in which no sample can be complete. */
const MAX_REQUIRED_DEPTH = 20;

/** How samples are printed, and what they are for. */
export interface SampleOptions extends PrintOptions {
  /** The sample is an answer: it has what only the service sets, and not what only the client does. */
  readonly isAnswer?: boolean | undefined;
}

/** Well-known types in their JSON form, except wrappers. */
const wellKnown: Readonly<Record<Exclude<ReturnType<typeof wellKnownKind>, 'Wrapper' | undefined>, Json>> = {
  Any: { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'MY_REASON' },
  Duration: '1.5s',
  FieldMask: 'name',
  ListValue: ['value'],
  Struct: { key: 'value' },
  Timestamp: '2026-01-31T12:00:00Z',
  Value: 'value',
};

/** Of google.api.field_info. */
const formatSamples: Readonly<Record<string, string>> = {
  UUID4: '123e4567-e89b-42d3-a456-426614174000',
  IPV4: '192.0.2.1',
  IPV6: '2001:db8::1',
  IPV4_OR_IPV6: '192.0.2.1',
};

/** A value that the field's comment shows: "such as `10.0.0.2:2380`", "for example `a`", "e.g. `a`". */
function commentedSample({ comment }: FieldDescriptor): string | undefined {
  return /(?:such as|for example|e\.g\.|[Ee]xample:?|like),? `([^`]+)`/.exec(comment)?.[1];
}

/** A value for a path or a query; undefined for types without a text form. */
export function sampleText(field: FieldDescriptor, options: SampleOptions): string | undefined {
  const value = sampleParameter(field, options);
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
}

/** A value in the type that the schema of a parameter has; undefined for types without a text form. */
export function sampleParameter(field: FieldDescriptor, options: SampleOptions): Json | undefined {
  if (!hasTextForm(field)) return undefined;
  return isNullValue(field) ? 'NULL_VALUE' : elementJson(field, options);
}

/** `display_name` → `my-display-name`, which shows what to replace. */
function sampleString(name: string): string {
  return `my-${name.replaceAll('_', '-')}`;
}

/** The first value other than 0, which usually means "unspecified". */
function sampleEnum(field: FieldDescriptor, { alwaysPrintEnumsAsInts }: SampleOptions): Json {
  if (isNullValue(field)) return null;
  const { values } = field.enum!;
  const usual = values.filter(({ number }) => number !== 0);
  const { name, number } = usual.find(({ deprecated }) => !deprecated) ?? usual[0] ?? values[0]!;
  return alwaysPrintEnumsAsInts ? number : name;
}

/**
 * The JSON of a field.
 * @param given the parts that the path or headers set
 */
export function sampleJson(
  field: FieldDescriptor,
  options: SampleOptions,
  given: readonly Given[] = [],
  depth = 0,
): Json {
  const said = given.length === 0 ? options.notes?.field(field).schema['examples'] : undefined;
  if (Array.isArray(said)) return (said as readonly Json[])[0]!;
  const rules = options.constraints?.of(field, options);
  if (field.map !== undefined) {
    const { key, value } = field.map;
    const name = keptSample(sampleText(key, options)!, key, rules?.keys) as string;
    return { [name]: keptSample(singleJson(value, options, given, depth + 1), value, rules?.items) };
  }
  const one = elementJson(field, options, given, depth);
  return field.repeated ? repeatedSample(one, rules?.whole) : one;
}

/** The value of a field, or of one element of a list, which keeps the rules if that can be had. */
function elementJson(field: FieldDescriptor, options: SampleOptions, given: readonly Given[] = [], depth = 0): Json {
  const rules = options.constraints?.of(field, options);
  return keptSample(singleJson(field, options, given, depth), field, field.repeated ? rules?.items : rules?.whole);
}

function singleJson(field: FieldDescriptor, options: SampleOptions, given: readonly Given[] = [], depth = 0): Json {
  switch (field.type) {
    case 'message':
      return messageJson(field, field.message!, options, given, depth);
    case 'enum':
      return sampleEnum(field, options);
    case 'string':
      return commentedSample(field) ?? formatSamples[field.format ?? ''] ?? sampleString(field.name);
    case 'bytes':
      return 'aGVsbG8=';
    case 'bool':
      return true;
    case 'double':
    case 'float':
      return 1.5;
    default:
      return /64$/.test(field.type) && !options.int64AsNumbers ? '1' : 1;
  }
}

/** @param field names a wrapped string */
function messageJson(
  field: FieldDescriptor,
  message: MessageDescriptor,
  options: SampleOptions,
  given: readonly Given[],
  depth: number,
): Json {
  const wrapped = wrappedField(message);
  if (wrapped?.type === 'string') return commentedSample(field) ?? sampleString(field.name);
  return wrapped === undefined ? sampleMessage(message, options, given, depth + 1) : singleJson(wrapped, options);
}

/**
 * A message with the fields that a client would usually set: not those that only the service sets, one member of each oneof,
 * `optional` fields only if they are required, and no `request_id` (https://google.aip.dev/155), because a line may be
 * pasted twice.
 * @param given the fields that the path or headers set
 */
export function sampleMessage(
  message: MessageDescriptor,
  options: SampleOptions,
  given: readonly Given[] = [],
  depth = 0,
): Json {
  const said = given.length === 0 ? options.notes?.message(message)['examples'] : undefined;
  if (Array.isArray(said)) return (said as readonly Json[])[0]!;
  const kind = wellKnownKind(message);
  if (kind === 'Wrapper') return singleJson(wrappedField(message)!, options);
  if (kind !== undefined) return wellKnown[kind];
  const free = freeFields(message, given);
  const isDeep = depth > MAX_DEPTH;
  const shown = depth > MAX_REQUIRED_DEPTH ? [] : free.filter((one) => isShown(one, free, given, isDeep, options));
  return Object.fromEntries(
    shown.map(({ field, given: below }) => [
      printedName(field, options),
      isDeep && isCollection(field) ? emptyCollection(field) : sampleJson(field, options, below, depth),
    ]),
  ) satisfies JsonObject;
}

function isCollection({ repeated, map }: FieldDescriptor): boolean {
  return repeated || map !== undefined;
}

function emptyCollection({ map }: FieldDescriptor): Json {
  return map === undefined ? [] : {};
}

function isShown(
  { field, given: below }: FreeField,
  free: readonly FreeField[],
  given: readonly Given[],
  requiredOnly: boolean,
  options: SampleOptions,
): boolean {
  if (isNeeded(field, options)) return true;
  // If the path sets a part of a message, the message exists and needs its required fields.
  if (requiredOnly) return below.length > 0;
  if (field.oneof !== undefined) return sampledMember(field.oneof, free, given, options) === field;
  if (isUnusual(field, options) || field.name === 'request_id') return false;
  return !field.hasPresence || field.message !== undefined;
}

function isUnusual({ behaviors, deprecated }: FieldDescriptor, { isAnswer }: SampleOptions): boolean {
  return deprecated || behaviors.includes(isAnswer === true ? 'INPUT_ONLY' : 'OUTPUT_ONLY');
}

/**
 * The member of a oneof to show: one that is given in part already, else a required one, else the first usual one. None if a
 * header may set a member.
 */
function sampledMember(
  oneof: OneofDescriptor,
  free: readonly FreeField[],
  given: readonly Given[],
  options: SampleOptions,
): FieldDescriptor | undefined {
  if (given.some(({ path, always }) => !always && path[0]?.oneof === oneof)) return undefined;
  const members = free.filter(({ field }) => field.oneof === oneof);
  const bound = members.find(({ given: below }) => below.length > 0);
  const found =
    bound ?? members.find(({ field }) => isMarked(field)) ?? members.find(({ field }) => !isUnusual(field, options));
  return found?.field;
}
