/** examples/photoncloud/health.sh, by curl and by wget: it tells what serves and what does not. */
import { execFile } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { services } from '../../examples/photoncloud/services.js';
import { temporaryFolder } from '../support/photoncloud.js';

const script = fileURLToPath(new URL('../../examples/photoncloud/health.sh', import.meta.url));

/** Where a program of PATH is. */
function find(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Runs the script with `program`, under the name `tool`, as all there is in PATH. */
async function run(t: Test, program: string | undefined, tool: string, args: string[]): Promise<[number, string]> {
  const folder = temporaryFolder(t);
  if (program !== undefined) symlinkSync(program, join(folder, tool));
  return new Promise((resolve) => {
    execFile('/bin/sh', [script, ...args], { env: { PATH: folder } }, (error, stdout, stderr) => {
      resolve([(error?.code as number | undefined) ?? 0, `${stdout}${stderr}`]);
    });
  });
}

void t.test('what serves and what does not', async (t) => {
  let sick = '';
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    response.writeHead(request.url === `/${sick}/health` ? 503 : 200).end('{}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const names = services.map(({ name }) => name);
  const lines = (): string => names.map((name) => `${name} ${name === sick ? 'does not serve' : 'serves'}\n`).join('');
  for (const [program, tool] of [
    [find('curl'), 'curl'],
    [find('wget'), 'wget'],
    [find('busybox'), 'wget'],
  ] as const) {
    if (program === undefined) continue;
    sick = '';
    t.strictSame(await run(t, program, tool, [url]), [0, lines()], program);
    t.strictSame(
      asked.splice(0),
      names.map((name) => `/${name}/health`),
      program,
    );
    sick = 'iam';
    t.strictSame(await run(t, program, tool, [`${url}/`]), [1, lines()], program);
    asked.length = 0;
    const none = names.map((name) => `${name} does not serve\n`).join('');
    t.strictSame(await run(t, program, tool, ['http://127.0.0.1:9']), [1, none], 'nothing is there');
  }
  t.strictSame(await run(t, undefined, '', [url]), [2, 'health.sh: needs curl or wget\n']);
});
