/** docs/api: runs the lines of `api-cases.ts` against services that run, and makes a page for each service of what they answered. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { services, type ServiceEntry } from '../../examples/photoncloud/services.js';
import { loadConfig } from '../../lib/index.js';
import { loadSchema } from '../../lib/schema/index.js';
import { type Binding, bindingsOf } from '../../lib/rule/index.js';
import { ProblemList } from '../../lib/status.js';
import { pem } from '../support/certificates.js';
import { type ApiCase, apiCases } from './api-cases.js';

/** A line that has run. */
export interface Answered {
  readonly service: string;
  readonly case: ApiCase;
  readonly status: number;
  readonly answer: string;
}

/** What all lines answered, by service; on ports and in folders of their own. */
export async function runApiCases(): Promise<Map<string, Answered[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-api-'));
  writeFileSync(join(folder, 'hello.txt'), 'hello, object\n');
  writeFileSync(join(folder, 'server.pem'), pem('server'));
  writeFileSync(join(folder, 'server-key.pem'), pem('server-key'));
  const cloud = await startCloud({ host: '127.0.0.1', dataDir: join(folder, 'data'), freePorts: true });
  try {
    const all = services.map(async (service) => [service.name, await runService(service, cloud, folder)] as const);
    return new Map(await Promise.all(all));
  } finally {
    await cloud.close();
    rmSync(folder, { recursive: true });
  }
}

async function runService({ name }: ServiceEntry, cloud: PhotonCloud, folder: string): Promise<Answered[]> {
  const { url } = cloud.services.find((service) => service.name === name)!;
  const known = new Map<string, string>();
  const answers: Answered[] = [];
  for (const each of apiCases[name]!) {
    const { status, text } = await runLine(each, url, known, folder);
    for (const [variable, path] of Object.entries(each.keep ?? {})) {
      const { data } = JSON.parse(text) as { data?: Record<string, string> };
      if (data?.[path] !== undefined) known.set(variable, data[path]);
    }
    answers.push({ service: name, case: each, status, answer: shown(text, known, url, name) });
  }
  return answers;
}

/** Runs a line in a shell, again where it waits for something. */
async function runLine(
  { line, until }: ApiCase,
  url: string,
  known: ReadonlyMap<string, string>,
  folder: string,
): Promise<{ status: number; text: string }> {
  const giveUpAt = Date.now() + 20_000;
  const command = line.replaceAll('@/', `${url}/`).replace(/(^|\n)curl /g, "$1curl -sS -w '%{stderr}%{http_code}' ");
  for (;;) {
    const { text, status } = await shell(command, known, folder);
    if (until === undefined || until.test(text) || Date.now() > giveUpAt) return { status, text };
    await sleep(50);
  }
}

function shell(
  command: string,
  known: ReadonlyMap<string, string>,
  cwd: string,
): Promise<{ text: string; status: number }> {
  const env = { PATH: process.env['PATH'], ...Object.fromEntries(known) };
  return new Promise((resolve) => {
    // The exit code is no matter: a watch ends by curl's time.
    execFile('sh', ['-c', command], { cwd, env }, (_, stdout, stderr) => {
      resolve({ text: stdout, status: Number(/(\d{3})$/.exec(stderr)?.[1] ?? 0) });
    });
  });
}

/** An answer as the page shows it: without `meta`, what differs from run to run as its variable or `…`. */
function shown(text: string, known: ReadonlyMap<string, string>, url: string, name: string): string {
  let stable = text.replaceAll(/,"meta":\{[^}]*\}\}/g, '}');
  for (const [variable, value] of known) stable = stable.replaceAll(value, `$${variable}`);
  stable = stable
    .replaceAll(url, `http://127.0.0.1:${services.find((service) => service.name === name)!.httpPort}`)
    .replaceAll(/127\.0\.0\.1:[1-9]\d{4}/g, `127.0.0.1:${services.find((service) => service.name === name)!.grpcPort}`)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-31T12:00:00Z')
    .replaceAll(/"-----BEGIN[^"]*"/g, '"-----BEGIN CERTIFICATE-----…"')
    .replaceAll(/\b01[0-9a-z]{24}\b/g, '01…')
    .replaceAll(/"x":"[\w-]+"/g, '"x":"…"');
  return stable
    .trimEnd()
    .split('\n')
    .map((line) =>
      line.length > 110 && line.startsWith('{') && !stable.trimEnd().includes('\n') ? indented(line) : line,
    )
    .join('\n');
}

/** Long JSON over several lines; anything else as it is. */
export function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** All routes by the full name of their method. */
function routes(): Map<string, Binding[]> {
  const problems = new ProblemList();
  const file = fileURLToPath(new URL('../../examples/photoncloud/photongate.yaml', import.meta.url));
  const schema = loadSchema(loadConfig({ file }).sources, problems);
  const found = new Map<string, Binding[]>();
  for (const binding of bindingsOf(schema.services, problems)) {
    const name = binding.method.fullName;
    found.set(name, [...(found.get(name) ?? []), binding]);
  }
  problems.throwIfAny();
  return found;
}

/** The routes of one service, in the order of its file. */
export function routesOf(service: ServiceEntry): Binding[][] {
  return [...routes()].filter(([name]) => name.startsWith(`${service.package}.`)).map(([, bindings]) => bindings);
}

/** The page of one service. */
export function apiPage(service: ServiceEntry, answers: readonly Answered[]): string {
  const methods = routesOf(service);
  const blocks = methods.map((bindings) => {
    const { method } = bindings[0]!;
    const paths = bindings.map(({ httpMethod, template }) => `\`${httpMethod} ${template.source}\``);
    const own = answers.filter((answer) => answer.case.rpc === method.name);
    return [
      `## ${method.name}`,
      paths.join(' · '),
      method.comment.trim(),
      ...own.map(({ case: { line }, status, answer }) => {
        const pasted = line.replaceAll('@/', `http://127.0.0.1:${service.httpPort}/`);
        return `\`\`\`sh\n${pasted}\n\`\`\`\n\nanswers ${status}:\n\n\`\`\`\n${answer}\n\`\`\``;
      }),
    ].join('\n\n');
  });
  const variables = [...new Set(apiCases[service.name]!.flatMap(({ keep }) => Object.keys(keep ?? {})))];
  const about =
    variables.length === 0
      ? ''
      : ` ${variables.map((name) => `\`$${name}\``).join(', ')} ${variables.length === 1 ? 'stands' : 'stand'} for what the line that made it answered; set it in your shell.`;
  return `# ${titleOf(methods)}

REST at \`http://127.0.0.1:${service.httpPort}\` and \`http://127.0.0.1:8080/${service.name}\`, gRPC at \`127.0.0.1:${service.grpcPort}\` (\`npm start\`).
Every line below was run when this page was made, in the order of the table in \`test/docs/api-cases.ts\`. Answers are shown without their \`meta\`, see [the conventions](README.md).${about}${notes[service.name] ?? ''}

${blocks.join('\n\n')}
`;
}

/** What a page says besides. */
const notes: Readonly<Record<string, string>> = {
  iam: ' With `npm start -- --auth` all calls but the first three need a token, see [with tokens](with-tokens.md).',
};

/** `chainfire.v1.ChainFireService` → `ChainFire`. */
function titleOf(methods: readonly Binding[][]): string {
  return methods[0]![0]!.method.service.name.replace(/Service$/, '');
}

/** Where the page of a service is. */
export const apiPageFile = ({ name }: ServiceEntry): URL => new URL(`../../docs/api/${name}.md`, import.meta.url);
