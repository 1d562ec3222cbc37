/**
 * Clients that take nothing of large answers: what is fetched for one connection is bounded, whatever they asked for, and
 * everything is there once they read. And what of it comes late enough is broken off.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig, type Settings, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { encodeFrame } from '../../lib/wire/index.js';
import { rawService } from '../upstream/service.js';
import { until } from '../support/until.js';

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Large {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/get" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc File(Message) returns (google.api.HttpBody) { option (google.api.http) = { get: "/file" }; }
}
message Message { string name = 1; }
`;

const SIZE = 2 * 1024 * 1024;
const CALLS = 40;
/** Four that are on their way and count in full, the oldest, and a window of 256 KiB and some for each of the others. */
const MAX_FETCHED = 6 * SIZE + CALLS * 300 * 1024;

/** A `name`, or the `data` of an HttpBody, of this size. */
function messageOf(path: string): Buffer {
  const value = Buffer.alloc(SIZE, 'x');
  const length = [(SIZE & 0x7f) | 0x80, ((SIZE >> 7) & 0x7f) | 0x80, ((SIZE >> 14) & 0x7f) | 0x80, SIZE >> 21];
  return Buffer.concat([Buffer.of(path.endsWith('File') ? 0x12 : 0x0a, ...length), value]);
}

interface World {
  readonly port: number;
  /** Calls so far, those that were given up, and bytes that left the service. */
  readonly seen: { calls: number; cancelled: number; bytes: number };
}

async function world(t: Test, options: Settings['options'] = {}): Promise<World> {
  const seen = { calls: 0, cancelled: 0, bytes: 0 };
  const serve = (stream: ServerHttp2Stream, path: string): void => {
    seen.calls++;
    stream.on('close', () => stream.rstCode !== 0 && seen.cancelled++);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    let rest = encodeFrame(messageOf(path));
    const send = (): void => {
      if (rest.length === 0) return void stream.end();
      const slice = rest.subarray(0, 16 * 1024);
      rest = rest.subarray(slice.length);
      stream.write(slice, (error) => {
        if (error) return;
        seen.bytes += slice.length;
        send();
      });
    };
    send();
  };
  const { target, server } = await rawService((stream, headers) => serve(stream, String(headers[':path'])));
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  writeFileSync(join(folder, 'test.proto'), proto);
  const flags = { proto: ['test.proto'], upstreams: [parseUpstream(target)], listen: ['127.0.0.1:0'], options };
  const proxy = await startProxy(loadConfig({ flags, workingDirectory: folder }));
  t.teardown(async () => {
    server.close();
    await proxy.drain();
    rmSync(folder, { recursive: true });
  });
  return { port: Number(new URL(proxy.urls[0]!).port), seen };
}

/** Waits until the service cannot send any more. */
async function settled({ seen }: World): Promise<number> {
  for (let last = -1; last !== seen.bytes || seen.bytes === 0;) {
    last = seen.bytes;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return seen.bytes;
}

function bodyOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    stream.on('end', () => resolve(bytes));
    stream.on('error', reject);
    stream.resume();
  });
}

void t.test('HTTP/2: what is fetched for a connection that is not read', async (t) => {
  for (const path of ['/get', '/a.v1.Large/Watch']) {
    const place = await world(t);
    const session = connectHttp2(`http://127.0.0.1:${place.port}`);
    t.teardown(() => session.destroy());
    const streams = Array.from({ length: CALLS }, () => {
      const isNative = path.startsWith('/a.v1');
      const head = isNative ? { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' } : {};
      const stream = session.request({ ':path': path, ...head }, { endStream: !isNative });
      if (isNative) stream.end(encodeFrame(Buffer.alloc(0)));
      stream.pause();
      return stream;
    });
    const fetched = await settled(place);
    t.ok(fetched < MAX_FETCHED, `${path}: ${fetched} of ${CALLS * SIZE} bytes were fetched`);
    // In the order of the requests, and the other way round: nobody waits for who is not read yet for ever.
    const [first, ...rest] = streams;
    t.ok((await bodyOf(first!)) >= SIZE, `${path}: the oldest is whole`);
    const sizes = await Promise.all(rest.reverse().map(bodyOf));
    t.ok(
      sizes.every((size) => size >= SIZE),
      `${path}: so are all others`,
    );
  }
});

void t.test('HTTP/1.1: the same for pipelined requests', async (t) => {
  for (const path of ['/watch', '/file']) {
    const place = await world(t);
    const socket = connect(place.port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(CALLS));
    const fetched = await settled(place);
    // What the system's own buffers take has left the proxy.
    t.ok(fetched < MAX_FETCHED + 8e6, `${path}: ${fetched} of ${CALLS * SIZE} bytes were fetched`);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
    await until(() => bytes >= CALLS * SIZE, `all answers of ${path}`);
    t.pass(`${path}: all is there once it is read`);
  }
});

void t.test(
  'write_timeout: a stream that is broken off makes room, a connection takes its calls with it',
  async (t) => {
    const streams = await world(t, { writeTimeoutMs: 200 });
    const session = connectHttp2(`http://127.0.0.1:${streams.port}`);
    t.teardown(() => session.destroy());
    for (let count = 0; count < 12; count++) {
      session
        .request({ ':path': '/watch' })
        .on('error', () => undefined)
        .pause();
    }
    await until(() => streams.seen.bytes >= 12 * SIZE, 'all of them, one after the other');
    t.equal(streams.seen.cancelled, 0);

    const pipelined = await world(t, { writeTimeoutMs: 200 });
    const socket = connect(pipelined.port, '127.0.0.1');
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
    socket.pause();
    socket.write('GET /watch HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(CALLS));
    await until(() => pipelined.seen.cancelled > CALLS / 2, 'the end of the calls that are held back');
    t.ok(pipelined.seen.bytes < MAX_FETCHED + 8e6);
  },
);
