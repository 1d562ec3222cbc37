/**
 * YAML (and so JSON) → `InputNode`s. The only reader of such files; it enforces the limits of all of them, so that its
 * results can be walked recursively. Aliases share the node of their anchor, so a tree takes no more memory than its text.
 */
import type { Alias, CST, Document, Node } from 'yaml';
import { yaml } from '../packages.js';
import type { ProblemList, SourcePlace } from '../status.js';
import type { InputMember, InputNode } from './node.js';

/** Largest file, in bytes. */
const MAX_YAML_BYTES = 4 * 1024 ** 2;
/** Deepest nesting of maps and lists. */
const MAX_DEPTH = 100;
/** Most values of one file, counting aliased values at each alias. */
const MAX_VALUES = 1_000_000;
/** Longest indentation, with the `-`, `?` and `:` in it: each of these characters may open another level. */
const MAX_INDENT = 1000;
/** Most syntax errors that are reported: one broken line can break many others. */
const MAX_ERRORS = 10;

const deepIndent = new RegExp(`^(?:[^\\S\\n]|[?:-]){${MAX_INDENT + 1}}`, 'gm');

/** A text, and how it is read. */
export interface YamlSource {
  /** The name in messages. */
  readonly file: string;
  readonly text: string;
  /** Whether a map may contain a name twice; the caller then has to check. Default false. */
  readonly keepDuplicates?: boolean;
}

/**
 * The outermost value. If the text is no YAML or exceeds a limit, this is reported as `config-syntax`, and undefined is
 * returned.
 */
export function parseYaml(source: YamlSource, problems: ProblemList): InputNode | undefined {
  return new YamlReader(source, problems).read();
}

/** A value after its aliases are followed: size and depth. */
interface Measured {
  readonly node: InputNode;
  readonly values: number;
  readonly depth: number;
}

class YamlError extends Error {
  constructor(
    message: string,
    readonly place: SourcePlace,
  ) {
    super(message);
  }
}

class YamlReader {
  private readonly lines = new (yaml().LineCounter)();
  private readonly known = new Map<Node, Measured>();
  private readonly open = new Set<Node>();
  private targets: ReadonlyMap<Alias, Node> = new Map();

  constructor(
    private readonly source: YamlSource,
    private readonly problems: ProblemList,
  ) {}

  read(): InputNode | undefined {
    const { file, text } = this.source;
    try {
      if (Buffer.byteLength(text) > MAX_YAML_BYTES) {
        throw new YamlError(`the file is larger than ${MAX_YAML_BYTES} bytes`, { file });
      }
      const { contents, errors } = this.parse();
      for (const { message, pos } of errors.slice(0, MAX_ERRORS)) {
        this.report(`not valid YAML: ${message}`, this.placeAt(pos[0]));
      }
      if (errors.length > 0) return undefined;
      if (contents !== null) this.targets = aliasTargets(contents);
      return this.measured(contents, { file }, 0).node;
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      this.report(error.message, error.place);
      return undefined;
    }
  }

  /**
   * Like `parseDocument` of the library, which overflows the stack if maps and lists are nested some hundreds deep. So
   * the depth is checked before any recursive function sees the tokens.
   */
  private parse(): Document.Parsed {
    const { text } = this.source;
    for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) this.lines.addNewLine(at);
    this.checkIndents();
    this.checkBrackets();
    const tokens = [...new (yaml().Parser)().parse(text)];
    this.checkDepth(tokens);
    // `withoutDuplicates` compares names in linear time; the library would compare each with each.
    const composer = new (yaml().Composer)({ prettyErrors: false, uniqueKeys: false });
    let first: Document.Parsed | undefined;
    for (const document of composer.compose(tokens, true, text.length)) {
      if (first !== undefined) throw this.error('there are several YAML documents, expected one', document.range[0]);
      first = document;
    }
    return first!;
  }

  private checkIndents(): void {
    for (const { index } of this.source.text.matchAll(deepIndent)) {
      throw this.error(`a line starts with more than ${MAX_INDENT} spaces and dashes`, index);
    }
  }

  /** Checks the depth of flow collections before the parser builds anything. */
  private checkBrackets(): void {
    let depth = 0;
    let offset = 0;
    let isText = false;
    for (const token of new (yaml().Lexer)().lex(this.source.text)) {
      if (!isText && (token === '[' || token === '{') && ++depth > MAX_DEPTH) throw this.tooDeep(offset);
      if (!isText && (token === ']' || token === '}')) depth = Math.max(0, depth - 1);
      // The lexer's control tokens are not part of the text; \x1f announces a scalar.
      isText = token === '\x1f';
      if (!/^[\x02\x18\x1f]$/.test(token)) offset += token.length;
    }
  }

  private checkDepth(tokens: readonly CST.Token[]): void {
    const open: (readonly [token: CST.Token, depth: number])[] = tokens.map((token) => [token, 0]);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [token, depth] = next;
      if (token.type === 'document') {
        if (token.value !== undefined) open.push([token.value, depth]);
      } else if ('items' in token) {
        if (depth === MAX_DEPTH) throw this.tooDeep(token.offset);
        for (const { key, value } of token.items) {
          if (key) open.push([key, depth + 1]);
          if (value) open.push([value, depth + 1]);
        }
      }
    }
  }

  private tooDeep(offset: number): YamlError {
    return this.error(`maps and lists are nested more than ${MAX_DEPTH} deep`, offset);
  }

  private error(message: string, where: number | Node | null): YamlError {
    return new YamlError(message, typeof where === 'number' ? this.placeAt(where) : this.placeOf(where));
  }

  /** @param nowhere place of a missing value. */
  private measured(written: Node | null, nowhere: SourcePlace, depth: number): Measured {
    if (written === null) return { node: { kind: 'scalar', value: null, place: nowhere }, values: 1, depth: 0 };
    const node = this.resolveAlias(written);
    const known = this.known.get(node);
    if (known === undefined && this.open.has(node)) throw this.error('an alias stands in what it stands for', written);
    if (known === undefined) this.open.add(node);
    const measured = known ?? this.measure(node, depth);
    this.known.set(node, measured);
    if (depth + measured.depth > MAX_DEPTH) throw this.error(`aliases nest more than ${MAX_DEPTH} deep`, written);
    if (measured.values > MAX_VALUES) throw this.error(`aliases make more than ${MAX_VALUES} values of this`, written);
    return measured;
  }

  private measure(node: Node, depth: number): Measured {
    const place = this.placeOf(node);
    const parts: Measured[] = [];
    const part = (child: Node | null, nowhere: SourcePlace): InputNode => {
      const measured = this.measured(child, nowhere, depth + 1);
      parts.push(measured);
      return measured.node;
    };
    const total = (made: InputNode): Measured => ({
      node: made,
      values: parts.reduce((sum, { values }) => sum + values, 1),
      depth: parts.reduce((deepest, inner) => Math.max(deepest, inner.depth + 1), 0),
    });
    if (yaml().isMap<Node | null, Node | null>(node)) {
      const members = node.items.map(({ key, value }): InputMember => {
        const keyPlace = this.placeOf(key);
        return { name: this.nameOf(key), place: keyPlace, value: part(value, keyPlace) };
      });
      return total({ kind: 'map', members: this.withoutDuplicates(members), place });
    }
    if (yaml().isSeq<Node | null>(node)) {
      return total({ kind: 'list', items: node.items.map((item) => part(item, place)), place });
    }
    const { value, source } = yaml().isScalar(node) ? node : { value: null, source: undefined };
    const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value);
    return total({ kind: 'scalar', value: isPlain ? (value as string | null) : (source ?? ''), source, place });
  }

  /** A map or list as a name is refused: no file needs it, and as text it could grow exponentially with its aliases. */
  private nameOf(key: Node | null): string {
    const name = key === null ? null : this.resolveAlias(key);
    if (name === null) return 'null';
    if (yaml().isScalar<string | null>(name)) return String(name.value);
    throw this.error(`a name in this map is a ${yaml().isMap(name) ? 'map' : 'list'} itself, expected a text`, key);
  }

  private withoutDuplicates(members: InputMember[]): InputMember[] {
    if (this.source.keepDuplicates === true) return members;
    const seen = new Set<string>();
    return members.filter(({ name, place }) => {
      if (seen.has(name)) this.report('not valid YAML: Map keys must be unique', place);
      return !seen.has(name) && seen.add(name);
    });
  }

  /** The node that an alias (`*name`) refers to. */
  private resolveAlias(node: Node): Node {
    if (!yaml().isAlias(node)) return node;
    const target = this.targets.get(node);
    if (target !== undefined) return target;
    throw this.error(`not valid YAML: nothing before *${node.source} is marked &${node.source}`, node);
  }

  private placeOf(node: Node | null): SourcePlace {
    const start = node?.range?.[0];
    return start === undefined ? { file: this.source.file } : this.placeAt(start);
  }

  private placeAt(offset: number): SourcePlace {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.source.file, line, column: col };
  }

  private report(message: string, place: SourcePlace | undefined): void {
    this.problems.error({ code: 'config-syntax', message, ...(place !== undefined && { place }) });
  }
}

/** For each alias, the last node before it that has its anchor. */
function aliasTargets(root: Node): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  yaml().visit(root, {
    Node(_, node) {
      if (yaml().isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}
