/**
 * docs/api: runs the pages of `guide-cases.ts`, each in one shell from its first block to its last, against services
 * that run, and writes them down with what was answered.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { services } from '../../examples/photoncloud/services.js';
import { indented } from './api-pages.js';
import { type Block, type GuidePage, guidePages } from './guide-cases.js';

/** A block that has run. */
export interface RunBlock {
  readonly block: Block;
  /** The HTTP status of each curl, or whether each wget succeeded. */
  readonly outcomes: readonly string[];
  readonly output: string;
}

/** A program of PATH that can be run as `wget`: BusyBox's own where it is there. */
export const wget = ['busybox', 'wget'].find((name) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name))),
);

/** All pages, one after the other, as some count what others made. */
export async function runGuidePages(): Promise<Map<GuidePage, RunBlock[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-guide-'));
  const cloud = await startCloud({ host: '127.0.0.1', dataDir: join(folder, 'data'), freePorts: true });
  try {
    const done = new Map<GuidePage, RunBlock[]>();
    for (const page of guidePages) {
      const own = mkdtempSync(join(folder, 'page-'));
      done.set(page, await runPage(page, cloud, own));
    }
    return done;
  } finally {
    await cloud.close();
    rmSync(folder, { recursive: true });
  }
}

async function runPage(page: GuidePage, cloud: PhotonCloud, cwd: string): Promise<RunBlock[]> {
  const blocks = page.parts.filter((part) => typeof part !== 'string');
  if (page.needsWget === true && wget === undefined) return [];
  const script = [
    `curl() { command curl -sS -w '%{stderr}%{http_code}\\n' "$@" 2>>"status.$BLOCK"; }`,
    `wget() { command ${wget === 'busybox' ? 'busybox wget' : 'wget'} "$@" 2>>"said.$BLOCK" && echo ok >>"status.$BLOCK" || { echo failed >>"status.$BLOCK"; false; }; }`,
    ...blocks.flatMap(({ lines }, index) => [
      `BLOCK=${index}`,
      `{\n${withPorts(lines, cloud)}\n} >out.${index} 2>>err.${index}`,
    ]),
    ...(page.variables ?? []).map((name) => `printf '%s=%s\\n' ${name} "$${name}" >>variables`),
  ].join('\n');
  writeFileSync(join(cwd, 'page.sh'), script);
  await new Promise<void>((resolve) => {
    const env = { PATH: process.env['PATH'] };
    execFile('sh', ['page.sh'], { cwd, env, timeout: 120_000, killSignal: 'SIGKILL' }, () => resolve());
  });
  const file = (name: string): string => (existsSync(join(cwd, name)) ? readFileSync(join(cwd, name), 'utf8') : '');
  const known = file('variables')
    .split('\n')
    .flatMap((line): [name: string, value: string][] => {
      const [name, value] = line.split(/=(.*)/s);
      return value === undefined || value === '' ? [] : [[name!, value]];
    });
  return blocks.map((block, index) => ({
    block,
    outcomes: file(`status.${index}`).match(/^(?:\d{3}|ok|failed)$/gm) ?? [],
    output: shown(file(`out.${index}`), known, cloud),
  }));
}

/** `127.0.0.1:8087` and so on as the ports of these services. */
function withPorts(lines: string, cloud: PhotonCloud): string {
  return addresses(cloud).reduce((text, [documented, own]) => text.replaceAll(documented, own), lines);
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

/** An answer as a page shows it: what differs from run to run as its variable or the same everywhere. */
function shown(text: string, known: readonly (readonly [name: string, value: string])[], cloud: PhotonCloud): string {
  let stable = text.replaceAll(/,"meta":\{[^}]*\}\}/g, '}');
  for (const [name, value] of known) stable = stable.replaceAll(value, `$${name}`);
  for (const [documented, own] of addresses(cloud)) stable = stable.replaceAll(own, documented);
  return stable
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-31T12:00:00Z')
    .replaceAll(/\b01[0-9a-z]{24}\b/g, '01…')
    .replaceAll(/"x":"[\w-]+"/g, '"x":"…"')
    .trimEnd()
    .split('\n')
    .map((line, _, all) => (all.length === 1 && line.length > 110 ? indented(line) : line))
    .join('\n');
}

/** A page as Markdown. */
export function guidePage(page: GuidePage, run: readonly RunBlock[]): string {
  const left = [...run];
  const parts = page.parts.map((part) => {
    if (typeof part === 'string') return part;
    const { output } = left.shift()!;
    const answer = output === '' || part.quiet === true ? '' : `\n\n${answers(part)}:\n\n\`\`\`\n${output}\n\`\`\``;
    return `\`\`\`sh\n${part.lines}\n\`\`\`${answer}`;
  });
  return `# ${page.title}\n\n${parts.join('\n\n')}\n`;
}

function answers({ outcomes }: Block): string {
  const last = outcomes.filter((outcome) => outcome !== '…').at(-1) ?? '';
  return /^\d+$/.test(last) ? `answers ${last}` : 'prints';
}

/** Where a page is. */
export const guideFile = ({ name }: GuidePage): URL => new URL(`../../docs/api/${name}.md`, import.meta.url);
