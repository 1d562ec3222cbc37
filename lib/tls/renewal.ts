/**
 * Notices that certificate files were replaced, and hands the new ones over. Looks at them by `stat` at intervals, which
 * follows links: so it sees a rename over the file, a write into it, and the link swap of a mounted Kubernetes secret.
 */
import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ConfigError, type Problem } from '../status.js';
import { tlsChannel, type TlsEvent } from './diagnostics.js';
import { readTlsFiles, type TlsFiles, type TlsMaterial, type TlsNames } from './files.js';

/** Between two looks. Files that changed are read when they stayed the same for one interval: a pair takes two writes. */
const INTERVAL_MS = 1000;

/** Files that were read, and read again when they change. */
export interface WatchedTlsFiles {
  /** What they held at first. */
  readonly material: TlsMaterial;
  /** Starts to look; `apply` gets each renewal that is good. Others are published and change nothing. */
  start(subject: string, apply: (material: TlsMaterial) => void): void;
  stop(): void;
}

/**
 * Reads the files, to be watched from this state on.
 * @throws ConfigError as `readTlsFiles`.
 */
export function watchTlsFiles(files: TlsFiles, names: TlsNames): WatchedTlsFiles {
  return new Watch(files, names);
}

class Watch implements WatchedTlsFiles {
  readonly material: TlsMaterial;
  private readonly paths: readonly string[];
  private seen: string;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly files: TlsFiles,
    private readonly names: TlsNames,
  ) {
    this.paths = [files.cert, files.key, files.ca].filter((path) => path !== undefined);
    // Before they are read: a change in between is then seen later.
    this.seen = this.paths.map(stateSync).join('\n');
    this.material = readTlsFiles(files, names);
  }

  start(subject: string, apply: (material: TlsMaterial) => void): void {
    if (this.paths.length === 0) return;
    let changed = false;
    let looking = false;
    const look = async (): Promise<void> => {
      const now = (await Promise.all(this.paths.map(stateOf))).join('\n');
      looking = false;
      if (this.timer === undefined) return;
      if (now !== this.seen) {
        this.seen = now;
        changed = true;
      } else if (changed) {
        changed = false;
        publish(subject, this.renew(apply));
      }
    };
    this.timer = setInterval(() => {
      // A file system that hangs is asked once, not once a second.
      if (looking) return;
      looking = true;
      void look();
    }, INTERVAL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private renew(apply: (material: TlsMaterial) => void): Omit<TlsEvent, 'subject'> {
    try {
      const material = readTlsFiles(this.files, this.names);
      apply(material);
      return { outcome: 'renewed', problems: material.warnings };
    } catch (error) {
      // Whatever it is, what serves now must not suffer.
      const problems = error instanceof ConfigError ? error.problems : [unforeseen(error)];
      return { outcome: 'kept', problems };
    }
  }
}

function unforeseen(error: unknown): Problem {
  return { code: 'tls-refused', message: `the renewed files cannot be used: ${String(error)}` };
}

function publish(subject: string, event: Omit<TlsEvent, 'subject'>): void {
  tlsChannel.publish({ subject, ...event } satisfies TlsEvent);
}

function stateSync(path: string): string {
  try {
    return describe(statSync(path));
  } catch {
    return 'absent';
  }
}

async function stateOf(path: string): Promise<string> {
  try {
    return describe(await stat(path));
  } catch {
    return 'absent';
  }
}

/** Differs after every write and every exchange of the file. */
function describe({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}
