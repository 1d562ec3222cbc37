/**
 * The options of descriptor.proto that change the wire format or JSON: features, `json_name`, `packed` and so on. Each is
 * checked, because a mistake would silently change the bytes. Options for code generators are not checked.
 */
import { nearestName } from '../../status.js';
import type { OptionNode } from '../text/ast.js';
import { syntaxName, type Features } from '../text/features.js';
import { isOptionMessage } from '../text/option.js';
import type { OptionValue } from '../types.js';

/** A mistake in an option. */
export interface OptionFault {
  readonly message: string;
  readonly hint?: string;
}

const FEATURES: Readonly<Record<keyof Features, readonly string[]>> = {
  field_presence: ['EXPLICIT', 'IMPLICIT', 'LEGACY_REQUIRED'],
  enum_type: ['OPEN', 'CLOSED'],
  repeated_field_encoding: ['PACKED', 'EXPANDED'],
  utf8_validation: ['VERIFY', 'NONE'],
  message_encoding: ['LENGTH_PREFIXED', 'DELIMITED'],
};

/** Undefined for a feature that exists but does not affect the wire. */
const VALUES: ReadonlyMap<string, readonly string[] | undefined> = new Map<string, readonly string[] | undefined>([
  ...Object.entries(FEATURES),
  ['json_format', undefined],
  ['enforce_naming_style', undefined],
  ['default_symbol_visibility', undefined],
  ['enforce_proto_limits', undefined],
]);

const FLAGS: ReadonlySet<string> = new Set(['packed', 'deprecated', 'allow_alias']);

/** The mistake in an option for a file of this syntax; undefined if the option is correct or not checked. */
export function optionFault({ path, value }: OptionNode, syntax: string): OptionFault | undefined {
  const [{ text: name, extension }, feature] = path as [OptionNode['path'][0], OptionNode['path'][0]?];
  if (extension) return undefined;
  if (name === 'features') return featuresFault(feature, value, syntax);
  if (feature !== undefined) return undefined;
  if (FLAGS.has(name) && typeof value !== 'boolean') return { message: `option ${name} is true or false` };
  if (name === 'json_name' && typeof value !== 'string') {
    return { message: 'option json_name is a string', hint: 'put it in quotes' };
  }
  return undefined;
}

function featuresFault(
  feature: OptionNode['path'][0] | undefined,
  value: OptionValue,
  syntax: string,
): OptionFault | undefined {
  if (syntax.startsWith('proto')) {
    return { message: `features are for editions, the file is ${syntaxName(syntax)}`, hint: 'remove the option' };
  }
  // `features.(pb.go).api_level` is for code generators.
  if (feature !== undefined) return feature.extension ? undefined : featureFault(feature.text, value);
  if (!isOptionMessage(value))
    return { message: 'option features is a message', hint: 'write { field_presence: IMPLICIT }' };
  for (const member of value.fields) {
    const fault = member.name.startsWith('[') ? undefined : featureFault(member.name, member.value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function featureFault(name: string, value: OptionValue): OptionFault | undefined {
  if (!VALUES.has(name)) {
    const near = nearestName(name, VALUES.keys());
    const message = `features.${name} is no feature`;
    return near === undefined ? { message } : { message, hint: `did you mean features.${near}?` };
  }
  const values = VALUES.get(name);
  if (values === undefined) return undefined;
  if (typeof value === 'object' && 'identifier' in value && values.includes(value.identifier)) return undefined;
  return { message: `features.${name} is one of ${values.join(', ')}` };
}
