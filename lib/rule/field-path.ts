/**
 * Field paths: `shelf.display_name` → the descriptors of its steps. A step is a proto name or JSON name, as in
 * `MessageDescriptor.field`.
 */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { nearestName, type Problem } from '../status.js';
import { quote } from '../uri.js';

/** The limit of protobuf's own readers. */
const MAX_PATH_LENGTH = 100;

/** One descriptor for each step from the request or response message down; never empty. */
export type FieldPath = readonly FieldDescriptor[];

/** What is wrong with a path; the caller adds the place. */
export type FieldPathProblem = Pick<Problem, 'code' | 'message' | 'hint'>;

/**
 * Resolves a path; undefined if it is invalid, which is passed to `report`. Every step except the last is a singular message.
 */
export function resolveFieldPath(
  root: MessageDescriptor,
  text: string,
  report: (fault: FieldPathProblem) => void,
): FieldPath | undefined {
  const names = text.split('.', MAX_PATH_LENGTH + 1);
  if (names.length > MAX_PATH_LENGTH) {
    report({
      code: 'field-path-depth',
      message: `${quote(text)} is a path of more than ${MAX_PATH_LENGTH} fields`,
      hint: 'no gRPC server reads messages that are nested deeper',
    });
    return undefined;
  }
  const path: FieldDescriptor[] = [];
  let message = root;
  for (const name of names) {
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

function stepInto(
  field: FieldDescriptor,
  text: string,
  report: (fault: FieldPathProblem) => void,
): MessageDescriptor | undefined {
  if (field.message !== undefined && !field.repeated) return field.message;
  report({
    code: 'field-path-step',
    message: `${quote(text)} continues after ${describeField(field)}, expected a single message there`,
    hint: `end the path at ${quote(field.name)}, or name a field of another message`,
  });
  return undefined;
}

/** The code of what is no mistake: callers may not see the field. */
export const HIDDEN_FIELD = 'hidden-field';

function unknownField(message: MessageDescriptor, name: string, text: string): FieldPathProblem {
  if (message.hidden.some((field) => field.name === name || field.jsonName === name)) {
    return {
      code: HIDDEN_FIELD,
      message: `callers may not see ${message.fullName}.${name} here (google.api.visibility), so what needs it is left out`,
      hint: 'if they may, add its label to visibility',
    };
  }
  const near = nearestName(
    name,
    message.fields.map((field) => field.name),
  );
  const path = name === text ? '' : ` (in ${quote(text)})`;
  if (message.untypedFields.includes(name)) {
    return {
      code: 'unknown-field',
      message: `the type of field ${message.fullName}.${name}${path} is not known`,
      hint: 'give the file that declares it',
    };
  }
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

/** True if `prefix` is the path itself or a message that contains its field. */
export function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.length <= path.length && prefix.every((field, index) => field === path[index]);
}

/** The oneof in which the two paths need different members, so that they can never be set together. */
export function sharedOneof(a: FieldPath, b: FieldPath): string | undefined {
  const fork = a.findIndex((field, index) => field !== b[index]);
  const oneof = fork < 0 ? undefined : a[fork]?.oneof;
  return oneof !== undefined && oneof === b[fork]?.oneof ? oneof.name : undefined;
}

/** Message types that ProtoJSON writes as a string, number or bool, so that they fit into a path segment. */
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

/** True if a single value of the field has a text form: scalars, enums, and well-known types that are written as texts. */
export function hasTextForm(field: FieldDescriptor): boolean {
  if (field.map !== undefined) return false;
  return field.type !== 'message' || isTextType(field.message!);
}

/** True for the well-known types that ProtoJSON writes as a string, number or bool. */
export function isTextType(message: MessageDescriptor): boolean {
  return textTypes.has(message.fullName);
}
