/** What is said of an import that no folder has: why it matters, and where its file may be. */
import { basename, dirname, join, posix, resolve } from 'node:path';
import type { Problem } from '../status.js';
import { isHidden } from './glob.js';
import { whereImportsComeFrom } from './link/buf-modules.js';
import { isNamesake, type MissingImport } from './link/missing.js';
import type { SourceFile } from './link/symbols.js';
import type { FileNode } from './text/ast.js';
import type { Workspace } from './workspace.js';

/** Folders that are searched for the file of a missing import, nearest first, so that a hint costs no more than a start. */
const MAX_SEARCHED_FOLDERS = 1000;

/** Describes missing imports. */
export class ImportHints {
  constructor(
    private readonly workspace: Workspace,
    private readonly loaded: readonly SourceFile[],
    /** All folders that were searched for imports. */
    private readonly searched: readonly string[],
    /** Names of servers whose files came by reflection. */
    private readonly reflectedNames: ReadonlySet<string>,
  ) {}

  /** The problem, an error if something needs the import, else a warning. */
  describe({ statement: { name, place }, files, neededFor, options }: MissingImport): {
    readonly isError: boolean;
    readonly problem: Problem;
  } {
    const from = files[0]!;
    const inSet = from.fromSet !== undefined;
    const code = 'import-not-found';
    const where = `import "${name}"${inSet ? ` is not in the descriptor set, and` : ''} is in none of the import folders: ${listed(this.searched, 4)}`;
    const hint = this.importHint(name, from);
    if (neededFor !== undefined) {
      return { isError: true, problem: { code, message: `${where}; it is needed for the ${neededFor}`, place, hint } };
    }
    const others = files.length === 1 ? '' : ` (and ${files.length - 1} more)`;
    const names = [...options].map((option) => `(${option})`);
    const lost =
      names.length > 0
        ? `uses only options of it, which are ignored: ${listed(names, 5)}`
        : inSet
          ? 'uses no type of it, and its options are ignored'
          : 'uses nothing of it';
    const message = `${where}; ${from.node.place.file}${others} ${lost}`;
    return { isError: false, problem: { code, message, place, hint } };
  }

  private importHint(name: string, from: SourceFile): string {
    if (this.reflectedNames.has(from.fromSet ?? '')) {
      return `${from.fromSet} does not give it by reflection; add the folder that it is relative to with --proto-path`;
    }
    if (from.fromSet !== undefined) {
      return `write ${from.fromSet} with --include_imports (buf build does so by itself)`;
    }
    const root = this.rootFor(name, from);
    if (root !== undefined) return `add --proto-path ${this.workspace.display(root)}`;
    const namesake = this.loaded.find(({ node }) => isNamesake(name, node.name))?.node;
    if (namesake !== undefined) return this.namesakeHint(name, namesake);
    const below = this.folderBelow(name);
    if (below !== undefined) return `did you mean --proto-path ${this.workspace.display(below)}? It has ${name}`;
    const near = this.workspace.nearestFile(this.searched.map((folder) => join(folder, name)));
    if (near !== undefined) return `did you mean "${posix.join(posix.dirname(name), basename(near))}"?`;
    return whereImportsComeFrom(name);
  }

  /** The hint if the file was loaded under a name relative to another folder. */
  private namesakeHint(wanted: string, { name, place: { file } }: FileNode): string {
    if (name.length > wanted.length) {
      const root = file.slice(0, -wanted.length - 1);
      return `the file is ${file}: add --proto-path ${root === '' ? '/' : root}`;
    }
    const folder = wanted.slice(0, -name.length - 1);
    return `the file is ${file}: put the folder that "${name}" starts from at ${folder} below another one (a link will do), and name that with --proto-path`;
  }

  /** A folder above the importing file that contains the import, which `--proto-path` should name. */
  private rootFor(name: string, from: SourceFile): string | undefined {
    const path = resolve(this.workspace.workingDirectory, from.node.place.file);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const found = this.workspace.attempt(folder, () => this.workspace.files.read(join(folder, name)));
      if (found !== undefined) return folder;
      if (folder === dirname(folder)) return undefined;
    }
  }

  /** A folder below the working directory that contains the import. */
  private folderBelow(name: string): string | undefined {
    const waiting = [this.workspace.workingDirectory];
    for (const folder of waiting) {
      if (waiting.length > MAX_SEARCHED_FOLDERS) break;
      try {
        if (this.workspace.files.read(join(folder, name)) !== undefined) return folder;
      } catch {
        return folder;
      }
      for (const entry of this.foldersIn(folder)) waiting.push(join(folder, entry));
    }
    return undefined;
  }

  /** Names; none if the folder cannot be read. */
  private foldersIn(folder: string): string[] {
    try {
      const entries = this.workspace.files.list(folder) ?? [];
      return entries.flatMap(({ name, folder: isFolder }) => (isFolder && !isHidden(name) ? [name] : []));
    } catch {
      return [];
    }
  }
}

/** A list in a message: the first elements, and the number of further ones. */
function listed(items: readonly string[], count: number): string {
  const shown = items.slice(0, count).join(', ');
  return items.length <= count ? shown : `${shown} and ${items.length - count} more`;
}
