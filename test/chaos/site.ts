/** A server of `server.ts` in its own process, its journals, and the link that leads to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Link } from './link.js';

const serverFile = fileURLToPath(new URL('server.ts', import.meta.url));

export class Site {
  readonly link = new Link(() => this.port);
  private child: ChildProcess | undefined;
  private port = 0;
  private readonly journal: string;

  constructor(
    readonly name: string,
    folder: string,
  ) {
    this.journal = join(folder, `${name}.journal`);
  }

  /** Starts the process, and lets connections in when it serves. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', serverFile, String(this.port), this.journal], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.child = child;
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    this.port = Number(line);
    await this.link.open();
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** Waits until a process that got a signal to end is gone. Connections are refused from the beginning on. */
  async ended(): Promise<void> {
    const { child } = this;
    this.link.close();
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }

  /** Forgets what it wrote down. */
  forget(): void {
    truncateSync(this.journal);
  }

  /** What it wrote down so far: `seen ID`, `whole ID`. A line that the end of the process has cut does not count. */
  lines(): string[] {
    try {
      return readFileSync(this.journal, 'utf8').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  }
}
