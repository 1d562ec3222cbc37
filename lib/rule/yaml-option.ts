/**
 * A service config in YAML or JSON → the same option tree as that of an annotation, with line and column of each member, so
 * that one reader checks both. Names may be camelCase, as in ProtoJSON. This module does not know which members are valid
 * where; it only knows which are lists.
 */
import { type InputNode, libraryName as camelCase, parseYaml, snakeCase } from '../options/index.js';
import type { OptionField, OptionMessage, OptionValue } from '../schema/types.js';
import type { ProblemList, SourcePlace } from '../status.js';
import { quote } from '../uri.js';

/** Whether a known member is a list, by its name in snake_case. */
export type YamlShapes = ReadonlyMap<string, 'list' | 'one'>;

/** A member of a map. */
export interface YamlMember {
  /** In snake_case, however it was written. */
  readonly name: string;
  readonly place: SourcePlace;
  readonly value: InputNode;
}

/** A parsed document. */
export class YamlDocument {
  private readonly root: InputNode | undefined;

  /** A text that is no YAML is reported; the document then has no members. */
  constructor(
    private readonly file: string,
    text: string,
    private readonly shapes: YamlShapes,
    private readonly problems: ProblemList,
  ) {
    this.root = parseYaml({ file, text, keepDuplicates: true }, problems);
  }

  /** The members of the outermost map; undefined if the document is no map (reported). */
  members(): readonly YamlMember[] | undefined {
    if (this.root === undefined || this.root.kind === 'map') return this.root && this.membersOf(this.root);
    this.report('config-type', `the file is ${describe(this.root)}, expected a map`, this.root.place);
    return undefined;
  }

  /** The value of a member as an option message; undefined if it is no map (reported). */
  message({ name, value, place }: YamlMember): OptionMessage | undefined {
    if (value.kind === 'map') return this.messageOf(value);
    this.report('option-type', `${quote(name)} is ${describe(value)}, expected a map`, place);
    return undefined;
  }

  private messageOf(map: InputNode & { kind: 'map' }): OptionMessage {
    const members = this.membersOf(map);
    return {
      fields: members.flatMap((member) => this.fields(member)),
      place: map.place ?? { file: this.file },
      ...(members.some(({ value }) => isNull(value)) && { hasEmpty: true }),
    };
  }

  /** Of a repeated name the first member counts. */
  private membersOf(map: InputNode & { kind: 'map' }): YamlMember[] {
    const seen = new Set<string>();
    return map.members.flatMap(({ name: written, place = { file: this.file }, value }) => {
      const name = plainName(written);
      if (seen.has(name)) {
        this.report('option-duplicate', `${quote(written)} stands here twice`, place);
        return [];
      }
      seen.add(name);
      return [{ name, place, value }];
    });
  }

  /**
   * A list becomes one field for each element. An unknown member becomes an empty message, because only its name is reported.
   */
  private fields({ name, value, place }: YamlMember): OptionField[] {
    if (isNull(value)) return [];
    const shape = this.shapes.get(name);
    if (shape !== undefined && (value.kind === 'list') !== (shape === 'list')) {
      const expected = shape === 'list' ? 'a list: each element behind "- "' : 'one value';
      this.report('option-type', `${quote(name)} is ${describe(value)}, expected ${expected}`, place);
      return [];
    }
    if (value.kind !== 'list') return this.field(name, value, place);
    if (shape === undefined) return [{ name, value: { fields: [], place }, place }];
    return value.items.flatMap((item) => {
      if (item.kind !== 'list' && !isNull(item)) return this.field(name, item, item.place ?? place);
      this.report('option-type', `an element of ${quote(name)} is ${describe(item)}, expected a map`, item.place);
      return [];
    });
  }

  private field(name: string, node: Exclude<InputNode, { kind: 'list' }>, place: SourcePlace): OptionField[] {
    const value: OptionValue | null = node.kind === 'map' ? this.messageOf(node) : node.value;
    return value === null ? [] : [{ name, value, place }];
  }

  private report(code: string, message: string, place: SourcePlace = { file: this.file }): void {
    this.problems.error({ code, message, place });
  }
}

/** True for a member without a value: `get:`. */
function isNull(node: InputNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** In snake_case if it is the camelCase of that; any other name stays as it is, and is unknown. */
function plainName(written: string): string {
  const name = snakeCase(written);
  return camelCase(name) === written ? name : written;
}

function describe(node: InputNode): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  return node.value === null ? 'empty' : quote(node.source ?? String(node.value));
}
