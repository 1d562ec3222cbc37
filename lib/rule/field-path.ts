/**
 * Field paths: `shelf.display_name` → the descriptors of its steps, and what such a path may lead to. Names are proto
 * names or JSON names, as `MessageDescriptor.field` takes them.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { nearestName, type Problem } from '../status.js';
import { quote } from '../uri.js';

/** From the request or response message down, one descriptor a step; never empty. */
export type FieldPath = readonly FieldDescriptor[];

/** What is wrong with a path; the caller knows where it stands. */
export type Fault = Pick<Problem, 'code' | 'message' | 'hint'>;

/** Resolves a path. Undefined after `report` was told why; every step but the last is a message that stands once. */
export function resolveFieldPath(
  root: MessageDescriptor,
  text: string,
  report: (fault: Fault) => void,
): FieldPath | undefined {
  const path: FieldDescriptor[] = [];
  let message = root;
  for (const name of text.split('.')) {
    const previous = path.at(-1);
    if (previous !== undefined) {
      const inner = stepInto(previous, text, report);
      if (inner === undefined) return undefined;
      message = inner;
    }
    const field = message.field(name);
    if (field === undefined) {
      report(unknownField(message, name, text));
      return undefined;
    }
    path.push(field);
  }
  return path;
}

function stepInto(field: FieldDescriptor, text: string, report: (fault: Fault) => void): MessageDescriptor | undefined {
  if (field.message !== undefined && !field.repeated) return field.message;
  report({
    code: 'field-path-step',
    message: `${quote(text)} leads through ${describeField(field)}, expected a message that stands once`,
    hint: `end the path at ${quote(field.name)}, or name a field of another message`,
  });
  return undefined;
}

function unknownField(message: MessageDescriptor, name: string, text: string): Fault {
  const near = nearestName(
    name,
    message.fields.map((field) => field.name),
  );
  const path = name === text ? '' : ` (in ${quote(text)})`;
  const known = message.fields.slice(0, 10).map((field) => field.name);
  const more = message.fields.length > known.length ? ', …' : '';
  return {
    code: 'unknown-field',
    message: `${message.fullName} has no field ${quote(name)}${path}`,
    hint:
      near !== undefined
        ? `did you mean ${near}?`
        : known.length === 0
          ? `${message.fullName} has no fields`
          : `its fields are ${known.join(', ')}${more}`,
  };
}

/** `the repeated field "tags"`, `the map "labels"`, `"vm" of type pkg.Vm`. */
export function describeField(field: FieldDescriptor): string {
  if (field.map !== undefined) return `the map ${quote(field.name)}`;
  if (field.repeated) return `the repeated field ${quote(field.name)}`;
  return `${quote(field.name)} of type ${field.message?.fullName ?? field.enum?.fullName ?? field.type}`;
}

/** The path in proto names. */
export function fieldPathText(path: FieldPath): string {
  return path.map(({ name }) => name).join('.');
}

/** `a` and `a.b`, `a` and `a`: the first is the second or holds it. */
export function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.length <= path.length && prefix.every((field, index) => field === path[index]);
}

/** The oneof of which the two paths need different members, so that never both can be set. */
export function sharedOneof(a: FieldPath, b: FieldPath): string | undefined {
  const fork = a.findIndex((field, index) => field !== b[index]);
  const oneof = fork < 0 ? undefined : a[fork]?.oneof;
  return oneof !== undefined && oneof === b[fork]?.oneof ? oneof.name : undefined;
}

/** Message types that ProtoJSON writes as a plain string, number or bool, so that they fit into one path segment. */
const textTypes: ReadonlySet<string> = new Set(
  [
    'Timestamp',
    'Duration',
    'FieldMask',
    'DoubleValue',
    'FloatValue',
    'Int64Value',
    'UInt64Value',
    'Int32Value',
    'UInt32Value',
    'BoolValue',
    'StringValue',
    'BytesValue',
  ].map((name) => `google.protobuf.${name}`),
);

/** True where one value of the field is a text without structure: scalars, enums, and well-known types with a string form. */
export function hasTextForm(field: FieldDescriptor): boolean {
  if (field.map !== undefined) return false;
  return field.type !== 'message' || isTextType(field.message!);
}

/** True for the well-known types that ProtoJSON writes as a plain string, number or bool. */
export function isTextType(message: MessageDescriptor): boolean {
  return textTypes.has(message.fullName);
}
