/**
 * Imports that were not found. Published protos import options of tools that only those tools need (`gogoproto/gogo.proto`).
 * If a file uses only options of such an import, its meaning does not change without it. If it uses a type, the import is an
 * error.
 */
import type { ImportNode } from '../text/ast.js';
import { declarationsOf } from './declarations.js';
import { enclosingScopes, joinName } from '../scopes.js';
import type { SourceFile, SymbolTable } from './symbols.js';

/** An import that was not found, by whichever files. */
export interface MissingImport {
  /** The statement in the first of these files. */
  readonly statement: ImportNode;
  readonly files: readonly SourceFile[];
  /** What needs the import: `type "b.T" of field a.M.x`. Undefined if only options do. */
  readonly neededFor: string | undefined;
  /**
   * The options that are lost, as written: `gogoproto.nullable`. Options of descriptor sets have no names and are not listed.
   */
  readonly options: ReadonlySet<string>;
}

interface Entry {
  readonly statement: ImportNode;
  readonly files: SourceFile[];
  readonly options: Set<string>;
  neededFor: string | undefined;
  /** One of its options was recognised, so names of other packages do not belong to it. */
  knownPackage: boolean;
}

/** The missing imports of some files, and the names that they may declare. */
export class MissingImports {
  private readonly entries = new Map<string, Entry>();
  private readonly visible = new Map<SourceFile, readonly Entry[]>();

  constructor(files: readonly SourceFile[], symbols: SymbolTable) {
    for (const file of files) for (const statement of file.missing) this.add(statement, file);
    for (const file of files) if (file.missing.length > 0) this.attributeOptions(file, symbols);
  }

  get all(): readonly MissingImport[] {
    return [...this.entries.values()];
  }

  /**
   * Whether a missing import may declare the name. If so, the import becomes an error, and the name needs no error of its
   * own.
   * @param what for example `type "b.T" of field a.M.x`
   * @param hidden the file that declares the name but is not imported, by the name under which it was loaded
   */
  attribute(name: string, scope: string, file: SourceFile, what: string, hidden?: string): boolean {
    const candidates = hidden === undefined ? this.suspects(name, scope, file) : this.namesakes(hidden, file);
    for (const suspect of candidates) suspect.neededFor ??= what;
    return candidates.length > 0;
  }

  /**
   * The name was found, but an inner scope is the package of a missing import, in which protoc might find another
   * declaration.
   */
  attributeHidden(name: string, scope: string, found: string, file: SourceFile, what: string): void {
    const visible = this.visibleTo(file);
    if (visible.length === 0) return;
    const candidates = fullNames(name, scope);
    for (const suspect of declaring(visible, candidates.slice(0, candidates.indexOf(found))))
      suspect.neededFor ??= what;
  }

  /** Whether a missing import may declare an option. `hidden` as in `blame`. */
  mayDeclare(name: string, scope: string, file: SourceFile, hidden?: string): boolean {
    return (hidden === undefined ? this.suspects(name, scope, file) : this.namesakes(hidden, file)).length > 0;
  }

  private add(statement: ImportNode, file: SourceFile): void {
    const entry = this.entries.get(statement.name);
    if (entry !== undefined) entry.files.push(file);
    else {
      const fresh = { statement, files: [file], options: new Set<string>(), neededFor: undefined, knownPackage: false };
      this.entries.set(statement.name, fresh);
    }
  }

  /** The missing imports whose package the name is in; if there are none, those whose package is unknown. */
  private suspects(name: string, scope: string, file: SourceFile): readonly Entry[] {
    const visible = this.visibleTo(file);
    if (visible.length === 0) return visible;
    const named = declaring(visible, fullNames(name, scope));
    return named.length > 0 ? named : visible.filter(({ knownPackage }) => !knownPackage);
  }

  /** Missing imports that mean a loaded file by its name relative to another folder. */
  private namesakes(loaded: string, file: SourceFile): readonly Entry[] {
    return this.visibleTo(file).filter(({ statement: { name } }) => isNamesake(name, loaded));
  }

  /** The missing imports whose names a file would see: its own, and the public ones of the files that it sees. */
  private visibleTo(file: SourceFile): readonly Entry[] {
    let entries = this.visible.get(file);
    if (entries === undefined) {
      const imports = [...file.visible].flatMap((other) =>
        other === file ? file.missing : other.missing.filter((missing) => missing.public),
      );
      entries = [...new Set(imports.map(({ name }) => this.entries.get(name)!))];
      this.visible.set(file, entries);
    }
    return entries;
  }

  /** Assigns options to the import that their package names, and the rest to the imports without any option. */
  private attributeOptions(file: SourceFile, symbols: SymbolTable): void {
    const visible = this.visibleTo(file);
    const left: string[] = [];
    for (const [text, scope] of unknownOptions(file, symbols)) {
      const owners = declaring(visible, fullNames(text, scope));
      if (owners.length === 0) left.push(text);
      for (const owner of owners) {
        owner.options.add(text.replace(/^\./, ''));
        owner.knownPackage = true;
      }
    }
    for (const entry of visible) if (!entry.knownPackage) for (const text of left) entry.options.add(text);
  }
}

/** The options of a file that no file declares, each with the scope of its name. */
function unknownOptions(file: SourceFile, symbols: SymbolTable): ReadonlyMap<string, string> {
  const unknown = new Map<string, string>();
  const declared = [{ node: file.node, scope: file.node.package }, ...declarationsOf(file.node)];
  for (const { node, scope } of declared) {
    for (const { path } of node.options) {
      const { text, extension } = path[0]!;
      if (!extension || unknown.has(text)) continue;
      if (symbols.resolveExtension(text, scope, file).symbol === undefined) unknown.set(text, scope);
    }
  }
  return unknown;
}

/**
 * Whether two import names have a common end, like those of one file relative to two folders: `etcd/api/kv.proto`,
 * `api/kv.proto`.
 */
export function isNamesake(one: string, other: string): boolean {
  return one.endsWith(`/${other}`) || other.endsWith(`/${one}`);
}

/** The full names that a name as written may mean, from the innermost scope outwards. */
function fullNames(name: string, scope: string): string[] {
  if (name.startsWith('.')) return [name.slice(1)];
  return [...enclosingScopes(scope), ''].map((outer) => joinName(outer, name));
}

/** The imports whose folder is the package of one of the names, which is the usual layout of protos. */
function declaring(entries: readonly Entry[], names: readonly string[]): readonly Entry[] {
  const packages = new Set(names.map(packageOf));
  packages.delete('');
  return entries.filter(({ statement: { name } }) => {
    const folder = name.split('/').slice(0, -1).join('.');
    return [...packages].some((inPackage) => folder === inPackage || folder.endsWith(`.${inPackage}`));
  });
}

/** `a.b.Message.Inner` → `a.b`: package names begin with a lower-case letter. */
function packageOf(fullName: string): string {
  const parts = fullName.split('.').slice(0, -1);
  while (/^[A-Z]/.test(parts.at(-1) ?? '')) parts.pop();
  return parts.join('.');
}
