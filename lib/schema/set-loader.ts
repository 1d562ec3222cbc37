/** Loads what comes compiled: descriptor sets, and what servers report by reflection. */
import { join } from 'node:path';
import type { Problem, ProblemList } from '../status.js';
import { declaresSame } from './link/same-file.js';
import { joinName } from './scopes.js';
import { SourceFile } from './link/symbols.js';
import type { LoadedFiles } from './loaded-files.js';
import { readDescriptorSet, type SetEntry } from './set/descriptor-set.js';
import { descriptorSetOf, type ReflectedSet } from './set/reflection.js';
import { unpackSet } from './set/set-file.js';
import type { FileNode } from './text/ast.js';
import type { Schema } from './types.js';
import type { Workspace } from './workspace.js';

/** Adds the files of descriptor sets to those that are loaded. */
export class SetLoader {
  /** Names of the servers that reported files. */
  readonly reflectedNames = new Set<string>();
  private known: Schema | undefined;

  /**
   * @param bundled the folder of the package's own files
   * @param loadDescriptors returns a schema that contains descriptor.proto
   */
  constructor(
    private readonly loaded: LoadedFiles,
    private readonly workspace: Workspace,
    private readonly problems: ProblemList,
    private readonly bundled: string,
    private readonly loadDescriptors: () => Schema,
  ) {}

  private get descriptors(): Schema {
    return (this.known ??= this.loadDescriptors());
  }

  /** @param source a file, or a `data:` URL in base64 */
  loadDescriptorSet(source: string): void {
    const inline = inlineBytes(source);
    const argument = inline === undefined ? source : 'data:';
    const path = this.workspace.absolute(argument);
    const bytes = inline ?? this.workspace.attempt(path, () => this.workspace.files.read(path));
    if (bytes === undefined) {
      if (!this.workspace.isUnreadable(path)) this.workspace.reportMissing(argument, [path]);
      return;
    }
    const { descriptors } = this;
    const entries = this.problems.attempt(() => readDescriptorSet(argument, unpackSet(argument, bytes), descriptors));
    for (const entry of entries ?? []) this.addFromSet(entry, argument);
  }

  /** A service is served if any server lists it: two servers may share a file and serve different services of it. */
  loadReflected(sets: readonly ReflectedSet[]): void {
    const listed = new Set(sets.flatMap(({ services }) => services));
    for (const set of sets) {
      if (set.files.size === 0) continue;
      this.reflectedNames.add(set.name);
      const { descriptors } = this;
      const entries = this.problems.attempt(() => readDescriptorSet(set.name, descriptorSetOf(set), descriptors));
      for (const { file, bytes } of entries ?? []) {
        const services = file.services.filter(({ name }) => listed.has(joinName(file.package, name)));
        this.addFromSet({ file: { ...file, services }, bytes, isImport: services.length === 0 }, set.name);
        this.checkShared(
          file.name,
          services.map(({ name }) => joinName(file.package, name)),
          set,
        );
      }
    }
  }

  /** Of two files of one name the first counts; it must declare the services that the second is needed for. */
  private checkShared(name: string, services: readonly string[], set: ReflectedSet): void {
    const { node, fromSet } = this.loaded.get(name)!;
    const known = new Set(node.services.map((service) => joinName(node.package, service.name)));
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
    let file = this.loaded.get(node.name);
    if (file === undefined) {
      file = new SourceFile(node, argument, bytes);
      this.loaded.add(node.name, file);
    } else if (file.encoded?.equals(bytes) !== true) this.checkSame(file, node, argument);
    if (!isImport) this.loaded.serve(file);
  }

  /** Of two files of one name the first counts. Files of the package are exempt: they have many compatible versions. */
  private checkSame({ node, fromSet }: SourceFile, other: FileNode, argument: string): void {
    const isReflected = this.reflectedNames.has(argument);
    const isBundled = this.workspace.files.read(join(this.bundled, node.name)) !== undefined;
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
}

/** The bytes of a `data:` URL in base64; undefined for a path. */
function inlineBytes(source: string): Buffer | undefined {
  const data = /^data:[^,]*;base64,/.exec(source);
  return data === null ? undefined : Buffer.from(source.slice(data[0].length), 'base64');
}
