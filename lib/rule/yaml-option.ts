/**
 * YAML (or JSON, which YAML includes) → the option tree that an annotation gives, with line and column of each member,
 * so that one reader judges both. Names may be camelCase, as ProtoJSON writes them. What a member means, and whether it
 * may stand there, is not known here; only which hold lists.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { OptionField, OptionMessage, OptionValue } from '../schema/types.js';
import type { ProblemList, SourcePlace } from '../status.js';
import { quote } from '../uri.js';

/** Maps nested deeper are refused. */
const MAX_DEPTH = 100;
/** Values that one document may come to once its aliases are followed. */
const MAX_VALUES = 1_000_000;
/** What stands before the text of a line may be this long: the YAML reader dies of much more. */
const MAX_INDENT = 1000;

/** What each known member holds, by its name in snake_case. */
export type YamlShapes = ReadonlyMap<string, 'list' | 'one'>;

/** A member of a map. */
export interface YamlMember {
  /** In snake_case, whatever was written. */
  readonly name: string;
  readonly place: SourcePlace;
  readonly node: Node | null;
}

/** What cannot be turned into options, thrown up to where the document is read. */
class YamlFault extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly place: SourcePlace,
  ) {
    super(message);
  }
}

/** One parsed document. */
export class YamlDocument {
  private readonly lines = new LineCounter();
  private readonly contents: Node | null;
  private targets: ReadonlyMap<Node, Node> | undefined;
  private values = 0;

  private readonly broken: boolean;

  /** A text that is no YAML is reported, and has no members then. */
  constructor(
    private readonly file: string,
    text: string,
    private readonly shapes: YamlShapes,
    private readonly problems: ProblemList,
  ) {
    const before = problems.errors.length;
    this.contents = this.parse(text);
    this.broken = problems.errors.length > before;
  }

  /** The members of the outermost map; undefined where there is none (reported). */
  members(): readonly YamlMember[] | undefined {
    if (this.broken) return undefined;
    return this.attempt(() => {
      if (isMap(this.contents)) return this.membersOf(this.contents);
      const message = `the file is ${describe(this.contents)}, expected a map`;
      throw new YamlFault('config-type', message, this.placeOf(this.contents));
    });
  }

  /** A member's value as an option message; undefined where it is something else (reported). */
  message({ name, node, place }: YamlMember): OptionMessage | undefined {
    return this.attempt(() => {
      if (isMap(node)) return this.value(node, 0) as OptionMessage;
      throw new YamlFault('option-type', `${quote(name)} is ${describe(node)}, expected a map`, place);
    });
  }

  private parse(text: string): Node | null {
    const indented = text.split('\n').findIndex((line) => /^[\s?:-]*/.exec(line)![0].length > MAX_INDENT);
    if (indented >= 0) {
      this.report('config-syntax', `a line starts with more than ${MAX_INDENT} spaces and dashes`, {
        file: this.file,
        line: indented + 1,
      });
      return null;
    }
    // Keys are compared below: the reader would compare each with each.
    const { contents, errors } = parseDocument<Node>(text, {
      lineCounter: this.lines,
      prettyErrors: false,
      uniqueKeys: false,
    });
    // One broken line can break many others.
    for (const { message, pos } of errors.slice(0, 10)) {
      this.report('config-syntax', `not valid YAML: ${message}`, this.placeAt(pos[0]));
    }
    return errors.length > 0 ? null : contents;
  }

  /** Of a name that stands there twice the first. */
  private membersOf(map: YAMLMap): YamlMember[] {
    const seen = new Set<string>();
    return (map.items as Pair<Node | null, Node | null>[]).flatMap(({ key, value }) => {
      const place = this.placeOf(key);
      const written = isScalar(key) ? String(key.value) : describe(key);
      const name = snakeCase(written);
      if (seen.has(name)) {
        this.report('option-duplicate', `${quote(written)} stands here twice`, place);
        return [];
      }
      seen.add(name);
      return [{ name, place, node: value === null ? null : this.resolved(value) }];
    });
  }

  /** Null where it is null, which ProtoJSON reads as not there. */
  private value(node: Node, depth: number): OptionValue | null {
    if (++this.values > MAX_VALUES) {
      throw new YamlFault('config-syntax', `aliases make more than ${MAX_VALUES} values of this`, this.placeOf(node));
    }
    if (depth > MAX_DEPTH) {
      throw new YamlFault('config-syntax', `maps are nested more than ${MAX_DEPTH} deep`, this.placeOf(node));
    }
    if (isMap(node)) {
      const fields = this.membersOf(node).flatMap((member) => this.fields(member, depth + 1));
      return { fields, place: this.placeOf(node) };
    }
    if (!isScalar(node)) return null;
    const { value } = node;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    return value === null ? null : (node.source ?? '');
  }

  /** A list is one field for each element. One that nobody knows is an empty message: its name is what is wrong. */
  private fields({ name, node, place }: YamlMember, depth: number): OptionField[] {
    if (node === null || (isScalar(node) && node.value === null)) return [];
    const shape = this.shapes.get(name);
    if (shape !== undefined && isSeq(node) !== (shape === 'list')) {
      const expected = shape === 'list' ? 'a list: each element behind "- "' : 'one value';
      this.report('option-type', `${quote(name)} is ${describe(node)}, expected ${expected}`, place);
      return [];
    }
    if (isSeq(node))
      return shape === undefined ? [{ name, value: { fields: [], place }, place }] : this.elements(name, node, depth);
    const value = this.value(node, depth);
    return value === null ? [] : [{ name, value, place }];
  }

  private elements(name: string, { items }: YAMLSeq, depth: number): OptionField[] {
    return (items as Node[]).flatMap((item) => {
      const place = this.placeOf(item);
      const element = this.resolved(item);
      const value = this.value(element, depth);
      if (value !== null) return [{ name, value, place }];
      this.report('option-type', `an element of ${quote(name)} is ${describe(element)}, expected a map`, place);
      return [];
    });
  }

  /** What an alias (`*name`) stands for: the last node before it with that anchor. */
  private resolved(node: Node): Node {
    if (!isAlias(node)) return node;
    this.targets ??= aliasTargets(this.contents!);
    const target = this.targets.get(node);
    if (target !== undefined) return target;
    throw new YamlFault(
      'config-syntax',
      `nothing before *${node.source} is marked &${node.source}`,
      this.placeOf(node),
    );
  }

  private attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof YamlFault)) throw error;
      this.report(error.code, error.message, error.place);
      return undefined;
    }
  }

  private report(code: string, message: string, place: SourcePlace): void {
    this.problems.error({ code, message, place });
  }

  private placeOf(node: Node | null): SourcePlace {
    const start = node?.range?.[0];
    return start === undefined ? { file: this.file } : this.placeAt(start);
  }

  private placeAt(offset: number): SourcePlace {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line, column: col };
  }
}

function aliasTargets(root: Node): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(root, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) {
        anchors.set(node.anchor, node);
      }
    },
  });
  return targets;
}

function snakeCase(name: string): string {
  return name.replace(/[a-z][A-Z]/g, ([before, after]) => `${before}_${after!.toLowerCase()}`);
}

function describe(node: Node | null): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  return isScalar(node) && node.value !== null ? quote(node.toString()) : 'empty';
}
