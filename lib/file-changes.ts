/**
 * Notices that files were replaced, by `stat` at intervals. As `stat` follows links, it notices a rename over the file, a
 * write into it, and the changed link of a mounted Kubernetes secret.
 */
import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * Interval of checks. Changed files are read once they were unchanged for one interval, because what belongs together is
 * written one after the other.
 */
const INTERVAL_MS = 1000;

/** Files that are to be read again when they change. */
export class FileChanges {
  private lastState: string;
  private timer: NodeJS.Timeout | undefined;

  /** To be made before the files are read, so that a change in between is noticed. */
  constructor(private readonly paths: readonly string[]) {
    this.lastState = paths.map(stateSync).join('\n');
  }

  /** Calls `onChange` after each change from now on, and after one since it was made. Keeps no process alive. */
  start(onChange: () => void): void {
    if (this.paths.length === 0) return;
    let changed = false;
    let checking = false;
    const check = async (): Promise<void> => {
      const now = (await Promise.all(this.paths.map(stateOf))).join('\n');
      checking = false;
      if (this.timer === undefined) return;
      if (now !== this.lastState) {
        this.lastState = now;
        changed = true;
      } else if (changed) {
        changed = false;
        onChange();
      }
    };
    this.timer = setInterval(() => {
      // If the file system hangs, one check stays open instead of one more each second.
      if (checking) return;
      checking = true;
      void check();
    }, INTERVAL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

function stateSync(path: string): string {
  try {
    return stateText(statSync(path));
  } catch {
    return 'absent';
  }
}

function stateOf(path: string): Promise<string> {
  return stat(path).then(stateText, () => 'absent');
}

/** A text that changes with every write to the file and every replacement of it. */
function stateText({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}
