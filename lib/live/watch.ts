/**
 * Notices that files changed. The system's notices make it look at once; a look at intervals finds what they miss (network
 * file systems, links that are exchanged, a folder that comes later). Only what a look finds different counts, and only when
 * it stayed the same for a moment: editors write in several steps, and rename.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const INTERVAL_MS = 2000;
/** How long files must rest before they are read. */
const REST_MS = 100;

/** Looks at the files that `paths` names at the time; `onChange` is done with before the next look. Returns how to stop. */
export function watchFiles(paths: () => ReadonlySet<string>, onChange: () => Promise<void>): Promise<() => void> {
  const watcher = new Watcher(paths, onChange);
  return watcher.start().then(() => () => watcher.stop());
}

class Watcher {
  private readonly folders = new Map<string, FSWatcher>();
  private timer: NodeJS.Timeout | undefined;
  private seen = new Map<string, string>();
  private changed = false;
  private looking = false;
  private again = false;
  private soon = false;
  private stopped = false;

  constructor(
    private readonly paths: () => ReadonlySet<string>,
    private readonly onChange: () => Promise<void>,
  ) {}

  async start(): Promise<void> {
    this.follow();
    this.seen = await statesOf(this.paths());
    this.next(INTERVAL_MS);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const folder of this.folders.values()) folder.close();
  }

  private next(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.soon = delayMs === REST_MS;
    this.timer = setTimeout(() => void this.check(), delayMs);
    this.timer.unref();
  }

  /** Something happened in a folder; `name` is in it, where the system tells. */
  private notice(folder: string, name: string | null): void {
    const paths = this.paths();
    if (name !== null && !paths.has(join(folder, name)) && !paths.has(folder)) return;
    if (this.looking) this.again = true;
    // Not put off by one event after the other.
    else if (!this.soon) this.next(REST_MS);
  }

  private async check(): Promise<void> {
    this.looking = true;
    this.again = false;
    const now = await statesOf(this.paths());
    // A path that is looked at for the first time is no change.
    const differs = [...now].some(([path, state]) => (this.seen.get(path) ?? state) !== state);
    this.seen = now;
    if (differs) this.changed = true;
    else if (this.changed && !this.stopped) {
      this.changed = false;
      await this.onChange();
      const read = await statesOf(this.paths());
      // What changed while it was read is read again.
      for (const [path, state] of read) if (!this.seen.has(path)) this.seen.set(path, state);
      this.follow();
    }
    this.looking = false;
    this.next(this.changed || this.again ? REST_MS : INTERVAL_MS);
  }

  /** Watches the folders of the files; where the system cannot, the look at intervals has to do. */
  private follow(): void {
    if (this.stopped) return;
    const wanted = new Set([...this.paths()].map((path) => dirname(path)));
    for (const [path, folder] of this.folders) {
      if (wanted.has(path)) continue;
      folder.close();
      this.folders.delete(path);
    }
    for (const path of wanted) {
      if (this.folders.has(path)) continue;
      try {
        const folder = watch(path, { persistent: false }, (_event, name) => this.notice(path, name));
        folder.on('error', () => {
          folder.close();
          this.folders.delete(path);
        });
        this.folders.set(path, folder);
      } catch {
        // There is no such folder yet, or there are too many watches.
      }
    }
  }
}

async function statesOf(paths: ReadonlySet<string>): Promise<Map<string, string>> {
  return new Map(await Promise.all([...paths].map(async (path) => [path, await stateOf(path)] as const)));
}

/** Differs after every write and every exchange of a file, and where a folder holds other names. */
async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs, isDirectory } = await stat(path).then((stats) => ({
      ...stats,
      isDirectory: stats.isDirectory(),
    }));
    if (!isDirectory) return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
    return (await readdir(path)).sort().join('\n');
  } catch {
    return 'absent';
  }
}
