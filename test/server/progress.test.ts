/**
 * Answers whose reader takes nothing: broken off after `write_timeout`, over each protocol, and with them what waits for room.
 * Those whose reader is slow, or that have nothing to send, go on.
 */
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { Exchange, MessageSocket } from '../../lib/exchange.js';
import { Progress, SocketWritten, type Written } from '../../lib/server/progress.js';
import type { Listener, ListenerOptions } from '../../lib/server/index.js';
import { certificate } from '../support/certificates.js';
import { until } from '../support/until.js';
import { serve } from './harness.js';

void t.test('progress', (t) => {
  const written = { unsentBytes: 0, takenBytes: 0 };
  const progress = new Progress(written, 100);
  const rows: readonly [nowMs: number, unsent: number, taken: number, isStalled: boolean, why: string][] = [
    [0, 0, 0, false, 'nothing was written'],
    [1000, 0, 0, false, 'nothing waits, however long'],
    [1000, 50, 0, false, 'something waits from now on'],
    [1099, 50, 0, false, 'not for so long'],
    [1100, 50, 0, true, 'for so long'],
    [1150, 50, 1, false, 'a byte was taken'],
    [1249, 90, 1, false, 'more is written'],
    [1250, 90, 1, true, 'which is no progress'],
    [1300, 0, 91, false, 'all was taken'],
    [1400, 10, 91, false, 'the time begins anew'],
    [1499, 10, 91, false, 'and lasts as long'],
    [1500, 10, 91, true, 'again'],
  ];
  for (const [now, unsentBytes, takenBytes, isStalled, why] of rows) {
    Object.assign(written, { unsentBytes, takenBytes });
    t.equal(progress.isStalled(now), isStalled, `${now}: ${why}`);
  }
  t.end();
});

/** Waits until both numbers have stayed the same for a while: what the system takes by itself is taken. */
async function settled(written: Written): Promise<number> {
  for (let last = -1; last !== written.takenBytes;) {
    last = written.takenBytes;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return written.takenBytes;
}

void t.test('one large write to a socket shows how much of it is taken', async (t) => {
  for (const isMadeUp of [false, true]) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.pause();
    const [socket] = (await once(server, 'connection')) as [Socket];
    t.teardown(() => {
      client.destroy();
      socket.destroy();
      server.close();
    });
    // A socket without what only Node's own has: whole writes are seen.
    const seen = isMadeUp ? (Object.create(socket, { _handle: { value: undefined } }) as Socket) : socket;
    const written = new SocketWritten(seen);
    t.equal(written.unsentBytes, 0);
    const size = 32 * 1024 * 1024;
    socket.write(Buffer.alloc(size));
    const taken = await settled(written);
    t.ok(written.unsentBytes > 0, `${written.unsentBytes} bytes wait`);
    if (!isMadeUp) {
      client.on('data', () => written.takenBytes > taken && client.pause());
      client.resume();
      await until(() => written.takenBytes > taken, 'progress within the write');
      t.ok(written.unsentBytes > 0, 'which goes on');
      client.removeAllListeners('data');
    }
    client.resume();
    await until(() => written.unsentBytes === 0, 'the end of the write');
    t.ok(written.takenBytes > taken);
  }
});

const chunk = Buffer.alloc(64 * 1024);
const large = Buffer.alloc(32 * 1024 * 1024);

type Carrier = 'HTTP/1.1' | 'HTTP/1.1 over TLS' | 'HTTP/2' | 'HTTP/2 over TLS';
const carriers: readonly Carrier[] = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2', 'HTTP/2 over TLS'];

/** A request whose answer is read, or not. */
interface Reader {
  resume(): void;
  /** The connection, or the stream, has ended. */
  readonly isOver: boolean;
  readonly bytes: number;
  destroy(): void;
}

function ask(listener: Listener, carrier: Carrier, path: string): Reader {
  const { port } = listener.address;
  const state = { isOver: false, bytes: 0 };
  let source: Socket | ClientHttp2Stream;
  let session: ClientHttp2Session | undefined;
  if (carrier.startsWith('HTTP/2')) {
    const scheme = carrier === 'HTTP/2' ? 'http' : 'https';
    session = connectHttp2(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    session.on('error', () => undefined);
    source = session.request({ ':path': path });
  } else {
    source =
      carrier === 'HTTP/1.1'
        ? connect(port, '127.0.0.1')
        : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    source.write(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
  }
  source.on('error', () => undefined);
  source.on('close', () => (state.isOver = true));
  source.on('data', (data: Buffer) => (state.bytes += data.length));
  source.pause();
  return {
    resume: () => void source.resume(),
    get isOver() {
      return state.isOver;
    },
    get bytes() {
      return state.bytes;
    },
    destroy: () => {
      source.destroy();
      session?.destroy();
    },
  };
}

interface World {
  readonly listener: Listener;
  /** Targets of requests that heard that their client is gone. */
  readonly left: string[];
  readonly seen: Exchange[];
}

async function world(t: Test, carrier: Carrier, options: Partial<ListenerOptions>): Promise<World> {
  const left: string[] = [];
  const seen: Exchange[] = [];
  const watched = (handle: (exchange: Exchange) => void) => (exchange: Exchange) => {
    seen.push(exchange);
    exchange.onClose(() => left.push(exchange.target));
    handle(exchange);
  };
  const tls = carrier.endsWith('TLS') ? { tlsCert: certificate('server'), tlsKey: certificate('server-key') } : {};
  const listener = await serve(
    {
      '/large': watched((exchange) => {
        exchange.respond({ status: 200, headers: ['content-length', String(large.length)] });
        exchange.end(large);
      }),
      '/flood': watched((exchange) => {
        exchange.respond({ status: 200, headers: [] });
        const write = (): void => {
          while (exchange.write(chunk));
        };
        exchange.onDrain(write);
        write();
      }),
      '/message': watched((exchange) => {
        exchange.respond({ status: 200, headers: [] });
        exchange.write(large);
      }),
      '/silent': watched((exchange) => {
        exchange.respond({ status: 200, headers: [] });
        exchange.write(Buffer.from('a'));
      }),
      '/never': watched(() => undefined),
    },
    { ...options, ...tls },
  );
  t.teardown(() => listener.closeNow());
  return { listener, left, seen };
}

void t.test('a reader that takes nothing is broken off; one without bytes to take is not', async (t) => {
  for (const carrier of carriers) {
    const { listener, left } = await world(t, carrier, { writeTimeoutMs: 200 });
    const silent = ['/silent', '/never'].map((path) => ask(listener, carrier, path));
    for (const path of ['/large', '/message', '/flood']) {
      const reader = ask(listener, carrier, path);
      if (path !== '/large') await until(() => left.includes(path), `${carrier} ${path}: the end of the request`);
      // What the system holds is read: the answer is not whole.
      await new Promise((resolve) => setTimeout(resolve, path === '/large' ? 1500 : 0));
      reader.resume();
      await until(() => reader.isOver, `${carrier} ${path}: the end of the connection or stream`);
      t.ok(reader.bytes < large.length, `${carrier} ${path}: ${reader.bytes} bytes came`);
      reader.destroy();
    }
    t.strictSame(
      silent.map(({ isOver }) => isOver),
      [false, false],
      `${carrier}: what is silent goes on`,
    );
    for (const reader of silent) reader.destroy();
    await until(() => left.length === 4, 'the end of the rest');
  }
});

void t.test('HTTP/2: a stream with a shut window is broken off though others are read', async (t) => {
  const { listener, left } = await world(t, 'HTTP/2', { writeTimeoutMs: 300 });
  const session = connectHttp2(listener.url);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const shut = session.request({ ':path': '/flood?shut' });
  let reset: string | undefined;
  shut.on('error', (error: NodeJS.ErrnoException) => (reset = error.code));
  shut.pause();
  const read = session.request({ ':path': '/flood?read' });
  read.on('error', () => undefined);
  let bytes = 0;
  read.on('data', (data: Buffer) => (bytes += data.length));
  await until(() => left.includes('/flood?shut'), 'the end of the stream that is not read');
  const before = bytes;
  await until(() => bytes > before + 1024 * 1024, 'more of the other');
  t.strictSame(left, ['/flood?shut']);
  shut.resume();
  await until(() => reset !== undefined, 'the reset');
});

void t.test('HTTP/2: so is a large answer that was handed over whole, and a slow reader gets it', async (t) => {
  const { listener } = await world(t, 'HTTP/2', { writeTimeoutMs: 500 });
  const session = connectHttp2(listener.url);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/large' });
  stream.on('error', () => undefined);
  let ended = false;
  let bytes = 0;
  stream.on('end', () => (ended = true));
  // Takes longer than the time-out for it all, but not between two windows.
  stream.on('data', (data: Buffer) => {
    bytes += data.length;
    if (Math.floor(bytes / 2e6) === Math.floor((bytes - data.length) / 2e6)) return;
    stream.pause();
    setTimeout(() => stream.resume(), 60);
  });
  await until(() => ended, 'the whole answer');
  t.equal(bytes, large.length);
});

void t.test('a WebSocket that is not read is broken off, with the call', async (t) => {
  let gone = 0;
  const handle = (exchange: Exchange): void => {
    const sink = {
      onMessage: () => undefined,
      onTooLarge: () => undefined,
      onWritable: () => flood(socket),
      onGone: () => gone++,
      onShutdown: () => undefined,
    };
    const socket = exchange.webSocket!.accept([], 1000, sink);
    if (exchange.target === '/socket') flood(socket);
  };
  const flood = (socket: MessageSocket): void => {
    // What is closed takes everything.
    for (let count = 0; count < 100 && socket.send(chunk, true); count++);
  };
  const listener = await serve({ '/socket': handle, '/quiet': handle }, { writeTimeoutMs: 200 });
  t.teardown(() => listener.closeNow());
  const quiet = new WebSocket(`${listener.url.replace('http', 'ws')}/quiet`);
  await once(quiet, 'open');
  const socket = new WebSocket(`${listener.url.replace('http', 'ws')}/socket`);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  socket.pause();
  await until(() => gone === 1, 'the end of the call');
  t.equal(quiet.readyState, WebSocket.OPEN, 'a quiet one goes on');
  socket.terminate();
  quiet.terminate();
});

void t.test('the listener is free of a connection that is not read, and of its timer', async (t) => {
  const { listener, left } = await world(t, 'HTTP/1.1', { writeTimeoutMs: 100 });
  const reader = ask(listener, 'HTTP/1.1', '/flood');
  await until(() => left.length === 1, 'the end');
  // A drain waits for the last connection.
  await listener.drain(60_000);
  t.pass();
  reader.destroy();
});

void t.test('answers of a connection that nobody reads hold back its other requests', async (t) => {
  const { listener, seen } = await world(t, 'HTTP/2', {});
  const session = connectHttp2(listener.url);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const streams = Array.from({ length: 20 }, () => {
    const stream = session.request({ ':path': '/large' });
    stream.on('error', () => undefined);
    stream.pause();
    return stream;
  });
  await until(() => seen.length >= 4, 'the first answers');
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.ok(seen.length < 6, `${seen.length} of 20 large answers wait`);
  const before = seen.length;
  streams[0]!.resume();
  await once(streams[0]!, 'end');
  await until(() => seen.length > before, 'another, once one was read');
  for (const stream of streams) stream.close();
  const last = session.request({ ':path': '/x' });
  await once(last, 'response');
  t.pass('what was given up holds back nothing');
});
