/**
 * What stands on the wires of both sides when a stream breaks off or is not read, over the default client: what a service
 * sees of half an upload, what a client sees of half an answer, and how many bytes are taken from whom while the other side
 * takes none.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { encodeFrame } from '../../lib/wire/index.js';
import { END_STREAM, frame, number, type Peer, peerServer, type PeerServer, settings } from '../support/http2-peer.js';
import { streamRequest, waitFor } from '../support/stream-client.js';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const WINDOW_UPDATE = 8;
const KiB = 1024;

const proto = `
syntax = "proto3";
package w.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service W {
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc Put(stream Message) returns (Message) { option (google.api.http) = { post: "/put" body: "*" }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat" body: "*" }; }
  rpc Download(Message) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/file" }; }
  rpc Upload(stream google.api.HttpBody) returns (Message) { option (google.api.http) = { put: "/file" body: "*" }; }
  rpc Pipe(stream google.api.HttpBody) returns (stream google.api.HttpBody) { option (google.api.http) = { post: "/pipe" body: "*" }; }
}
message Message { string name = 1; }
`;

const grpcHead = [':status', '200', 'content-type', 'application/grpc'];

interface Wire {
  readonly port: number;
  readonly service: PeerServer;
  /** The first stream of the service's last connection, once its head is there. */
  call(): Promise<Peer>;
}

/** A proxy in front of a service that is driven frame by frame. */
async function start(t: Test, first = settings()): Promise<Wire> {
  const service = await peerServer((peer) => peer.send(first));
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  writeFileSync(join(folder, 'test.proto'), proto);
  const flags = {
    proto: ['test.proto'],
    upstreams: [parseUpstream(service.target)],
    listen: ['127.0.0.1:0'],
    options: { drainTimeoutMs: 100 },
  };
  const proxy = await startProxy(loadConfig({ flags, workingDirectory: folder }));
  t.teardown(async () => {
    service.close();
    await proxy.drain();
    rmSync(folder, { recursive: true });
  });
  return {
    port: Number(new URL(proxy.urls[0]!).port),
    service,
    async call() {
      await waitFor(
        () => service.peers.length > 0,
        () => 'a connection',
      );
      const peer = service.peers.at(-1)!;
      await peer.seen('a call', ({ type }) => type === HEADERS);
      return peer;
    },
  };
}

/** A field of bytes: number, length, the bytes. */
function bytesField(field: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), bytes]);
}

const namedFrame = encodeFrame(bytesField(1, Buffer.from('a')));

void t.test('half an upload: the service sees a reset, and never an end', async (t) => {
  for (const version of ['1.1', '2'] as const) {
    for (const [target, part, headers] of [
      ['PUT /file', 'half of it', { 'content-type': 'application/octet-stream' }],
      ['POST /pipe', 'half of it', { 'content-type': 'application/octet-stream' }],
      ['POST /put', '{"name":"a"}\n{"na', { 'content-type': 'application/x-ndjson' }],
      ['POST /put', '[{"name":"a"},', { 'content-type': 'application/json' }],
      ['POST /chat', '{"name":"a"}\n', { 'content-type': 'application/x-ndjson' }],
    ] as const) {
      const name = `HTTP/${version} ${target} ${part}`;
      const wire = await start(t);
      const client = streamRequest(wire.port, target, { version, open: true, body: part, headers });
      const peer = await wire.call();
      await peer.seen('a message', ({ type }) => type === DATA);
      client.destroy();
      const reset = await peer.seen('a reset', ({ type, streamId }) => type === RST_STREAM && streamId === 1);
      t.equal(reset.payload.readUInt32BE(), 8, `${name}: CANCEL`);
      await sleep(20);
      const ends = peer.frames.filter(({ type, flags }) => type <= HEADERS && (flags & END_STREAM) !== 0);
      t.strictSame(ends, [], name);
    }
  }
});

void t.test('a body shorter than its content-length is half an upload too', async (t) => {
  const wire = await start(t);
  const socket = connect(wire.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('PUT /file HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf of it');
  const peer = await wire.call();
  await peer.seen('a message', ({ type }) => type === DATA);
  socket.end();
  await peer.seen('a reset', ({ type, streamId }) => type === RST_STREAM && streamId === 1);
  t.notOk(peer.frames.some(({ type, flags }) => type <= HEADERS && (flags & END_STREAM) !== 0));
});

/** What follows the first message of an answer. */
const failures: readonly (readonly [name: string, fail: (peer: Peer) => void])[] = [
  ['a reset', (peer) => peer.send(number(RST_STREAM, 1, 2))],
  ['a status', (peer) => peer.send(peer.headers(1, ['grpc-status', '13', 'grpc-message', 'no'], END_STREAM))],
  ['the end of the connection', (peer) => peer.socket.destroy()],
  [
    'an end in the middle of a message',
    (peer) => {
      peer.send(frame(DATA, 0, 1, '000000'), peer.headers(1, ['grpc-status', '0'], END_STREAM));
    },
  ],
  ['no status', (peer) => peer.send(frame(DATA, END_STREAM, 1, ''))],
];

/** Answers the call with one message, and breaks it off when that has arrived. */
async function answerHalf(
  wire: Wire,
  message: Buffer,
  arrived: () => boolean,
  fail: (peer: Peer) => void,
): Promise<void> {
  const peer = await wire.call();
  peer.send(peer.headers(1, grpcHead), frame(DATA, 0, 1, message));
  await waitFor(arrived, () => 'the first message');
  fail(peer);
}

void t.test('half an answer never looks whole', async (t) => {
  const bodies = [
    ['GET /file', encodeFrame(bytesField(2, Buffer.from('half')))],
    // An array has no place for an error that no reader takes for a message.
    ['GET /watch', namedFrame],
  ] as const;
  for (const [target, message] of bodies) {
    for (const [name, fail] of failures) {
      for (const version of ['1.0', '1.1']) {
        const wire = await start(t);
        const socket = connect(wire.port, '127.0.0.1');
        let text = '';
        let error: NodeJS.ErrnoException | undefined;
        socket.on('data', (chunk) => (text += chunk.toString('latin1')));
        socket.on('error', (found) => (error = found));
        const closed = new Promise((resolve) => socket.on('close', resolve));
        socket.write(`${target} HTTP/${version}\r\nhost: localhost\r\n\r\n`);
        const arrived = (): boolean => /half|"a"/.test(text);
        await answerHalf(wire, message, arrived, fail);
        await closed;
        t.match(text, /^HTTP\/1\.1 200 /);
        if (version === '1.0') t.equal(error?.code, 'ECONNRESET', `${target} HTTP/1.0, ${name}: a reset`);
        else t.notMatch(text, /\r\n0\r\n/, `${target} HTTP/1.1, ${name}: no last chunk`);
      }
      const wire = await start(t);
      const session = connectHttp2(`http://127.0.0.1:${wire.port}`);
      const [method, path] = target.split(' ');
      const stream = session.request({ ':method': method, ':path': path });
      let text = '';
      let ended = false;
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      stream.on('end', () => (ended = !stream.aborted));
      const closed = new Promise((resolve) => stream.on('close', resolve));
      await answerHalf(wire, message, () => /half|"a"/.test(text), fail);
      await closed;
      t.not(stream.rstCode, 0, `${target} HTTP/2, ${name}: RST_STREAM`);
      t.notOk(ended, `${target} HTTP/2, ${name}: no END_STREAM`);
      t.notOk(session.destroyed, 'the connection goes on');
      session.destroy();
    }
  }
});

/** True as soon as the condition holds; false where it does not for a while. */
async function comes(condition: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < 300; waited += 5) {
    if (condition()) return true;
    await sleep(5);
  }
  return false;
}

/** Bytes that the proxy has let the service send on stream 1, all told. */
function granted(peer: Peer): number {
  return peer.frames.reduce(
    (sum, { type, streamId, payload }) =>
      type === WINDOW_UPDATE && streamId === 1 ? sum + payload.readUInt32BE() : sum,
    256 * KiB,
  );
}

type Request = readonly [name: string, target: string, headers: Record<string, string>, body: Buffer | undefined];

/** Whatever the kernel takes for a reader that is slow, on HTTP/1.1; on HTTP/2 windows decide. */
const maxHeld = { '1.1': 16 * 1024 * KiB, '2': 1024 * KiB };

void t.test('a client that does not read: the service may send so much, and no more', async (t) => {
  const empty = encodeFrame(Buffer.alloc(0));
  const requests: readonly Request[] = [
    ['HttpBody', 'GET /file', {}, undefined],
    ['array', 'GET /watch', {}, undefined],
    ['lines', 'GET /watch', { accept: 'application/x-ndjson' }, undefined],
    ['events', 'GET /watch', { accept: 'text/event-stream' }, undefined],
    ['gRPC', 'POST /w.v1.W/Watch', { 'content-type': 'application/grpc', te: 'trailers' }, empty],
    ['gRPC-Web', 'POST /w.v1.W/Watch', { 'content-type': 'application/grpc-web' }, empty],
    [
      'gRPC-Web text',
      'POST /w.v1.W/Watch',
      { 'content-type': 'application/grpc-web-text' },
      Buffer.from(empty.toString('base64')),
    ],
    ['Connect', 'POST /w.v1.W/Watch', { 'content-type': 'application/connect+json' }, encodeFrame(Buffer.from('{}'))],
  ];
  for (const [name, target, headers, body] of requests) {
    const text = Buffer.alloc(16_000, 'x');
    const message = encodeFrame(bytesField(target === 'GET /file' ? 2 : 1, text));
    for (const version of ['1.1', '2'] as const) {
      if (name === 'gRPC' && version === '1.1') continue;
      const wire = await start(t);
      const client = streamRequest(wire.port, target, { version, headers, ...(body === undefined ? {} : { body }) });
      client.pause();
      const peer = await wire.call();
      peer.send(peer.headers(1, grpcHead));
      let sent = 0;
      while (sent < 2 * maxHeld[version] && (await comes(() => sent + message.length <= granted(peer)))) {
        peer.send(frame(DATA, 0, 1, message));
        sent += message.length;
      }
      t.ok(sent < maxHeld[version], `${name} HTTP/${version}: ${sent} bytes`);
      client.destroy();
    }
  }
});

void t.test('a service that does not read: the client can send so much, and no more', async (t) => {
  const text = Buffer.alloc(16_000, 'x');
  const json = Buffer.from(`{"name":"${text.toString()}"}`);
  const requests: readonly Request[] = [
    ['HttpBody', 'PUT /file', {}, text],
    ['lines', 'POST /put', { 'content-type': 'application/x-ndjson' }, Buffer.concat([json, Buffer.from('\n')])],
    [
      'gRPC',
      'POST /w.v1.W/Put',
      { 'content-type': 'application/grpc', te: 'trailers' },
      encodeFrame(bytesField(1, text)),
    ],
    ['gRPC-Web', 'POST /w.v1.W/Put', { 'content-type': 'application/grpc-web' }, encodeFrame(bytesField(1, text))],
    ['Connect', 'POST /w.v1.W/Put', { 'content-type': 'application/connect+json' }, encodeFrame(json)],
  ];
  for (const [name, target, headers, piece] of requests) {
    for (const version of ['1.1', '2'] as const) {
      if (name === 'gRPC' && version === '1.1') continue;
      // Its window of 65 535 bytes is never opened again.
      const wire = await start(t);
      const client = streamRequest(wire.port, target, { version, headers, open: true });
      let sent = 0;
      while (sent < 2 * maxHeld[version]) {
        sent += piece!.length;
        if (!client.write(piece!) && (await client.isStuck(300))) break;
      }
      t.ok(sent < maxHeld[version], `${name} HTTP/${version}: ${sent} bytes`);
      client.destroy();
    }
  }
});
