/**
 * Features of declarations (https://protobuf.dev/editions/features/): each edition has defaults, and `features.…` options
 * change them for a declaration and everything inside it. proto2 and proto3 are treated as editions with fixed features, so
 * that no other module has to ask for the syntax.
 */
import type { OptionNode } from './ast.js';
import { isOptionMessage } from './option.js';
import type { OptionValue } from '../types.js';

/** The features that matter here, with their values in descriptor.proto. */
export interface Features {
  readonly field_presence: string;
  readonly enum_type: string;
  readonly repeated_field_encoding: string;
  readonly utf8_validation: string;
  readonly message_encoding: string;
}

const PROTO2: Features = {
  field_presence: 'EXPLICIT',
  enum_type: 'CLOSED',
  repeated_field_encoding: 'EXPANDED',
  utf8_validation: 'NONE',
  message_encoding: 'LENGTH_PREFIXED',
};

const PROTO3: Features = {
  field_presence: 'IMPLICIT',
  enum_type: 'OPEN',
  repeated_field_encoding: 'PACKED',
  utf8_validation: 'VERIFY',
  message_encoding: 'LENGTH_PREFIXED',
};

const EDITIONS: Features = { ...PROTO3, field_presence: 'EXPLICIT' };

/** Whether this edition is supported. */
export function isEdition(name: string): boolean {
  return name === '2023' || name === '2024' || name === '2026';
}

/** The defaults of a file: `proto2`, `proto3`, or an edition (all editions have the same defaults for these features). */
export function defaultFeatures(syntax: string): Features {
  return syntax === 'proto2' ? PROTO2 : syntax === 'proto3' ? PROTO3 : EDITIONS;
}

/** A syntax in messages: `proto3`, `edition 2023`. */
export function syntaxName(syntax: string): string {
  return syntax.startsWith('proto') ? syntax : `edition ${syntax}`;
}

/** The features of a declaration: those of its parent, overridden by its own options. */
export function inheritFeatures(outer: Features, options: readonly OptionNode[]): Features {
  let features = outer;
  for (const option of options) {
    const [first, second] = option.path;
    if (first!.extension || first!.text !== 'features') continue;
    if (second !== undefined) {
      features = setFeature(features, second.text, option.value);
    } else if (isOptionMessage(option.value)) {
      for (const { name, value } of option.value.fields) features = setFeature(features, name, value);
    }
  }
  return features;
}

function setFeature(features: Features, name: string, value: OptionValue): Features {
  if (!Object.hasOwn(features, name) || typeof value !== 'object' || !('identifier' in value)) return features;
  return { ...features, [name]: value.identifier };
}

/** The last value of an option of descriptor.proto, such as `deprecated` or `json_name`; undefined if it is not set. */
export function plainOption(options: readonly OptionNode[], name: string): OptionValue | undefined {
  return options.findLast(({ path }) => path.length === 1 && path[0]!.text === name && !path[0]!.extension)?.value;
}

/** True for a message with `option message_set_wire_format = true`. */
export function isMessageSet(options: readonly OptionNode[]): boolean {
  return plainOption(options, 'message_set_wire_format') === true;
}
