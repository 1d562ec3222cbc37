/** A program under measurement: started, waited for, asked for its CPU time and memory (Linux). */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';

/** What a start took. */
export interface StartFigure {
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
  readonly megabytes: number;
}

/** An address of loopback that nobody listens on. */
export async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

/** A program that listens, with the processes that it has started itself. */
export class Running {
  private constructor(
    readonly address: string,
    private readonly child: ChildProcess,
    readonly start: StartFigure,
  ) {}

  /** Starts a program, and waits until it takes connections. */
  static async begin(
    address: string,
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Running> {
    const begin = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    const failure = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
    });
    failure.catch(() => undefined);
    try {
      await Promise.race([failure, opened(address)]);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    const milliseconds = performance.now() - begin;
    const tree = treeOf(child.pid!);
    const start = { milliseconds, cpuMilliseconds: cpuOf(tree) / 1000, megabytes: memoryOf(tree, 'VmRSS') };
    return new Running(address, child, start);
  }

  /** CPU time of all its threads so far, of user and system, in microseconds. */
  get cpuMicroseconds(): number {
    return cpuOf(treeOf(this.child.pid!));
  }

  /** The most memory that was resident, in 2^20 bytes. */
  get peakMegabytes(): number {
    return memoryOf(treeOf(this.child.pid!), 'VmHWM');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const over = new Promise((resolve) => this.child.once('exit', resolve));
    for (const pid of treeOf(this.child.pid!).reverse()) process.kill(pid, 'SIGKILL');
    await over;
  }
}

async function opened(address: string): Promise<void> {
  const port = Number(address.split(':')[1]);
  for (let attempt = 0; attempt < 2000; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nobody listens on ${address}`);
}

/** A process and its descendants. */
function treeOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readOr(`/proc/${pid}/task/${task}/children`, '').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

/** The first figure of schedstat is the time on a processor in nanoseconds, thread by thread. */
function cpuOf(tree: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of tree) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readOr(`/proc/${pid}/task/${task}/schedstat`, '0').split(' ')[0]);
    }
  }
  return nanoseconds / 1000;
}

function memoryOf(tree: readonly number[], key: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = tree.map((pid) => {
    const status = readOr(`/proc/${pid}/status`, '');
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  });
  return kilobytes.reduce((sum, value) => sum + value, 0) / 1024;
}

/** A thread may have ended since it was listed. */
function readOr(path: string, missing: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return missing;
  }
}
