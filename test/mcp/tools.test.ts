/** Names of tools, pages of them, and how one of very many is found. */
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { titleOf, toolNames } from '../../lib/mcp/names.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { runMain } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';
import { connectClient, proto, textOf } from './client.js';

async function start(t: Test, text: string, options: object = {}, yaml?: string): Promise<TestProxy> {
  const proxy = await startTestProxy(text, { mcp: true, ...options }, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

const nameable = (fullName: string, prefix = ''): Parameters<typeof toolNames>[0][number] => {
  const [service = '', name = ''] = fullName.split('/');
  const last = service.slice(service.lastIndexOf('.') + 1);
  return { prefix, method: { fullName: `${service}.${name}`, name, service: { fullName: service, name: last } } };
};

void t.test('names', (t) => {
  const names = (rpcs: readonly string[], style: 'short' | 'full' = 'short'): string[] =>
    toolNames(
      rpcs.map((rpc) => nameable(rpc)),
      style,
      ['find_tools'],
    );
  t.strictSame(names(['a.v1.Books/Get', 'a.v1.Shelves/Get']), ['Books_Get', 'Shelves_Get']);
  t.strictSame(names(['a.v1.Books/Get', 'a.v2.Books/Get']), ['a_v1_Books_Get', 'a_v2_Books_Get']);
  t.strictSame(names(['a.v1.Books/Get'], 'full'), ['a_v1_Books_Get']);
  const [first = '', second = ''] = names(['a.b_c.S/M', 'a_b.c.S/M']);
  t.not(first, second, 'two that would be the same');
  t.match(first, /^a_b_c_S_M_[\da-f]{8}$/);
  const long = `a.v1.${'Long'.repeat(20)}/Get`;
  t.match(names([long])[0], /^[\w-]{55}_[\da-f]{8}$/);
  t.equal(names([long])[0]!.length, 64);
  t.strictSame(names([long]), names([long, 'a.v1.Books/Get']).slice(0, 1), 'stable');
  t.match(names(['find/tools'])[0], /^find_tools_[\da-f]{8}$/, 'not one of ours');
  const mounts = toolNames([nameable('a.v1.Books/Get', '/one'), nameable('a.v1.Books/Get', '/two')], 'short');
  t.equal(new Set(mounts).size, 2);
  t.end();
});

void t.test('titles', (t) => {
  for (const [name, title] of [
    ['GetBook', 'Get book'],
    ['Range', 'Range'],
    ['ListVMs', 'List VMs'],
    ['SQLQuery', 'SQL query'],
    ['get_v2', 'get v 2'],
  ] as const) {
    t.equal(titleOf(name), title);
  }
  t.end();
});

void t.test('pages and selectors', async (t) => {
  const proxy = await start(t, proto, {
    mcpPageSize: 2,
    mcpTools: ['shop.v1.Books.GetBook', 'shop.v1.Books.AddBook', 'shop.v1.Books.Count'],
  });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  const list = async (cursor?: string): Promise<{ names: string[]; nextCursor: string | undefined }> => {
    const { tools, nextCursor } = (await client.request({ method: 'tools/list', params: { cursor } })) as {
      tools: { name: string }[];
      nextCursor?: string;
    };
    return { names: tools.map(({ name }) => name), nextCursor };
  };
  const first = await list();
  t.strictSame(first.names, ['Books_GetBook', 'Books_AddBook']);
  t.strictSame(await list(first.nextCursor), { names: ['Books_Count'], nextCursor: undefined });
  await t.rejects(list(Buffer.from('tool 99').toString('base64url')), /cursor/);
  await t.rejects(client.callTool({ name: 'Books_DeleteBook', arguments: {} }), /Unknown tool/);
});

void t.test('very many tools are found by words', async (t) => {
  const proxy = await start(t, proto, { mcpMaxListed: 8, mcpPageSize: 3 });
  const client = await connectClient(proxy.url, '2026-07-28');
  t.teardown(() => client.close());
  const { tools } = await client.listTools();
  t.strictSame(
    tools.map(({ name }) => name),
    ['find_tools', 'call_tool'],
  );
  const find = async (query: string): Promise<{ names: string[]; more: number }> => {
    const { structuredContent } = await client.callTool({ name: 'find_tools', arguments: { query } });
    const found = structuredContent as { tools: { name: string; inputSchema: object }[]; more: number };
    for (const { inputSchema } of found.tools) t.match(inputSchema, { type: 'object' });
    return { names: found.tools.map(({ name }) => name), more: found.more };
  };
  t.equal((await find('removes')).names[0], 'Books_DeleteBook', 'a word of a comment');
  t.strictSame(await find('watch a book'), {
    names: ['Books_WatchBooks', 'Books_DeleteBook', 'Books_GetBook'],
    more: 6,
  });
  t.strictSame(await find('zebra'), { names: [], more: 0 });
  t.equal((await find('')).names.length, 3);
  const call = (args: Record<string, unknown>): ReturnType<typeof client.callTool> =>
    client.callTool({ name: 'call_tool', arguments: args });
  t.match(await call({ name: 'Books_AddBook', arguments: { id: 'a' } }), { structuredContent: { id: 'a' } });
  t.match(await client.callTool({ name: 'Books_AddBook', arguments: { id: 'b' } }), { structuredContent: { id: 'b' } });
  for (const [args, text] of [
    [{}, /name is missing/],
    [{ name: 'Books_AddBok' }, /did you mean Books_AddBook/],
    [{ name: 'call_tool', arguments: {} }, /called by itself/],
    [{ name: 'Books_AddBook', arguments: [] }, /not an object/],
    [{ name: 'Books_AddBook', arguments: { pages: 'x' } }, /pages: found "x"/],
  ] as const) {
    const result = await call(args);
    t.equal(result.isError, true);
    t.match(textOf(result), text);
  }
  const bad = await client.callTool({ name: 'find_tools', arguments: {} });
  t.match(textOf(bad), /query is missing/);
});

void t.test('mounts: an endpoint of their own, and the tools of all at the root', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  const folder = mkdtempSync(join(tmpdir(), 'photongate-mcp-'));
  writeFileSync(join(folder, 'a.proto'), proto);
  const yaml = {
    proto: ['a.proto'],
    mcp: true,
    listeners: [{ listen: '127.0.0.1:0', mounts: { '/shop': { services: ['shop.v1.Books'] } } }],
  };
  writeFileSync(join(folder, 'photongate.yaml'), JSON.stringify(yaml));
  t.teardown(() => {
    service.close();
    rmSync(folder, { recursive: true });
  });
  const flags = { upstreams: [parseUpstream(service.target)] };
  const proxy = await startProxy(loadConfig({ flags, file: 'photongate.yaml', workingDirectory: folder }));
  t.teardown(() => proxy.drain());
  for (const path of ['/mcp', '/shop/mcp']) {
    const client = await connectClient(proxy.urls[0]!, '2025-11-25', { path });
    t.teardown(() => client.close());
    const { tools } = await client.listTools();
    t.equal(new Set(tools.map(({ name }) => name)).size, 9, path);
    t.match(await client.callTool({ name: 'Books_GetBook', arguments: { id: 'a' } }), {
      structuredContent: { id: 'a' },
    });
  }
});

void t.test('another path, which a route has, and bad ones', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-mcp-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.proto'), proto);
  const proxy = await start(t, proto, { mcpPath: '/v1/books', mcpToolNames: 'full' });
  const client = await connectClient(proxy.url, '2026-07-28', { path: '/v1/books' });
  t.teardown(() => client.close());
  const { tools } = await client.listTools();
  t.equal(tools.length, 9);
  t.ok(tools.every(({ name }) => name.startsWith('shop_v1_Books_')));
  for (const [flags, text] of [
    [['--mcp-path', 'mcp'], /expected a path such as \/mcp/],
    [['--mcp-path', '/a/../b'], /expected a path such as \/mcp/],
    [['--mcp-tools', 'a b'], /expected none, or selectors/],
    [['--mcp-tool-names', 'long'], /expected one of short, full/],
  ] as const) {
    const { code, stderr } = await runMain(['check', '--proto', 'a.proto', ...flags], folder);
    t.equal(code, 2);
    t.match(stderr, text);
  }
});
