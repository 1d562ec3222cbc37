/**
 * Path captures → bound values. A variable whose field has no text form is refused here at start-up, because only the codec
 * knows which types have one.
 */
import type { Codec, TextReader } from '../../codec/index.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor } from '../../schema/types.js';
import { ConfigError, type FieldViolation } from '../../status.js';
import { unescapePath, UnescapeError, type UnescapeMode } from '../../uri.js';
import type { Captures } from '../../exchange.js';
import type { MessageNode } from './merge.js';

interface PathVariable {
  /** The messages that contain the field, outermost first. */
  readonly parents: readonly FieldDescriptor[];
  readonly field: FieldDescriptor;
  readonly read: TextReader;
  readonly mode: UnescapeMode;
  readonly label: string;
}

/** Binds the path variables of a rule. */
export class PathBinder {
  private readonly variables: readonly PathVariable[];

  /** @throws ConfigError if a variable's field cannot be written as text. */
  constructor(binding: Binding, codec: Codec, urlUnescape: UnescapeMode) {
    this.variables = binding.variables.map(({ fieldPath, multi }) => {
      const field = fieldPath[fieldPath.length - 1]!;
      const read = codec.textReader(field);
      const label = fieldPath.map(({ name }) => name).join('.');
      if (read === undefined) throw noTextForm(binding, label, codec.describeText(field));
      return {
        parents: fieldPath.slice(0, -1),
        field,
        read,
        mode: multi ? urlUnescape : 'all_characters',
        label,
      };
    });
  }

  /** Adds the captured values to `node`; malformed escapes go to `violations`. */
  bind(path: string, captures: Captures, node: MessageNode, violations: FieldViolation[]): void {
    for (let index = 0; index < this.variables.length; index++) {
      const { parents, field, read, mode, label } = this.variables[index]!;
      const raw = path.slice(captures[index * 2], captures[index * 2 + 1]);
      try {
        node.descend(parents).add({ field, read, text: unescapePath(raw, mode), label, source: 'the path' });
      } catch (error) {
        if (!(error instanceof UnescapeError)) throw error;
        violations.push({ field: label, description: error.message });
      }
    }
  }
}

function noTextForm(binding: Binding, variable: string, description: string): ConfigError {
  return new ConfigError({
    code: 'path-field-type',
    message: `the variable {${variable}} binds ${description}, which cannot be written in a path`,
    place: binding.place,
    rpc: binding.method.fullName,
    template: binding.template.source,
    hint: 'bind a scalar, an enum or a well-known type with a string form, such as google.protobuf.Timestamp',
  });
}
