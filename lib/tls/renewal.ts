/** Certificate files that are read again when they were replaced. */
import { FileChanges } from '../file-changes.js';
import { ConfigError } from '../status.js';
import { tlsChannel, type TlsEvent } from './diagnostics.js';
import { readTlsFiles, type TlsFiles, type TlsMaterial, type TlsNames } from './files.js';

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
  private readonly changes: FileChanges;

  constructor(
    private readonly files: TlsFiles,
    private readonly names: TlsNames,
  ) {
    this.changes = new FileChanges([files.cert, files.key, files.ca].filter((path) => path !== undefined));
    this.material = readTlsFiles(files, names);
  }

  start(subject: string, apply: (material: TlsMaterial) => void): void {
    this.changes.start(() => tlsChannel.publish({ subject, ...this.renew(apply) } satisfies TlsEvent));
  }

  stop(): void {
    this.changes.stop();
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
