/** The command itself, as a process: `node bin/photongate …`. Needs the build that `npm test` makes first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main } from '../../lib/cli/main.js';

const ownBin = fileURLToPath(new URL('../../bin/photongate', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  /** The URLs of the lines "listening on …", as many as were waited for. */
  readonly urls: readonly string[];
  readonly finished: Promise<Finished>;
  /** What it has printed so far. */
  readonly text: { readonly out: string; readonly err: string };
}

export interface CliOptions {
  /** Options of Node for the command and its children: `--import=FILE`. Default: none. */
  readonly nodeOptions?: string;
  /**
   * A socket that it gets as descriptor 3, with the environment of systemd. A shell keeps it, and starts the command again
   * when it has ended well.
   */
  readonly socket?: number;
  /** Another copy of the command. */
  readonly bin?: string;
}

/** The process id that systemd names is that of the command, which takes the place of its shell. */
const activation = ['sh', '-c', `while sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' sh "$@"; do :; done`, 'sh'];

function start(
  args: readonly string[],
  cwd: string,
  { nodeOptions, socket, bin = ownBin }: CliOptions = {},
): { child: ChildProcess; finished: Promise<Finished>; text: { out: string; err: string } } {
  const env = { ...process.env, NO_COLOR: '1' };
  // The test runner puts its loaders into NODE_OPTIONS of every child; the command is to run as it is.
  const options = nodeOptions === undefined ? ['-u', 'NODE_OPTIONS'] : [`NODE_OPTIONS=${nodeOptions}`];
  const command = [...options, ...(socket === undefined ? [] : activation), process.execPath, bin, ...args];
  const child = spawn('env', command, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe', ...(socket === undefined ? [] : [socket])],
  });
  const text = { out: '', err: '' };
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text.out += chunk));
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (text.err += chunk));
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout: text.out, stderr: text.err }));
  });
  return { child, finished, text };
}

/** Runs a command that ends by itself, in this process: for tables of many. */
export async function runMain(
  args: readonly string[],
  workingDirectory: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const text = { out: '', err: '' };
  const code = await main(args, {
    output: (chunk) => (text.out += chunk),
    error: (chunk) => (text.err += chunk),
    color: false,
    columns: 100,
    workingDirectory,
    environment,
    interactive: false,
    // A start that should have failed ends at once instead of waiting for a signal.
    onSignal: (listener) => {
      listener('SIGTERM');
      return () => undefined;
    },
    onHangup: () => undefined,
    onRestart: () => undefined,
    exit: () => undefined,
  });
  return { code, stdout: text.out, stderr: text.err };
}

/** Runs a command that ends by itself. */
export function runCli(args: readonly string[], cwd: string, options?: CliOptions): Promise<Finished> {
  const { child, finished } = start(args, cwd, options);
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  return finished.finally(() => clearTimeout(timer));
}

/** Starts a proxy and waits until `listeners` listeners are ready. */
export async function serveCli(
  args: readonly string[],
  cwd: string,
  listeners = 1,
  options?: CliOptions,
): Promise<RunningCli> {
  const { child, finished, text } = start(args, cwd, options);
  const urls = await new Promise<string[]>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const found = [...text.out.matchAll(/listening on (https?:\/\/\S+)/g)].map((match) => match[1]!);
      if (found.length === listeners) resolve(found);
    });
    void finished.then(({ stderr }) => reject(new Error(`ended: ${stderr}`)));
  });
  return { child, urls, finished, text };
}
