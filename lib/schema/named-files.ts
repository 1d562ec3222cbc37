/** The files that `--proto` names: files, all of a folder, those that match a glob. */
import { isAbsolute, join } from 'node:path';
import type { ProblemList } from '../status.js';
import { filesBelow, findByGlob, isGlob } from './glob.js';
import type { Workspace } from './workspace.js';

/** A file that an argument names. */
export interface NamedFile {
  readonly path: string;
  /** The argument that named it. */
  readonly argument: string;
}

/** What the arguments name. */
export interface NamedFiles {
  readonly files: readonly NamedFile[];
  /** The named folders. */
  readonly folders: readonly string[];
}

/**
 * Finds what the arguments name. What names nothing is reported.
 * @param protoPaths import folders, absolute; an argument may be relative to one of them
 */
export function findNamedFiles(
  args: readonly string[],
  protoPaths: readonly string[],
  workspace: Workspace,
  problems: ProblemList,
): NamedFiles {
  const finder = new NamedFileFinder(protoPaths, workspace, problems);
  for (const path of protoPaths) finder.checkProtoPath(path);
  return { files: args.flatMap((argument) => finder.find(argument)), folders: finder.folders };
}

class NamedFileFinder {
  readonly folders: string[] = [];

  constructor(
    private readonly protoPaths: readonly string[],
    private readonly workspace: Workspace,
    private readonly problems: ProblemList,
  ) {}

  find(argument: string): NamedFile[] {
    const { workspace } = this;
    const path = workspace.absolute(argument);
    const found = workspace.attempt(argument, () => workspace.files.list(path));
    if (found !== undefined) return this.findInFolder(argument, path);
    if (this.isFile(argument, path)) return [{ path, argument }];
    if (isGlob(argument)) return this.findByGlob(argument, path);
    const below = isAbsolute(argument) ? [] : this.protoPaths.map((root) => join(root, argument));
    const inPath = below.find((candidate) => this.isFile(argument, candidate));
    if (inPath !== undefined) return [{ path: inPath, argument }];
    if (!workspace.isUnreadable(argument)) workspace.reportMissing(argument, [path, ...below]);
    return [];
  }

  private isFile(argument: string, path: string): boolean {
    return this.workspace.attempt(argument, () => this.workspace.files.read(path)) !== undefined;
  }

  private findInFolder(argument: string, path: string): NamedFile[] {
    this.folders.push(path);
    const found = filesBelow(path, this.workspace.files).filter(isProto);
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
    const found = findByGlob(pattern, this.workspace.files).filter(isProto);
    if (found.length === 0) {
      this.problems.error({
        code: 'no-proto-files',
        message: `"${argument}" matches no .proto file below ${this.workspace.workingDirectory}`,
        hint: '"*" stays within a folder, "**" crosses them: "protos/**/*.proto"',
      });
    }
    return found.map((path) => ({ path, argument }));
  }

  checkProtoPath(path: string): void {
    const { workspace } = this;
    const entries = workspace.attempt(path, () => workspace.files.list(path));
    if (entries !== undefined || workspace.isUnreadable(path)) return;
    this.problems.error({
      code: 'proto-path',
      message: `--proto-path ${workspace.display(path)} is not a folder; looked at ${path}`,
      hint: 'name the folder that the import names start from',
    });
  }
}

function isProto(path: string): boolean {
  return path.endsWith('.proto');
}
