/** `photongate new`: what it writes starts as its README says, and its curl lines answer. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { runMain } from '../support/cli.js';

async function startService(t: Test, folder: string): Promise<string> {
  const child: ChildProcess = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, 'server.js', '127.0.0.1:0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (text: Buffer) =>
      resolve(/bookshop\.v1\.BookshopService .* port (\d+)/.exec(text.toString())![1]!),
    );
    child.on('exit', () => reject(new Error('the service ended')));
  });
  return `127.0.0.1:${port}`;
}

void t.test('a new service', async (t) => {
  const parent = t.testdir();
  const { code, stdout } = await runMain(['new', 'bookshop'], parent);
  t.equal(code, 0);
  t.match(stdout, /^bookshop\/README\.md\n/);
  const folder = join(parent, 'bookshop');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  t.ok(files.includes('proto/bookshop/v1/bookshop.proto'));
  for (const file of files.filter((name) => name.includes('.') && !name.startsWith('proto/google'))) {
    t.notMatch(readFileSync(join(folder, file), 'utf8'), /starter/i, file);
  }
  t.equal(
    (await runMain(['check', '--strict', '--config', 'photongate.yaml'], folder)).stdout,
    'ok: 6 routes, 0 warnings\n',
  );

  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  const flags = { upstreams: [parseUpstream(await startService(t, folder))], listen: ['127.0.0.1:0'] };
  const proxy = await startProxy(loadConfig({ flags, file: 'photongate.yaml', workingDirectory: folder }));
  t.teardown(() => proxy.drain());
  const [, , lines = ''] = readFileSync(join(folder, 'README.md'), 'utf8')
    .split('```sh\n')
    .map((part) => part.split('```')[0]!);
  const script = `${lines.replaceAll('http://127.0.0.1:8080', proxy.urls[0]!)}\nkill %1\n`;
  const { stdout: answers } = await promisify(execFile)('bash', ['-c', script.replaceAll('curl ', 'curl -s ')]);
  const item = (title: string, count: number): string =>
    `{"id":"[\\w-]+","title":"${title}"${count === 0 ? '' : `,"count":${count}`},"createTime":"[\\w:.-]+"}`;
  const first = item('first', 2);
  t.match(answers, new RegExp(`^${first}\\n?{"items":\\[${first}\\]}\\n?${first}\\n?${item('first', 3)}`));
  t.match(
    answers,
    new RegExp(`(?:${item('second', 0)}\\n?){1,2}{}\\n?$`),
    'the new one, perhaps as an event too, and nothing of a deleted one',
  );
});

void t.test('what cannot be a new service', async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, 'there'));
  for (const [name, message] of [
    ['Book', '"Book" cannot be the name of a proto package'],
    ['../up', '"../up" cannot be the name'],
    ['a-b', '"a-b" cannot be the name'],
    ['1a', '"1a" cannot be the name'],
    ['google', '"google" cannot be the name'],
    ['there', 'there exists already'],
  ] as const) {
    const { code, stderr } = await runMain(['new', name], folder);
    t.equal(code, 1, name);
    t.match(stderr, `error[new-service]: ${message}`);
  }
  t.match((await runMain(['new'], folder)).code, 2);
  t.strictSame(readdirSync(folder), ['there'], 'nothing is written');
});
