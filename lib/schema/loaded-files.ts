/** The files of a schema while it is loaded, by the names under which they are imported. */
import type { SourceFile } from './link/symbols.js';

/** What is loaded so far. */
export class LoadedFiles {
  private readonly byName = new Map<string, SourceFile>();
  private readonly files: SourceFile[] = [];
  private order = 0;

  /** In the order in which they were loaded. It grows: a loop over it sees what the loop adds. */
  get all(): readonly SourceFile[] {
    return this.files;
  }

  get(name: string): SourceFile | undefined {
    return this.byName.get(name);
  }

  add(name: string, file: SourceFile): void {
    this.byName.set(name, file);
    this.files.push(file);
  }

  /** A further name of a file, unless another one has it. */
  alias(name: string, file: SourceFile): void {
    if (!this.byName.has(name)) this.byName.set(name, file);
  }

  /** Marks a file as named by the user: its services are served. */
  serve(file: SourceFile | undefined): void {
    if (file !== undefined && file.order === undefined) file.order = this.order++;
  }
}
