/** Detects import cycles, which protoc refuses. */
import type { Problem } from '../../status.js';
import type { SourceFile } from './symbols.js';

/** A file on the path from the first one, and the number of its imports that were followed. */
interface Step {
  readonly file: SourceFile;
  next: number;
}

/** An error for each import that closes a cycle. */
export function importCycles(files: readonly SourceFile[]): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<SourceFile>();
  for (const start of files) {
    // Iterative, because a chain of imports may have thousands of files.
    const path: Step[] = [];
    const pathIndex = new Map<SourceFile, number>();
    const enter = (file: SourceFile): void => {
      pathIndex.set(file, path.length);
      path.push({ file, next: 0 });
    };
    if (!done.has(start)) enter(start);
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { file } = step;
      const wanted = file.imports[step.next++];
      if (wanted === undefined) {
        path.pop();
        pathIndex.delete(file);
        done.add(file);
        continue;
      }
      const from = pathIndex.get(wanted.file);
      if (from !== undefined)
        problems.push(
          cycle(
            path.slice(from).map((on) => on.file),
            wanted.name,
          ),
        );
      else if (!done.has(wanted.file)) enter(wanted.file);
    }
  }
  return problems;
}

/** Longest cycle that a message lists completely; of longer ones it names the first and last files. */
const MAX_SHOWN = 10;

function cycle(files: readonly SourceFile[], closing: string): Problem {
  const names = [...files, files[0]!].map(({ node }) => node.name);
  const half = MAX_SHOWN / 2;
  const shown = names.length <= MAX_SHOWN ? names : [...names.slice(0, half), '…', ...names.slice(-half)];
  const last = files.at(-1)!.node;
  const place = last.imports.find(({ name }) => name === closing)?.place ?? last.place;
  return {
    code: 'import-cycle',
    message: `${files[0]!.node.name} imports itself: ${shown.join(' → ')}`,
    place,
    hint: 'move what several of them need into a file that imports none of them',
  };
}
