/** The official client calls RPCs as tools, over real HTTP and a real gRPC server, in each revision. */
import { Metadata, status as grpcStatus } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { statusBytes } from '../../lib/metadata/index.js';
import { Writer } from '../../lib/wire/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { until } from '../support/until.js';
import { connectClient, proto, revisions, textOf } from './client.js';

const schema = schemaFromText(proto);
const codec = new Codec(schema);
const Book = schema.message('shop.v1.Book')!;

function book(json: object): Buffer {
  const out = new Writer();
  codec.reader(Book)(Buffer.from(JSON.stringify(json)), out);
  return Buffer.from(out.take());
}

function start(t: Test, options: object = {}): Promise<TestProxy> {
  const started = startTestProxy(proto, { mcp: true, ...options });
  t.teardown(async () => (await started).close());
  return started;
}

for (const revision of revisions) {
  void t.test(`revision ${revision}`, async (t) => {
    const proxy = await start(t, { mcpMaxMessages: 3 });
    const client = await connectClient(proxy.url, revision);
    t.teardown(() => client.close());
    t.equal(client.getNegotiatedProtocolVersion(), revision);
    t.match(client.getServerVersion(), { name: 'photongate', title: 'Books' });

    const call = (name: string, args: Record<string, unknown>): ReturnType<typeof client.callTool> =>
      client.callTool({ name, arguments: args });

    await t.test('what it lists', async (t) => {
      const { tools } = await client.listTools();
      t.strictSame(
        tools.map(({ name }) => name),
        ['GetBook', 'AddBook', 'PutBook', 'DeleteBook', 'Count', 'WatchBooks', 'AddAll', 'Chat', 'Echo'].map(
          (name) => `Books_${name}`,
        ),
        'those with a rule',
      );
      const byName = new Map(tools.map((tool) => [tool.name, tool]));
      const hints = (name: string): unknown => byName.get(name)?.annotations;
      const reads = { readOnlyHint: true, destructiveHint: false, idempotentHint: true };
      t.strictSame(hints('Books_GetBook'), reads);
      t.strictSame(hints('Books_Count'), reads, 'by idempotency_level');
      t.strictSame(hints('Books_AddBook'), { readOnlyHint: false }, 'nobody knows what a POST does');
      t.strictSame(hints('Books_PutBook'), { readOnlyHint: false, idempotentHint: true });
      t.strictSame(hints('Books_DeleteBook'), { readOnlyHint: false, destructiveHint: true, idempotentHint: true });
      const get = byName.get('Books_GetBook')!;
      t.equal(get.title, 'Get book');
      t.equal(get.description, 'Returns one book.');
      t.strictSame(get.inputSchema.required, ['id']);
      t.match(byName.get('Books_WatchBooks')?.description, /at most 3/);
    });

    await t.test('a unary call', async (t) => {
      const sent = { id: 'a', pages: 3, kind: 'NOVEL', sold: '9007199254740993', related: [{ id: 'b' }] };
      const result = await call('Books_AddBook', sent);
      t.strictSame(result.structuredContent, sent);
      t.strictSame(JSON.parse(textOf(result)), sent);
      t.notOk(result.isError);
      t.equal(proxy.service.calls.at(-1)?.path, '/shop.v1.Books/AddBook');
    });

    await t.test('answers that a schema for people would not have', async (t) => {
      proxy.service.answer = () => ({ message: Buffer.from('1807' + '29000000000000f87f', 'hex') });
      const { structuredContent } = await call('Books_GetBook', { id: 'a' });
      t.strictSame(structuredContent, { kind: 7, weight: 'NaN' }, 'no required field, an unknown enum value, NaN');
      proxy.service.answer = () => ({});
    });

    await t.test('messages whose JSON is no object', async (t) => {
      proxy.service.answer = () => ({ message: Buffer.from('0801', 'hex') });
      const result = await call('Books_Echo', { value: 'x' });
      t.strictSame(result.structuredContent, { value: '1970-01-01T00:00:01Z' });
      t.strictSame(proxy.service.calls.at(-1)?.message, Buffer.from('0a0178', 'hex'));
      t.match(textOf(await call('Books_Echo', { value: 4 })), /^INVALID_ARGUMENT: value: found 4, expected a string/);
      t.match(textOf(await call('Books_Echo', { value: 'x', other: 1 })), /other: there is no such argument/);
      t.match(textOf(await call('Books_Echo', {})), /value: is missing/);
      proxy.service.answer = () => ({});
    });

    await t.test('wrong arguments are a failure of the tool, with every field', async (t) => {
      const before = proxy.service.calls.length;
      const result = await call('Books_AddBook', { id: 4, pages: 'x', related: [{}, { sold: true }], nope: 1 });
      t.equal(result.isError, true);
      const text = textOf(result);
      for (const field of ['id', 'pages', 'related[1].sold', 'nope']) t.ok(text.includes(`- ${field}: `), field);
      t.match(result._meta?.['photongate/status'], {
        code: 3,
        status: 'INVALID_ARGUMENT',
        details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest' }],
      });
      t.equal(proxy.service.calls.length, before, 'no call was made');
    });

    await t.test('the status of a service', async (t) => {
      const typeUrl = 'type.googleapis.com/google.rpc.ErrorInfo';
      const details = statusBytes(5, 'no book 9', [{ typeUrl, value: Buffer.from('0a04474f4e45', 'hex') }]);
      proxy.service.answer = () => ({
        code: grpcStatus.NOT_FOUND,
        details: 'no book 9',
        trailers: { 'grpc-status-details-bin': details },
      });
      const result = await call('Books_GetBook', { id: '9' });
      t.equal(result.isError, true);
      t.match(
        textOf(result),
        /^NOT_FOUND: no book 9\n\{"@type":"type.googleapis.com\/google.rpc.ErrorInfo","reason":"GONE"\}$/,
      );
      proxy.service.answer = () => ({});
    });

    await t.test('a stream of messages, and progress', async (t) => {
      proxy.service.answer = () => ({ messages: ['a', 'b', 'c'].map((id) => book({ id })) });
      const seen: unknown[] = [];
      const result = await client.callTool(
        { name: 'Books_WatchBooks', arguments: { id: 'x' } },
        { onprogress: ({ progress, message }) => seen.push([progress, message]) },
      );
      t.strictSame(result.structuredContent, { messages: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] });
      t.strictSame(seen, [
        [1, '{"id":"a"}'],
        [2, '{"id":"b"}'],
        [3, '{"id":"c"}'],
      ]);
      t.strictSame((await call('Books_WatchBooks', { id: 'x' })).structuredContent, result.structuredContent);
      proxy.service.answer = () => ({ messages: ['a', 'b', 'c', 'd'].map((id) => book({ id })) });
      const cut = (await call('Books_WatchBooks', { id: 'x' })).structuredContent as Record<string, unknown>;
      t.strictSame(cut['messages'], [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
      t.match(cut['cut'], /more than 3 messages \(mcp_max_messages\)/);
      proxy.service.answer = () => ({});
    });

    await t.test('a stream that fails', async (t) => {
      const metadata = new Metadata();
      proxy.service.answer = () => ({
        drive: (stream) => {
          stream.write(book({ id: 'a' }));
          stream.emit('error', { code: grpcStatus.ABORTED, details: 'gone wrong', metadata });
        },
      });
      const result = await call('Books_WatchBooks', { id: 'x' });
      t.equal(result.isError, true);
      t.equal(textOf(result), 'ABORTED: gone wrong');
      proxy.service.answer = () => ({});
    });

    await t.test('streams of the client are lists', async (t) => {
      const many = { messages: [{ id: 'a' }, { pages: 4 }] };
      t.strictSame(
        (await call('Books_AddAll', many)).structuredContent,
        { id: 'a', pages: 4 },
        'what was sent, merged',
      );
      t.strictSame((await call('Books_Chat', many)).structuredContent, many);
      const rows: [object, RegExp][] = [
        [{}, /messages: is missing/],
        [{ messages: {} }, /messages: is missing, expected a list/],
        [{ messages: [{}, {}, {}, {}] }, /found 4 messages, expected at most 3 \(mcp_max_messages\)/],
        [{ messages: [{}, { pages: 'x' }] }, /- messages\[1\]\.pages: found "x"/],
        [{ messages: [{}, 3] }, /- messages\[1\]: found 3, expected an object/],
        [{ messages: [], id: 'a' }, /id: there is no such argument/],
      ];
      for (const [args, expected] of rows) {
        const result = await call('Books_AddAll', args as Record<string, unknown>);
        t.equal(result.isError, true);
        t.match(textOf(result), expected);
      }
    });

    await t.test('a client that gives up cancels the call', async (t) => {
      proxy.service.answer = () => ({ drive: (stream) => stream.write(book({ id: 'a' })) });
      const { cancelled } = proxy.service;
      const giveUp = new AbortController();
      const calling = client.callTool(
        { name: 'Books_WatchBooks', arguments: { id: 'x' } },
        { signal: giveUp.signal, onprogress: () => giveUp.abort() },
      );
      await t.rejects(calling);
      await until(() => proxy.service.cancelled > cancelled, 'a cancelled call');
      proxy.service.answer = () => ({});
    });

    await t.test('a tool that is not there', async (t) => {
      await t.rejects(call('Books_GetBok', {}), {
        message: /Unknown tool: "Books_GetBok"; did you mean Books_GetBook\?/,
      });
    });
  });
}

void t.test('a stream that does not end is cut by time', async (t) => {
  const proxy = await start(t, { mcpStreamTimeMs: 50 });
  proxy.service.answer = () => ({ drive: (stream) => stream.write(book({ id: 'a' })) });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  const { structuredContent } = await client.callTool({ name: 'Books_WatchBooks', arguments: { id: 'x' } });
  t.match(structuredContent, { cut: /did not end in 0.05 seconds \(mcp_stream_time\)/ });
  await until(() => proxy.service.cancelled === 1, 'a cancelled call');
});

void t.test('a result that is too large', async (t) => {
  const proxy = await start(t, { mcpMaxResultBytes: 100 });
  const client = await connectClient(proxy.url, '2025-11-25');
  t.teardown(() => client.close());
  const id = 'x'.repeat(80);
  t.match(await client.callTool({ name: 'Books_AddBook', arguments: { id } }), { structuredContent: { id } });
  const large = await client.callTool({ name: 'Books_AddBook', arguments: { id: 'x'.repeat(92) } });
  t.match(textOf(large), /RESOURCE_EXHAUSTED: the result has 101 bytes, more than 100 \(mcp_max_result_bytes\)/);
  proxy.service.answer = () => ({ messages: [book({ id }), book({ id })] });
  const cut = await client.callTool({ name: 'Books_WatchBooks', arguments: { id: 'x' } });
  t.match(cut.structuredContent, { messages: [{ id }], cut: /more than 100 bytes/ });
});

void t.test('metadata, deadlines and methods without a rule', async (t) => {
  const proxy = await start(t, { passThrough: 'all' });
  const headers = { 'x-tenant': 'blue', 'x-request-timeout': '50s', 'x-forwarded-for': '1.2.3.4' };
  const client = await connectClient(proxy.url, '2026-07-28', { headers });
  t.teardown(() => client.close());
  t.ok((await client.listTools()).tools.some(({ name }) => name === 'Books_Native'));
  t.match(await client.callTool({ name: 'Books_Native', arguments: { id: 'a' } }), { structuredContent: { id: 'a' } });
  const call = proxy.service.calls.at(-1)!;
  t.strictSame(call.metadata.get('x-tenant'), ['blue']);
  t.strictSame(call.metadata.get('x-forwarded-for'), ['127.0.0.1'], 'a client cannot say where it comes from');
  const own = Object.keys(call.metadata.getMap()).filter((name) => /^mcp-|^content-length|^accept$/.test(name));
  t.strictSame(own, []);
  t.ok(Number.isFinite(Number(call.deadline)), 'a deadline');
});
