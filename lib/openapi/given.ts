/**
 * The fields of a message that one part of a request may set. Path, query, headers and body share the fields of the request
 * message, and each field may be set by one of them. Schemas, parameters and samples all ask here.
 */
import { wellKnownKind } from '../codec/index.js';
import type { Binding, FieldPath } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { isRequired } from './required.js';

/** A field that another part of the request sets, relative to the current message. */
export interface Given {
  readonly path: FieldPath;
  /** False if the request may leave it out, such as a header; then another member of its oneof may be set. */
  readonly always: boolean;
}

/** A field that may be set here. */
export interface FreeField {
  readonly field: FieldDescriptor;
  /** The parts that are set elsewhere, relative to its message; usually none. */
  readonly given: readonly Given[];
}

/** The fields that path, headers and cookies set. */
export function givenOutsideBody({ variables, options }: Binding): Given[] {
  return [
    ...variables.map(({ fieldPath }) => ({ path: fieldPath, always: true })),
    ...options.headers.map(({ path }) => ({ path, always: path.every(isRequired) })),
  ];
}

/** The fields that a query must not set. */
export function givenOutsideQuery(binding: Binding): Given[] {
  const { body } = binding;
  const outside = givenOutsideBody(binding);
  return body.kind === 'field' ? [...outside, { path: body.path, always: true }] : outside;
}

/** The given fields inside the message at a path, relative to that message. */
export function givenBelow(given: readonly Given[], path: FieldPath): readonly Given[] {
  return path.reduce<readonly Given[]>(
    (rest, step) =>
      rest
        .filter(({ path: [first, ...more] }) => first === step && more.length > 0)
        .map(({ path: [, ...more], always }) => ({ path: more, always })),
    given,
  );
}

/** The fields that may still be set, in the order of declaration. */
export function freeFields(message: MessageDescriptor, given: readonly Given[]): readonly FreeField[] {
  if (given.length === 0) return message.fields.map((field) => ({ field, given }));
  return message.fields
    .filter((field) => !isTaken(field, given) && !hasRival(field, given))
    .map((field) => ({ field, given: givenBelow(given, [field]) }))
    .filter((one) => one.given.length === 0 || freeFields(one.field.message!, one.given).length > 0);
}

/** True if the field is given, or if a part of it is given and it can only be written as a whole. */
function isTaken(field: FieldDescriptor, given: readonly Given[]): boolean {
  const isWhole = field.message !== undefined && wellKnownKind(field.message) !== undefined;
  return given.some(({ path }) => path[0] === field && (path.length === 1 || isWhole));
}

/** True if another member of its oneof is given. */
function hasRival(field: FieldDescriptor, given: readonly Given[]): boolean {
  const { oneof } = field;
  return (
    oneof !== undefined &&
    given.some(({ path: [first], always }) => always && first !== field && first?.oneof === oneof)
  );
}
