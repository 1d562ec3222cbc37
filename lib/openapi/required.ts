/** Which fields a client must give. */
import type { FieldDescriptor } from '../schema/types.js';
import type { PrintOptions } from './options.js';

/**
 * True for a field that a client must give: marked REQUIRED, or `required` in proto2. A member of a oneof that is marked
 * REQUIRED does not count, because schemas cannot demand one of several members.
 */
export function isRequired(field: FieldDescriptor): boolean {
  return field.required || (isMarked(field) && (field.oneof?.fields.length ?? 1) === 1);
}

/** True for a field that a client must give, or a rule is broken without. */
export function isNeeded(field: FieldDescriptor, options: PrintOptions): boolean {
  return isRequired(field) || options.constraints?.of(field, options).isNeeded === true;
}

/** True for a field that is marked REQUIRED and that clients may set. */
export function isMarked({ behaviors }: FieldDescriptor): boolean {
  return behaviors.includes('REQUIRED') && !behaviors.includes('OUTPUT_ONLY');
}
