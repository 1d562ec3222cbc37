/** Where a command prints and what it knows of its surroundings; tests have one of their own. */
export interface Terminal {
  /** For programs and pipes: standard output. */
  output(text: string): void;
  /** For people: standard error. */
  error(text: string): void;
  /** Colours on standard error. */
  readonly color: boolean;
  readonly columns: number;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** True where standard error is a terminal: logs are then for people, else JSON lines. */
  readonly interactive: boolean;
  /** Calls `listener` on SIGINT and SIGTERM; returns how to stop that. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
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
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
    exit: (code) => process.exit(code),
  };
}
