/**
 * The gateway inside applications: node:http and node:http2, Express, Fastify and the Fetch API, each as its example in
 * examples/embed has it, in front of a real gRPC server.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect, type Socket as NetSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import fastify from 'fastify';
import t, { type Test } from 'tap';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { expressServer } from '../../examples/embed/express.js';
import { fastifyApp } from '../../examples/embed/fastify.js';
import { fetchApp } from '../../examples/embed/fetch.js';
import { nodeServer } from '../../examples/embed/node-http.js';
import { errorChannel } from '../../lib/gateway/index.js';
import type { ErrorFormatter } from '../../lib/transcode/index.js';
import { libraryName, optionSpecs } from '../../lib/config/index.js';
import { createGateway, type EmbeddedGateway, type GatewayInput } from '../../lib/index.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { pem } from '../support/certificates.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { streamRequest, waitFor } from '../support/stream-client.js';

const proto = fileURLToPath(new URL('../../examples/embed/greeter.proto', import.meta.url));

async function service(t: Test): Promise<EchoService> {
  const echo = await startEchoService(schemaFromText(readFileSync(proto, 'utf8')));
  t.teardown(() => echo.close());
  return echo;
}

/** Listens on a free port; closed with the test. */
async function open(t: Test, server: Server, gateway: EmbeddedGateway): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
    await gateway.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function gatewayFor(t: Test, echo: EchoService, input: GatewayInput = {}): EmbeddedGateway {
  const gateway = createGateway({ proto, upstreams: echo.target, ...input });
  t.teardown(() => gateway.close());
  return gateway;
}

const portOf = (url: string): number => Number(new URL(url).port);
const json = { 'content-type': 'application/json' };

/** What every server does with every kind of request. */
async function exercise(t: Test, url: string, base = ''): Promise<void> {
  const hello = await send(url, `GET ${base}/v1/hello/Ada%2Fx`);
  t.match(hello, { status: 200, json: { message: 'Ada/x' } });
  const posted = await send(url, `POST ${base}/v1/hello`, { headers: json, body: '{"name":"Bo"}' });
  t.match(posted, { status: 200, json: { message: 'Bo' } }, 'a body');
  const wrong = await send(url, `POST ${base}/v1/hello`, { headers: json, body: '{"nam":"Bo"}' });
  t.match(wrong, { status: 400 });
  t.match(wrong.text, /did you mean \\?"name/);
  const large = await send(url, `POST ${base}/v1/hello`, { headers: json, body: Buffer.alloc(5 * 1024 ** 2) });
  t.equal(large.status, 413, 'the limit of bodies holds');
  const chat = streamRequest(portOf(url), `POST ${base}/v1/chat`, {
    headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
    open: true,
  });
  chat.write('{"name":"one"}\n');
  await chat.until('"one"');
  chat.write('{"name":"two"}\n');
  await chat.until('"two"');
  chat.end();
  t.match(await chat.done(), { ended: 'whole', text: '{"message":"one"}\n{"message":"two"}\n' }, 'both ways');
}

interface SocketClient {
  readonly socket: WebSocket;
  readonly frames: string[];
  /** The close code, or the status of a refused handshake. */
  readonly end: Promise<number>;
}

function openSocket(url: string, options: ClientOptions = {}): SocketClient {
  const socket = new WebSocket(url.replace('http', 'ws'), options);
  const frames: string[] = [];
  socket.on('message', (data: Buffer) => frames.push(data.toString()));
  const end = new Promise<number>((resolve, reject) => {
    socket.on('close', resolve);
    socket.on('unexpected-response', (request, { statusCode }) => {
      resolve(statusCode!);
      request.destroy();
    });
    socket.on('error', reject);
  });
  return { socket, frames, end };
}

/** WebSockets as every server has them that the gateway is attached to. */
async function exerciseSockets(t: Test, url: string, base = ''): Promise<void> {
  const chat = openSocket(`${url}${base}/v1/chat`);
  await once(chat.socket, 'open');
  for (const name of ['one', 'two']) {
    chat.socket.send(JSON.stringify({ name }));
    await once(chat.socket, 'message');
  }
  chat.socket.send('');
  t.equal(await chat.end, 1000);
  t.strictSame(chat.frames, ['{"message":"one"}', '{"message":"two"}'], 'frames both ways');
  const bad = openSocket(`${url}${base}/v1/count/many`);
  t.equal(await bad.end, 4003);
  t.match(bad.frames, [/"?error"?.*many/], 'an error frame');
  const foreign = openSocket(`${url}${base}/v1/chat`, { headers: { origin: 'http://evil.example' } });
  t.equal(await foreign.end, 403, 'the origin is checked');
  // Without a listener to upgrades Node would answer these as any request.
  const upgrade = { connection: 'upgrade', upgrade: 'h2c' };
  t.match(await send(url, `GET ${base}/v1/hello/Ada`, { headers: upgrade }), { status: 200, json: { message: 'Ada' } });
  const posted = await send(url, `POST ${base}/v1/hello`, { headers: { ...json, ...upgrade }, body: '{"name":"Bo"}' });
  t.match(posted, { status: 200, json: { message: 'Bo' } }, 'an upgrade to something else is ignored');
  const elsewhere = await openSocket(`${url}/elsewhere`).end;
  t.equal(elsewhere, (await send(url, 'GET /elsewhere')).status, 'what is not ours goes on to the application');
}

void t.test('node:http', async (t) => {
  const echo = await service(t);
  const { server, gateway } = nodeServer(echo.target);
  const url = await open(t, server, gateway);
  await exercise(t, url);
  await exerciseSockets(t, url);
  t.match(await send(url, 'GET /other'), { status: 200, text: 'GET /other is not in greeter.proto\n' });
  t.match(await send(url, 'DELETE /v1/hello/Ada'), { text: 'DELETE /v1/hello/Ada is not in greeter.proto\n' });
  t.match(await send(url, 'OPTIONS /v1/hello/Ada'), { status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } });
  const foreign = { headers: { origin: 'http://evil.example', ...json }, body: '{}' };
  t.match(await send(url, 'POST /v1/hello', foreign), { status: 403 }, 'the origin is checked where a route is');
  t.match(await send(url, 'POST /other', foreign), { status: 200 }, 'and not for the application');
  t.match(await send(url, 'GET /v1/hello/A', { headers: { host: 'any.example' } }), { status: 200 }, 'any host');
});

void t.test('node:http alone answers 404 and 405', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const url = await open(t, createServer(gateway.node), gateway);
  t.match(await send(url, 'GET /other'), { status: 404, json: { code: 5 } });
  t.match(await send(url, 'DELETE /v1/hello/Ada'), { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } });
});

void t.test('a client that goes away cancels its call; a broken answer is seen to be broken', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const url = await open(t, createServer(gateway.node), gateway);
  const lines = { headers: { accept: 'application/x-ndjson' } };
  echo.answer = () => ({ drive: (call) => void call.write(Buffer.from('0a0161', 'hex')) });
  const left = streamRequest(portOf(url), 'GET /v1/count/3', lines);
  await left.until('a');
  left.destroy();
  await waitFor(
    () => echo.cancelled === 1,
    () => 'the cancellation',
  );
  const upload = streamRequest(portOf(url), 'POST /v1/chat', { headers: json, open: true });
  echo.answer = () => ({});
  upload.write('{"name":"one"}');
  await upload.until('one');
  upload.destroy();
  await waitFor(
    () => echo.cancelled === 2,
    () => 'half an upload to be cancelled, not ended',
  );
  echo.answer = () => ({ messages: [Buffer.from('0a0161', 'hex')], code: 13, details: 'late' });
  const broken = await streamRequest(portOf(url), 'GET /v1/count/3').done();
  t.match(broken, { status: 200, ended: 'broken', text: /^\[\{"message":"a"\},\{"error":/ });
});

void t.test('node:http2 by its compatibility API', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const server = createHttp2Server((request, response) => {
    gateway.node(request, response, () => {
      response.addTrailers({ 'x-own': 'yes' });
      response.end('own');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = async (line: string, request: object = {}) => {
    const client = streamRequest(port, line, { version: '2', ...request });
    const answer = await client.done();
    client.destroy();
    return answer;
  };
  echo.answer = () => ({ trailers: { 'x-cost': '3' } });
  t.match(await ask('POST /v1/hello', { headers: { te: 'trailers', ...json }, body: '{"name":"Ada"}' }), {
    status: 200,
    text: '{"message":"Ada"}',
    trailers: { 'x-cost': '3' },
  });
  t.match(await ask('GET /other'), { status: 200, text: 'own', trailers: { 'x-own': 'yes' } });
  echo.answer = () => ({});
  const chat = streamRequest(port, 'POST /v1/chat', { version: '2', headers: json, open: true });
  chat.write('{"name":"one"}');
  await chat.until('one');
  chat.destroy();
  await waitFor(
    () => echo.cancelled === 1,
    () => 'the cancellation',
  );
});

void t.test('Express', async (t) => {
  const echo = await service(t);
  const { server, gateway } = expressServer(echo.target);
  const url = await open(t, server, gateway);
  await exercise(t, url, '/api');
  await exerciseSockets(t, url, '/api');
  const parsed = { headers: json, body: '{"a":1}' };
  t.match(await send(url, 'POST /api/echo', parsed), { status: 200, json: { echo: { a: 1 } } });
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 404, 'below its path alone');
  t.match((await send(url, 'GET /api/v1/hello/%zz')).headers, { 'content-type': 'application/problem+json' });
});

/** Follows what the pages below a path say, as a reader would. */
async function followPages(t: Test, url: string, base: string): Promise<void> {
  const { json: document } = await send(url, `GET ${base}/openapi.json`);
  const [server] = (document as { servers: [{ url: string }] }).servers;
  t.equal(server.url, base, `${base}: the document says where it is`);
  t.match(await send(url, `GET ${server.url}/v1/hello/Ada`), { status: 200, json: { message: 'Ada' } });
  t.match((await send(url, `GET ${base}/openapi.yaml`)).text, `- url: ${base}\n`);
  const { text } = await send(url, `GET ${base}/openapi.json`);
  t.match(text, `curl http://127.0.0.1:8080${base}/v1/hello/my-name`, 'curl lines have it, too');
  const index = await send(url, `GET ${base}/`, { headers: { accept: 'text/html' } });
  const links = [...index.text.matchAll(/href="(\/[^"]*)"/g)].map(([, href]) => href!);
  t.ok(links.includes(`${base}/docs`), index.text);
  for (const link of links) t.equal((await send(url, `GET ${link}`)).status, 200, link);
  t.match((await send(url, `GET ${base}`)).text, `${base}/v1/hello/{name}`, 'the list for a shell');
}

void t.test('pages know where they are mounted', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo, { health: false });
  const router = express.Router();
  router.use('/v', gateway.express);
  const app = express().use('/api', gateway.express).use('/team/:name', gateway.express).use('/deep', router);
  const url = await open(t, createServer(app), gateway);
  for (const base of ['/api', '/API', '/team/a.b-1', '/deep/v']) await followPages(t, url, base);
  t.match((await send(url, 'GET /docs')).status, 404);
  // Whatever a client writes there, it stays a path.
  const odd = await send(url, `GET /team/a'b(c)$;&/openapi.json`);
  t.match(odd.json, { servers: [{ url: '/team/a%27b%28c%29%24%3b%26' }] });

  // Connect and its like keep the whole target, and nothing else.
  const bare = createServer((request, response) => {
    const { url: target = '/' } = request;
    const isOurs = target.startsWith('/our');
    if (isOurs) Object.assign(request, { originalUrl: target, url: target.slice('/our'.length) || '/' });
    gateway.node(request, response);
  });
  const bareUrl = await open(t, bare, gateway);
  await followPages(t, bareUrl, '/our');
  t.match((await send(bareUrl, 'GET /openapi.json')).json, { servers: [{ url: '/' }] });
  t.match((await send(bareUrl, 'GET /our/nothing')).text, 'GET /our/');

  const fast = fastify();
  void fast.register(gateway.fastify, { prefix: '/fast' });
  await fast.ready();
  await followPages(t, await open(t, fast.server, gateway), '/fast');
});

void t.test('a body that came whole before the gateway got the request', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const late = (next: () => void): void => void setTimeout(next, 50);
  const servers = [
    ['1.1', createServer((request, response) => late(() => gateway.node(request, response)))],
    ['1.1', createServer(express().use((_request, _response, next) => late(next), gateway.express))],
    ['2', createHttp2Server((request, response) => late(() => gateway.node(request, response)))],
  ] as const;
  for (const [version, server] of servers) {
    const url = await open(t, server as Server, gateway);
    for (const [target, type] of [
      ['/v1/hello', 'application/json'],
      ['/v1/chat', 'application/x-ndjson'],
    ] as const) {
      for (const body of ['', '{"name":"Bo"}']) {
        const headers = { 'content-type': type, accept: type };
        const client = streamRequest(portOf(url), `POST ${target}`, { version, headers, open: true });
        if (body !== '') client.write(body);
        client.end();
        const { status, text } = await client.done();
        client.destroy();
        const message = body === '' ? '{}' : '{"message":"Bo"}';
        t.strictSame([status, text.trim()], [200, message], `HTTP/${version} ${target} ${body}`);
      }
    }
  }
});

void t.test('a body that was parsed before is an error that says so', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const app = express().use(express.json(), gateway.express);
  const url = await open(t, createServer(app), gateway);
  const answer = await send(url, 'POST /v1/hello', { headers: json, body: '{"name":"Bo"}' });
  t.match(answer, { status: 500, json: { message: /in front of body parsers/ } });
});

void t.test('a request whose client is gone, or that is answered already, is left alone', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  let handed = 0;
  const server = createServer((request, response) => {
    if (request.url === '/v1/hello/answered') response.writeHead(299).flushHeaders();
    else response.once('close', () => setImmediate(hand));
    const hand = (): void => {
      gateway.node(request, response);
      handed++;
      response.end();
    };
    if (response.headersSent) hand();
  });
  const url = await open(t, server, gateway);
  t.equal((await send(url, 'GET /v1/hello/answered')).status, 299);
  const client = streamRequest(portOf(url), 'GET /v1/hello/gone');
  await once(server, 'request');
  client.destroy();
  await waitFor(
    () => handed === 2,
    () => 'the late middleware',
  );
  await gateway.close();
  t.equal(echo.calls.length, 0);
});

void t.test('pipelined requests do not pile up listeners', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const url = await open(t, createServer(gateway.node), gateway);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  echo.answer = () => ({ delayMs: 2000 });
  const socket = connect(portOf(url), '127.0.0.1');
  socket.write('GET /v1/hello/a HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(20));
  await waitFor(
    () => echo.calls.length === 20,
    () => 'the calls',
  );
  socket.destroy();
  await waitFor(
    () => echo.cancelled === 20,
    () => 'all of them to be cancelled',
  );
  t.strictSame(warnings, []);
});

void t.test('Fastify', async (t) => {
  const echo = await service(t);
  const { app } = fastifyApp(echo.target);
  t.teardown(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  await exercise(t, url, '/api');
  await exerciseSockets(t, url, '/api');
  const parsed = { headers: json, body: '{"a":1}' };
  t.match(await send(url, 'POST /api/echo', parsed), { status: 200, json: { echo: { a: 1 } } });
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 404, 'below its prefix alone');
  t.equal((await send(url, 'GET /apix/v1/hello/Ada')).status, 404);
  const injected = await app.inject({ method: 'POST', url: '/api/v1/hello', payload: { name: 'Ada' } });
  t.strictSame([injected.statusCode, injected.json()], [200, { message: 'Ada' }], 'without a socket');
});

void t.test('upgrades of others: of a listener beside ours, and of a plugin that hands them to Fastify', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const app = fastify();
  app.register(gateway.fastify);
  const others = new WebSocketServer({ noServer: true });
  app.server.on('upgrade', (request, socket, head) => {
    // As @fastify/websocket does.
    const response = new ServerResponse(request);
    response.assignSocket(socket as NetSocket);
    app.routing(request, response);
    if (request.url !== '/own') return;
    response.detachSocket(socket as NetSocket);
    others.handleUpgrade(request, socket, head, (client) => client.close(4999));
  });
  let handed = 0;
  app.get('/own', (_request, reply) => {
    handed++;
    reply.hijack();
  });
  t.teardown(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.equal(await openSocket(`${url}/own`).end, 4999);
  t.equal(handed, 1);
  const ours = openSocket(`${url}/v1/count/3`);
  t.equal(await ours.end, 1000);
  t.equal(ours.frames.length, 1);
});

void t.test('node:https', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const server = createHttpsServer({ cert: pem('server'), key: pem('server-key') }, gateway.node);
  gateway.attach(server);
  const url = await open(t, server, gateway);
  const socket = openSocket(url.replace('http:', 'https:') + '/v1/count/3', { ca: pem('ca') });
  t.equal(await socket.end, 1000);
  const upgrade = { connection: 'upgrade', upgrade: 'h2c' };
  const [answer] = (await once(
    httpsRequest(`${url.replace('http:', 'https:')}/v1/hello/Ada`, { ca: pem('ca'), headers: upgrade }).end(),
    'response',
  )) as [IncomingMessage];
  answer.resume();
  t.equal(answer.statusCode, 200, 'an upgrade to something else is ignored');
});

void t.test('upgrade: the handler alone, with and without next', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const server = createServer(gateway.node);
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/v1/next')
      gateway.upgrade(request, socket, head, () => socket.end('HTTP/1.1 299 Own\r\n\r\n'));
    else gateway.upgrade(request, socket, head);
  });
  const url = await open(t, server, gateway);
  t.equal(await openSocket(`${url}/v1/count/3`).end, 1000);
  t.equal(await openSocket(`${url}/v1/next`).end, 299);
  t.equal(await openSocket(`${url}/v1/none`).end, 404);
  const other = await send(url, 'GET /v1/count/3', { headers: { connection: 'upgrade', upgrade: 'h2c' } });
  t.match(other, { status: 400, json: { message: /the Upgrade is "h2c", expected websocket/ } });
});

void t.test('a handshake that comes as an ordinary request is told where WebSockets come from', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const url = await open(t, createServer(gateway.node), gateway);
  t.equal(await openSocket(`${url}/v1/count/3`).end, 501);
  const headers = { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const fetched = await gateway.fetch(new Request(at('/v1/count/3'), { headers }));
  t.equal(fetched.status, 501);
  t.match(await fetched.json(), { message: /write gateway\.attach\(server\)/ });
  t.equal(echo.calls.length, 0);
});

void t.test('Fastify over HTTP/2, without a prefix', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const app = fastify({ http2: true });
  app.register(gateway.fastify);
  t.teardown(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = streamRequest(portOf(url), 'GET /v1/hello/Ada', { version: '2' });
  t.match(await client.done(), { status: 200, text: '{"message":"Ada"}' });
  client.destroy();
});

const at = (path: string): string => `http://greeter.example${path}`;

void t.test('Fetch API', async (t) => {
  const echo = await service(t);
  const { fetch, gateway } = fetchApp(echo.target);
  t.teardown(() => gateway.close());
  const hello = await fetch(new Request(at('/v1/hello/Ada%2Fx?')));
  t.strictSame([hello.status, await hello.json()], [200, { message: 'Ada/x' }]);
  const posted = await fetch(new Request(at('/v1/hello'), { method: 'POST', headers: json, body: '{"name":"Bo"}' }));
  t.strictSame([posted.status, await posted.json()], [200, { message: 'Bo' }]);
  const head = await fetch(new Request(at('/v1/hello/Ada'), { method: 'HEAD' }));
  t.strictSame([head.status, head.headers.get('content-length'), await head.text()], [200, '17', '']);
  const options = await fetch(new Request(at('/v1/hello/Ada'), { method: 'OPTIONS' }));
  t.strictSame([options.status, options.headers.get('allow'), options.body], [204, 'GET, HEAD, OPTIONS', null]);
  t.equal(await (await fetch(new Request(at('/other')))).text(), 'not in greeter.proto\n');
  t.equal((await gateway.fetch(new Request(at('/other')))).status, 404);
  echo.answer = () => ({ code: 5, details: 'no Ada', trailers: { 'x-cost': '3' } });
  const missing = await fetch(new Request(at('/v1/hello/Ada'), { headers: { te: 'trailers' } }));
  t.match(await missing.json(), { code: 5, message: 'no Ada' });
  t.equal(missing.status, 404);
});

void t.test('Fetch API: bodies stream both ways', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const upload = new TransformStream<Uint8Array, Uint8Array>();
  const writer = upload.writable.getWriter();
  const say = (name: string): Promise<void> => writer.write(new TextEncoder().encode(`{"name":"${name}"}\n`));
  const headers = { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' };
  const init = { method: 'POST', headers, body: upload.readable, duplex: 'half' } as const;
  const pending = gateway.fetch(new Request(at('/v1/chat'), init));
  await say('one');
  const reader = (await pending).body!.pipeThrough(new TextDecoderStream()).getReader();
  t.match(await reader.read(), { value: '{"message":"one"}\n' });
  await say('two');
  t.match(await reader.read(), { value: '{"message":"two"}\n' });
  await writer.close();
  t.match(await reader.read(), { done: true });
});

void t.test('Fetch API: breaks, both ways', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const isCancelled = (count: number) =>
    waitFor(
      () => echo.cancelled === count,
      () => `cancellation ${count}`,
    );
  echo.answer = () => ({ drive: (call) => void call.write(Buffer.from('0a0161', 'hex')) });
  const left = await gateway.fetch(new Request(at('/v1/count/3')));
  const reader = left.body!.getReader();
  await reader.read();
  await reader.cancel();
  await isCancelled(1);
  const controller = new AbortController();
  const aborted = await gateway.fetch(new Request(at('/v1/count/3'), { signal: controller.signal }));
  controller.abort();
  await t.rejects(aborted.text(), /broken off/);
  await isCancelled(2);

  echo.answer = () => ({});
  const upload = new TransformStream<Uint8Array, Uint8Array>();
  const writer = upload.writable.getWriter();
  const init = { method: 'POST', headers: json, body: upload.readable, duplex: 'half' } as const;
  const answer = gateway.fetch(new Request(at('/v1/chat'), init));
  await writer.write(Buffer.from('{"name":"one"}'));
  await answer;
  await writer.abort(new Error('gone'));
  await isCancelled(3);

  echo.answer = () => ({ messages: [Buffer.from('0a0161', 'hex')], code: 13, details: 'late' });
  const broken = (await gateway.fetch(new Request(at('/v1/count/3')))).body!.getReader();
  let text = '';
  await t.rejects(async () => {
    for (;;) {
      const piece = await broken.read();
      if (piece.done) return;
      text += Buffer.from(piece.value as Uint8Array).toString();
    }
  }, /not whole/);
  t.match(text, /^\[\{"message":"a"\},\{"error":\{.*late/, 'all that was written comes before the break');

  const used = new Request(at('/v1/hello'), { method: 'POST', headers: json, body: '{}' });
  await used.text();
  t.equal((await gateway.fetch(used)).status, 500, 'a body that was read before');
});

void t.test('Fetch API: an answer that nobody reads is held back', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const message = Buffer.concat([Buffer.from('0a8008', 'hex'), Buffer.alloc(1024, 97)]);
  let written = 0;
  const total = 20_000;
  echo.answer = () => ({
    drive: (call) => {
      const more = (): void => {
        while (written < total) {
          written++;
          if (!call.write(message)) return void call.once('drain', more);
        }
        call.end();
      };
      more();
    },
  });
  const response = await gateway.fetch(new Request(at('/v1/count/1'), { headers: { accept: 'application/x-ndjson' } }));
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  t.ok(written < total, `${written} of ${total} messages went out`);
  const { length } = await response.text();
  t.equal(length, total * (1024 + '{"message":""}\n'.length), 'and all of them come');
});

void t.test('close', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo, { drainTimeout: 50 });
  const server = createServer(gateway.node);
  gateway.attach(server);
  const url = await open(t, server, gateway);
  echo.answer = () => ({ drive: (call) => void call.write(Buffer.from('0a0161', 'hex')) });
  const silent = streamRequest(portOf(url), 'GET /v1/count/3');
  await silent.until('a');
  const socket = openSocket(`${url}/v1/count/3`);
  await once(socket.socket, 'message');
  const fetched = await gateway.fetch(new Request(at('/v1/count/3')));
  await gateway.close();
  t.match(await silent.done(), { ended: 'broken' }, 'what is left is broken off');
  await t.rejects(fetched.text());
  await waitFor(
    () => echo.cancelled === 3,
    () => 'the cancellations',
  );
  t.equal(await socket.end, 4014);
  t.match(await send(url, 'GET /v1/hello/Ada'), { status: 503 });
  t.equal(await openSocket(`${url}/v1/count/3`).end, 503);
  t.equal((await gateway.fetch(new Request(at('/v1/hello/Ada')))).status, 503);
});

void t.test('close waits for what is under way', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo);
  const url = await open(t, createServer(gateway.node), gateway);
  echo.answer = () => ({ delayMs: 200 });
  const slow = send(url, 'GET /v1/hello/Ada');
  await waitFor(
    () => echo.calls.length === 1,
    () => 'the call',
  );
  const closed = gateway.close();
  t.match(await slow, { status: 200, json: { message: 'Ada' } });
  await closed;
});

void t.test('next gets what only a policy could say something of', async (t) => {
  const echo = await service(t);
  const gateway = gatewayFor(t, echo, { methodOverride: true, autoMapping: true });
  const server = createServer((request: IncomingMessage, response) =>
    gateway.node(request, response, () => response.writeHead(299).end()),
  );
  const url = await open(t, server, gateway);
  const rows: readonly [string, Record<string, string>, number][] = [
    ['POST /v1/hello/Ada', {}, 299],
    ['POST /v1/hello/Ada', { 'x-http-method-override': 'GET' }, 200],
    ['POST /v1/hello/Ada', { 'x-http-method-override': 'DELETE' }, 405],
    ['POST /other', { 'x-http-method-override': 'GET' }, 299],
    ['POST /greeter.v1.Greeter/SayHello', { 'content-type': 'application/proto' }, 200],
    ['POST /greeter.v1.Greeter/None', { 'content-type': 'application/grpc' }, 299],
    ['GET /health', {}, 299],
    ['POST /health', {}, 299],
    ['OPTIONS /health', {}, 299],
    ['OPTIONS /v1/hello/Ada', {}, 204],
    ['OPTIONS *', {}, 299],
  ];
  for (const [line, headers, status] of rows) {
    t.equal((await send(url, line, { headers })).status, status, `${line} ${JSON.stringify(headers)}`);
  }
});

void t.test('at the root of an application there are the pages that it asks for', async (t) => {
  const echo = await service(t);
  const lines = ['GET /', 'GET /docs', 'GET /docs/start.js', 'GET /openapi.json', 'GET /health', 'OPTIONS /health'];
  const [ours, theirs] = [[200, 200, 200, 200, 200, 204], lines.map(() => 299)];
  const rows: readonly [options: Partial<Parameters<typeof createGateway>[0]>, statuses: readonly number[]][] = [
    [{}, theirs],
    [{ index: true }, ours],
    [{ openapi: true }, ours],
    [{ docs: true, health: false }, [200, 200, 200, 200, 299, 299]],
    [{ health: true }, [299, 299, 299, 299, 200, 204]],
    [{ index: false }, theirs],
  ];
  for (const [options, statuses] of rows) {
    const gateway = gatewayFor(t, echo, options);
    const next = (): Response => new Response(null, { status: 299 });
    const app = express().use(gateway.express);
    app.use((_request, response) => void response.status(299).end());
    const fast = fastify();
    void fast.register(gateway.fastify);
    fast.all('/*', (_request, reply) => reply.code(299).send());
    fast.all('/', (_request, reply) => reply.code(299).send());
    const name = JSON.stringify(options);
    const fetched = lines.map(async (line) => {
      const [method, path] = line.split(' ');
      return (await gateway.fetch(new Request(`http://example${path!}`, { method: method! }), next)).status;
    });
    t.strictSame(await Promise.all(fetched), statuses, `fetch ${name}`);
    const injected = lines.map(async (line) => {
      const [method, url] = line.split(' ');
      return (await fast.inject({ method: method as 'GET' | 'OPTIONS', url: url! })).statusCode;
    });
    t.strictSame(await Promise.all(injected), statuses, `Fastify ${name}`);
    await fast.close();
    const url = await open(t, createServer(app), gateway);
    const sent = lines.map(async (line) => (await send(url, line)).status);
    t.strictSame(await Promise.all(sent), statuses, `Express ${name}`);
  }
  const alone = gatewayFor(t, echo);
  const url = await open(t, createServer(alone.node), alone);
  t.equal((await send(url, 'GET /docs')).status, 200, 'nobody else answers there');
});

void t.test('options', (t) => {
  const fails = (input: object, message: RegExp): void => {
    t.throws(() => createGateway({ proto, upstreams: '127.0.0.1:1', ...input }), { message }, JSON.stringify(input));
  };
  fails({ upstream: '127.0.0.1:2' }, /^there is no option "upstream" in createGateway/);
  fails({ errorFormt: 'problem' }, /^there is no option "errorFormt"/);
  fails({ errorFormat: 'xml' }, /^errorFormat: found "xml"/);
  fails({ proto: [] }, /^there is nothing to serve/);
  fails({ proto: 'none.proto' }, /none\.proto/);
  fails({ services: 'none.v1.None' }, /none\.v1\.None/);
  const ofRequests = ['idle_timeout', 'write_timeout', 'drain_timeout', 'max_connection_requests'];
  const ofListeners = optionSpecs.filter(({ name, listenerOnly }) => listenerOnly && !ofRequests.includes(name));
  for (const { name } of ofListeners) fails({ [libraryName(name)]: '1' }, /: this is an option of listeners/);
  fails({ allowedHosts: ['a'] }, /: this is an option of listeners/);
  const ofProcess = optionSpecs.filter(({ name, processOnly }) => processOnly && !name.startsWith('large_message'));
  for (const { name } of ofProcess) fails({ [libraryName(name)]: '1' }, /: this is an option of the command/);
  fails({ accessLog: 'json' }, /^accessLog: this is an option of the command/);
  t.end();
});

void t.test('errors in a shape of the application', async (t) => {
  const echo = await service(t);
  const seen: unknown[] = [];
  const log = (event: unknown): void => void seen.push((event as { cause: unknown }).cause);
  errorChannel.subscribe(log);
  t.teardown(() => errorChannel.unsubscribe(log));
  let answer: ErrorFormatter = (error, { method, path }) => ({
    status: 418,
    headers: { 'X-Own': 'yes' },
    body: { oops: error.message, code: error.code, method, path },
  });
  const gateway = gatewayFor(t, echo, { errorFormat: (error, request) => answer(error, request) });
  const ask = async (path = '/nowhere/x') => {
    const response = await gateway.fetch(new Request(`http://example${path}`));
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  };
  const own = await ask();
  t.match(own, { status: 418, headers: { 'x-own': 'yes', 'content-type': 'application/json', 'x-request-id': /./ } });
  t.match(JSON.parse(own.text), { oops: /no route for GET/, code: 5, method: 'GET', path: '/nowhere/x' });
  echo.answer = () => ({ code: 9, details: 'not now' });
  t.match(JSON.parse((await ask('/v1/hello/a')).text), { oops: 'not now', code: 9 }, 'of a service');
  answer = () => ({ body: 'plain' });
  t.match(await ask(), { status: 404, text: 'plain', headers: { 'content-type': /^text\/plain/ } });
  t.strictSame(seen, []);
  const wrong: readonly ErrorFormatter[] = [
    () => {
      throw new Error('broken');
    },
    () => ({ status: 600 }),
    () => ({ headers: { 'a b': 'c' } }),
    () => ({ headers: { a: 'b\nc' } }),
    () => undefined as never,
  ];
  for (const format of wrong) {
    answer = format;
    t.match(await ask(), { status: 404, text: /"code":5/ }, String(format));
    t.ok(seen.pop() instanceof Error, 'and it is told of');
  }
});
