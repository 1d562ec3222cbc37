/**
 * Loads a schema from the names that a user gives: finds the files, follows their imports, and hands all to the linker. All
 * problems are collected, so that one start shows all of them. Import names are resolved against one list of folders, like in
 * protoc, never relative to the importing file.
 */
import { isUtf8 } from 'node:buffer';
import { basename, dirname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { nearestName, type Problem, ProblemList, type SourcePlace } from '../status.js';
import type { FileNode, ImportNode } from './text/ast.js';
import { whereImportsComeFrom } from './link/buf-modules.js';
import { checkFiles } from './link/validate.js';
import { imageProto, readDescriptorSet, type SetEntry } from './set/descriptor-set.js';
import { LinkedSchema } from './link/descriptors.js';
import { diskFiles, memoryFiles, type FileReader } from './files.js';
import { bufRoots } from './buf-roots.js';
import { filesBelow, findByGlob, isGlob, isHidden } from './glob.js';
import { importCycles } from './link/import-cycles.js';
import { isNamesake, type MissingImport } from './link/missing.js';
import { parseFile } from './text/parser.js';
import { declaresSame } from './link/same-file.js';
import { unpackSet } from './set/set-file.js';
import { descriptorSetOf, type ReflectedSet } from './set/reflection.js';
import { Names, SourceText } from './text/source.js';
import { SourceFile, SymbolTable } from './link/symbols.js';
import type { Schema } from './types.js';

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

interface NamedFile {
  readonly path: string;
  /** The argument that named it. */
  readonly argument: string;
}

/** Folders that are searched for the file of a missing import, nearest first, so that a hint costs no more than a start. */
const MAX_SEARCHED_FOLDERS = 1000;

interface FoundFile {
  readonly path: string;
  readonly bytes?: Buffer;
}

class Loader {
  private readonly workingDirectory: string;
  /** The folder of the package's own files, which is searched last. */
  private readonly bundled: string;
  private readonly protoPaths: readonly string[];
  /** Folders that contain files by their import names, in search order; see `SchemaSources`. */
  private roots: readonly string[] = [];
  /** Paths of the named files, by the last part of their names. */
  private readonly namedPaths = new Map<string, string[]>();
  /** Those of `roots` that were not given as import folders: folders of named files. */
  private ownFolders: ReadonlySet<string> = new Set();
  private readonly byName = new Map<string, SourceFile>();
  private readonly byPath = new Map<string, SourceFile>();
  private readonly unreadable = new Set<string>();
  private readonly loaded: SourceFile[] = [];
  private readonly names = new Names();
  private order = 0;
  private descriptors: Schema | undefined;
  private readonly reflectedNames = new Set<string>();

  constructor(
    private readonly sources: SchemaSources,
    private readonly problems: ProblemList,
    private readonly files: FileReader,
  ) {
    this.workingDirectory = resolve(sources.workingDirectory);
    this.protoPaths = sources.protoPaths.map((path) => this.absolute(path));
    this.bundled = resolve(sources.annotationsRoot);
  }

  /** All folders that are searched for imports. */
  private get searched(): readonly string[] {
    return [...new Set([...this.roots, this.bundled])];
  }

  load(): Schema {
    for (const path of this.protoPaths) this.checkProtoPath(path);
    const folders: string[] = [];
    const named = this.sources.protos.flatMap((argument) => this.find(argument, folders));
    this.setRoots(folders, named);
    for (const file of named) this.loadNamed(file);
    for (const set of this.sources.descriptorSets) this.loadDescriptorSet(set);
    this.loadReflected(this.sources.reflected ?? []);
    this.followImports();
    for (const problem of importCycles(this.loaded)) this.problems.error(problem);
    const symbols = new SymbolTable(this.problems);
    for (const file of this.loaded) symbols.addFile(file);
    const { sources, files } = this;
    const { annotationsRoot, workingDirectory } = sources;
    const roots = { annotationsRoot, workingDirectory };
    const schema = new LinkedSchema(symbols, this.loaded, () => loadDescriptors(roots, new ProblemList(), files));
    for (const missing of checkFiles(this.loaded, schema, this.problems)) this.reportImport(missing);
    return schema;
  }

  // ---- what the arguments name

  private find(argument: string, folders: string[]): NamedFile[] {
    const path = this.absolute(argument);
    const found = this.attempt(argument, () => this.files.list(path));
    if (found !== undefined) return this.findInFolder(argument, path, folders);
    if (this.attempt(argument, () => this.files.read(path)) !== undefined) return [{ path, argument }];
    if (isGlob(argument)) return this.findByGlob(argument, path);
    const below = isAbsolute(argument) ? [] : this.protoPaths.map((root) => join(root, argument));
    const inPath = below.find((candidate) => this.attempt(argument, () => this.files.read(candidate)) !== undefined);
    if (inPath !== undefined) return [{ path: inPath, argument }];
    if (!this.unreadable.has(argument)) this.reportMissing(argument, [path, ...below]);
    return [];
  }

  private findInFolder(argument: string, path: string, folders: string[]): NamedFile[] {
    folders.push(path);
    const found = filesBelow(path, this.files).filter(isProto);
    if (found.length === 0) {
      this.problems.error({
        code: 'no-proto-files',
        message: `folder "${argument}" holds no .proto file, at any depth`,
        hint: 'name a folder or file that does; hidden folders and node_modules are not searched',
      });
    }
    return found.map((file) => ({ path: file, argument }));
  }

  private findByGlob(argument: string, pattern: string): NamedFile[] {
    const found = findByGlob(pattern, this.files).filter(isProto);
    if (found.length === 0) {
      this.problems.error({
        code: 'no-proto-files',
        message: `"${argument}" matches no .proto file below ${this.workingDirectory}`,
        hint: '"*" stays within a folder, "**" crosses them: "protos/**/*.proto"',
      });
    }
    return found.map((path) => ({ path, argument }));
  }

  private reportMissing(argument: string, paths: readonly string[]): void {
    const near = this.nearestFile(paths);
    const where = paths.length === 1 ? `at ${paths[0]}` : `at ${paths.join(', ')}`;
    this.problems.error({
      code: 'file-not-found',
      message: `no file or folder "${argument}"; looked ${where}`,
      hint:
        near !== undefined
          ? `did you mean ${this.display(near)}?`
          : 'check the path, or add its root with --proto-path',
    });
  }

  /** The file beside one of the paths with the most similar name. */
  private nearestFile(paths: readonly string[]): string | undefined {
    for (const path of paths) {
      const entries = this.attempt(path, () => this.files.list(dirname(path))) ?? [];
      const near = nearestName(
        basename(path),
        entries.map(({ name }) => name),
      );
      if (near !== undefined) return join(dirname(path), near);
    }
    return undefined;
  }

  private checkProtoPath(path: string): void {
    if (this.attempt(path, () => this.files.list(path)) !== undefined || this.unreadable.has(path)) return;
    this.problems.error({
      code: 'proto-path',
      message: `--proto-path ${this.display(path)} is not a folder; looked at ${path}`,
      hint: 'name the folder that the import names start from',
    });
  }

  // ---- import names

  private setRoots(folders: readonly string[], named: readonly NamedFile[]): void {
    const own = named.map(({ path }) => dirname(path));
    // The package's own files need no other folder.
    const starts = this.workingDirectory === this.bundled ? [] : [this.workingDirectory, ...folders, ...own];
    const buf = [...new Set(starts)].flatMap((folder) => bufRoots(folder, this.files));
    const asked = [...this.protoPaths, ...folders, this.workingDirectory, ...buf];
    this.roots = [...new Set([...asked, ...own])];
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
        message: `${this.display(path)} (named by "${argument}") is ignored: imports of "${name}" find ${this.display(first.path)} first`,
        hint: 'remove one of them, or change the order of --proto-path',
      });
      this.serve(this.loadPath(name, first));
      return;
    }
    // Two files of one name that are each relative to their own folder are two files; the second is known by its full path.
    const own = first === undefined || first.path === path;
    this.serve(
      this.loadPath(own ? name : path.split(sep).join('/').replace(/^\//, ''), own ? (first ?? { path }) : { path }),
    );
  }

  /** Marks a file as named by the user. */
  private serve(file: SourceFile | undefined): void {
    if (file !== undefined && file.order === undefined) file.order = this.order++;
  }

  /** The first folder that contains the file, and its bytes if they were read for that. */
  private findImport(name: string, roots: readonly string[]): FoundFile | undefined {
    for (const root of roots) {
      const path = join(root, name);
      if (this.byPath.has(path)) return { path };
      const bytes = this.attempt(path, () => this.files.read(path));
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
      if (!this.byName.has(name)) this.byName.set(name, known);
      return known;
    }
    const content = bytes ?? this.attempt(path, () => this.files.read(path));
    const node = content === undefined ? undefined : this.parse(name, path, content);
    if (node === undefined) return undefined;
    const file = new SourceFile(node);
    this.byPath.set(path, file);
    this.add(name, file);
    return file;
  }

  private add(name: string, file: SourceFile): void {
    this.byName.set(name, file);
    this.loaded.push(file);
  }

  private parse(name: string, path: string, bytes: Buffer): FileNode | undefined {
    const place: SourcePlace = { file: this.display(path) };
    if (bytes.length > MAX_PROTO_BYTES) {
      return this.refuse(path, { code: 'proto-syntax', message: `${place.file} is larger than 16 MiB`, place });
    }
    if (!isUtf8(bytes)) {
      return this.refuse(path, {
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

  private refuse(path: string, problem: Problem): undefined {
    this.unreadable.add(path);
    this.problems.error(problem);
    return undefined;
  }

  /** `loaded` grows during the loop. */
  private followImports(): void {
    for (const file of this.loaded) {
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
    const known = this.byName.get(name);
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

  private reportImport({ statement: { name, place }, files, neededFor, options }: MissingImport): void {
    const from = files[0]!;
    const inSet = from.fromSet !== undefined;
    const code = 'import-not-found';
    const where = `import "${name}"${inSet ? ` is not in the descriptor set, and` : ''} is in none of the import folders: ${listed(this.searched, 4)}`;
    const hint = this.importHint(name, from);
    if (neededFor !== undefined) {
      this.problems.error({ code, message: `${where}; it is needed for the ${neededFor}`, place, hint });
      return;
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
    this.problems.warn({ code, message, place, hint });
  }

  private importHint(name: string, from: SourceFile): string {
    if (this.reflectedNames.has(from.fromSet ?? '')) {
      return `${from.fromSet} does not give it by reflection; add the folder that it is relative to with --proto-path`;
    }
    if (from.fromSet !== undefined) {
      return `write ${from.fromSet} with --include_imports (buf build does so by itself)`;
    }
    const root = this.rootFor(name, from);
    if (root !== undefined) return `add --proto-path ${this.display(root)}`;
    const namesake = this.loaded.find(({ node }) => isNamesake(name, node.name))?.node;
    if (namesake !== undefined) return this.namesakeHint(name, namesake);
    const below = this.folderBelow(name);
    if (below !== undefined) return `did you mean --proto-path ${this.display(below)}? It has ${name}`;
    const near = this.nearestFile(this.searched.map((folder) => join(folder, name)));
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
    const path = resolve(this.workingDirectory, from.node.place.file);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (this.attempt(folder, () => this.files.read(join(folder, name))) !== undefined) return folder;
      if (folder === dirname(folder)) return undefined;
    }
  }

  /** A folder below the working directory that contains the import. */
  private folderBelow(name: string): string | undefined {
    const waiting = [this.workingDirectory];
    for (const folder of waiting) {
      if (waiting.length > MAX_SEARCHED_FOLDERS) break;
      try {
        if (this.files.read(join(folder, name)) !== undefined) return folder;
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
      const entries = this.files.list(folder) ?? [];
      return entries.flatMap(({ name, folder: isFolder }) => (isFolder && !isHidden(name) ? [name] : []));
    } catch {
      return [];
    }
  }

  // ---- descriptor sets

  private loadDescriptorSet(source: string): void {
    const inline = inlineBytes(source);
    const argument = inline === undefined ? source : 'data:';
    const path = this.absolute(argument);
    const bytes = inline ?? this.attempt(path, () => this.files.read(path));
    if (bytes === undefined) {
      if (!this.unreadable.has(path)) this.reportMissing(argument, [path]);
      return;
    }
    this.descriptors ??= this.bootstrap();
    const entries = this.problems.attempt(() =>
      readDescriptorSet(argument, unpackSet(argument, bytes), this.descriptors!),
    );
    for (const entry of entries ?? []) this.addFromSet(entry, argument);
  }

  // ---- reflection

  /** A service is served if any server lists it: two servers may share a file and serve different services of it. */
  private loadReflected(sets: readonly ReflectedSet[]): void {
    const listed = new Set(sets.flatMap(({ services }) => services));
    for (const set of sets) {
      if (set.files.size === 0) continue;
      this.reflectedNames.add(set.name);
      this.descriptors ??= this.bootstrap();
      const entries = this.problems.attempt(() => readDescriptorSet(set.name, descriptorSetOf(set), this.descriptors!));
      for (const { file, bytes } of entries ?? []) {
        const services = file.services.filter(({ name }) => listed.has(fullName(file, name)));
        this.addFromSet({ file: { ...file, services }, bytes, isImport: services.length === 0 }, set.name);
        this.checkShared(
          file.name,
          services.map(({ name }) => fullName(file, name)),
          set,
        );
      }
    }
  }

  /** Of two files of one name the first counts; it must declare the services that the second is needed for. */
  private checkShared(name: string, services: readonly string[], set: ReflectedSet): void {
    const { node, fromSet } = this.byName.get(name)!;
    const known = new Set(node.services.map((service) => fullName(node, service.name)));
    const lost = services.filter((service) => set.services.includes(service) && !known.has(service));
    for (const service of lost) {
      this.problems.error({
        code: 'reflection-failed',
        message: `${service} of ${set.name} is in "${name}", and ${fromSet ?? node.place.file} has another file of that name without it`,
        hint: 'give one of them with --descriptor-set, or serve them from two processes',
      });
    }
  }

  /**
   * A file that is already loaded (usually google/api/http.proto) is not loaded again, but must have the same declarations.
   */
  private addFromSet({ file: node, bytes, isImport }: SetEntry, argument: string): void {
    let file = this.byName.get(node.name);
    if (file === undefined) {
      file = new SourceFile(node, argument, bytes);
      this.add(node.name, file);
    } else if (file.encoded?.equals(bytes) !== true) this.checkSame(file, node, argument);
    if (!isImport) this.serve(file);
  }

  /** Of two files of one name the first counts. Files of the package are exempt: they have many compatible versions. */
  private checkSame({ node, fromSet }: SourceFile, other: FileNode, argument: string): void {
    const isReflected = this.reflectedNames.has(argument);
    const isBundled = this.files.read(join(resolve(this.sources.annotationsRoot), node.name)) !== undefined;
    const compared = { services: !isReflected, encoded: fromSet !== undefined };
    if (isBundled || node.incomplete || declaresSame(node, other, compared)) return;
    const where = fromSet === argument ? `both in ${argument}` : `in ${fromSet ?? node.place.file} and in ${argument}`;
    const problem: Problem = {
      code: 'different-files',
      message: `two files are named "${node.name}" and declare different things: ${where}`,
      hint: 'make both from the same files, or serve them from two processes',
    };
    if (!isReflected) this.problems.error(problem);
    else this.problems.warn({ ...problem, message: `${problem.message}; the first one counts` });
  }

  private bootstrap(): Schema {
    return loadDescriptors(this.sources, this.problems, this.files);
  }

  // ---- paths

  private absolute(path: string): string {
    return resolve(this.workingDirectory, path);
  }

  /** A path in messages: relative if it is below the working directory. */
  private display(path: string): string {
    return isBelow(this.workingDirectory, path) ? relative(this.workingDirectory, path) : path;
  }

  /** Runs a read. A system error (permissions, …) is reported once for each subject. */
  private attempt<T>(subject: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!this.unreadable.has(subject)) {
        this.unreadable.add(subject);
        this.problems.error({
          code: 'file-unreadable',
          message: `cannot read "${subject}": ${error instanceof Error ? error.message : String(error)}`,
          hint: 'check its permissions',
        });
      }
      return undefined;
    }
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

function fullName({ package: inPackage }: FileNode, name: string): string {
  return inPackage === '' ? name : `${inPackage}.${name}`;
}

function isProto(path: string): boolean {
  return path.endsWith('.proto');
}

function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** A list in a message: the first elements, and the number of further ones. */
function listed(items: readonly string[], count: number): string {
  const shown = items.slice(0, count).join(', ');
  return items.length <= count ? shown : `${shown} and ${items.length - count} more`;
}

/** The bytes of a `data:` URL in base64; undefined for a path. */
function inlineBytes(source: string): Buffer | undefined {
  const data = /^data:[^,]*;base64,/.exec(source);
  return data === null ? undefined : Buffer.from(source.slice(data[0].length), 'base64');
}
