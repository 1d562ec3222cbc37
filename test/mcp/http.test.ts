/** What the endpoint answers to requests that no client of good will sends, and to those of browsers; byte by byte. */
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { until } from '../support/until.js';
import { proto } from './client.js';

function start(t: Test, options: object = {}, yaml?: string): Promise<TestProxy> {
  const started = startTestProxy(proto, { mcp: true, ...options }, yaml);
  t.teardown(async () => (await started).close());
  return started;
}

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

function post(
  proxy: TestProxy,
  body: string | Buffer | object,
  headers: Readonly<Record<string, string>> = {},
): Promise<TestResponse> {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return proxy.send('POST /mcp', { headers: { ...json, ...headers }, body: text });
}

const rpc = (method: string, params: object = {}, id: unknown = 1): object => ({ jsonrpc: '2.0', id, method, params });
const meta = (version = '2026-07-28'): object => ({
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientCapabilities': {},
});
const list = rpc('tools/list');
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** Body, and what is answered: HTTP status, code of JSON-RPC (undefined: a result), id, and a part of the message. */
const messages: readonly (readonly [string, string | Buffer | object, number, number | undefined, unknown, RegExp?])[] =
  [
    ['a request', list, 200, undefined, 1],
    ['nothing', '', 400, -32700, null, /end of the text/],
    ['no JSON', '{"jsonrpc":', 400, -32700, null],
    ['two messages', '{} {}', 400, -32700, null],
    ['bytes that are not UTF-8', Buffer.from('7b22ff223a317d', 'hex'), 400, -32700, null, /not UTF-8/],
    [
      'deep nesting',
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${nested(5000)}}}`,
      400,
      -32700,
      null,
      /nested deeper/,
    ],
    ['a batch', [list, list], 400, -32600, null, /batches are not part of MCP/],
    ['an empty batch', [], 400, -32600, null],
    ['a text', '"tools/list"', 400, -32600, null, /not a JSON object/],
    ['another version', { jsonrpc: '1.0', id: 1, method: 'ping' }, 400, -32600, 1, /jsonrpc is "1.0"/],
    ['no version', { id: 1, method: 'ping' }, 400, -32600, 1, /jsonrpc is missing/],
    ['no method', { jsonrpc: '2.0', id: 1 }, 400, -32600, 1, /has no method/],
    ['a method that is no text', { jsonrpc: '2.0', id: 1, method: 4 }, 400, -32600, 1, /method is 4/],
    ['an id of null', rpc('ping', {}, null), 400, -32600, null, /id is null/],
    ['an id that is an object', rpc('ping', {}, {}), 400, -32600, null, /id is an object/],
    ['a fraction as an id', rpc('ping', {}, 1.5), 400, -32600, null],
    ['an id of text', rpc('ping', {}, 'a"b'), 200, undefined, 'a"b'],
    ['a long id', rpc('ping', {}, 'x'.repeat(5000)), 400, -32600, null, /at most 1024/],
    ['a name that stands twice', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}', 400, -32600, null, /twice/],
    [
      'params that are a list',
      { jsonrpc: '2.0', id: 1, method: 'ping', params: [] },
      400,
      -32602,
      1,
      /params is an array/,
    ],
    ['an unknown method', rpc('prompts/list'), 200, -32601, 1],
    ['a notification with an id', rpc('notifications/initialized'), 200, -32601, 1],
    ['a request without an id', { jsonrpc: '2.0', method: 'tools/list' }, 400, -32600, null, /has no id/],
    ['a tool without a name', rpc('tools/call'), 200, -32602, 1, /has no name/],
    ['a name that is no text', rpc('tools/call', { name: {} }), 200, -32602, 1, /name is an object/],
    ['an unknown tool', rpc('tools/call', { name: '__proto__' }), 200, -32602, 1, /Unknown tool: "__proto__"/],
    [
      'arguments that are a list',
      rpc('tools/call', { name: 'Books_GetBook', arguments: [] }),
      200,
      -32602,
      1,
      /not an object/,
    ],
    ['no arguments', rpc('tools/call', { name: 'Books_GetBook' }), 200, undefined, 1],
    ['a cursor of another server', rpc('tools/list', { cursor: 'x' }), 200, -32602, 1, /cursor/],
    [
      'a progress token that is a list',
      rpc('tools/call', { name: 'Books_GetBook', _meta: { progressToken: [] } }),
      200,
      -32602,
      1,
    ],
    ['_meta that is a text', rpc('tools/list', { _meta: 'x' }), 400, -32602, 1, /_meta is "x"/],
    ['discovery without _meta', rpc('server/discover'), 200, -32601, 1],
  ];

void t.test('messages', async (t) => {
  const proxy = await start(t);
  for (const [name, body, status, code, id, message = /./] of messages) {
    const answer = await post(proxy, body);
    const read = answer.json as { id: unknown; error?: { code: number; message: string }; result?: unknown };
    t.equal(answer.status, status, name);
    t.equal(read.error?.code, code, `${name}: code`);
    t.strictSame(read.id, id, `${name}: id`);
    if (code === undefined) t.ok(read.result, name);
    else t.match(read.error?.message, message, name);
  }
  const huge = await post(proxy, '{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}');
  t.equal(huge.text, '{"jsonrpc":"2.0","id":123456789012345678901234567890,"result":{}}', 'an id comes back as it was');
});

void t.test('messages without an answer', async (t) => {
  const proxy = await start(t);
  const bodies = [
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } },
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'x' } },
  ];
  for (const body of bodies) {
    const answer = await post(proxy, body);
    t.strictSame([answer.status, answer.text], [202, ''], JSON.stringify(body));
  }
});

void t.test('revisions', async (t) => {
  const proxy = await start(t);
  const initialize = async (protocolVersion: unknown): Promise<unknown> => {
    const answer = await post(proxy, rpc('initialize', { protocolVersion, capabilities: {}, clientInfo: {} }));
    t.match(answer.headers['mcp-session-id'], /^[\da-f-]{36}$/);
    return (answer.json as { result: { protocolVersion: string } }).result.protocolVersion;
  };
  t.equal(await initialize('2025-06-18'), '2025-06-18');
  t.equal(await initialize('2025-11-25'), '2025-11-25');
  t.equal(await initialize('2024-11-05'), '2025-11-25', 'an older one');
  t.equal(await initialize('2026-07-28'), '2025-11-25', 'one without initialize');
  t.equal(await initialize(undefined), '2025-11-25');

  const stateless = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
  const call = rpc('tools/call', { name: 'Books_GetBook', arguments: { id: 'a' }, _meta: meta() });
  const callHeaders = { ...stateless, 'mcp-method': 'tools/call', 'mcp-name': 'Books_GetBook' };
  const rows: [string, object, Record<string, string>, number, number | undefined][] = [
    ['a known header', list, { 'mcp-protocol-version': '2025-06-18' }, 200, undefined],
    ['an unknown header', list, { 'mcp-protocol-version': '1900-01-01' }, 400, -32022],
    ['a header without _meta', list, stateless, 400, -32602],
    ['both', rpc('tools/list', { _meta: meta() }), stateless, 200, undefined],
    ['_meta without a header', rpc('tools/list', { _meta: meta() }), {}, 400, -32020],
    [
      'another header',
      rpc('tools/list', { _meta: meta() }),
      { ...stateless, 'mcp-protocol-version': '2025-11-25' },
      400,
      -32020,
    ],
    [
      'an unknown version',
      rpc('tools/list', { _meta: meta('2030-01-01') }),
      { ...stateless, 'mcp-protocol-version': '2030-01-01' },
      400,
      -32022,
    ],
    [
      'no capabilities',
      rpc('tools/list', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }),
      stateless,
      400,
      -32602,
    ],
    ['another method', rpc('tools/list', { _meta: meta() }), { ...stateless, 'mcp-method': 'tools/call' }, 400, -32020],
    ['an unknown method', rpc('x', { _meta: meta() }), { ...stateless, 'mcp-method': 'x' }, 404, -32601],
    ['initialize', rpc('initialize', { _meta: meta() }), { ...stateless, 'mcp-method': 'initialize' }, 404, -32601],
    ['ping', rpc('ping', { _meta: meta() }), { ...stateless, 'mcp-method': 'ping' }, 404, -32601],
    ['a call', call, callHeaders, 200, undefined],
    [
      'a call whose name is encoded',
      call,
      { ...callHeaders, 'mcp-name': '=?base64?Qm9va3NfR2V0Qm9vaw==?=' },
      200,
      undefined,
    ],
    ['a call of another name', call, { ...callHeaders, 'mcp-name': 'Books_AddBook' }, 400, -32020],
    ['a call without the name', call, { ...stateless, 'mcp-method': 'tools/call' }, 400, -32020],
  ];
  for (const [name, body, headers, status, code] of rows) {
    const answer = await post(proxy, body, headers);
    const { error } = answer.json as { error?: { code: number; data?: { supported: string[] } } };
    t.strictSame([answer.status, error?.code], [status, code], name);
    if (code === -32022) t.strictSame(error?.data?.supported, ['2026-07-28', '2025-11-25', '2025-06-18']);
  }
  const discovered = await post(proxy, rpc('server/discover', { _meta: meta() }), {
    ...stateless,
    'mcp-method': 'server/discover',
  });
  t.match(discovered.json, {
    result: {
      resultType: 'complete',
      supportedVersions: ['2026-07-28', '2025-11-25', '2025-06-18'],
      capabilities: { tools: {} },
      ttlMs: 60_000,
      cacheScope: 'public',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'photongate' } },
    },
  });
});

void t.test('heads', async (t) => {
  const proxy = await start(t, { maxBodyBytes: 1000 }, 'policies: { cors: { origins: [https://app.example.com] } }');
  const body = JSON.stringify(list);
  const rows: [string, string, Record<string, string>, number, RegExp?][] = [
    ['GET', 'GET /mcp', { accept: 'text/event-stream' }, 405, /as a POST/],
    ['PUT', 'PUT /mcp', json, 405],
    ['OPTIONS', 'OPTIONS /mcp', {}, 204],
    ['DELETE', 'DELETE /mcp', { 'mcp-session-id': 'x' }, 204],
    ['a form', 'POST /mcp', { ...json, 'content-type': 'text/plain' }, 415, /expected application\/json/],
    ['no type', 'POST /mcp', { accept: '*/*' }, 415],
    ['an encoded body', 'POST /mcp', { ...json, 'content-encoding': 'gzip' }, 415, /not encoded/],
    ['a browser', 'POST /mcp', { ...json, accept: 'text/html' }, 406, /send both/],
    ['no accept', 'POST /mcp', { 'content-type': 'application/json' }, 200],
    [
      'another name of this machine',
      'POST /mcp',
      { ...json, host: 'evil.example' },
      403,
      /does not answer to the name/,
    ],
    ['a page of another origin', 'POST /mcp', { ...json, origin: 'https://evil.example' }, 403, /may not send POST/],
    ['a page that may', 'POST /mcp', { ...json, origin: 'https://app.example.com' }, 200],
    ['a large body', 'POST /mcp', { ...json, 'content-length': '1001' }, 413],
  ];
  for (const [name, request, headers, status, text = /(?:)/] of rows) {
    const large = headers['content-length'] === undefined ? body : ' '.repeat(1001);
    const answer = await proxy.send(request, { headers, ...(request.startsWith('POST') && { body: large }) });
    t.equal(answer.status, status, name);
    t.match(answer.text, text, name);
  }
  t.equal((await proxy.send('GET /mcp')).headers.allow, 'DELETE, OPTIONS, POST');
  const preflight = await proxy.send('OPTIONS /mcp', {
    headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
  });
  t.equal(preflight.headers['access-control-allow-methods'], 'DELETE, OPTIONS, POST');
  const events = await post(proxy, list, { accept: 'text/event-stream' });
  t.equal(events.headers['content-type'], 'text/event-stream');
  t.match(events.text, /^event: message\ndata: \{"jsonrpc":"2.0","id":1,"result":.*\}\n\n$/);
  const off = await startTestProxy(proto);
  t.teardown(() => off.close());
  t.equal((await off.send('POST /mcp', { headers: json, body })).status, 404, 'it is off by default');
});

void t.test('calls are cancelled by their session', async (t) => {
  const proxy = await start(t);
  proxy.service.answer = () => ({ drive: () => undefined });
  const watch = rpc('tools/call', { name: 'Books_WatchBooks', arguments: {} }, 'w');
  const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'w' } };
  const first = post(proxy, watch, { 'mcp-session-id': 'one' });
  const second = post(proxy, watch, { 'mcp-session-id': 'two' });
  await until(() => proxy.service.calls.length === 2, 'two calls');
  await post(proxy, cancel);
  await post(proxy, cancel, { 'mcp-session-id': 'three' });
  t.equal(proxy.service.cancelled, 0, 'nobody cancels the calls of others');
  await post(proxy, cancel, { 'mcp-session-id': 'one' });
  t.equal((await first).status, 202);
  await until(() => proxy.service.cancelled === 1, 'the first');
  await proxy.send('DELETE /mcp', { headers: { 'mcp-session-id': 'two' } });
  t.equal((await second).status, 202);
  await until(() => proxy.service.cancelled === 2, 'the second');
});

void t.test('limits count calls, too', async (t) => {
  const proxy = await start(t, { maxConcurrentRequests: 1 });
  const answer = await post(proxy, rpc('tools/call', { name: 'Books_GetBook', arguments: {} }));
  t.match(answer.json, { result: { isError: true, content: [{ text: /^UNAVAILABLE: 1 requests are under way/ }] } });
});

void t.test('a mutated message never breaks the proxy', async (t) => {
  const proxy = await start(t);
  const good = [
    JSON.stringify(list),
    JSON.stringify(rpc('initialize', { protocolVersion: '2025-11-25' })),
    JSON.stringify(rpc('tools/call', { name: 'Books_AddBook', arguments: { id: 'a', related: [{ sold: '4' }] } })),
    JSON.stringify(
      rpc('tools/call', { name: 'Books_AddAll', arguments: { messages: [{ id: 'a' }] }, _meta: { progressToken: 3 } }),
    ),
    JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }),
  ];
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '\\u0000',
    'null',
    '-1e999',
    '"__proto__":1,',
    '\u{1f600}',
    '\0',
  ];
  const edit = fc.tuple(fc.nat(200), fc.nat(3), fc.constantFrom(...pieces));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...good), fc.array(edit, { minLength: 1, maxLength: 4 }), async (text, edits) => {
      const mutated = edits.reduce(
        (from, [at, length, piece]) => from.slice(0, at) + piece + from.slice(at + length),
        text,
      );
      const { status, text: answer, json: read } = await post(proxy, mutated);
      if (status === 202) return answer === '';
      const message = read as { jsonrpc?: string; error?: { code: number }; result?: object } | undefined;
      const isKnown = [undefined, -32700, -32600, -32601, -32602].includes(message?.error?.code);
      return (status === 200 || status === 400) && message?.jsonrpc === '2.0' && isKnown;
    }),
    { numRuns: 300 },
  );
  t.equal((await post(proxy, list)).status, 200);
});
