/** What Google's annotations of fields ask for: `field_behavior` REQUIRED, and the formats of `field_info`. */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import type { Check } from './checks.js';
import { isIp, isUuid } from './formats.js';

/** Which annotations are rules. */
export interface Marks {
  /** Those of `buf.validate`. */
  readonly rules: boolean;
  /** `google.api.field_behavior` REQUIRED. */
  readonly required: boolean;
  /** `google.api.field_info.format`. */
  readonly formats: boolean;
}

/**
 * True for a field that is marked REQUIRED and whose absence can be seen: of a number or a bool without presence, 0 and false
 * may be meant. Which member of a oneof is set is the client's choice.
 */
export function isCheckable(field: FieldDescriptor): boolean {
  const { behaviors, type, oneof } = field;
  if (!behaviors.includes('REQUIRED') || behaviors.includes('OUTPUT_ONLY')) return false;
  if ((oneof?.fields.length ?? 1) > 1) return false;
  const isCollection = field.repeated || field.map !== undefined;
  return isCollection || field.hasPresence || type === 'string' || type === 'bytes' || type === 'enum';
}

/** True for the request of an update: its mask says which parts of the resource are sent. */
export function isUpdate(type: MessageDescriptor): boolean {
  return type.field('update_mask')?.message?.fullName === 'google.protobuf.FieldMask';
}

// Google's own example of UUID4 is of no version.
const FORMATS: ReadonlyMap<string, readonly [what: string, test: (text: string) => boolean]> = new Map([
  ['UUID4', ['UUID', isUuid]],
  ['IPV4', ['IPv4 address', (text: string) => isIp(text, 4)]],
  ['IPV6', ['IPv6 address', (text: string) => isIp(text, 6)]],
  ['IPV4_OR_IPV6', ['IP address', (text: string) => isIp(text)]],
]);

/** The check of a string, or of each string of a list; undefined if it has no format that is known. */
export function formatCheck({ type, format, hasPresence, repeated }: FieldDescriptor): Check | undefined {
  const known = type === 'string' && format !== undefined ? FORMATS.get(format) : undefined;
  if (known === undefined) return undefined;
  const [what, test] = known;
  const isUnset = (text: string): boolean => text === '' && !hasPresence && !repeated;
  return {
    rule: [],
    id: `field_info.${format!}`,
    message: `must be a valid ${what}`,
    breaks: (value) => typeof value === 'string' && !isUnset(value) && !test(value),
  };
}
