/** Which fields of a resource a change writes, by its update mask. */
import { badRequest, quoted } from './errors.js';

/** A google.protobuf.FieldMask. */
export interface FieldMask {
  readonly paths: readonly string[];
}

/**
 * The fields that a change is to write: those of the mask, or, where it is empty, those of `changeable` that are not
 * empty in the resource; where nothing was sent that is none. INVALID_ARGUMENT for a field that cannot be changed.
 */
export function maskedFields<Field extends string>(
  resource: string,
  message: Readonly<Record<Field, unknown>> | null,
  mask: FieldMask | null,
  changeable: readonly Field[],
): ReadonlySet<Field> {
  const list = changeable.join(', ');
  if (message === null)
    throw badRequest([{ field: resource, description: `is missing; send what to change: ${list}` }]);
  const paths = mask?.paths ?? [];
  const stray = paths.filter((path) => path !== '*' && !(changeable as readonly string[]).includes(path));
  if (stray.length > 0) {
    throw badRequest(
      stray.map((path) => ({ field: 'update_mask', description: `${quoted(path)} cannot be changed; ${list} can` })),
    );
  }
  if (paths.includes('*')) return new Set(changeable);
  const isNamed = (field: Field): boolean => (paths.length > 0 ? paths.includes(field) : !isEmpty(message[field]));
  return new Set(changeable.filter(isNamed));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === 0n || value === false)
    return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
