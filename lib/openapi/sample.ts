/**
 * Sample values for fields, from their types and names: what documentation and curl lines show. A sample is always
 * valid for its type, but a service may well refuse it.
 */
import type { FieldDescriptor, MessageDescriptor, OneofDescriptor, ScalarType } from '../schema/types.js';

/** How deep samples of messages go: enough to show the shape of a request. */
const MAX_DEPTH = 3;

const scalarTexts: Readonly<Record<Exclude<ScalarType, 'string'>, string>> = {
  double: '1.5',
  float: '1.5',
  int32: '1',
  int64: '1',
  uint32: '1',
  uint64: '1',
  sint32: '1',
  sint64: '1',
  fixed32: '1',
  fixed64: '1',
  sfixed32: '1',
  sfixed64: '1',
  bool: 'true',
  bytes: 'aGVsbG8=',
};

/** Well-known types with a string form. */
const wellKnownTexts = new Map([
  ['google.protobuf.Timestamp', '2026-01-31T12:00:00Z'],
  ['google.protobuf.Duration', '1.5s'],
  ['google.protobuf.FieldMask', 'name'],
  ['google.protobuf.StringValue', 'text'],
  ['google.protobuf.BytesValue', 'aGVsbG8='],
  ['google.protobuf.BoolValue', 'true'],
  ['google.protobuf.Int32Value', '1'],
  ['google.protobuf.UInt32Value', '1'],
  ['google.protobuf.Int64Value', '1'],
  ['google.protobuf.UInt64Value', '1'],
  ['google.protobuf.FloatValue', '1.5'],
  ['google.protobuf.DoubleValue', '1.5'],
]);

/** Well-known types whose JSON is not a string. */
const wellKnownJson = new Map<string, unknown>([
  ['google.protobuf.Struct', { key: 'value' }],
  ['google.protobuf.Value', 'value'],
  ['google.protobuf.ListValue', ['value']],
  ['google.protobuf.Empty', {}],
  ['google.protobuf.Any', {}],
  ['google.protobuf.BoolValue', true],
  ['google.protobuf.Int32Value', 1],
  ['google.protobuf.UInt32Value', 1],
  ['google.protobuf.FloatValue', 1.5],
  ['google.protobuf.DoubleValue', 1.5],
]);

/** A value that the field's comment shows: "such as `10.0.0.2:2380`", "for example `a`", "e.g. `a`". */
function commentedSample({ comment }: FieldDescriptor): string | undefined {
  return /(?:such as|for example|e\.g\.|[Ee]xample:?|like),? `([^`]+)`/.exec(comment)?.[1];
}

/** A value as it stands in a path or a query; undefined for types without a text form. */
export function sampleText(field: FieldDescriptor): string | undefined {
  if (field.map !== undefined) return undefined;
  if (field.enum !== undefined) return sampleEnum(field);
  if (field.message !== undefined) return wellKnownTexts.get(field.message.fullName);
  return field.type === 'string'
    ? (commentedSample(field) ?? sampleString(field.name))
    : scalarTexts[field.type as keyof typeof scalarTexts];
}

/** `display_name` → `my-display-name`: says at a glance what to replace. */
function sampleString(name: string): string {
  return `my-${name.replaceAll('_', '-')}`;
}

/** The first value that is not the zero, which mostly means "unspecified". */
function sampleEnum(field: FieldDescriptor): string {
  const { values } = field.enum!;
  return (values.find(({ number }) => number !== 0) ?? values[0]!).name;
}

/**
 * What a field's JSON looks like.
 * @param without fields given elsewhere, in the path, wherever they stand.
 */
export function sampleJson(field: FieldDescriptor, without: readonly FieldDescriptor[] = [], depth = 0): unknown {
  if (field.map !== undefined) {
    return { [sampleText(field.map.key) ?? 'key']: sampleJson(field.map.value, without, depth + 1) };
  }
  const one = singleJson(field, without, depth);
  return field.repeated ? [one] : one;
}

function singleJson(field: FieldDescriptor, without: readonly FieldDescriptor[], depth: number): unknown {
  const { message, type } = field;
  if (message !== undefined) {
    const known = wellKnownJson.get(message.fullName) ?? wellKnownTexts.get(message.fullName);
    return known ?? sampleMessage(message, without, depth + 1);
  }
  const text = sampleText(field)!;
  switch (type) {
    case 'bool':
      return true;
    case 'double':
    case 'float':
    case 'int32':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
    case 'sfixed32':
      return Number(text);
    default:
      return text;
  }
}

/**
 * A message with the fields that a client would mostly give: all but those that only the service sets, one member of
 * each oneof, none of `optional` fields unless they are marked REQUIRED, and no `request_id` (https://google.aip.dev/155),
 * which a line that is pasted twice must not repeat.
 * @param without fields given elsewhere, in the path, wherever they stand.
 */
export function sampleMessage(
  message: MessageDescriptor,
  without: readonly FieldDescriptor[],
  depth = 0,
): Record<string, unknown> {
  const sample: Record<string, unknown> = {};
  if (depth > MAX_DEPTH) return sample;
  for (const field of message.fields) {
    if (!without.includes(field) && isSampled(field)) sample[field.name] = sampleJson(field, without, depth);
  }
  return sample;
}

function isSampled(field: FieldDescriptor): boolean {
  if (field.oneof !== undefined) return sampledMember(field.oneof) === field;
  if (isRequired(field)) return true;
  if (field.behaviors.includes('OUTPUT_ONLY') || field.deprecated || field.name === 'request_id') return false;
  return !field.hasPresence || field.message !== undefined;
}

function isRequired(field: FieldDescriptor): boolean {
  return field.behaviors.includes('REQUIRED') || field.required;
}

/** The one that is required, by whatever logic, or the first. */
function sampledMember({ fields }: OneofDescriptor): FieldDescriptor | undefined {
  return (
    fields.find(isRequired) ?? fields.find((field) => !field.deprecated && !field.behaviors.includes('OUTPUT_ONLY'))
  );
}
