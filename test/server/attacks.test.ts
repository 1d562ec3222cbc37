/**
 * Clients that want to keep the server busy or to deceive it (the known attacks on HTTP/1 and HTTP/2): each is bounded, which is
 * counted in requests, frames and bytes. Some bounds are Node's own; the tests pin them.
 */
import t, { type Test } from 'tap';
import { FrameReader, FrameType } from '../../lib/http2/frame.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';
import type { Listener, ListenerOptions } from '../../lib/server/index.js';
import { END_HEADERS, END_STREAM, frame, number, settings } from '../support/http2-peer.js';
import { Client, raw, readAll, serve, text, waitFor } from './harness.js';

const CANCEL = 8;

/** A server that counts what it is asked for. `/never` is not answered. */
class Target {
  opened = 0;
  closed = 0;
  most = 0;
  bodyEvents = 0;
  readonly targets: string[] = [];
  listener!: Listener;

  async start(t: Test, options: Partial<ListenerOptions> = {}): Promise<this> {
    const open = (exchange: Parameters<Parameters<typeof serve>[0][string]>[0]): void => {
      this.opened++;
      this.most = Math.max(this.most, this.opened - this.closed);
      exchange.onClose(() => this.closed++);
    };
    this.listener = await serve(
      {
        '/never': open,
        '/read': (exchange) => {
          open(exchange);
          exchange.read({
            onData: () => this.bodyEvents++,
            onEnd: () => text(exchange, 'read'),
            onAbort: () => undefined,
          });
        },
        '/echo': (exchange) =>
          void readAll(exchange).then((body) =>
            text(exchange, Buffer.isBuffer(body) ? `[${String(body)}]` : 'refused'),
          ),
        '/smuggled': (exchange) => {
          this.targets.push(exchange.target);
          text(exchange, 'smuggled');
        },
      },
      options,
    );
    t.teardown(() => this.listener.closeNow());
    return this;
  }

  /** Others are served on, and nothing is left of the attack. */
  async survives(t: Test): Promise<void> {
    t.match(
      await raw(this.listener, 'GET /fresh HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n'),
      /^HTTP\/1\.1 200 /,
    );
    await waitFor(
      () => this.closed === this.opened,
      () => `${this.opened} closes, came ${this.closed}`,
    );
  }
}

/** A client of HTTP/2, frame by frame. */
class Http2Attacker extends Client {
  readonly seen = new Map<number, number>();
  private readonly encoder = new FieldEncoder();
  private nextId = 1;

  constructor(listener: Listener, first: Buffer = settings()) {
    super(listener);
    const reader = new FrameReader({
      onFrame: (type) => this.seen.set(type, (this.seen.get(type) ?? 0) + 1),
    });
    this.socket.on('data', (chunk: Buffer) => reader.push(chunk));
    this.send(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), first]));
  }

  block(method: string, path: string, more: readonly string[] = []): Buffer {
    const fields = [':method', method, ':scheme', 'http', ':authority', 'h', ':path', path, ...more];
    return Buffer.from(this.encoder.encode(fields));
  }

  /** HEADERS of the next stream. */
  request(path: string, flags = END_HEADERS): { readonly id: number; readonly bytes: Buffer } {
    const id = this.nextId;
    this.nextId += 2;
    return { id, bytes: frame(FrameType.HEADERS, flags, id, this.block('POST', path)) };
  }

  /** Sends what `make` makes, until the server has had enough or `most` times; returns how often. */
  async flood(most: number, make: () => Buffer, perTurn = 100): Promise<number> {
    let sent = 0;
    while (sent < most && this.closed === undefined) {
      const batch = Array.from({ length: Math.min(perTurn, most - sent) }, make);
      this.send(Buffer.concat(batch));
      sent += batch.length;
      await new Promise(setImmediate);
    }
    return sent;
  }
}

interface Flood {
  readonly name: string;
  readonly options?: Partial<ListenerOptions>;
  /** A frame, or a few. */
  readonly make: (client: Http2Attacker) => () => Buffer;
  readonly perTurn?: number;
  readonly isUnread?: boolean;
}

const floods: readonly Flood[] = [
  {
    name: 'rapid reset (CVE-2023-44487)',
    make: (client) => () => {
      const { id, bytes } = client.request('/never');
      return Buffer.concat([bytes, number(FrameType.RST_STREAM, id, CANCEL)]);
    },
  },
  {
    name: 'MadeYouReset (CVE-2025-8671): a window beyond its limit',
    make: (client) => () => {
      const { id, bytes } = client.request('/never');
      return Buffer.concat([bytes, number(FrameType.WINDOW_UPDATE, id, 2 ** 31 - 1)]);
    },
  },
  {
    name: 'MadeYouReset: a window opened by nothing',
    make: (client) => () => {
      const { id, bytes } = client.request('/never');
      return Buffer.concat([bytes, number(FrameType.WINDOW_UPDATE, id, 0)]);
    },
  },
  {
    name: 'MadeYouReset: DATA after the end',
    make: (client) => () => {
      const { id, bytes } = client.request('/never', END_HEADERS | END_STREAM);
      return Buffer.concat([bytes, frame(FrameType.DATA, 0, id, '00')]);
    },
  },
  {
    name: 'MadeYouReset: a PRIORITY of the wrong size',
    make: (client) => () => {
      const { id, bytes } = client.request('/never');
      return Buffer.concat([bytes, frame(2, 0, id, '00000000')]);
    },
  },
  {
    name: 'CONTINUATION without end (CVE-2024-27316)',
    make: (client) => {
      client.send(client.request('/never', 0).bytes);
      return () => frame(FrameType.CONTINUATION, 0, 1, client.block('x', '/', [`x-${Math.random()}`, 'y']));
    },
  },
  {
    name: 'CONTINUATION of nothing',
    make: (client) => {
      client.send(client.request('/never', 0).bytes);
      return () => frame(FrameType.CONTINUATION, 0, 1);
    },
  },
  {
    name: 'empty DATA (CVE-2019-9518)',
    make: (client) => {
      const { id, bytes } = client.request('/read');
      client.send(bytes);
      return () => frame(FrameType.DATA, 0, id);
    },
  },
  { name: 'SETTINGS, answers unread (CVE-2019-9515)', make: () => () => settings(), isUnread: true, perTurn: 5000 },
  {
    name: 'PING, answers unread (CVE-2019-9512)',
    make: () => () => frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
    isUnread: true,
    perTurn: 5000,
  },
];

/** More than any flood gets by. */
const MOST_OPENED = 5000;

for (const { name, make, perTurn, isUnread = false } of floods) {
  void t.test(`HTTP/2: ${name}`, async (t) => {
    // Node leaves some of these connections open and unread: they end as idle ones.
    const target = await new Target().start(t, { keepAliveTimeoutMs: 300, headerTimeoutMs: 300 });
    const client = new Http2Attacker(target.listener);
    await client.until(/./s);
    if (isUnread) client.socket.pause();
    const most = isUnread ? 1_000_000 : 20_000;
    const sent = await client.flood(most, make(client), perTurn);
    if (isUnread) client.socket.resume();
    await client.close();
    t.ok(target.most <= 250, `${target.most} requests at once`);
    t.ok(target.opened < MOST_OPENED && target.bodyEvents < MOST_OPENED, `${target.opened} requests of ${sent} frames`);
    await target.survives(t);
  });
}

void t.test('HTTP/2: a header list that unpacks to far more than was sent', async (t) => {
  const target = await new Target().start(t);
  const client = new Http2Attacker(target.listener);
  await client.until(/./s);
  // The first field enters the table, and one byte repeats it: 4 MB from 5 kB.
  const block = Buffer.concat([client.block('GET', '/never', ['x', 'y'.repeat(3900)]), Buffer.alloc(1000, 0xbe)]);
  client.send(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block));
  await waitFor(
    () => client.closed !== undefined || client.seen.has(FrameType.RST_STREAM) || client.seen.has(FrameType.HEADERS),
    () => 'an end',
  );
  t.equal(target.opened, 0, 'nobody had to look at it');
  client.destroy();
  await target.survives(t);
});

void t.test('HTTP/2: two names for the host of one request', async (t) => {
  const target = await new Target().start(t);
  const client = new Http2Attacker(target.listener);
  await client.until(/./s);
  const block = client.block('GET', '/never', ['host', 'other']);
  client.send(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block));
  await client.until(/the request has 2 Host headers/);
  t.equal(target.opened, 0);
  client.destroy();
});

void t.test('HTTP/2: streams whose windows stay shut hold few answers', async (t) => {
  const target = await new Target().start(t, { writeTimeoutMs: 300 });
  // SETTINGS_INITIAL_WINDOW_SIZE 0.
  const client = new Http2Attacker(target.listener, settings([4, 0]));
  await client.until(/./s);
  for (let count = 0; count < 1000; count++) client.send(client.request('/never').bytes);
  await waitFor(
    () => target.opened > 0,
    () => 'requests',
  );
  t.ok(target.most <= 250, `${target.most} requests at once`);
  client.destroy();
  await target.survives(t);
});

// ------------------------------------------------------------------------------------------- HTTP/1

const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n';
const chunked = 'POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n';
const withLength = (lines: string): string => `POST /echo HTTP/1.1\r\nhost: h\r\n${lines}\r\n\r\n${smuggled}`;

/** Two readers of the same bytes could disagree on where the first request ends; the second must not be taken for one. */
const smuggling: Readonly<Record<string, string>> = {
  'CL.TE': withLength('content-length: 4\r\ntransfer-encoding: chunked'),
  'TE.CL': withLength('transfer-encoding: chunked\r\ncontent-length: 4'),
  'TE.TE': withLength('transfer-encoding: chunked\r\ntransfer-encoding: x'),
  'a coding that is almost chunked': withLength('transfer-encoding: xchunked'),
  'a list that ends in chunked': withLength('transfer-encoding: x, chunked'),
  'a space before the colon': withLength('transfer-encoding : chunked\r\ncontent-length: 4'),
  'a tab in the value': withLength('transfer-encoding: \x0bchunked'),
  'a folded line': withLength('transfer-encoding:\r\n chunked'),
  'two lengths': withLength('content-length: 0\r\ncontent-length: 4'),
  'a list of lengths': withLength('content-length: 0, 0'),
  'a length with a sign': withLength('content-length: +0'),
  'a length in hexadecimal': withLength('content-length: 0x0'),
  'a bare line feed': `POST /echo HTTP/1.1\r\nhost: h\r\nx: y\ncontent-length: 0\r\n\r\n${smuggled}`,
  'a bare carriage return': `POST /echo HTTP/1.1\r\nhost: h\r\nx: y\rcontent-length: 0\r\n\r\n${smuggled}`,
  'NUL in a name': withLength('content-length\0: 0'),
  'a chunk size with a sign': `${chunked}+0\r\n\r\n${smuggled}`,
  'a chunk size with a prefix': `${chunked}0x0\r\n\r\n${smuggled}`,
  'a chunk size that overflows': `${chunked}fffffffffffffffff\r\n\r\n${smuggled}`,
  'a chunk that a bare line feed ends': `${chunked}0\n\n${smuggled}`,
  'a chunk without its end': `${chunked}1\r\nab0\r\n\r\n${smuggled}`,
  'a bare line feed in a chunk extension': `${chunked}0;a\nb\r\n\r\n${smuggled}`,
  'HTTP/1.0 with chunks': `POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'a version of its own': `POST /echo HTTP/1.1x\r\nhost: h\r\ncontent-length: 0\r\n\r\n${smuggled}`,
};

void t.test('HTTP/1: no request is smuggled behind another', async (t) => {
  const target = await new Target().start(t, { idleTimeoutMs: 300, headerTimeoutMs: 300 });
  for (const [name, bytes] of Object.entries(smuggling)) {
    const answer = await raw(target.listener, bytes);
    t.match(answer, /^HTTP\/1\.1 (400|501) |refused$/, `${name}: ${answer.slice(0, 60)}`);
    t.strictSame(target.targets, [], name);
  }
  const [first] = (
    await raw(target.listener, `${chunked}0;a=b\r\n\r\nGET /last HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n`)
  ).split('\r\n');
  t.equal(first, 'HTTP/1.1 200 OK', 'a chunk extension is legal');
});

void t.test('HTTP/1: a chunk extension has a limit, and many small ones cost no more than their bytes', async (t) => {
  const target = await new Target().start(t, { idleTimeoutMs: 300 });
  t.match(await raw(target.listener, `${chunked}1;${'a'.repeat(100_000)}\r\nx\r\n0\r\n\r\n`), /refused$/);
  const many = `1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(1000);
  const closing = chunked.replace('host: h', 'host: h\r\nconnection: close');
  t.match(await raw(target.listener, `${closing}${many}0\r\n\r\n`), /\[x{1000}\]$/);
});

void t.test('HTTP/1: a head that comes byte by byte has its time', async (t) => {
  const target = await new Target().start(t, { headerTimeoutMs: 300 });
  const client = new Client(target.listener);
  let sent = 0;
  const drip = setInterval(
    () => void (client.closed === undefined && client.send(sent++ === 0 ? 'GET /never HTTP/1.1\r\nx: ' : 'y')),
    20,
  );
  t.teardown(() => clearInterval(drip));
  await client.until(/^HTTP\/1\.1 408 /);
  await client.close();
  t.equal(target.opened, 0);
});

void t.test('HTTP/1: of pipelined requests only so many are looked at', async (t) => {
  const target = await new Target().start(t, { maxConnectionRequests: 10 });
  const client = new Client(target.listener);
  const request = 'GET /never HTTP/1.1\r\nhost: h\r\n\r\n';
  for (let count = 0; count < 200; count++) client.send(request.repeat(1000));
  await waitFor(
    () => target.opened >= 10,
    () => 'requests',
  );
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  t.equal(target.opened, 10);
  t.ok(client.socket.writableLength > 0, 'the rest is not read');
  client.destroy();
  await target.survives(t);
});

void t.test('HTTP/1: the host of an absolute target does not replace that of the header', async (t) => {
  const target = await new Target().start(t);
  const answer = await raw(target.listener, 'GET http://other/path HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
  t.match(answer, /GET http:\/\/other\/path$/);
});
