/** The surroundings of a command: its output, environment and signals. Tests bring their own. */
import type { Readable, Writable } from 'node:stream';

/** What a command sees of its process. */
export interface Terminal {
  /** Writes to standard output, for programs and pipes. */
  output(text: string): void;
  /** Writes to standard error, for people. */
  error(text: string): void;
  /** Colours on standard error. */
  readonly color: boolean;
  readonly columns: number;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** True if standard error is a terminal; otherwise logs are JSON lines. */
  readonly interactive: boolean;
  /** Calls `listener` on SIGINT and SIGTERM. */
  onSignal(listener: (signal: NodeJS.Signals) => void): void;
  /** Calls `listener` on SIGHUP. */
  onHangup(listener: () => void): void;
  /** Calls `listener` on SIGUSR2. */
  onRestart(listener: () => void): void;
  /** Standard input and output, for a command that speaks a protocol over them. */
  readonly streams?: { readonly input: Readable; readonly output: Writable };
  /** Ends the process at once. */
  exit(code: number): void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  // A reader that has gone (`| head`) reads no more; its absence must not end a proxy.
  for (const stream of [stdout, stderr]) if (stream.listenerCount('error') === 0) stream.on('error', () => undefined);
  return {
    output: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    color: stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '',
    columns: stdout.columns ?? 100,
    workingDirectory: process.cwd(),
    environment: process.env,
    interactive: stderr.isTTY,
    onSignal(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
    },
    onHangup: (listener) => void process.on('SIGHUP', listener),
    onRestart: (listener) => void process.on('SIGUSR2', listener),
    get streams() {
      return { input: process.stdin, output: process.stdout };
    },
    exit: (code) => process.exit(code),
  };
}
