/**
 * Pages that are read beside terminals. In a block of ```console each `$ ` line is typed, and what follows is what it
 * prints; `…` is what differs from run to run. What says that it listens goes on running until the page ends, or until a
 * comment `<!-- stop: NAME -->`. A block of another language that begins with its file name is a file of the folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { patternOf } from './api-pages.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'bin/photongate');

/** Ports that the pages name. */
const DOCUMENTED = ['50051', '8080'] as const;

type Step =
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'stop'; readonly name: string }
  | { readonly kind: 'type'; readonly line: number; readonly command: string; readonly output: string };

/** What a page has its reader do, in order. */
export function stepsOf(text: string): Step[] {
  const found = text.matchAll(/^```(\w+)\n([^]*?)^```$|^<!-- stop: (\S+) -->$/gm);
  return [...found].flatMap(([, language, block = '', stopped], index): Step[] => {
    if (stopped !== undefined) return [{ kind: 'stop', name: stopped }];
    if (language === 'console') return typed(block, index);
    const name = /^(?:\/\/|#) ([\w.-]+\.\w+)\n/.exec(block)?.[1];
    return name === undefined ? [] : [{ kind: 'file', name, text: block }];
  });
}

function typed(block: string, line: number): Step[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [, command, output] = /^((?:[^\n]*\\\n)*[^\n]*)\n([^]*)$/.exec(part)!;
      return { kind: 'type', line, command: command!, output: output!.replace(/\n$/, '') };
    });
}

interface Running {
  readonly command: string;
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly printed: () => string;
}

/** Does what a page says, and compares what is printed. Needs the build that `npm test` makes first. */
export async function followStory(t: Test, page: string, steps = stepsOf(readFileSync(join(root, page), 'utf8'))) {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-story-'));
  const own = await freePorts(DOCUMENTED.length);
  const ports = DOCUMENTED.map((documented, index) => [documented, own[index]!] as const);
  const servers: Running[] = [];
  t.teardown(async () => {
    await Promise.all(servers.map(stop));
    rmSync(folder, { recursive: true });
  });
  const { cwd, env } = prepare(folder, own[1]!);
  for (const step of steps) {
    if (step.kind === 'file') writeFileSync(join(cwd, step.name), withOwn(step.text, ports));
    else if (step.kind === 'stop') {
      const stopped = servers.filter(({ command }) => command.includes(step.name));
      t.equal(stopped.length, 1, `${page} stops ${step.name}`);
      await Promise.all(stopped.map(stop));
    } else {
      const running = run(withOwn(step.command, ports), cwd, env);
      const goesOn = /\blisten/.test(step.output);
      if (goesOn) servers.push(running);
      await (goesOn ? Promise.race([running.ended, listens(running)]) : running.ended);
      const printed = withDocumented(running.printed(), ports).replace(/\n$/, '');
      // Servers log below what the page shows.
      const actual = goesOn ? printed.split('\n').slice(0, step.output.split('\n').length).join('\n') : printed;
      t.equal(patternOf(step.output).test(actual) ? step.output : actual, step.output, `${page}: ${step.command}`);
    }
  }
}

/** A folder like a reader's, with the examples of the checkout and the command. */
function prepare(folder: string, port: string): { cwd: string; env: NodeJS.ProcessEnv } {
  const cwd = join(folder, 'work');
  const tools = join(folder, 'bin');
  for (const path of [cwd, tools]) mkdirSync(path);
  symlinkSync(join(root, 'examples'), join(cwd, 'examples'));
  mkdirSync(join(cwd, 'node_modules'));
  symlinkSync(root, join(cwd, 'node_modules/photongate'));
  // On a terminal curl shows no progress.
  writeFileSync(join(cwd, '.curlrc'), 'no-progress-meter\n');
  writeFileSync(join(tools, 'photongate'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
  chmodSync(join(tools, 'photongate'), 0o755);
  const path = [tools, process.env['PATH']].join(delimiter);
  return { cwd, env: { PATH: path, HOME: cwd, NO_COLOR: '1', PHOTONGATE_LISTEN: `127.0.0.1:${port}` } };
}

function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Running {
  // The test runner puts its loaders into NODE_OPTIONS of every child. `exec`: a signal reaches the command itself.
  const child = spawn('sh', ['-c', `unset NODE_OPTIONS\n${/[|;]/.test(command) ? '' : 'exec '}${command}`], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return { command, child, ended, printed: () => printed };
}

function listens({ child, printed }: Running): Promise<void> {
  return new Promise((resolve) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', () => /\blisten.*\n/.test(printed()) && resolve());
    }
  });
}

async function stop({ child, ended }: Running): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}

type Ports = readonly (readonly [documented: string, own: string])[];

/** The example servers listen at the documented port, unless they are told another one. */
function withOwn(text: string, ports: Ports): string {
  const told = text.replace(/^node \S+server\.js$/, `$& 127.0.0.1:${DOCUMENTED[0]}`);
  return ports.reduce(
    (result, [documented, own]) =>
      result
        .replaceAll(`127.0.0.1:${documented}`, `127.0.0.1:${own}`)
        .replaceAll(`listen(${documented},`, `listen(${own},`),
    told,
  );
}

function withDocumented(text: string, ports: Ports): string {
  return ports.reduce(
    (result, [documented, own]) => result.replaceAll(new RegExp(`\\b${own}\\b`, 'g'), documented),
    text,
  );
}

/** Ports that nobody uses now. */
async function freePorts(count: number): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => String((server.address() as { port: number }).port));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
