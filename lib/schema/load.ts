/**
 * Loads a schema from the names that a user gives: finds the files, follows their imports, and hands all to the linker. All
 * problems are collected, so that one start shows all of them. Import names are resolved against one list of folders, like in
 * protoc, never relative to the importing file.
 */
import { isUtf8 } from 'node:buffer';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { ProblemList, type SourcePlace } from '../status.js';
import type { FileNode, ImportNode } from './text/ast.js';
import { checkFiles } from './link/validate.js';
import { imageProto } from './set/descriptor-set.js';
import { LinkedSchema } from './link/descriptors.js';
import { diskFiles, memoryFiles, type FileReader } from './files.js';
import { bufRoots } from './buf-roots.js';
import { ImportHints } from './import-hints.js';
import { importCycles } from './link/import-cycles.js';
import { LoadedFiles } from './loaded-files.js';
import { findNamedFiles, type NamedFile, type NamedFiles } from './named-files.js';
import { parseFile } from './text/parser.js';
import { SetLoader } from './set-loader.js';
import type { ReflectedSet } from './set/reflection.js';
import { Names, SourceText } from './text/source.js';
import { SourceFile, SymbolTable } from './link/symbols.js';
import type { Schema } from './types.js';
import { isBelow, Workspace } from './workspace.js';

/** What is read. Relative paths are resolved against `workingDirectory`. */
export interface SchemaSources {
  /** `.proto` files, folders (all `.proto` files below them) and globs, in the given order. Their services are served. */
  readonly protos: readonly string[];
  /** Import folders, which are searched first. Those that a buf.yaml or buf.work.yaml names are searched too. */
  readonly protoPaths: readonly string[];
  /**
   * Files that contain a binary FileDescriptorSet or a Buf image, gzipped or not. All services are served, except those of an
   * image's imports.
   */
  readonly descriptorSets: readonly string[];
  /** Schemas that servers reported by reflection. Their listed services are served. */
  readonly reflected?: readonly ReflectedSet[];
  readonly workingDirectory: string;
  /** The package's `annotations/`, the last place where `google/api/annotations.proto` and so on are searched. */
  readonly annotationsRoot: string;
}

/** Largest `.proto` file. */
const MAX_PROTO_BYTES = 16 * 1024 * 1024;

/**
 * Reads and links everything. Mistakes are added to `problems`. The returned schema lacks what could not be resolved, but is
 * safe to use, so that the caller can find further problems.
 */
export function loadSchema(sources: SchemaSources, problems: ProblemList, files: FileReader = diskFiles): Schema {
  return new Loader(sources, problems, files).load();
}

interface FoundFile {
  readonly path: string;
  readonly bytes?: Buffer;
}

class Loader {
  private readonly workspace: Workspace;
  /** The folder of the package's own files, which is searched last. */
  private readonly bundled: string;
  private readonly protoPaths: readonly string[];
  /** Folders that contain files by their import names, in search order; see `SchemaSources`. */
  private roots: readonly string[] = [];
  /** All folders that are searched for imports. */
  private searched: readonly string[] = [];
  /** Paths of the named files, by the last part of their names. */
  private readonly namedPaths = new Map<string, string[]>();
  /** Those of `roots` that were not given as import folders: folders of named files. */
  private ownFolders: ReadonlySet<string> = new Set();
  private readonly loaded = new LoadedFiles();
  private readonly byPath = new Map<string, SourceFile>();
  private readonly names = new Names();

  constructor(
    private readonly sources: SchemaSources,
    private readonly problems: ProblemList,
    private readonly files: FileReader,
  ) {
    this.workspace = new Workspace(sources.workingDirectory, files, problems);
    this.protoPaths = sources.protoPaths.map((path) => this.workspace.absolute(path));
    this.bundled = resolve(sources.annotationsRoot);
  }

  load(): Schema {
    const { sources, files, problems, workspace, loaded } = this;
    const named = findNamedFiles(sources.protos, this.protoPaths, workspace, problems);
    this.setRoots(named);
    for (const file of named.files) this.loadNamed(file);
    const sets = new SetLoader(loaded, workspace, problems, this.bundled, () =>
      loadDescriptors(sources, problems, files),
    );
    for (const set of sources.descriptorSets) sets.loadDescriptorSet(set);
    sets.loadReflected(sources.reflected ?? []);
    this.followImports();
    for (const problem of importCycles(loaded.all)) problems.error(problem);
    const symbols = new SymbolTable(problems);
    for (const file of loaded.all) symbols.addFile(file);
    const { annotationsRoot, workingDirectory } = sources;
    const roots = { annotationsRoot, workingDirectory };
    const schema = new LinkedSchema(symbols, loaded.all, () => loadDescriptors(roots, new ProblemList(), files));
    const hints = new ImportHints(workspace, loaded.all, this.searched, sets.reflectedNames);
    for (const missing of checkFiles(loaded.all, schema, problems)) {
      const { isError, problem } = hints.describe(missing);
      if (isError) problems.error(problem);
      else problems.warn(problem);
    }
    return schema;
  }

  private setRoots({ folders, files: named }: NamedFiles): void {
    const own = named.map(({ path }) => dirname(path));
    // The package's own files need no other folder.
    const starts =
      this.workspace.workingDirectory === this.bundled ? [] : [this.workspace.workingDirectory, ...folders, ...own];
    const buf = [...new Set(starts)].flatMap((folder) => bufRoots(folder, this.files));
    const asked = [...this.protoPaths, ...folders, this.workspace.workingDirectory, ...buf];
    this.roots = [...new Set([...asked, ...own])];
    this.searched = [...new Set([...this.roots, this.bundled])];
    for (const { path } of named) {
      const paths = this.namedPaths.get(basename(path));
      if (paths === undefined) this.namedPaths.set(basename(path), [path]);
      else paths.push(path);
    }
    this.ownFolders = new Set(own.filter((folder) => !asked.includes(folder)));
  }

  private loadNamed({ path, argument }: NamedFile): void {
    const root = this.roots.find((folder) => isBelow(folder, path))!;
    const name = relative(root, path).split(sep).join('/');
    const first = this.findImport(name, this.searched);
    if (first !== undefined && first.path !== path && !this.ownFolders.has(root)) {
      this.problems.warn({
        code: 'shadowed-file',
        message: `${this.workspace.display(path)} (named by "${argument}") is ignored: imports of "${name}" find ${this.workspace.display(first.path)} first`,
        hint: 'remove one of them, or change the order of --proto-path',
      });
      this.loaded.serve(this.loadPath(name, first));
      return;
    }
    // Two files of one name that are each relative to their own folder are two files; the second is known by its full path.
    const own = first === undefined || first.path === path;
    this.loaded.serve(
      this.loadPath(own ? name : path.split(sep).join('/').replace(/^\//, ''), own ? (first ?? { path }) : { path }),
    );
  }

  /** The first folder that contains the file, and its bytes if they were read for that. */
  private findImport(name: string, roots: readonly string[]): FoundFile | undefined {
    for (const root of roots) {
      const path = join(root, name);
      if (this.byPath.has(path)) return { path };
      const bytes = this.workspace.attempt(path, () => this.files.read(path));
      if (bytes !== undefined) return { path, bytes };
    }
    return undefined;
  }

  /**
   * The only named file whose path ends with the import's name. Trees with several import folders (`proto`, `third_party`)
   * are often named as a whole.
   */
  private findTail(name: string): FoundFile | undefined {
    const tail = sep + name.split('/').join(sep);
    const paths = new Set(this.namedPaths.get(basename(name))?.filter((path) => path.endsWith(tail)));
    const [path, second] = paths;
    return path === undefined || second !== undefined ? undefined : { path };
  }

  /** Loads a file once, by whichever name it is found. */
  private loadPath(name: string, { path, bytes }: FoundFile): SourceFile | undefined {
    const known = this.byPath.get(path);
    if (known !== undefined) {
      this.loaded.alias(name, known);
      return known;
    }
    const content = bytes ?? this.workspace.attempt(path, () => this.files.read(path));
    const node = content === undefined ? undefined : this.parse(name, path, content);
    if (node === undefined) return undefined;
    const file = new SourceFile(node);
    this.byPath.set(path, file);
    this.loaded.add(name, file);
    return file;
  }

  private parse(name: string, path: string, bytes: Buffer): FileNode | undefined {
    const place: SourcePlace = { file: this.workspace.display(path) };
    if (bytes.length > MAX_PROTO_BYTES) {
      return this.workspace.refuse(path, {
        code: 'proto-syntax',
        message: `${place.file} is larger than 16 MiB`,
        place,
      });
    }
    if (!isUtf8(bytes)) {
      return this.workspace.refuse(path, {
        code: 'proto-syntax',
        message: `${place.file} is not UTF-8 text`,
        place,
        hint: 'convert it to UTF-8; a compiled descriptor set is given with --descriptor-set',
      });
    }
    const { files } = this;
    const source = new SourceText(place.file, textOf(bytes), () => reread(files, path));
    const node = parseFile(name, source, this.problems, this.names);
    source.release(node.services.length > 0);
    return node;
  }

  /** `loaded` grows during the loop. */
  private followImports(): void {
    for (const file of this.loaded.all) {
      // A repeated import counts once.
      const imports = new Map(file.node.imports.map((wanted) => [wanted.name, wanted]));
      for (const wanted of imports.values()) {
        const found = this.import(wanted, file);
        if (found !== undefined) file.imports.push({ file: found, name: wanted.name, public: wanted.public });
      }
    }
  }

  private import(wanted: ImportNode, from: SourceFile): SourceFile | undefined {
    const { name } = wanted;
    const known = this.loaded.get(name);
    if (known !== undefined) return known;
    if (isAbsolute(name) || /(^|\/)\.{0,2}(\/|$)|\\/.test(name)) {
      this.problems.error({
        code: 'import-name',
        message: `import "${name}" is not a valid import name: "..", ".", empty parts and backslashes are not allowed`,
        place: wanted.place,
        hint: 'write the path from an import folder on, with "/" between its parts',
      });
      from.broken = true;
      return undefined;
    }
    const found = this.findImport(name, this.roots) ?? this.findTail(name) ?? this.findImport(name, [this.bundled]);
    if (found === undefined) {
      if (!wanted.weak) from.missing.push(wanted);
      return undefined;
    }
    const file = this.loadPath(name, found);
    if (file === undefined) from.broken = true;
    return file;
  }
}

/** The schema of descriptor.proto and of Buf's extension of it. */
function loadDescriptors(
  { annotationsRoot, workingDirectory }: Pick<SchemaSources, 'annotationsRoot' | 'workingDirectory'>,
  problems: ProblemList,
  files: FileReader,
): Schema {
  const image = join(annotationsRoot, 'buf-image.proto');
  const protos = [join(annotationsRoot, 'google/protobuf/descriptor.proto'), image];
  return loadSchema(
    { protos, protoPaths: [annotationsRoot], descriptorSets: [], workingDirectory, annotationsRoot },
    problems,
    memoryFiles({ [image]: imageProto }, annotationsRoot, files),
  );
}

function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function reread(files: FileReader, path: string): string | undefined {
  try {
    const bytes = files.read(path);
    return bytes && textOf(bytes);
  } catch {
    // Without the file there are no comments.
    return undefined;
  }
}
