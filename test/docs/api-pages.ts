/**
 * docs/api: reads the pages, runs all blocks of one in one shell, from top to bottom, as somebody who pastes them, and
 * tells what each printed. Also the table of calls at the end of a service's page, which is made from its protos.
 *
 * A block of ```sh is to be pasted. The block without a language right behind it is what that prints: the bytes, but for
 * the line break at the end, which answers do not have. What differs from run to run stands there as `…`:
 * `"…"` is a text that is not empty, `{…}` an object, `[…` and `…]` any elements of a list that are there besides.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PhotonCloud } from '../../examples/photoncloud/cloud.js';
import { services, type ServiceEntry } from '../../examples/photoncloud/services.js';
import { loadConfig } from '../../lib/index.js';
import { PathMatcherBuilder } from '../../lib/router/index.js';
import { type Binding, bindingsOf } from '../../lib/rule/index.js';
import { loadSchema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';

/** What to paste, and what it prints. */
export interface Block {
  /** Of its first line, in the file. */
  readonly line: number;
  readonly command: string;
  readonly output: string;
}

/** A page of docs/api. */
export interface Page {
  /** `docs/api/iam.md` */
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** All pages, sorted by name. */
export function readPages(): Page[] {
  const names = readdirSync(join(root, 'docs/api')).filter((name) => name.endsWith('.md'));
  return names.sort().map((name) => {
    const text = readFileSync(join(root, 'docs/api', name), 'utf8');
    return { file: `docs/api/${name}`, text, blocks: blocksOf(text) };
  });
}

function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```sh\n([^]*?)^```\n(?:\n```\n([^]*?)\n```$)?/gm)].map((found) => ({
    line: text.slice(0, found.index).split('\n').length + 1,
    command: found[1]!,
    output: found[2] ?? '',
  }));
}

/** Shells of this machine that a page has to work in; BusyBox comes with the wget of `busybox.md`, too. */
export const shells: readonly (readonly [command: string, ...args: string[]])[] = [
  ['sh'],
  ...(onPath('bash') ? [['bash'] as const] : []),
  ...(onPath('busybox') ? [['busybox', 'sh'] as const] : []),
];

export function onPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** What each block of a page printed, standard error with it; `undefined` where the shell did not get so far. */
export async function pastePage(
  { blocks }: Page,
  cloud: PhotonCloud,
  [command, ...args]: readonly [string, ...string[]],
  folder: string,
): Promise<(string | undefined)[]> {
  const cwd = mkdtempSync(join(folder, 'page-'));
  // As in the checkout.
  symlinkSync(join(root, 'examples'), join(cwd, 'examples'));
  // On a terminal curl shows no progress.
  writeFileSync(join(cwd, '.curlrc'), 'no-progress-meter\n');
  const wget = onPath('busybox') ? 'wget() { busybox wget "$@"; }\n' : '';
  const marked = blocks.map((block, index) => `${block.command}printf '\\n${mark(index)}\\n'\n`);
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: cwd },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  child.stdin.end(withPorts(`exec 2>&1\n${wget}${marked.join('')}`, cloud));
  await new Promise((resolve) => child.on('close', resolve));
  let rest = withDocumentedPorts(printed, cloud);
  return blocks.map((_, index) => {
    const [output, ...more] = rest.split(`\n${mark(index)}\n`);
    if (more.length === 0) return undefined;
    rest = more.join('');
    return output!.replace(/\n$/, '');
  });
}

const mark = (index: number): string => `-- end of block ${index}`;

/** `127.0.0.1:8087` and so on as the ports of these services. */
function withPorts(lines: string, cloud: PhotonCloud): string {
  return addresses(cloud).reduce((text, [documented, own]) => text.replaceAll(documented, own), lines);
}

function withDocumentedPorts(text: string, cloud: PhotonCloud): string {
  return addresses(cloud).reduce((text, [documented, own]) => text.replaceAll(own, documented), text);
}

function addresses({ services: running, url }: PhotonCloud): [documented: string, own: string][] {
  const host = (base: string): string => new URL(base).host;
  return [
    ['127.0.0.1:8080', host(url)],
    ...running.flatMap(({ name, url: own, grpcPort }): [string, string][] => {
      const entry = services.find((service) => service.name === name)!;
      return [
        [`127.0.0.1:${entry.httpPort}`, host(own)],
        [`127.0.0.1:${entry.grpcPort}`, `127.0.0.1:${grpcPort}`],
      ];
    }),
  ];
}

/** What a page says is printed, as a pattern. */
export function patternOf(output: string): RegExp {
  const parts = output.split(/(\{…\}|\[…|…\]|…)/).map((part) => {
    switch (part) {
      case '{…}':
        return String.raw`\{[^{}\n]+\}`;
      case '[…':
        return String.raw`\[[^\n]*?`;
      case '…]':
        return String.raw`[^\n]*?\]`;
      case '…':
        return String.raw`[^"\n]+`;
      default:
        return part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    }
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** All rules of PhotonCloud's protos, those of an RPC together. */
export const rules: ReadonlyMap<ServiceEntry, readonly (readonly Binding[])[]> = rulesOfServices();

function rulesOfServices(): Map<ServiceEntry, Binding[][]> {
  const problems = new ProblemList();
  const schema = loadSchema(loadConfig({ file: join(root, 'examples/photoncloud/photongate.yaml') }).sources, problems);
  const byRpc = new Map<string, Binding[]>();
  for (const binding of bindingsOf(schema.services, problems)) {
    const name = binding.method.fullName;
    byRpc.set(name, [...(byRpc.get(name) ?? []), binding]);
  }
  problems.throwIfAny();
  return new Map(
    services.map((service) => [
      service,
      [...byRpc].filter(([name]) => name.startsWith(`${service.package}.`)).map(([, bindings]) => bindings),
    ]),
  );
}

/** The full names of the RPCs that curl lines of a page call. */
export function rpcsCalledBy({ blocks }: Page): Set<string> {
  const called = new Set<string>();
  const text = blocks.map(({ command }) => command.replaceAll('\\\n', ' ')).join('\n');
  for (const [line] of text.matchAll(/\bcurl (?:'[^']*'|"[^"]*"|[^\n|)'"])*/g)) {
    for (const [, port, path] of line.matchAll(/127\.0\.0\.1:(80[89]\d)(\/[^?\s'"]*)/g)) {
      const service = services.find(({ httpPort }) => httpPort === Number(port));
      const match = service && matchers().get(service)!.match(methodOf(line), path!.replaceAll(/\$\w+/g, 'x'));
      if (match !== undefined) called.add(match.value.method.fullName);
    }
  }
  return called;
}

/** The method that curl sends. */
function methodOf(line: string): string {
  const given = / -\w*X (\w+)/.exec(line)?.[1];
  if (given !== undefined) return given;
  if (/ -T /.test(line)) return 'PUT';
  return / -d /.test(line) && !/ -\w*G\b/.test(line) ? 'POST' : 'GET';
}

type Matchers = ReadonlyMap<ServiceEntry, { match(method: string, path: string): { value: Binding } | undefined }>;
let built: Matchers | undefined;

function matchers(): Matchers {
  built ??= new Map(
    [...rules].map(([service, rpcs]) => {
      const builder = new PathMatcherBuilder<Binding>();
      for (const rule of rpcs.flat()) builder.add(rule, rule);
      return [service, builder.build(new ProblemList())];
    }),
  );
  return built;
}

const callsHeading = '## All calls';

/** The page of a service with the table of its calls as it has to be. */
export function withCalls(text: string, service: ServiceEntry): string {
  const [story] = text.split(`${callsHeading}\n`);
  const rows = rules.get(service)!.map((bindings) => {
    const routes = bindings.map(({ httpMethod, template }) => `\`${httpMethod} ${template.source}\``);
    const { name, comment } = bindings[0]!.method;
    return `| ${name} | ${routes.join('<br>')} | ${comment
      .trim()
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('|', '\\|')} |`;
  });
  return `${story!.trimEnd()}\n\n${callsHeading}\n\n<!-- Written by \`npm run docs\`. -->\n\n| RPC | REST | what it does |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

/** Where the page of a service is. */
export const servicePage = ({ name }: ServiceEntry): string => `docs/api/${name}.md`;
