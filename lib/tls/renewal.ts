/**
 * Detects that certificate files were replaced, by `stat` at intervals. As `stat` follows links, it notices a rename
 * over the file, a write into it, and the changed link of a mounted Kubernetes secret.
 */
import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ConfigError } from '../status.js';
import { tlsChannel, type TlsEvent } from './diagnostics.js';
import { readTlsFiles, type TlsFiles, type TlsMaterial, type TlsNames } from './files.js';

/**
 * Interval of checks. Changed files are read once they were unchanged for one interval, because certificate and key are
 * written one after the other.
 */
const INTERVAL_MS = 1000;

/** Files that are read again when they change. */
export interface WatchedTlsFiles {
  /** The last contents that were valid. */
  readonly material: TlsMaterial;
  /** Starts to watch. `apply` gets each valid renewal. Invalid ones are published and change nothing. */
  start(subject: string, apply: (material: TlsMaterial) => void): void;
  stop(): void;
}

/**
 * Reads the files; a later `start` reports changes since then.
 * @throws ConfigError as `readTlsFiles`.
 */
export function watchTlsFiles(files: TlsFiles, names: TlsNames): WatchedTlsFiles {
  return new TlsFileWatcher(files, names);
}

class TlsFileWatcher implements WatchedTlsFiles {
  material: TlsMaterial;
  private readonly paths: readonly string[];
  private lastState: string;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly files: TlsFiles,
    private readonly names: TlsNames,
  ) {
    this.paths = [files.cert, files.key, files.ca].filter((path) => path !== undefined);
    // Taken before the files are read, so that a change in between is noticed.
    this.lastState = this.paths.map(stateSync).join('\n');
    this.material = readTlsFiles(files, names);
  }

  start(subject: string, apply: (material: TlsMaterial) => void): void {
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
        tlsChannel.publish({ subject, ...this.renew(apply) } satisfies TlsEvent);
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

  private renew(apply: (material: TlsMaterial) => void): Omit<TlsEvent, 'subject'> {
    try {
      const material = readTlsFiles(this.files, this.names);
      apply(material);
      this.material = material;
      return { outcome: 'renewed', problems: material.warnings };
    } catch (error) {
      // Whatever the error is, the current certificates stay in use.
      const problems =
        error instanceof ConfigError
          ? error.problems
          : [{ code: 'tls-refused', message: `the renewed files cannot be used: ${String(error)}` }];
      return { outcome: 'kept', problems };
    }
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
