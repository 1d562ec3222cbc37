/**
 * examples/container/Containerfile without an engine: its instructions are carried out in folders of this machine, one for each
 * stage, by this machine's Node. What the last stage then holds must start, and be healthy by its own HEALTHCHECK.
 *
 *   node --import tsx test/container/main.ts
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.js';

const context = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(join(context, 'examples/container/Containerfile'), 'utf8');
const root = mkdtempSync(join(tmpdir(), 'photongate-container-'));

interface Stage {
  readonly folder: string;
  workingDirectory: string;
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
  user: string;
}

const stages = new Map<string, Stage>();
let stage: Stage | undefined;

const listOf = (json: string): string[] => JSON.parse(json) as string[];

function current(): Stage {
  if (stage === undefined) throw new Error('an instruction before FROM');
  return stage;
}

const inside = (path: string): string => join(current().folder, resolve(current().workingDirectory, path));

/** As the engine does: into a folder if the target ends in `/` or there are several, a folder by its content. */
function copy(sources: readonly string[], from: string, target: string): void {
  for (const source of sources) {
    const path = join(from, source);
    const isFolder = statSync(path).isDirectory();
    const into = !isFolder && (target.endsWith('/') || sources.length > 1);
    cpSync(path, into ? join(inside(target), basename(source)) : inside(target), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

const instructions: Readonly<Record<string, (rest: string) => void>> = {
  FROM(rest) {
    const [image = '', , name = 'last'] = rest.split(' ');
    const folder = join(root, name);
    mkdirSync(folder);
    const user = /:nonroot$/.test(image) ? 'nonroot' : 'root';
    stage = { folder, workingDirectory: '/', entrypoint: [], command: [], healthcheck: [], user };
    stages.set(name, stage);
  },
  WORKDIR(rest) {
    current().workingDirectory = resolve(current().workingDirectory, rest);
    mkdirSync(inside('.'), { recursive: true });
  },
  COPY(rest) {
    const words = rest.split(' ');
    const from = /^--from=(.+)$/.exec(words[0] ?? '')?.[1];
    const [target = '', ...sources] = words.slice(from === undefined ? 0 : 1).reverse();
    copy(sources.reverse(), from === undefined ? context : (stages.get(from)?.folder ?? from), target);
  },
  RUN(rest) {
    if (rest === 'npm ci --ignore-scripts --no-audit --no-fund') {
      // That is what CI has done in this checkout; a second time would cost a minute.
      execFileSync('cp', ['-al', join(context, 'node_modules'), inside('node_modules')]);
      return;
    }
    const env = { ...process.env, npm_config_prefer_offline: 'true' };
    execFileSync('sh', ['-ec', rest], { cwd: inside('.'), env, stdio: ['ignore', 'ignore', 'inherit'] });
  },
  USER: (rest) => void (current().user = rest),
  ENTRYPOINT: (rest) => void (current().entrypoint = listOf(rest)),
  CMD: (rest) => void (current().command = listOf(rest)),
  HEALTHCHECK: (rest) => void (current().healthcheck = listOf(/ CMD (\[.*\])$/.exec(rest)?.[1] ?? '[]')),
  ENV: () => undefined,
  EXPOSE: () => undefined,
};

/** The same command here: this Node, and files in the stage's folder. */
function here({ folder }: Stage, command: readonly string[]): [command: string, args: string[]] {
  const [program = '', ...args] = command;
  if (program !== '/nodejs/bin/node') throw new Error(`${program} is not in a distroless image`);
  return [process.execPath, args.map((arg) => (/^\/(app|etc)\//.test(arg) ? folder + arg : arg))];
}

try {
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    const run = instructions[name];
    if (run === undefined) throw new Error(`not known here: ${line}`);
    run(rest);
  }
  const last = current();
  if (last.user === 'root') throw new Error('the image runs as root');
  const modules = readdirSync(join(last.folder, 'app/node_modules'));
  for (const name of ['typescript', 'esbuild', 'tap', '@scalar']) {
    if (modules.includes(name)) throw new Error(`the image has ${name}, which only the build needs`);
  }
  const proto = 'syntax = "proto3"; package a.v1; service A { rpc Get(M) returns (M); } message M { string name = 1; }';
  writeFileSync(join(last.folder, 'etc/photongate/a.proto'), proto);
  writeFileSync(
    join(last.folder, 'etc/photongate/photongate.yaml'),
    'proto: [a.proto]\nupstreams: { default: 127.0.0.1:1 }\nauto_mapping: true\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:9090\n',
  );
  const child = spawn(...here(last, [...last.entrypoint, ...last.command]), {
    cwd: join(last.folder, last.workingDirectory),
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  const ended = new Promise<number | null>((done) => child.on('close', done));
  let isOver = false;
  void ended.then(() => (isOver = true));
  await until(() => isOver || printed.includes('listening on'), 'the ready line');
  if (isOver) throw new Error('it does not start');
  const isHealthy = (): boolean => {
    try {
      execFileSync(...here(last, last.healthcheck), { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  if (!isHealthy()) throw new Error('HEALTHCHECK fails while it serves');
  const url = /listening on (\S+)/.exec(printed)?.[1];
  for (const page of ['/openapi.json', '/docs']) {
    const { status } = await fetch(`${url}${page}`);
    if (status !== 200) throw new Error(`${page}: ${status}`);
  }
  child.kill('SIGTERM');
  if ((await ended) !== 0) throw new Error('it does not end well on SIGTERM');
  if (isHealthy()) throw new Error('HEALTHCHECK is fine though nothing runs');
  const kilobytes = execFileSync('du', ['-sk', last.folder], { encoding: 'utf8' }).split('\t')[0];
  console.log(
    `the Containerfile, carried out without an engine: it serves; ${Math.round(Number(kilobytes) / 1024)} MB on top of Node`,
  );
} finally {
  rmSync(root, { recursive: true, force: true });
}
