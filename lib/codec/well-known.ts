/** The messages that have a JSON form of their own (https://protobuf.dev/programming-guides/json/). */
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

/** Which JSON form of its own a message has; undefined for an ordinary object. */
export function wellKnownKind(message: MessageDescriptor): WellKnown | undefined {
  return wellKnown.get(message.fullName);
}

/** The `value` field of a wrapper message; undefined for all others. */
export function wrappedField(message: MessageDescriptor): FieldDescriptor | undefined {
  return wellKnownKind(message) === 'Wrapper' ? message.fieldByNumber(1) : undefined;
}

/** True for google.api.HttpBody, which is sent and read as raw bytes instead of JSON. */
export function isHttpBody(message: MessageDescriptor | undefined): boolean {
  return message?.fullName === 'google.api.HttpBody';
}

/** The enum whose only value is JSON's null. */
export const NULL_VALUE_ENUM = 'google.protobuf.NullValue';

/** True if null is a value of the type (of an element, for a list); otherwise null means "not set". */
export function nullIsValue(field: FieldDescriptor): boolean {
  if (field.type === 'enum') return field.enum!.fullName === NULL_VALUE_ENUM;
  return field.type === 'message' && field.map === undefined && wellKnownKind(field.message!) === 'Value';
}

/**
 * The name of the type in `type.googleapis.com/a.B` or `a.B`, as protobuf's Go, Python and JavaScript libraries read it;
 * undefined if it is empty.
 */
export function typeNameOf(typeUrl: string): string | undefined {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  return name === '' ? undefined : name;
}
