/**
 * Files as a user names them: relative to the working directory. What cannot be read is reported once, whoever asks for it.
 */
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { nearestName, type Problem, type ProblemList } from '../status.js';
import type { FileReader } from './files.js';

/** The files that a schema is loaded from. */
export class Workspace {
  readonly workingDirectory: string;
  private readonly unreadable = new Set<string>();

  constructor(
    workingDirectory: string,
    readonly files: FileReader,
    private readonly problems: ProblemList,
  ) {
    this.workingDirectory = resolve(workingDirectory);
  }

  absolute(path: string): string {
    return resolve(this.workingDirectory, path);
  }

  /** A path in messages: relative if it is below the working directory. */
  display(path: string): string {
    return isBelow(this.workingDirectory, path) ? relative(this.workingDirectory, path) : path;
  }

  /** Runs a read. A system error (permissions, …) is reported once for each subject. */
  attempt<T>(subject: string, read: () => T): T | undefined {
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

  /** True if a read of it failed: that is reported already. */
  isUnreadable(subject: string): boolean {
    return this.unreadable.has(subject);
  }

  /** Reports why a file is of no use. */
  refuse(path: string, problem: Problem): undefined {
    this.unreadable.add(path);
    this.problems.error(problem);
    return undefined;
  }

  /** @param paths where it was looked for */
  reportMissing(argument: string, paths: readonly string[]): void {
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
  nearestFile(paths: readonly string[]): string | undefined {
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
}

/** Whether a path lies in a folder, at any depth. */
export function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
