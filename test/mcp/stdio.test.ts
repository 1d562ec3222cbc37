/** `photongate mcp`, as desktop programs start it: the official client over its standard streams, and lines as they are. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import t, { type Test } from 'tap';
import { main } from '../../lib/cli/main.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';
import { proto, revisions, textOf, versionOf } from './client.js';

/** The test runner puts its loaders into NODE_OPTIONS of every child; the command is to run as it is. */
const asItIs = ['-u', 'NODE_OPTIONS', process.execPath];
const bin = fileURLToPath(new URL('../../bin/photongate', import.meta.url));

interface Started {
  readonly service: EchoService;
  readonly folder: string;
  readonly args: readonly string[];
}

async function start(t: Test): Promise<Started> {
  const service = await startEchoService(schemaFromText(proto));
  const folder = mkdtempSync(join(tmpdir(), 'photongate-mcp-'));
  writeFileSync(join(folder, 'shop.proto'), proto);
  t.teardown(() => {
    service.close();
    rmSync(folder, { recursive: true });
  });
  return { service, folder, args: ['mcp', '--proto', 'shop.proto', '--upstream', service.target] };
}

for (const revision of revisions) {
  void t.test(`the official client, ${revision}`, async (t) => {
    const { service, folder, args } = await start(t);
    const client = new Client({ name: 'test', version: '1' }, versionOf(revision));
    const errors: string[] = [];
    client.onerror = (error) => errors.push(error.message);
    const transport = new StdioClientTransport({
      command: 'env',
      args: [...asItIs, bin, ...args, '-H', 'x-tenant: blue'],
      cwd: folder,
      stderr: 'pipe',
    });
    await client.connect(transport);
    t.teardown(() => client.close());
    t.equal(client.getNegotiatedProtocolVersion(), revision);
    t.equal((await client.listTools()).tools.length, 9);
    const result = await client.callTool({ name: 'Books_AddBook', arguments: { id: 'a', sold: '7' } });
    t.strictSame(result.structuredContent, { id: 'a', sold: '7' });
    t.strictSame(service.calls.at(-1)?.metadata.get('x-tenant'), ['blue']);
    const bad = await client.callTool({ name: 'Books_AddBook', arguments: { id: 4 } });
    t.match(textOf(bad), /^INVALID_ARGUMENT: id: found 4/);
    const seen: number[] = [];
    let end = (): void => undefined;
    service.answer = () => ({
      drive(stream) {
        stream.write(Buffer.from('0a0161', 'hex'));
        end = () => stream.end();
      },
    });
    const watched = await client.callTool(
      { name: 'Books_WatchBooks', arguments: { id: 'a' } },
      {
        onprogress({ progress }) {
          seen.push(progress);
          end();
        },
      },
    );
    t.strictSame(watched.structuredContent, { messages: [{ id: 'a' }] });
    t.strictSame(seen, [1], 'before the answer');
    const before = service.cancelled;
    service.answer = () => ({ drive: () => undefined });
    const giveUp = new AbortController();
    const calling = client.callTool({ name: 'Books_WatchBooks', arguments: {} }, { signal: giveUp.signal });
    calling.catch(() => undefined);
    await until(() => service.calls.length === 3, 'a call');
    giveUp.abort();
    await t.rejects(calling);
    await until(() => service.cancelled > before, 'a cancelled call');
    t.strictSame(errors, [], 'nothing but the protocol is on standard output');
  });
}

void t.test('the process ends with its input', async (t) => {
  const { folder, args } = await start(t);
  const child = spawn('env', [...asItIs, bin, ...args], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  const text = { out: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.out += chunk));
  child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
  await until(() => text.out !== '', 'an answer');
  child.stdin.end();
  const [code] = (await once(child, 'close')) as [number];
  t.strictSame([code, text.out], [0, '{"jsonrpc":"2.0","id":1,"result":{}}\n']);
});

/** Lines, and what is written for them. */
const lines: readonly (readonly [string, string, RegExp])[] = [
  ['an empty line', '', /^$/],
  ['no JSON', '{', /^\{"jsonrpc":"2.0","id":null,"error":\{"code":-32700,.*\}\n$/],
  ['a batch', '[]', /"id":null,"error":\{"code":-32600/],
  ['a notification that is wrong', '{"jsonrpc":"2.0","method":"tools/list"}', /^$/],
  ['a notification', '{"jsonrpc":"2.0","method":"notifications/initialized"}', /^$/],
  ['an answer', '{"jsonrpc":"2.0","id":5,"result":{}}', /^$/],
  ['an unknown method', '{"jsonrpc":"2.0","id":"x","method":"y"}', /"id":"x","error":\{"code":-32601/],
  ['a long line', `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(2000)}"}`, /more than 1000 bytes \(max_body_bytes\)/],
  ['carriage returns', '{"jsonrpc":"2.0","id":1,"method":"ping"}\r', /^\{"jsonrpc":"2.0","id":1,"result":\{\}\}\n$/],
];

void t.test('lines, in any pieces', async (t) => {
  const { folder, args } = await start(t);
  const input = new PassThrough();
  const output = new PassThrough();
  let text = '';
  let printed = '';
  let errors = '';
  output.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const finished = main([...args, '--max-body-bytes', '1000'], {
    output: (chunk) => (printed += chunk),
    error: (chunk) => (errors += chunk),
    ...{ color: false, columns: 100, workingDirectory: folder, environment: {}, interactive: false },
    onSignal: () => undefined,
    onHangup: () => undefined,
    onRestart: () => undefined,
    exit: () => undefined,
    streams: { input, output },
  });
  const pong = '{"jsonrpc":"2.0","id":99,"result":{}}\n';
  for (const [name, line, expected] of lines) {
    text = '';
    for (const piece of `${line}\n{"jsonrpc":"2.0","id":99,"method":"ping"}\n`.match(/[^]{1,37}/g)!) input.write(piece);
    await until(() => text.endsWith(pong), 'the answer to a ping');
    t.match(text.slice(0, -pong.length), expected, name);
  }
  input.end();
  t.equal(await finished, 0);
  t.equal(printed, '');
  t.match(errors, /^\{"level":"warn",[^\n]*Native has no google\.api\.http[^\n]*\n$/, 'warnings go to standard error');
});

void t.test('headers and listeners that will not do', async (t) => {
  const { folder, args } = await start(t);
  const run = async (...more: string[]): Promise<string> => {
    const child = spawn('env', [...asItIs, bin, ...args, ...more], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.err += chunk));
    const [code] = (await once(child, 'close')) as [number];
    t.strictSame([code, text.out], [1, '']);
    return text.err;
  };
  t.match(await run('-H', 'nonsense'), /expected a header/);
  t.match(await run('--listener', '127.0.0.1:1'), /no listener, or more than one, has the address/);
});
