/**
 * Resolves names like protoc: from the innermost scope outwards, and only among the declarations of the file and its imports,
 * so that other loaded files do not change the meaning of a file.
 */
import { enclosingScopes, joinName, parentScope } from '../scopes.js';
import type { ProblemList } from '../../status.js';
import type { EnumNode, ExtendNode, FieldNode, FileNode, ImportNode, MessageNode, ServiceNode } from '../text/ast.js';

/** A loaded file. */
export class SourceFile {
  /** The loader adds them. */
  readonly imports: { readonly file: SourceFile; readonly name: string; readonly public: boolean }[] = [];
  /** Imports that were not found. */
  readonly missing: ImportNode[] = [];
  /** An import could not be read (reported), so unknown names are not reported. */
  broken = false;
  /** Position among the files that the user named. */
  order: number | undefined;
  private visibleFiles: Set<SourceFile> | undefined;
  private visiblePackages: Set<string> | undefined;
  private ownPackages: readonly string[] | undefined;
  private readonly resolutions = new Map<ReadonlySet<string>, Map<string, Resolution>>();

  constructor(
    readonly node: FileNode,
    /** The descriptor set that contains it. */
    readonly fromSet?: string,
    /** Its FileDescriptorProto: a view of the set, which is kept in memory for its options anyway. */
    readonly encoded?: Buffer,
  ) {
    this.broken = node.incomplete;
  }

  /** The file, its imports, and their public imports. */
  get visible(): ReadonlySet<SourceFile> {
    if (this.visibleFiles !== undefined) return this.visibleFiles;
    const seen = new Set<SourceFile>([this]);
    const open = this.imports.map(({ file }) => file);
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const next of file.imports) if (next.public) open.push(next.file);
    }
    this.visibleFiles = seen;
    return seen;
  }

  /** Whether `name` is a visible package or a prefix of one. */
  seesPackage(name: string): boolean {
    this.visiblePackages ??= new Set([...this.visible].flatMap((file) => file.packages));
    return this.visiblePackages.has(name);
  }

  /** Its package and the enclosing ones. */
  private get packages(): readonly string[] {
    return (this.ownPackages ??= enclosingScopes(this.node.package));
  }

  /** The resolution of a name in the scope of the file's package, cached. */
  resolution(name: string, kinds: ReadonlySet<string>, resolve: () => Resolution): Resolution {
    let byName = this.resolutions.get(kinds);
    if (byName === undefined) this.resolutions.set(kinds, (byName = new Map<string, Resolution>()));
    let found = byName.get(name);
    if (found === undefined) byName.set(name, (found = resolve()));
    return found;
  }

  /** Whether a visible file could not be read. */
  get uncertain(): boolean {
    for (const file of this.visible) if (file.broken) return true;
    return false;
  }
}

interface SymbolBase {
  readonly fullName: string;
  readonly file: SourceFile;
}

/** A declared message. */
export interface MessageSymbol extends SymbolBase {
  readonly kind: 'message';
  readonly node: MessageNode;
  readonly parent: MessageSymbol | undefined;
}

/** A declared enum. */
export interface EnumSymbol extends SymbolBase {
  readonly kind: 'enum';
  readonly node: EnumNode;
  readonly parent: MessageSymbol | undefined;
}

/** A declared service. */
export interface ServiceSymbol extends SymbolBase {
  readonly kind: 'service';
  readonly node: ServiceNode;
}

/** A declared extension. */
export interface ExtensionSymbol extends SymbolBase {
  readonly kind: 'extension';
  readonly node: FieldNode;
  /** The scope in which its names are resolved: the message or package around the `extend`. */
  readonly scope: string;
  readonly extend: ExtendNode;
  readonly parent: MessageSymbol | undefined;
}

/** Anything that a full name can refer to. */
export type AnySymbol = MessageSymbol | EnumSymbol | ServiceSymbol | ExtensionSymbol;

/** Result of a look-up. `hidden` is declared in a file that is not imported. */
export interface Resolution {
  readonly symbol: AnySymbol | undefined;
  readonly hidden: AnySymbol | undefined;
}

const TYPES: ReadonlySet<string> = new Set(['message', 'enum']);
const EXTENSIONS: ReadonlySet<string> = new Set(['extension']);

/** All declarations of the loaded files by their full names. */
export class SymbolTable {
  private readonly symbols = new Map<string, AnySymbol>();

  constructor(private readonly problems: ProblemList) {}

  get(fullName: string): AnySymbol | undefined {
    return this.symbols.get(fullName);
  }

  all(): IterableIterator<AnySymbol> {
    return this.symbols.values();
  }

  /** Adds the declarations of a file. A name that is declared twice is reported. */
  addFile(file: SourceFile): void {
    const { node } = file;
    for (const message of node.messages) this.addMessage(file, message, node.package, undefined);
    for (const inner of node.enums) this.addEnum(file, inner, node.package, undefined);
    for (const extend of node.extends) this.addExtend(file, extend, node.package, undefined);
    for (const service of node.services) {
      this.add({ kind: 'service', fullName: joinName(node.package, service.name), file, node: service });
    }
  }

  /** The file that declares a symbol or a member of one: a field, oneof, enum value or method. */
  fileOf(fullName: string, files: readonly SourceFile[]): SourceFile | undefined {
    const symbol = this.symbols.get(fullName);
    if (symbol !== undefined) return symbol.file;
    const scope = parentScope(fullName);
    const name = fullName.slice(scope === '' ? 0 : scope.length + 1);
    const around = this.symbols.get(scope);
    const isNamed = (declared: { readonly name: string }): boolean => declared.name === name;
    const hasValue = ({ values }: EnumNode): boolean => values.some(isNamed);
    switch (around?.kind) {
      case 'message': {
        const { fields, oneofs, enums } = around.node;
        return fields.some(isNamed) || oneofs.some(isNamed) || enums.some(hasValue) ? around.file : undefined;
      }
      case 'service':
        return around.node.methods.some(isNamed) ? around.file : undefined;
      default:
        // Enum values belong to the scope around their enum.
        return files.find(({ node }) => node.package === scope && node.enums.some(hasValue));
    }
  }

  /** Resolves a message or enum by its name as written in a scope (`pkg.Message`, a package, or ''). */
  resolveType(name: string, scope: string, file: SourceFile): Resolution {
    return this.resolve(name, scope, file, TYPES);
  }

  resolveExtension(name: string, scope: string, file: SourceFile): Resolution {
    return this.resolve(name, scope, file, EXTENSIONS);
  }

  private resolve(name: string, scope: string, file: SourceFile, kinds: ReadonlySet<string>): Resolution {
    if (name.startsWith('.')) return this.lookUp(name.slice(1), file, kinds, undefined);
    // Inside messages and services first. From the package outwards, the result is the same for the whole file.
    const top = file.node.package;
    let inner = scope;
    while (inner.length > top.length && this.declaresNothing(inner)) inner = parentScope(inner);
    if (inner.length > top.length) return this.resolveFrom(inner, name, file, kinds);
    return file.resolution(name, kinds, () => this.resolveFrom(top, name, file, kinds));
  }

  /** True for a service, and for a message without nested declarations: no type is found in it. */
  private declaresNothing(scope: string): boolean {
    const symbol = this.symbols.get(scope);
    if (symbol?.kind === 'service') return true;
    if (symbol?.kind !== 'message') return false;
    const { messages, enums, extends: extensions } = symbol.node;
    return messages.length === 0 && enums.length === 0 && extensions.length === 0;
  }

  private resolveFrom(scope: string, name: string, file: SourceFile, kinds: ReadonlySet<string>): Resolution {
    const dot = name.indexOf('.');
    const first = dot < 0 ? '' : name.slice(0, dot);
    let hidden: AnySymbol | undefined;
    for (let outer = scope; ; outer = parentScope(outer)) {
      // The innermost scope that contains the first part decides about the whole name.
      const decides = first !== '' && this.isScope(joinName(outer, first), file);
      const found = this.lookUp(joinName(outer, name), file, kinds, hidden);
      if (found.symbol !== undefined || decides) return found;
      hidden = found.hidden;
      if (outer === '') return { symbol: undefined, hidden };
    }
  }

  private lookUp(
    fullName: string,
    file: SourceFile,
    kinds: ReadonlySet<string>,
    hidden: AnySymbol | undefined,
  ): Resolution {
    const symbol = this.symbols.get(fullName);
    if (symbol === undefined || !kinds.has(symbol.kind)) return { symbol: undefined, hidden };
    return file.visible.has(symbol.file) ? { symbol, hidden } : { symbol: undefined, hidden: hidden ?? symbol };
  }

  private isScope(fullName: string, file: SourceFile): boolean {
    const symbol = this.symbols.get(fullName);
    if (symbol !== undefined && symbol.kind !== 'extension' && file.visible.has(symbol.file)) return true;
    return file.seesPackage(fullName);
  }

  private addMessage(file: SourceFile, node: MessageNode, scope: string, parent: MessageSymbol | undefined): void {
    const fullName = joinName(scope, node.name);
    const symbol: MessageSymbol = { kind: 'message', fullName, file, node, parent };
    if (!this.add(symbol)) return;
    for (const inner of node.messages) this.addMessage(file, inner, fullName, symbol);
    for (const inner of node.enums) this.addEnum(file, inner, fullName, symbol);
    for (const extend of node.extends) this.addExtend(file, extend, fullName, symbol);
  }

  private addEnum(file: SourceFile, node: EnumNode, scope: string, parent: MessageSymbol | undefined): void {
    this.add({ kind: 'enum', fullName: joinName(scope, node.name), file, node, parent });
  }

  private addExtend(file: SourceFile, extend: ExtendNode, scope: string, parent: MessageSymbol | undefined): void {
    for (const node of extend.fields) {
      this.add({ kind: 'extension', fullName: joinName(scope, node.name), file, node, scope, extend, parent });
    }
  }

  private add(symbol: AnySymbol): boolean {
    const other = this.symbols.get(symbol.fullName);
    if (other === undefined) {
      this.symbols.set(symbol.fullName, symbol);
      return true;
    }
    this.reportDuplicate(symbol, other);
    return false;
  }

  private reportDuplicate(symbol: AnySymbol, other: AnySymbol): void {
    const { place } = symbol.node.origin;
    const first = other.node.origin.place;
    const where = first.line === undefined ? first.file : `${first.file}:${first.line}`;
    const twice = first.file !== place.file;
    this.problems.error({
      code: 'duplicate-type',
      message: `${symbol.kind} ${symbol.fullName} is declared in ${place.file}, but ${where} declares it already`,
      place,
      hint: twice
        ? 'where both are copies of one file, give its import root once with --proto-path; else rename one of them'
        : 'rename or remove one of them',
    });
  }
}
