/** Requests that no route takes, passed on to an HTTP/1.1 server: what it gets, what comes back, and how both sides hold. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { fileURLToPath } from 'node:url';
import { createGateway, loadConfig } from '../../lib/index.js';
import type { Exchange } from '../../lib/exchange.js';
import { Fallbacks } from '../../lib/fallback/index.js';
import { Holder } from '../../lib/shared.js';
import { MemoryExchange } from '../support/exchange.js';
import { streamRequest } from '../support/stream-client.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package fallback.v1;
import "google/api/annotations.proto";
service Fallback {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
}
message Message { string name = 1; }
`;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface Pair {
  readonly proxy: TestProxy;
  readonly server: Server;
  readonly seen: IncomingMessage[];
  handler: Handler;
  close(): Promise<void>;
}

async function startPair(base = '', options: object = {}): Promise<Pair> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    pair.handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fallback = `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`;
  const proxy = await startTestProxy(proto, { fallback, ...options });
  const pair: Pair = {
    proxy,
    server,
    seen,
    handler: (_request, response) => response.end('fallback'),
    async close() {
      await proxy.close();
      server.closeAllConnections();
      server.close();
    },
  };
  return pair;
}

async function waitUntil(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1000) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

void t.test('what goes there', async (t) => {
  const pair = await startPair();
  t.teardown(() => pair.close());
  const rows: readonly [request: string, status: number, where: 'service' | 'fallback' | 'proxy'][] = [
    ['GET /v1/a', 200, 'service'],
    ['HEAD /v1/a', 200, 'service'],
    ['GET /other?q=%2F+1', 200, 'fallback'],
    ['POST /v1/a', 200, 'fallback'],
    ['OPTIONS /v1/a', 204, 'proxy'],
    ['OPTIONS /other', 200, 'fallback'],
    ['OPTIONS *', 204, 'proxy'],
    ['GET /health', 200, 'proxy'],
    ['GET /livez', 200, 'fallback'],
    ['GET /readyz', 200, 'fallback'],
    ['GET http://elsewhere.example/abs', 200, 'fallback'],
    ['GET //a//b/', 200, 'fallback'],
    ['GET *', 400, 'proxy'],
  ];
  for (const [request, status, where] of rows) {
    pair.seen.length = 0;
    pair.proxy.service.calls.length = 0;
    const response = await pair.proxy.send(request);
    t.equal(response.status, status, request);
    t.equal(pair.seen.length, where === 'fallback' ? 1 : 0, request);
    t.equal(pair.proxy.service.calls.length, where === 'service' ? 1 : 0, request);
    const target = request.slice(request.indexOf(' ') + 1).replace('http://elsewhere.example', '');
    if (where === 'fallback') t.equal(pair.seen[0]!.url, target, 'the target as it was sent');
  }
  const foreign = await pair.proxy.send('POST /other', { headers: { origin: 'https://evil.example' } });
  t.equal(foreign.status, 403, 'policies run before');
});

void t.test('headers there and back', async (t) => {
  const pair = await startPair('/base/');
  t.teardown(() => pair.close());
  pair.handler = (_request, response) => {
    response.writeHead(
      207,
      'Odd',
      [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['keep-alive', 'timeout=9'],
        ['x-own', 'caf\u00e9'],
        ['content-type', 'text/plain'],
      ].flat(),
    );
    response.end('body');
  };
  const response = await pair.proxy.send('GET /x', {
    headers: {
      host: 'localhost:1',
      connection: 'close, x-gone',
      'x-gone': '1',
      te: 'trailers',
      upgrade: 'h2c',
      'proxy-authorization': 'x',
      'x-forwarded-for': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      authorization: 'Bearer x',
      'x-request-id': 'id-1',
      'x-many': ['a', 'b'],
    },
  });
  const { headers, url } = pair.seen[0]!;
  t.equal(url, '/base/x');
  t.equal(headers.host, `127.0.0.1:${(pair.server.address() as AddressInfo).port}`);
  t.match(headers, {
    authorization: 'Bearer x',
    'x-many': 'a, b',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'localhost:1',
    'x-request-id': 'id-1',
  });
  for (const name of ['x-gone', 'te', 'upgrade', 'proxy-authorization', 'forwarded']) t.notOk(name in headers, name);
  t.equal(response.status, 207);
  t.equal(response.reason, 'Odd');
  t.equal(response.text, 'body');
  t.strictSame(response.headers['set-cookie'], ['a=1', 'b=2']);
  t.equal(response.headers['x-own'], 'caf\u00e9');
  t.notOk('x-hop' in response.headers);
  t.not(response.headers['keep-alive'], 'timeout=9');
  t.equal(response.headers['x-request-id'], 'id-1');
});

void t.test('HEAD, 204, Expect, trailers', async (t) => {
  const pair = await startPair();
  t.teardown(() => pair.close());
  pair.handler = (request, response) => {
    if (request.url === '/204') response.writeHead(204).end();
    else if (request.url === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('part');
      response.addTrailers({ 'x-sum': '42' });
      response.end();
    } else if (request.method === 'HEAD') response.writeHead(200, { 'content-length': '12345' }).end();
    else request.pipe(response);
  };
  const head = await pair.proxy.send('HEAD /x');
  t.equal(head.headers['content-length'], '12345');
  t.equal(head.text, '');
  const none = await pair.proxy.send('GET /204');
  t.equal(none.status, 204);
  const trailing = await pair.proxy.send('GET /trailers', { headers: { te: 'trailers', connection: 'te' } });
  t.equal(trailing.text, 'part');
  t.equal(trailing.trailers['x-sum'], '42');
  t.strictSame((await pair.proxy.send('GET /trailers')).trailers, {});
  const socket = connect(pair.proxy.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.write(
    'POST /x HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n',
  );
  await waitUntil(() => text.includes('100 Continue'));
  socket.write('abc');
  await once(socket, 'close');
  t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*abc/);
  t.equal(pair.seen.at(-1)!.headers.expect, undefined);
});

void t.test('streams both ways, and neither side is held whole', async (t) => {
  const pair = await startPair();
  t.teardown(() => pair.close());
  pair.handler = (request, response) => request.pipe(response);
  const echo = httpRequest({ port: pair.proxy.port, host: '127.0.0.1', method: 'POST', path: '/echo' });
  echo.write('one');
  const [response] = (await once(echo, 'response')) as [IncomingMessage];
  t.equal(String((await once(response, 'data'))[0]), 'one', 'the answer flows while the body still comes');
  const ended = once(response, 'end');
  echo.end('two');
  t.equal(String((await once(response, 'data'))[0]), 'two');
  await ended;

  // A reader that does not read holds the upstream back: far less than all of it is taken.
  let written = 0;
  const piece = Buffer.alloc(64 * 1024);
  const total = 2000;
  pair.handler = (_request, answer) => {
    const more = (): void => {
      while (written < total) {
        written++;
        if (!answer.write(piece)) return void answer.once('drain', more);
      }
      answer.end();
    };
    more();
  };
  const slow = connect(pair.proxy.port, '127.0.0.1');
  slow.pause();
  slow.write('GET /big HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  await waitUntil(() => written > 0);
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.ok(written < total / 2, `${written} of ${total} pieces were taken`);
  let length = 0;
  slow.on('data', (chunk: Buffer) => (length += chunk.length));
  slow.resume();
  await once(slow, 'close');
  t.ok(length > total * piece.length, 'and then all of it arrives');
});

void t.test('a client that goes away', async (t) => {
  const pair = await startPair();
  t.teardown(() => pair.close());
  let closed = 0;
  pair.handler = (request, response) => {
    response.on('close', () => closed++);
    if (request.url === '/begun') response.write('x');
  };
  for (const path of ['/waiting', '/begun']) {
    const before = pair.seen.length;
    const count = closed;
    const socket = connect(pair.proxy.port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await waitUntil(() => pair.seen.length > before);
    if (path === '/begun') await once(socket, 'data');
    socket.resetAndDestroy();
    await waitUntil(() => closed > count);
    t.pass(path);
  }
  const upload = connect(pair.proxy.port, '127.0.0.1');
  let aborted = false;
  pair.handler = (request) => {
    request.on('error', () => undefined).on('aborted', () => (aborted = true));
    request.resume();
  };
  const before = pair.seen.length;
  upload.write('POST /up HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc');
  await waitUntil(() => pair.seen.length > before);
  upload.destroy();
  await waitUntil(() => aborted);
  t.pass('half an upload is never taken for whole');
});

void t.test('errors', async (t) => {
  const tcp = createTcpServer();
  let onConnect: (socket: Socket) => void = (socket) => socket.destroy();
  tcp.on('connection', (socket) => {
    socket.on('error', () => undefined);
    onConnect(socket);
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const proxy = await startTestProxy(proto, {
    fallback: `http://127.0.0.1:${port}`,
    fallbackTimeout: '300ms',
  } as object);
  const cut = await proxy.send('GET /x');
  t.equal(cut.status, 502);
  t.match(cut.json, { code: 14, message: /fallback server/ });
  onConnect = (socket) => void socket.once('data', () => socket.end('nonsense\r\n\r\n'));
  t.equal((await proxy.send('GET /x')).status, 502, 'no HTTP');
  const coded = 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n';
  onConnect = (socket) => void socket.once('data', () => socket.end(coded));
  t.match(await proxy.send('GET /x'), { status: 502, json: { message: /Transfer-Encoding "gzip"/ } });
  onConnect = (socket) => void socket.resume();
  const late = await proxy.send('GET /x');
  t.equal(late.status, 504);
  t.match(late.json, { code: 4, message: /fallback_timeout/ });
  onConnect = (socket) =>
    void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
  await t.rejects(proxy.send('GET /x'), 'an answer cut short is broken off');
  onConnect = (socket) =>
    void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'));
  await t.rejects(proxy.send('GET /x'), 'in chunks too');
  tcp.close();
  await proxy.close();
  const gone = await startTestProxy(proto, { fallback: `http://127.0.0.1:${port}`, errorFormat: 'aip193' });
  const refused = await gone.send('POST /x', { body: 'abc' });
  t.equal(refused.status, 502);
  t.match(refused.json, { error: { code: 502, status: 'UNAVAILABLE', message: /ECONNREFUSED/ } });
  await gone.close();
});

/** A port that leads to another one, which may be opened later. */
async function startDetour(t: Test): Promise<{ readonly url: string; port: number }> {
  const server = createTcpServer((socket) => {
    const onward = connect(detour.port, '127.0.0.1');
    socket.on('error', () => onward.destroy()).pipe(onward);
    onward.on('error', () => socket.destroy()).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const detour = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, port: 0 };
  return detour;
}

void t.test('circles', async (t) => {
  const [toFirst, toSecond] = [await startDetour(t), await startDetour(t)];
  const first = await startTestProxy(proto, { fallback: toSecond.url });
  t.teardown(() => first.close());
  toSecond.port = first.port;
  const itself = await first.send('GET /other');
  t.equal(itself.status, 508, 'itself');
  t.match(itself.json, { message: /^the fallback leads back here: .*; change --fallback/ });
  t.equal((await first.send('POST /other', { body: 'abc' })).status, 508, 'with a body');

  const second = await startTestProxy(proto, { fallback: toFirst.url });
  t.teardown(() => second.close());
  toFirst.port = first.port;
  toSecond.port = second.port;
  t.equal((await first.send('GET /other')).status, 508, 'over another one');
  t.equal((await second.send('GET /v1/a')).status, 200);

  const pair = await startPair();
  t.teardown(() => pair.close());
  const hops = (count: number): string[] => Array.from({ length: count }, (_, index) => `1.1 photongate-${index}`);
  const many = await pair.proxy.send('GET /x', { headers: { via: hops(10).join(', ') } });
  t.equal(many.status, 508, 'too many of our kind');
  t.equal(pair.seen.length, 0);
  t.equal((await pair.proxy.send('GET /x', { headers: { via: ['1.0 fred', ...hops(9)] } })).status, 200);
  t.match(pair.seen[0]!.headers.via, /^1\.0 fred, 1\.1 photongate-0, .*photongate-8, 1\.1 photongate-[0-9a-f]{12}$/);
});

void t.test('fallback_timeout counts while the server is waited for, connect_timeout for its connection', async (t) => {
  const pair = await startPair('', { fallbackTimeout: '400ms' });
  t.teardown(() => pair.close());
  pair.handler = (request, response) => void request.resume().on('end', () => response.end());
  const slow = httpRequest({ port: pair.proxy.port, host: '127.0.0.1', method: 'POST', path: '/slow' });
  for (const piece of ['a', 'b', 'c']) {
    slow.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  slow.end();
  const [response] = (await once(slow, 'response')) as [IncomingMessage];
  response.resume();
  t.equal(response.statusCode, 200, 'a slow client may take longer');

  pair.handler = (request) => void request.pause();
  const stuck = httpRequest({ port: pair.proxy.port, host: '127.0.0.1', method: 'POST', path: '/stuck' });
  stuck.on('error', () => undefined);
  const stopped = once(stuck, 'response');
  stuck.write(Buffer.alloc(20 * 1024 ** 2));
  t.equal(((await stopped)[0] as IncomingMessage).statusCode, 504, 'a server that does not take the upload');
  stuck.destroy();

  const deaf = await startDeaf(t);
  const proxy = await startTestProxy(proto, { fallback: deaf, connectTimeout: '200ms' } as object);
  t.teardown(() => proxy.close());
  t.match(await proxy.send('GET /x'), { status: 504, json: { code: 4, message: /connect_timeout/ } });
});

/** A port that takes connections, and never shakes hands. */
async function startDeaf(t: Test): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => sockets.add(socket.on('error', () => undefined).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

void t.test('over HTTP/2', async (t) => {
  const pair = await startPair();
  t.teardown(() => pair.close());
  pair.handler = (request, response) => request.pipe(response);
  const ask = async (line: string, request: object = {}) => {
    const client = streamRequest(pair.proxy.port, line, { version: '2', ...request });
    const answer = await client.done();
    client.destroy();
    return answer;
  };
  t.match(await ask('POST /x', { body: 'abc' }), { status: 200, text: 'abc', ended: 'whole' });
  t.match(pair.seen[0]!.headers.via, /^2 photongate-/);
  pair.handler = (_request, response) => {
    response.writeHead(200, { 'content-length': '10' });
    response.write('abc');
    setImmediate(() => response.destroy());
  };
  t.match(await ask('GET /x'), { status: 200, ended: 'broken' });
});

void t.test('whatever throws, a request ends', async (t) => {
  const pair = await startPair();
  const fallbacks = new Fallbacks();
  t.teardown(async () => {
    fallbacks.close();
    await pair.close();
  });
  const { port } = pair.server.address() as AddressInfo;
  const fallback = fallbacks.to(
    { fallback: `http://127.0.0.1:${port}`, fallbackTimeoutMs: 10_000, connectTimeoutMs: 10_000 },
    new Holder(),
  );
  pair.handler = (request, response) => request.pipe(response);
  const run = async (fault: string): Promise<{ done: string; calls: number; aborted: boolean }> => {
    const memory = new MemoryExchange({ target: '/x', body: ['a', 'b'] });
    const exchange = new Proxy<Exchange>(memory, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (name === fault) throw new Error(`fault in ${fault}`);
          return Reflect.apply(value, target, given);
        };
      },
    });
    let calls = 0;
    const done = await new Promise<string>((resolve) => {
      const end = (what: string) => (error?: unknown) => {
        calls++;
        resolve(`${what} ${error instanceof Error ? error.message : ''}`);
      };
      const head = {
        requestId: 'r',
        target: '/x',
        caller: { address: '127.0.0.1', forwarded: [] },
        headers: memory.headers,
        identity: [],
      };
      fallback.forward(exchange, head, { onDone: end('done'), onError: end('error') });
    });
    await new Promise(setImmediate);
    const answer = await Promise.race([memory.answer, Promise.resolve(undefined)]);
    return { done, calls, aborted: answer?.aborted === true };
  };
  t.match(await run(''), { done: 'done ', calls: 1, aborted: false });
  t.match(await run('respond'), { done: 'error fault in respond', calls: 1, aborted: false });
  t.match(await run('write'), { done: 'done fault in write', calls: 1, aborted: true });
  t.match(await run('end'), { done: 'done fault in end', calls: 1, aborted: true });
  for (const fault of ['continue', 'read']) t.match(await run(fault), { done: /^error /, calls: 1 }, fault);
});

/** A server that answers each request with the same bytes, and closes. */
async function startRaw(t: Test): Promise<{ readonly url: string; answer: Buffer; readonly targets: string[] }> {
  const targets: string[] = [];
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk: Buffer) => {
      targets.push(chunk.toString('latin1').split(' ')[1]!);
      socket.end(raw.answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const raw = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answer: Buffer.alloc(0), targets };
  return raw;
}

void t.test('what the server says is checked, over each way to the client', async (t) => {
  const raw = await startRaw(t);
  const proxy = await startTestProxy(proto, { fallback: raw.url });
  t.teardown(() => proxy.close());
  const embedded = createGateway({
    proto: fileURLToPath(new URL('../../examples/embed/greeter.proto', import.meta.url)),
    upstreams: proxy.service.target,
    fallback: raw.url,
  });
  t.teardown(() => embedded.close());
  const plain = 'content-length: 2\r\n';
  const rows: readonly [line: string, fields: string, status: number, problem: RegExp | undefined, phrase?: string][] =
    [
      ['200 OK', plain, 200, undefined, 'OK'],
      ['599 Odd', plain, 599, undefined, 'Odd'],
      ['200', plain, 200, undefined],
      ['404 Non trouv\u00e9', plain, 502, /reason phrase "Non trouv.+", expected printable ASCII/],
      ['200 Wait\u2026', plain, 502, /reason phrase/],
      ['600 X', plain, 502, /status 600, expected 200 to 599/],
      ['999 X', plain, 502, /status 999/],
      ['000 X', plain, 502, /fallback server/],
      ['099 X', plain, 502, /fallback server/],
      ['1000 X', plain, 502, /fallback server/],
      ['101 Switching Protocols', 'connection: upgrade\r\nupgrade: x\r\n', 502, /fallback server/],
      ['200 a\x01b', plain, 502, /reason phrase "a\\u0001b", expected printable ASCII/],
      ['200 a\x7fb', plain, 502, /reason phrase/],
      ['200 OK', `${plain}x-bad: a\x01b\r\n`, 502, /fallback server/],
      ['200 OK', `${plain}x bad: a\r\n`, 502, /fallback server/],
      ['200 OK', `${plain}x-good: \u00e9\r\n`, 200, undefined],
      ['204 None', plain, 204, undefined],
      ['205 Reset', plain, 205, undefined],
      ['304 Same', plain, 304, undefined],
    ];
  for (const [line, fields, status, problem, phrase] of rows) {
    raw.answer = Buffer.from(`HTTP/1.1 ${line}\r\n${fields}connection: close\r\n\r\nok`);
    const what = JSON.stringify([line, fields]);
    const byHttp1 = await proxy.send('GET /x');
    t.equal(byHttp1.status, status, what);
    if (phrase !== undefined) t.equal(byHttp1.reason, phrase, what);
    if (problem !== undefined) t.match((byHttp1.json as { message: string }).message, problem, what);
    const client = streamRequest(proxy.port, 'GET /x', { version: '2' });
    const byHttp2 = await client.done();
    client.destroy();
    t.match(byHttp2, { status, ended: 'whole' }, `${what} over HTTP/2`);
    const byFetch = await embedded.fetch(new Request('http://example/x'));
    t.equal(byFetch.status, status, `${what} by fetch`);
    const hasBody = ![204, 205, 304].includes(status);
    if (problem === undefined) t.equal(await byFetch.text(), hasBody ? 'ok' : '', what);
  }
});

void t.test('a request stays below the path of the URL', async (t) => {
  const raw = await startRaw(t);
  raw.answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  const proxy = await startTestProxy(proto, { fallback: `${raw.url}/base` });
  t.teardown(() => proxy.close());
  const inside = [
    '/x',
    '/x?y=/../..',
    '/a/../b',
    '/a/b/../../c',
    '/a/%2e%2e/b',
    '/..x',
    '/...',
    '/.',
    '/x/..',
    '/%E4%B8%AD/..',
    '//x',
    '/%2F',
  ];
  const outside = [
    '/..',
    '/../x',
    '/./../x',
    '//../x',
    '/a/../../x',
    '/%2e%2e/x',
    '/%2E./x',
    '/.%2e',
    '/..%2fx',
    '/..%5cx',
    '/..\\x',
    '/\\..\\x',
    '/a\\..\\..\\x',
    '/%252e%252e/x',
    '/%25252e./x',
    '/..;/x',
    '/..;a=b/x',
    '/..%3b/x',
    '/..%20/x',
    '/..%00/x',
    '/a/..;/..;/x',
    '/../base/../../x',
    'http://elsewhere.example/../x',
  ];
  for (const target of inside) {
    t.equal((await proxy.send(`GET ${target}`)).status, 200, target);
    t.equal(raw.targets.pop(), `/base${target}`, 'as it was sent');
  }
  for (const target of outside) {
    const refused = await proxy.send(`GET ${target}`);
    t.match(refused, { status: 400, json: { code: 3, message: /leads out of \/base\/, / } }, target);
    const client = streamRequest(proxy.port, `GET ${target}`, { version: '2' });
    if (target.startsWith('/')) t.equal((await client.done()).status, 400, `${target} over HTTP/2`);
    client.destroy();
  }
  t.equal((await proxy.send('GET *')).status, 400);
  t.strictSame(raw.targets, [], 'nothing went out');
  const root = await startTestProxy(proto, { fallback: raw.url });
  t.teardown(() => root.close());
  t.equal((await root.send('GET /../x')).status, 200, 'without a base there is nothing to leave');
});

void t.test('what is not a URL', (t) => {
  for (const fallback of ['localhost:3000', 'ftp://a', 'http://', 'http://a/?x=1', 'http://u:p@a', '/x', '']) {
    const flags = { descriptorSet: ['x'], options: { fallback } };
    t.throws(() => loadConfig({ flags }), { message: /^fallback: found .* expected an http:\/\// }, fallback);
  }
  t.end();
});
