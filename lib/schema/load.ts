/**
 * From the names a user gives to loaded files: finds them, follows their imports, and hands all to the linker. Every
 * problem is collected, so that one start shows all that is wrong. Import names are resolved against one list of
 * folders, as protoc does it, never against the importing file.
 */
import { isUtf8 } from 'node:buffer';
import { basename, dirname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { nearestName, type Problem, ProblemList, type SourcePlace } from '../status.js';
import type { FileNode, ImportNode } from './ast.js';
import { checkFiles } from './check.js';
import { imageProto, readDescriptorSet, type SetEntry } from './descriptor-set.js';
import { LinkedSchema } from './descriptors.js';
import { diskFiles, memoryFiles, type FileReader } from './files.js';
import { filesBelow, findByGlob, isGlob } from './glob.js';
import { parseFile } from './parser.js';
import { unpackSet } from './set-file.js';
import { descriptorSetOf, type ReflectedSet } from './reflection.js';
import { Names, SourceText } from './source.js';
import { SourceFile, SymbolTable } from './symbols.js';
import type { Schema } from './types.js';

/** What to read. Relative paths are relative to `workingDirectory`. */
export interface SchemaSources {
  /** `.proto` files, folders (all `.proto` files below) and globs, in the order given. Their services are served. */
  readonly protos: readonly string[];
  /** Folders that imports are searched in first. */
  readonly protoPaths: readonly string[];
  /** Files that hold a binary FileDescriptorSet or a Buf image, gzipped or not. All services are served, but those of an image's imports. */
  readonly descriptorSets: readonly string[];
  /** What servers said of themselves. Their listed services are served. */
  readonly reflected?: readonly ReflectedSet[];
  readonly workingDirectory: string;
  /** The package's `annotations/`: where `google/api/annotations.proto` and the like are found last. */
  readonly annotationsRoot: string;
}

/** A `.proto` file over this is none. */
const MAX_PROTO_BYTES = 16 * 1024 * 1024;

/**
 * Reads and links everything. What is wrong goes to `problems`; the schema returned then lacks what could not be
 * resolved, but is safe to use, so that the caller can go on to find more.
 */
export function loadSchema(sources: SchemaSources, problems: ProblemList, files: FileReader = diskFiles): Schema {
  return new Loader(sources, problems, files).load();
}

interface NamedFile {
  readonly path: string;
  /** The argument that named it. */
  readonly argument: string;
}

interface FoundFile {
  readonly path: string;
  readonly bytes?: Buffer;
}

class Loader {
  private readonly workingDirectory: string;
  private readonly protoPaths: readonly string[];
  /** Folders that hold files by their import names, in the order of search; see `SchemaSources`. */
  private roots: readonly string[] = [];
  /** Those of `roots` that nobody gave as such: folders of named files. */
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
    const symbols = new SymbolTable(this.problems);
    for (const file of this.loaded) symbols.addFile(file);
    const { sources, files } = this;
    const { annotationsRoot, workingDirectory } = sources;
    const roots = { annotationsRoot, workingDirectory };
    const schema = new LinkedSchema(symbols, this.loaded, () => loadDescriptors(roots, new ProblemList(), files));
    checkFiles(this.loaded, schema, this.problems);
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

  private reportMissing(argument: string, sought: readonly string[]): void {
    const near = this.nearestFile(sought);
    const where = sought.length === 1 ? `at ${sought[0]}` : `at ${sought.join(', ')}`;
    this.problems.error({
      code: 'file-not-found',
      message: `no file or folder "${argument}"; looked ${where}`,
      hint:
        near !== undefined
          ? `did you mean ${this.display(near)}?`
          : 'check the path, or add its root with --proto-path',
    });
  }

  /** A file beside one of the paths whose name is nearest to it. */
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
      message: `--proto-path ${this.display(path)} is no folder; looked at ${path}`,
      hint: 'name the folder that the import names start from',
    });
  }

  // ---- import names

  private setRoots(folders: readonly string[], named: readonly NamedFile[]): void {
    const asked = [...this.protoPaths, ...folders, this.workingDirectory];
    const own = named.map(({ path }) => dirname(path));
    this.roots = [...new Set([...asked, ...own, resolve(this.sources.annotationsRoot)])];
    this.ownFolders = new Set(own.filter((folder) => !asked.includes(folder)));
  }

  private loadNamed({ path, argument }: NamedFile): void {
    const root = this.roots.find((folder) => isBelow(folder, path))!;
    const name = relative(root, path).split(sep).join('/');
    const first = this.findImport(name);
    if (first !== undefined && first.path !== path && !this.ownFolders.has(root)) {
      this.problems.warn({
        code: 'shadowed-file',
        message: `${this.display(path)} (named by "${argument}") is ignored: imports of "${name}" find ${this.display(first.path)} first`,
        hint: 'remove one of them, or change the order of --proto-path',
      });
      this.serve(this.loadPath(name, first));
      return;
    }
    // Two files of one name, each only in its own folder, are two files: the second goes by its whole path.
    const own = first === undefined || first.path === path;
    this.serve(
      this.loadPath(own ? name : path.split(sep).join('/').replace(/^\//, ''), own ? (first ?? { path }) : { path }),
    );
  }

  /** Marks a file as asked for. */
  private serve(file: SourceFile | undefined): void {
    if (file !== undefined && file.order === undefined) file.order = this.order++;
  }

  /** The first import folder that holds the file; its bytes, too, where it was read for that. */
  private findImport(name: string): FoundFile | undefined {
    for (const root of this.roots) {
      const path = join(root, name);
      if (this.byPath.has(path)) return { path };
      const bytes = this.attempt(path, () => this.files.read(path));
      if (bytes !== undefined) return { path, bytes };
    }
    return undefined;
  }

  /** Loads a file once, whatever names lead to it. */
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

  /** `loaded` grows while it is walked. */
  private followImports(): void {
    for (const file of this.loaded) {
      // An import that is listed twice is one.
      const imports = new Map(file.node.imports.map((wanted) => [wanted.name, wanted]));
      for (const wanted of imports.values()) {
        const found = this.import(wanted, file);
        if (found !== undefined) file.imports.push({ file: found, public: wanted.public });
        else if (!wanted.weak) file.broken = true;
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
        message: `import "${name}" is no import name: it may hold no "..", ".", empty part or backslash`,
        place: wanted.place,
        hint: 'write the path from an import folder on, with "/" between its parts',
      });
      return undefined;
    }
    const found = this.findImport(name);
    if (found !== undefined) return this.loadPath(name, found);
    if (!wanted.weak) this.reportImport(wanted, from);
    return undefined;
  }

  private reportImport({ name, place }: ImportNode, from: SourceFile): void {
    const root = this.rootFor(name, from);
    const near = root === undefined ? this.nearestFile(this.roots.map((folder) => join(folder, name))) : undefined;
    const inSet = from.fromSet !== undefined;
    const hint = this.reflectedNames.has(from.fromSet ?? '')
      ? `${from.fromSet} does not give it by reflection; add the folder that it is relative to with --proto-path`
      : inSet
        ? `write ${from.fromSet} with --include_imports (buf build does so by itself)`
        : root !== undefined
          ? `add --proto-path ${this.display(root)}`
          : near !== undefined
            ? `did you mean "${posix.join(posix.dirname(name), basename(near))}"?`
            : 'add the folder that it is relative to with --proto-path';
    this.problems.error({
      code: 'import-not-found',
      message: `import "${name}"${inSet ? ` is not in the descriptor set, and` : ''} is in none of the import folders: ${listed(this.roots)}`,
      place,
      hint,
    });
  }

  /** A folder above the importing file that holds the import: what `--proto-path` should have named. */
  private rootFor(name: string, from: SourceFile): string | undefined {
    const path = resolve(this.workingDirectory, from.node.place.file);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (this.attempt(folder, () => this.files.read(join(folder, name))) !== undefined) return folder;
      if (folder === dirname(folder)) return undefined;
    }
  }

  // ---- descriptor sets

  private loadDescriptorSet(argument: string): void {
    const path = this.absolute(argument);
    const bytes = this.attempt(path, () => this.files.read(path));
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

  /** A service of a file is served where any server lists it: two may share a file and serve a part of it each. */
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

  /** Of two files of one name the first counts; it must have what the second is there for. */
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

  /** A file that is loaded already (google/api/http.proto, as a rule) is not loaded again. */
  private addFromSet({ file: node, bytes, isImport }: SetEntry, argument: string): void {
    let file = this.byName.get(node.name);
    if (file === undefined) {
      file = new SourceFile(node, argument, bytes);
      this.add(node.name, file);
    }
    if (!isImport) this.serve(file);
  }

  private bootstrap(): Schema {
    return loadDescriptors(this.sources, this.problems, this.files);
  }

  // ---- paths

  private absolute(path: string): string {
    return resolve(this.workingDirectory, path);
  }

  /** A path as messages show it: relative where it lies below the working directory. */
  private display(path: string): string {
    return isBelow(this.workingDirectory, path) ? relative(this.workingDirectory, path) : path;
  }

  /** Runs a read; what the system refuses (permissions, …) is reported once. */
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

/** The schema of descriptor.proto itself, and of what Buf adds. */
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
    // Not to be read any more: then nobody learns its comments.
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

/** A list for a message: the first few, and how many more. */
function listed(folders: readonly string[]): string {
  const shown = folders.slice(0, 8).join(', ');
  return folders.length <= 8 ? shown : `${shown} and ${folders.length - 8} more`;
}
