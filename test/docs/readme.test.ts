/**
 * What the README shows is what happens: its greeter as it is typed, its other curl lines against `npm start`'s
 * services. In an expected answer `…` stands for anything.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { services } from '../../examples/photoncloud/services.js';
import { pem } from '../support/certificates.js';
import { runMain } from '../support/cli.js';
import { send } from '../support/proxy.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { configJsonSchema } from '../../lib/config/index.js';
import { optionsPage } from './options-page.js';
import { followStory, stepsOf } from './stories.js';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

interface Shown {
  /** Arguments of the curl line. */
  readonly args: readonly string[];
  readonly answer: string;
}

/** `$ curl …` lines of a text, each with the line that follows. */
function curlLines(text: string): Shown[] {
  return [...text.matchAll(/^\$ curl (.*)\n(.*)$/gm)].map(([, line, answer]) => ({
    args: [...line!.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!),
    answer: answer!,
  }));
}

/** What curl would send, as far as the README uses it. */
function requestOf(args: readonly string[]): { url: URL; target: string; body: string | undefined } {
  const value = (flag: string): string | undefined => {
    const index = args.indexOf(flag);
    return index < 0 ? undefined : args[index + 1];
  };
  const url = args.find((arg) => arg.startsWith('http'))!;
  const body = value('-d');
  const method = value('-X') ?? (body === undefined ? 'GET' : 'POST');
  return { url: new URL(url), target: `${method} ${url.replace(/^http:\/\/[^/]+/, '')}`, body };
}

function pattern(answer: string): RegExp {
  const parts = answer.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*?')}$`);
}

async function check(t: Test, shown: readonly Shown[], base: string): Promise<void> {
  for (const { args, answer } of shown) {
    const { target, body } = requestOf(args);
    const headers = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await send(base, target, { headers, ...(body === undefined ? {} : { body }) });
    t.match(response.text, pattern(answer), `curl ${args.join(' ')}`);
  }
}

const all = curlLines(readme);

void t.test('the first screen', async (t) => {
  const [screen] = readme.split('\n## Install\n');
  const server = stepsOf(
    '```console\n$ node examples/greeter/server.js\ngreeter.v1.Greeter listens on port 50051\n```\n',
  );
  const shown = stepsOf(screen!);
  t.ok(shown.filter(({ kind }) => kind === 'type').length >= 3);
  await followStory(t, 'README.md', [...server, ...shown]);
  const example = readFileSync(new URL('examples/greeter/greeter.proto', root), 'utf8');
  t.ok(
    shown.some((step) => step.kind === 'file' && step.text === example),
    'its proto is that of the example',
  );
});

void t.test('npm start', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-readme-'));
  const database = Database.open(join(folder, 'photoncloud.db'));
  const running = await services[0]!.start({ host: '127.0.0.1', port: 0, database });
  const file = fileURLToPath(new URL('examples/photoncloud/photongate.yaml', root));
  const config = loadConfig({ file, flags: { upstreams: [parseUpstream(`127.0.0.1:${running.port}`)] } });
  const proxy = await startProxy({
    ...config,
    listeners: config.listeners.map((listener) => ({ ...listener, port: 0 })),
  });
  t.teardown(async () => {
    await proxy.drain();
    await running.close();
    database.close();
    rmSync(folder, { recursive: true });
  });
  const shown = all.filter(({ args }) => requestOf(args).url.port === '8081');
  t.ok(shown.length > 0);
  await check(t, shown, proxy.urls[0]!);
});

void t.test('commands and flags that the docs name are there', async (t) => {
  const commands = ['routes', 'openapi', 'asyncapi', 'check', 'call', 'suggest'];
  const helps = [['--help'], ...commands.map((command) => [command, '--help'])];
  const stdout = (await Promise.all(helps.map((args) => runMain(args, '.')))).map((help) => help.stdout).join('\n');
  const docs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md') && name !== 'options.md');
  const pages = ['README.md', ...docs.map((name) => `docs/${name}`)];
  for (const page of pages) {
    const text = readFileSync(new URL(page, root), 'utf8').replace(
      /(?:\b(?:npm|node|curl|protoc|java|go run|openapi-python-client)|`--) (?:[^\n|`\\]|\\\n)*/g,
      '',
    );
    for (const [flag] of text.matchAll(/--[a-z][a-z-]+[a-z](?:\d\.\d)?/g)) {
      if (flag.startsWith('--no-') || process.allowedNodeEnvironmentFlags.has(flag)) continue;
      t.ok(stdout.includes(flag) || flag === '--include_imports', `${page}: ${flag}`);
    }
  }
});

void t.test('configurations that docs/configuration.md shows are good ones', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-readme-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'third_party'));
  mkdirSync(join(folder, 'protos/chainfire'), { recursive: true });
  symlinkSync(fileURLToPath(new URL('protos', root)), join(folder, 'all'));
  symlinkSync(fileURLToPath(new URL('protos/chainfire/v1', root)), join(folder, 'protos/chainfire/v1'));
  for (const [name, certificate] of Object.entries({ ca: 'ca', clients: 'ca', client: 'client', server: 'server' })) {
    writeFileSync(join(folder, `${name}.pem`), pem(certificate));
  }
  for (const name of ['client-key', 'server-key']) writeFileSync(join(folder, `${name}.pem`), pem(name));
  const page = readFileSync(new URL('docs/configuration.md', root), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text!);
  const files = blocks.filter((text) => /^(?:proto|listeners|upstreams|methods):/m.test(text));
  t.ok(files.length >= 4);
  for (const text of files) {
    writeFileSync(join(folder, 'photongate.yaml'), text);
    const flags = [
      ...(/^proto:/m.test(text) ? [] : ['--proto', 'all/chainfire', '--proto', 'all/iam', '-I', 'all']),
      ...(/^upstreams:/m.test(text) && /default:/.test(text) ? [] : ['--upstream', '127.0.0.1:1']),
    ];
    const run = await runMain(['check', '--config', 'photongate.yaml', ...flags], folder);
    t.equal(run.code, 0, `${text}\n${run.stdout}${run.stderr}`);
  }
});

void t.test('docs/options.md is that of the table (npm run docs)', (t) => {
  t.equal(readFileSync(new URL('docs/options.md', root), 'utf8'), optionsPage());
  t.strictSame(JSON.parse(readFileSync(new URL('docs/config.schema.json', root), 'utf8')), configJsonSchema());
  t.end();
});
