/** Declarations that google.api.visibility restricts to some callers. This module only lists them. */
import { type Declared, declarationsOf } from './declarations.js';
import { isOptionMessage } from '../text/option.js';
import type { SourceFile } from './symbols.js';
import type { DeclarationKind, OptionField, Restricted } from '../types.js';

/** Reads the custom options of a declaration; `message` is the name of its options message: `FieldOptions`. */
type ReadOptions = (declared: Declared, message: string) => readonly OptionField[];

const FILE = 'google/api/visibility.proto';

const OPTIONS: Readonly<Partial<Record<DeclarationKind, readonly [option: string, message: string]>>> = {
  enum: ['google.api.enum_visibility', 'EnumOptions'],
  'enum value': ['google.api.value_visibility', 'EnumValueOptions'],
  extension: ['google.api.field_visibility', 'FieldOptions'],
  field: ['google.api.field_visibility', 'FieldOptions'],
  message: ['google.api.message_visibility', 'MessageOptions'],
  rpc: ['google.api.method_visibility', 'MethodOptions'],
  service: ['google.api.api_visibility', 'ServiceOptions'],
};

/** The restricted declarations of a file, in its order. */
export function restrictedIn(file: SourceFile, optionsOf: ReadOptions): readonly Restricted[] {
  if (![...file.visible].some(({ node }) => node.name === FILE)) return [];
  const restricted: Restricted[] = [];
  for (const declared of declarationsOf(file.node)) {
    const { kind, fullName, node } = declared;
    const [option, message] = OPTIONS[kind] ?? [];
    if (option === undefined) continue;
    const value = optionsOf(declared, message!).find(({ name }) => name === option)?.value;
    const restriction = isOptionMessage(value)
      ? value.fields.findLast(({ name }) => name === 'restriction')?.value
      : undefined;
    const labels = typeof restriction === 'string' ? labelsIn(restriction) : [];
    if (labels.length === 0) continue;
    restricted.push({ kind, fullName, labels, place: node.origin.place });
  }
  return restricted;
}

/** The labels of a restriction: `INTERNAL, PREVIEW`. */
export function labelsIn(restriction: string): readonly string[] {
  return restriction
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
}
