/**
 * Clients that public generators make of a document, against the running service: ChainFire of PhotonCloud, as its configuration
 * has it. Each is compiled or type-checked, writes and reads a key, is told that another is missing, and reads a stream.
 *
 *     node --import tsx test/openapi-tools/clients.ts [NAME OF A GENERATOR]
 *
 * docs/clients.md has the same lines. A generator whose language is not here is skipped.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import { startCloud } from '../../examples/photoncloud/cloud.js';
import { loadConfig } from '../../lib/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { ask } from '../support/exchange.js';
import { goCommand, goEnvironment, installNpm, installOapiCodegen, installPython, must, run } from './tools.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = join(root, 'test/openapi-tools/clients');

interface Client {
  readonly name: string;
  /** Installs the generator and makes a client of a document; answers with the reason if it cannot be here. */
  make(home: string, document: string): Promise<string | undefined>;
  /** Calls the service; prints `ok`. */
  call(home: string, url: string): Promise<string>;
}

const check = `
function expect(found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(\`found \${String(found)}, expected \${String(wanted)}\`);
}
`;

const openapiFetch: Client = {
  name: 'openapi-typescript and openapi-fetch',
  async make(home, document) {
    symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
    writeFileSync(join(home, 'api.ts'), astToString(await openapiTS(new URL(`file://${document}`))));
    writeFileSync(
      join(home, 'client.ts'),
      `import createClient from 'openapi-fetch';
import type { paths } from './api.js';
${check}
const client = createClient<paths>({ baseUrl: process.argv[2]! });

await client.PUT('/api/v1/kv/{key}', { params: { path: { key: 'fetch/ada' } }, body: { value: 'hello' } });

const found = await client.GET('/api/v1/kv/{key}', { params: { path: { key: 'fetch/ada' } } });
expect(found.data?.data.value, 'hello');

const missing = await client.GET('/api/v1/kv/{key}', { params: { path: { key: 'fetch/none' } } });
expect(missing.error?.error.code, 'NOT_FOUND');

type Lines = paths['/api/v1/watch']['get']['responses'][200]['content']['application/x-ndjson'];
const stop = new AbortController();
const { data } = await client.GET('/api/v1/watch', {
  params: { query: { prefix: 'fetch/', start_revision: '1' } },
  headers: { accept: 'application/x-ndjson' },
  parseAs: 'stream',
  signal: stop.signal,
});
for await (const text of data!.pipeThrough(new TextDecoderStream())) {
  const event = JSON.parse(text.split('\\n')[0]!) as Lines;
  if ('error' in event) throw new Error(event.error.message);
  expect(event.data.item?.value, 'hello');
  break;
}
stop.abort();
console.log('ok');
`,
    );
    await typeCheck(home);
    return undefined;
  },
  call: (home, url) => must(process.execPath, ['--import', 'tsx', 'client.ts', url], home),
};

const heyApi: Client = {
  name: '@hey-api/openapi-ts',
  async make(home, document) {
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
    await installNpm(home, '@hey-api/openapi-ts@0.95.0', 'typescript@5.9', 'tsx@4', '@types/node@20');
    const flags = ['-i', document, '-o', 'api', '-c', '@hey-api/client-fetch'];
    await must(join(home, 'node_modules/.bin/openapi-ts'), flags, home);
    writeFileSync(
      join(home, 'client.ts'),
      `import { client } from './api/client.gen';
import { chainFireServiceGet, chainFireServicePut, type WatchEvent } from './api';
${check}
client.setConfig({ baseUrl: process.argv[2]! });

await chainFireServicePut({ path: { key: 'hey/ada' }, body: { value: 'hello' } });

const found = await chainFireServiceGet({ path: { key: 'hey/ada' } });
expect(found.data?.data.value, 'hello');

const missing = await chainFireServiceGet({ path: { key: 'hey/none' } });
expect(missing.error?.error.code, 'NOT_FOUND');

// Of several media types it takes JSON, so that the events of a stream are asked for by path.
const { stream } = await client.sse.get({
  url: '/api/v1/watch',
  query: { prefix: 'hey/', start_revision: '1' },
  headers: { Accept: 'text/event-stream' },
});
for await (const frame of stream) {
  expect((frame as { data: WatchEvent }).data.item?.value, 'hello');
  break;
}
console.log('ok');
process.exit();
`,
    );
    await typeCheck(home);
    return undefined;
  },
  call: (home, url) => must(process.execPath, ['--import', 'tsx', 'client.ts', url], home),
};

const oapiCodegen: Client = {
  name: 'oapi-codegen',
  async make(home, document) {
    const reason = await installOapiCodegen(home);
    if (reason !== undefined) return reason;
    mkdirSync(join(home, 'api'));
    const output = ['-generate', 'types,client', '-package', 'api', '-o', 'api/api.go'];
    await must(join(home, 'oapi-codegen'), [...output, document], home);
    copyFileSync(join(sources, 'main.go'), join(home, 'main.go'));
    await must((await goCommand())!, ['build', '-o', 'client', '.'], home, goEnvironment);
    return undefined;
  },
  call: (home, url) => must(join(home, 'client'), [url], home),
};

const openapiPythonClient: Client = {
  name: 'openapi-python-client',
  async make(home, document) {
    const reason = await installPython(home, 'openapi-python-client==0.29.1');
    if (reason !== undefined) return reason;
    const flags = ['generate', '--path', document, '--output-path', 'api', '--meta', 'none'];
    await must(join(home, 'bin/openapi-python-client'), flags, home);
    copyFileSync(join(sources, 'client.py'), join(home, 'client.py'));
    return undefined;
  },
  call: (home, url) => must(join(home, 'bin/python'), ['client.py', url], home),
};

const clients: readonly Client[] = [openapiFetch, heyApi, oapiCodegen, openapiPythonClient];

async function typeCheck(home: string): Promise<void> {
  const compilerOptions = {
    ...{ target: 'es2022', module: 'es2022', moduleResolution: 'bundler', lib: ['es2023', 'dom', 'dom.iterable'] },
    ...{ noEmit: true, strict: true, skipLibCheck: true, types: ['node'] },
  };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['client.ts'] }));
  const { failed, text } = await run(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'],
    home,
  );
  if (failed) throw new Error(`tsc: ${text.slice(0, 3000)}`);
}

/** The document of ChainFire's listener, with names that are short in every language. */
async function writeDocument(file: string): Promise<void> {
  const config = loadConfig({
    file: join(root, 'examples/photoncloud/photongate.yaml'),
    flags: { options: { openapiNames: 'short' } },
  });
  const { listeners } = prepareProxy(config, { offline: true });
  const { body } = await ask(listeners[0]!.handler, { target: '/openapi.json' });
  writeFileSync(file, body);
}

const folder = mkdtempSync(join(tmpdir(), 'photongate-clients-'));
const document = join(folder, 'chainfire.json');
await writeDocument(document);
const cloud = await startCloud({ host: '127.0.0.1', dataDir: join(folder, 'data'), freePorts: true });
let [passed, failed] = [0, 0];
try {
  const { url } = cloud.services.find(({ name }) => name === 'chainfire')!;
  for (const client of clients.filter(({ name }) => name.includes(process.argv[2] ?? ''))) {
    const home = join(folder, client.name.replace(/\W+/g, '-'));
    mkdirSync(home);
    try {
      const reason = await client.make(home, document);
      if (reason !== undefined) {
        console.log(`SKIPPED ${client.name}: ${reason}`);
        continue;
      }
      const said = await client.call(home, url);
      if (said.trim() !== 'ok') throw new Error(said);
      passed++;
    } catch (error) {
      failed++;
      console.error(`FAILED ${client.name}: ${String(error)}`);
    }
  }
} finally {
  await cloud.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} of ${passed + failed} generated clients call the service and read its stream`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
