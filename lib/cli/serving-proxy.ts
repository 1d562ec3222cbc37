/** What `serve` needs of a proxy, whether this process serves or others do. */
import type { Config } from '../config/index.js';
import type { Problem } from '../status.js';

/** A proxy that listens, in this process or in several. */
export interface ServingProxy {
  readonly urls: readonly string[];
  /** What is odd about what serves. */
  readonly warnings: readonly Problem[];
  /** The files and folders that it was read from. */
  readonly files: ReadonlySet<string>;
  /** Behind the addresses of the line "listening on". */
  readonly remark: string;
  /**
   * Serves by another configuration; returns warnings.
   * @throws ConfigError where it is bad, and the old one serves on.
   */
  reload(config: Config): Promise<readonly Problem[]>;
  /** As `reload`, in new processes. */
  restart(config: Config): Promise<readonly Problem[]>;
  drain(): Promise<void>;
  /** Rejects when it cannot serve any more. */
  readonly failed: Promise<never>;
}
