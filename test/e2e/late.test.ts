/**
 * Bodies that are read late: whole, empty or on their way while a token is checked or a connection to the fallback server
 * comes up. Every request gets the answer that it gets without the wait.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { type HttpVersion, streamRequest } from '../support/stream-client.js';
import { type JwksServer, signed, startJwksServer, testKey } from '../support/tokens.js';
import { until } from '../support/until.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Late {
  rpc Unary(Message) returns (Message) { option (google.api.http) = { post: "/unary" body: "*" }; }
  rpc Plain(Message) returns (Message) { option (google.api.http) = { get: "/plain/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" }; }
  rpc Down(Message) returns (stream Message) { option (google.api.http) = { post: "/down" body: "*" }; }
  rpc Up(stream Message) returns (Message) { option (google.api.http) = { post: "/up" body: "*" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
}
message Message { string name = 1; }
`;

const key = await testKey('one');
const authorization = `Bearer ${await signed(key)}`;

/** Keys that are given out when the whole request, and what is behind it, has surely come. */
async function slowKeys(t: Test): Promise<JwksServer> {
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const { answer } = jwks;
  jwks.answer = (request, response) => void setTimeout(() => answer(request, response), 60);
  return jwks;
}

async function guarded(t: Test, options: object = {}, more = ''): Promise<TestProxy> {
  const jwks = await slowKeys(t);
  const yaml = `policies:\n  jwt:\n    jwks: ${jwks.url}\n    jwks_cache: 1ms\n    jwks_cooldown: 1ms\n    issuer: issuer\n    audiences: [api]\n${more}`;
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

async function fallbackServer(t: Test): Promise<string> {
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => response.end(`${request.method} ${body}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A body as pieces; its end comes apart: in a chunk, or a frame of its own. */
const bodies: readonly (readonly string[])[] = [
  [],
  ['{}'],
  ['{"name"', ':"x"}'],
  [`{"name":"${'y'.repeat(200_000)}"}`],
];

async function answerTo(port: number, version: HttpVersion, path: string, pieces: readonly string[]): Promise<unknown> {
  const client = streamRequest(port, `POST ${path}`, {
    version,
    headers: { authorization, 'content-type': path === '/other' ? 'text/plain' : 'application/json' },
    open: true,
  });
  for (const piece of pieces) {
    client.write(piece);
    await sleep(1);
  }
  client.end();
  const { status, text, ended } = await client.done();
  client.destroy();
  return { status, text, ended };
}

void t.test('under policies.jwt', async (t) => {
  const proxy = await guarded(t);
  for (const version of ['1.1', '2'] as const) {
    for (const pieces of bodies) {
      const sent = pieces.join('');
      const message = sent === '' ? '{}' : sent;
      const label = `HTTP/${version} ${sent.slice(0, 20)}`;
      for (const path of ['/unary', '/up']) {
        t.strictSame(
          await answerTo(proxy.port, version, path, pieces),
          { status: 200, text: message, ended: 'whole' },
          `${label} ${path}`,
        );
      }
      for (const path of ['/down', '/chat']) {
        t.strictSame(
          await answerTo(proxy.port, version, path, pieces),
          { status: 200, text: `[${message}]`, ended: 'whole' },
          `${label} ${path}`,
        );
      }
    }
  }
});

void t.test('a client that left while its token was checked makes no call', async (t) => {
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const { answer } = jwks;
  const held: (() => void)[] = [];
  jwks.answer = (request, response) => void held.push(() => answer(request, response));
  const yaml = `policies:\n  jwt:\n    jwks: ${jwks.url}\n    issuer: issuer\n    audiences: [api]\n`;
  const proxy = await startTestProxy(proto, {}, yaml);
  t.teardown(() => proxy.close());
  const headers = { authorization, 'content-type': 'application/json' };
  // Those without a body: a body that breaks off would keep the others from calling, too.
  const leaving = (['1.1', '2'] as const).flatMap((version) => [
    ...['/plain/left', '/watch/left'].map((path) => streamRequest(proxy.port, `GET ${path}`, { version, headers })),
    ...['/unary', '/chat'].map((path) =>
      streamRequest(proxy.port, `POST ${path}`, { version, headers, body: '{"name":"left"}' }),
    ),
  ]);
  await until(() => held.length === 1, 'the question for the keys');
  await sleep(200);
  for (const client of leaving) client.destroy();
  // A client of HTTP/1.1 that has ended its side may still read: that it does not is found out by writing to it, twice.
  await sleep(1200);
  for (const release of held) release();
  const stays = streamRequest(proxy.port, 'POST /unary', { headers, body: '{"name":"stays"}' });
  t.equal((await stays.done()).text, '{"name":"stays"}');
  t.strictSame(
    proxy.service.calls.map(({ message }) => message.subarray(2).toString()),
    ['stays'],
  );
});

void t.test('at a fallback, with and without a token to be checked', async (t) => {
  const fallback = await fallbackServer(t);
  const open = await startTestProxy(proto, { fallback });
  t.teardown(() => open.close());
  for (const proxy of [open, await guarded(t, { fallback })]) {
    for (const version of ['1.1', '2'] as const) {
      for (const pieces of bodies) {
        const expected = { status: 200, text: `POST ${pieces.join('')}`, ended: 'whole' };
        t.strictSame(await answerTo(proxy.port, version, '/other', pieces), expected, `HTTP/${version}`);
      }
    }
  }
});

void t.test('a WebSocket whose frames, and end, came before the handshake was answered', async (t) => {
  const proxy = await guarded(t);
  const handshake = [
    'GET /chat HTTP/1.1',
    'host: localhost',
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
    `authorization: ${authorization}`,
  ];
  const head = Buffer.from(`${handshake.join('\r\n')}\r\n\r\n`);
  /** A text frame; a mask of zeros changes nothing. */
  const frame = (text: string): Buffer =>
    Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);
  for (const pieces of [[Buffer.concat([head, frame('{"name":"x"}')])], [head, frame('{"name":"x"}')]]) {
    const socket = connect(proxy.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    for (const piece of pieces) {
      socket.write(piece);
      await sleep(5);
    }
    await until(() => text.includes('{"name":"x"}'), 'the echo of a frame');
    t.pass('answered');
    socket.destroy();
  }
  const before = proxy.service.calls.length;
  const { cancelled } = proxy.service;
  for (const pieces of [[head], [Buffer.concat([head, frame('{"name":"x"}')])]]) {
    const socket = connect(proxy.port, '127.0.0.1');
    for (const piece of pieces) socket.write(piece);
    socket.end();
    socket.resume();
    await once(socket, 'close');
  }
  await until(
    () => proxy.service.cancelled - cancelled === proxy.service.calls.length - before,
    'the end of the calls of clients that are gone',
  );
  t.pass('no call is left behind');
});
