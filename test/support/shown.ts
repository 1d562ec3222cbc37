/**
 * Commands that a page shows, run as they stand by a shell, with real curl: a line that starts with `$ ` and, up to the
 * next one or the end of its block, what it prints. `…` stands for anything.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import type { WebSocket } from 'ws';

export interface ShownCommand {
  readonly command: string;
  readonly output: string;
}

/** The blocks of a language. */
export function blocksOf(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
}

export function shownCommands(page: string): ShownCommand[] {
  return blocksOf(page, 'sh').flatMap((block) =>
    [...block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command, output]) => ({
      command: command!,
      output: output!,
    })),
  );
}

/** Runs a command whose URLs have `from` in them against `to`. */
export async function runShown(t: Test, { command, output }: ShownCommand, from: string, to: string): Promise<void> {
  const child = spawn('bash', ['-c', command.replaceAll(from, to)], { stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await once(child, 'close');
  const parts = output.trimEnd().split('…');
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^]*?');
  t.match(printed.trimEnd(), new RegExp(`^${pattern}$`), command);
}

/** Runs a page's script with a WebSocket of `ws`; `isDone` looks at what it has logged. */
export async function runShownScript(
  script: string,
  client: typeof WebSocket,
  isDone: (logged: readonly unknown[]) => boolean,
): Promise<unknown[]> {
  const logged: unknown[] = [];
  const sockets: WebSocket[] = [];
  class Recorded extends client {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- it is ours
  new Function('WebSocket', 'console', script)(Recorded, { log: (value: unknown) => logged.push(value) });
  while (!isDone(logged)) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const socket of sockets) socket.terminate();
  return logged;
}
