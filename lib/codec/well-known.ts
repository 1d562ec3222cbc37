/** Which messages have a JSON form of their own (https://protobuf.dev/programming-guides/json/). */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';

/** `google.protobuf.Timestamp` → `Timestamp`; undefined for everything that is read and printed as a plain object. */
export type WellKnown = 'Any' | 'Timestamp' | 'Duration' | 'FieldMask' | 'Struct' | 'Value' | 'ListValue' | 'Wrapper';

const wellKnown = new Map<string, WellKnown>([
  ['google.protobuf.Any', 'Any'],
  ['google.protobuf.Timestamp', 'Timestamp'],
  ['google.protobuf.Duration', 'Duration'],
  ['google.protobuf.FieldMask', 'FieldMask'],
  ['google.protobuf.Struct', 'Struct'],
  ['google.protobuf.Value', 'Value'],
  ['google.protobuf.ListValue', 'ListValue'],
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (name) => [`google.protobuf.${name}Value`, 'Wrapper'] as const,
  ),
]);

export function wellKnownKind(message: MessageDescriptor): WellKnown | undefined {
  return wellKnown.get(message.fullName);
}

/** The `value` field of a wrapper message; undefined for all others. */
export function wrappedField(message: MessageDescriptor): FieldDescriptor | undefined {
  return wellKnownKind(message) === 'Wrapper' ? message.fieldByNumber(1) : undefined;
}

/** The enum whose only value is JSON's null. */
export const NULL_VALUE_ENUM = 'google.protobuf.NullValue';

/** True for types of which null is a value: everywhere else it stands for "not set". Of a list or map, what its elements say. */
export function nullIsValue(field: FieldDescriptor): boolean {
  if (field.type === 'enum') return field.enum!.fullName === NULL_VALUE_ENUM;
  return field.type === 'message' && field.map === undefined && wellKnownKind(field.message!) === 'Value';
}

/** The name of the type in `type.googleapis.com/a.B`; undefined where the text is no type URL. */
export function typeNameOf(typeUrl: string): string | undefined {
  const slash = typeUrl.lastIndexOf('/');
  return slash < 0 || slash === typeUrl.length - 1 ? undefined : typeUrl.slice(slash + 1);
}
