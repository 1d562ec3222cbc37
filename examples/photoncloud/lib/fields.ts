/**
 * Checks and updates that many requests share: names, ids, update masks. What they say is the same on all services.
 */
import { badRequest, quoted } from './errors.js';

/** One rule for `requireFields`: `[field, holds, what to say if not]`. */
export type Rule = readonly [field: string, holds: boolean, description: string];

/** A google.protobuf.FieldMask. */
export interface FieldMask {
  readonly paths: readonly string[];
}

/** Text of one line: 1 to `longest` characters, none of them a control character. */
export function lineRule(field: string, text: string, longest = 128): Rule {
  const found = text === '' ? 'is missing or empty, ' : '';
  return [
    field,
    isLine(text, longest) && text !== '',
    `${found}expected 1 to ${longest} characters, none of them a control character`,
  ];
}

/** The same for a field that may be empty. */
export function optionalLineRule(field: string, text: string, longest = 128): Rule {
  return [field, isLine(text, longest), `expected at most ${longest} characters, none of them a control character`];
}

/** Text of any lines; only its length counts, and that it holds no NUL. */
export function textRule(field: string, text: string, longest = 4096): Rule {
  const fits = text.length <= longest && !text.includes('\0');
  return [field, fits, `expected at most ${longest} characters, none of them NUL`];
}

/** An id of another resource or service, as it may stand in a path. */
export function idRule(field: string, text: string, longest = 128): Rule {
  const found = text === '' ? 'is empty' : `is ${quoted(text)}`;
  const fits = text.length <= longest && /^[A-Za-z0-9][A-Za-z0-9._~-]*$/.test(text);
  return [
    field,
    fits,
    `${found}, expected 1 to ${longest} of letters, digits and . _ ~ - (the first a letter or digit)`,
  ];
}

function isLine(text: string, longest: number): boolean {
  return text.length <= 2 * longest && Array.from(text).length <= longest && !/\p{Cc}/u.test(text);
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
