/** `expire_streams` over real sockets: streams end with their token, in the form of their protocol, and unary calls do not. */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { streamRequest, waitFor } from '../support/stream-client.js';
import { now, signed, startJwksServer, testKey } from '../support/tokens.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/get/{name}" }; }
  rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/watch/{name}" }; }
  rpc Post(M) returns (stream M) { option (google.api.http) = { post: "/post" body: "*" }; }
  rpc Put(stream M) returns (M) { option (google.api.http) = { post: "/put" body: "*" }; }
  rpc Chat(stream M) returns (stream M) { option (google.api.http) = { post: "/chat" body: "*" }; }
}
message M { string name = 1; }
`;

const key = await testKey('one');
const expired = /the token expired \d{4}-.*Z; get a new one/;

/** A service whose streams go on until somebody ends them, and whose unary calls take long. */
async function guarded(t: Test, yaml: (jwks: string) => string): Promise<TestProxy> {
  const jwks = await startJwksServer(key);
  t.teardown(() => jwks.close());
  const proxy = await startTestProxy(proto, { passThrough: 'all' }, yaml(jwks.url));
  t.teardown(() => proxy.close());
  proxy.service.answer = ({ path }) => {
    if (path.endsWith('/Get')) return { delayMs: 6500 };
    return { drive: (call) => void (path.endsWith('/Put') || call.write(Buffer.from('\n\x01x', 'latin1'))) };
  };
  return proxy;
}

const policy = (lines: string) => (jwks: string) =>
  `policies: { jwt: { jwks: '${jwks}', issuer: issuer, audiences: [api], ${lines} } }\n`;

const json = { 'content-type': 'application/json' };

interface SocketEnd {
  readonly code: number;
  readonly frames: readonly string[];
}

async function socketEnd(url: string, headers: Record<string, string>): Promise<SocketEnd> {
  const socket = new WebSocket(url, { headers });
  const frames: string[] = [];
  let code: number | undefined;
  socket.on('message', (data: Buffer) => frames.push(data.toString()));
  socket.on('error', () => undefined);
  socket.on('close', (closed) => (code = closed));
  await waitFor(
    () => code !== undefined,
    () => `the end of ${url}`,
  );
  return { code: code!, frames };
}

void t.test('each kind of stream ends with its token', async (t) => {
  const proxy = await guarded(t, policy('leeway: 0s, expire_streams: true'));
  // What is slow at first is done before the token is made.
  const first = streamRequest(proxy.port, 'GET /watch/x', {
    headers: { authorization: `Bearer ${await signed(key)}` },
  });
  await first.until('x');
  first.destroy();
  const token = await signed(key, { exp: now() + 5 });
  const headers = { authorization: `Bearer ${token}` };
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('authorization', headers.authorization);
  const same = (bytes: Buffer): Buffer => bytes;
  const grpcEnd = (path: string): Promise<ServiceError> =>
    new Promise((resolve) => {
      const chat = client.makeBidiStreamRequest(path, same, same, metadata);
      chat.on('error', (error) => resolve(error as ServiceError));
      chat.on('data', () => undefined);
    });
  const [unary, array, lines, events, post, put, chat, grpc, watchSocket, chatSocket] = await Promise.all([
    proxy.send('GET /get/x', { headers }),
    streamRequest(proxy.port, 'GET /watch/x', { headers }).done(),
    streamRequest(proxy.port, 'GET /watch/x', {
      version: '2',
      headers: { ...headers, accept: 'application/x-ndjson' },
    }).done(),
    streamRequest(proxy.port, 'GET /watch/x', { headers: { ...headers, accept: 'text/event-stream' } }).done(),
    streamRequest(proxy.port, 'POST /post', { headers: { ...headers, ...json }, body: '{', open: true }).done(),
    streamRequest(proxy.port, 'POST /put', { headers: { ...headers, ...json }, body: '[{},', open: true }).done(),
    streamRequest(proxy.port, 'POST /chat', {
      version: '2',
      headers: { ...headers, ...json },
      body: '[{},',
      open: true,
    }).done(),
    grpcEnd('/a.v1.S/Chat'),
    socketEnd(`ws://127.0.0.1:${proxy.port}/watch/x`, headers),
    socketEnd(`ws://127.0.0.1:${proxy.port}/chat`, headers),
  ]);
  t.equal(unary.status, 200, 'a unary call is not cut');
  for (const [what, { status, text }] of Object.entries({ array, lines, events, chat })) {
    t.equal(status, 200, what);
    t.match(text, /"name":\s?"x"/, `${what}: what came before`);
    t.match(text, expired, what);
  }
  for (const [what, { status, text, headers: fields }] of Object.entries({ post, put })) {
    t.equal(status, 401, `${what}: no head was out`);
    t.match(text, expired, what);
    t.match(fields['www-authenticate'], /error="invalid_token"/, what);
  }
  t.equal(grpc.code, 16);
  t.match(grpc.details, expired);
  for (const { code, frames } of [watchSocket, chatSocket]) {
    t.equal(code, 4016);
    t.match(frames.at(-1), expired);
  }
  t.equal(watchSocket.frames.length, 2, 'the message before it arrived');
  await waitFor(
    () => proxy.service.calls.every(({ path, cancelled }) => cancelled || path.endsWith('/Get')),
    () => JSON.stringify(proxy.service.calls.map(({ path, cancelled }) => [path, cancelled])),
  );
  t.equal(proxy.service.calls.filter(({ path }) => path.endsWith('/Post')).length, 0, 'it never started');
});

void t.test('where nothing is cut', async (t) => {
  const rows: readonly [what: string, lines: string, headers: (token: string) => object][] = [
    ['without the option', 'leeway: 0s', (token) => ({ authorization: `Bearer ${token}` })],
    ['within the leeway', 'leeway: 1h, expire_streams: true', (token) => ({ authorization: `Bearer ${token}` })],
    ['an open RPC', "leeway: 0s, expire_streams: true, except: ['*']", () => ({})],
  ];
  const exp = now() + 2;
  const token = await signed(key, { exp });
  await Promise.all(
    rows.map(async ([what, lines, headers]) => {
      const proxy = await guarded(t, policy(lines));
      const stream = streamRequest(proxy.port, 'GET /watch/x', { headers: headers(token) as Record<string, string> });
      await stream.until('x');
      await waitFor(
        () => now() > exp + 1,
        () => what,
      );
      t.equal(stream.ended, undefined, what);
      stream.destroy();
    }),
  );
});

void t.test('the filter jwt: the first of several tokens to expire ends the stream', async (t) => {
  const provider = (name: string, lines: string) => (jwks: string) =>
    `${name}: { issuer: issuer, jwks: '${jwks}', leeway: 0s, headers: [{ name: x-${name} }], ${lines} }`;
  const proxy = await guarded(
    t,
    (jwks) => `
listeners:
  - listen: 127.0.0.1:0
    filters:
      - jwt:
          providers:
            ${provider('a', 'expire_streams: true')(jwks)}
            ${provider('b', 'expire_streams: true')(jwks)}
            ${provider('c', '')(jwks)}
          rules: [{ match: { prefix: / }, requires: { all: [{ provider: a }, { provider: b }, { provider: c }] } }]
`,
  );
  const [soon, later] = await Promise.all([signed(key, { exp: now() + 2 }), signed(key, { exp: now() + 600 })]);
  const headers = { 'x-a': later, 'x-b': soon, 'x-c': soon };
  const stream = await streamRequest(proxy.port, 'GET /watch/x', { headers }).done();
  t.match(stream, { status: 200, text: /Jwt is expired/ });
  const open = streamRequest(proxy.port, 'GET /watch/x', { headers: { ...headers, 'x-b': later, 'x-c': later } });
  await open.until('x');
  t.equal(open.ended, undefined);
  open.destroy();
});
