/** `photongate serve` in this process, with a terminal of the test's own: what it prints, and its signals. */
import { main } from '../../lib/cli/main.js';
import { until } from './until.js';

export interface ServedHere {
  readonly urls: readonly string[];
  /** What was written to standard error so far. */
  readonly errors: () => string;
  /** The JSON lines of it. */
  readonly lines: () => Record<string, unknown>[];
  readonly hangUp: () => void;
  readonly signal: (name: NodeJS.Signals) => void;
  /** SIGTERM, and the exit code. */
  readonly stop: () => Promise<number>;
  readonly finished: Promise<number>;
}

export interface TerminalOptions {
  readonly interactive?: boolean;
  readonly color?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts, and waits for its ready line. */
export async function serveHere(
  args: readonly string[],
  workingDirectory: string,
  { interactive = false, color = false, environment = {} }: TerminalOptions = {},
): Promise<ServedHere> {
  const text = { out: '', err: '' };
  let onSignal: (signal: NodeJS.Signals) => void = () => undefined;
  let hangUp: () => void = () => undefined;
  const finished = main(args, {
    output: (chunk) => (text.out += chunk),
    error: (chunk) => (text.err += chunk),
    ...{ color, columns: 100, workingDirectory, environment, interactive },
    onSignal(listener) {
      onSignal = listener;
      return () => undefined;
    },
    onHangup: (listener) => void (hangUp = listener),
    onRestart: () => undefined,
    exit: () => undefined,
  });
  let isOver = false;
  void finished.then(() => (isOver = true));
  await until(() => isOver || text.out.includes('listening on'), `a start: ${text.err}`);
  if (isOver) throw new Error(`ended: ${text.err}`);
  const signal = (name: NodeJS.Signals): void => onSignal(name);
  return {
    urls: [...text.out.matchAll(/listening on (https?:\/\/\S+)/g)].map((match) => match[1]!),
    errors: () => text.err,
    lines: () =>
      text.err
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    hangUp: () => hangUp(),
    signal,
    stop: () => {
      signal('SIGTERM');
      return finished;
    },
    finished,
  };
}
