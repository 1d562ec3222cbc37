/** Streaming methods over WebSocket: frames both ways, ends, refusals, limits, back-pressure, shutdown. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { type ClientOptions as SocketOptions, WebSocket } from 'ws';

import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { certificate, pem } from '../support/certificates.js';
import { type Answer, finish } from '../support/echo-service.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { waitFor } from '../support/stream-client.js';

const proto = `
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service S {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/one/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" additional_bindings { post: "/watch" body: "*" } }; }
  rpc Inner(Message) returns (stream Message) { option (google.api.http) = { get: "/inner" response_body: "inner" additional_bindings { get: "/number" response_body: "number" } }; }
  rpc Put(stream Message) returns (Message) { option (google.api.http) = { post: "/put/{name}" body: "*" additional_bindings { put: "/list/{name}" body: "inner" } additional_bindings { get: "/collect/{name}" } }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat/{name}" body: "*" additional_bindings { post: "/chat" body: "*" } additional_bindings { get: "/talk/{name}" } }; }
  rpc Pipe(stream google.api.HttpBody) returns (stream google.api.HttpBody) { option (google.api.http) = { post: "/pipe" body: "*" }; }
}
message Message { string name = 1; int64 number = 2; repeated string list = 3; Message inner = 4; }
`;

const schema = schemaFromText(proto);
const codec = new Codec(schema);

function wire(json: object): Buffer {
  const out = new Writer();
  codec.reader(schema.message('s.v1.Message')!)(Buffer.from(JSON.stringify(json)), out);
  return out.take();
}

type ClientOptions = SocketOptions & { readonly servername?: string };

class Client {
  readonly frames: (string | Buffer)[] = [];
  closed: readonly [code: number, reason: string] | undefined;
  /** Of a refused handshake. */
  refusal: readonly [status: number, body: string] | undefined;
  isOpen = false;

  constructor(readonly socket: WebSocket) {
    socket.on('open', () => (this.isOpen = true));
    socket.on('message', (data: Buffer, isBinary) => this.frames.push(isBinary ? data : data.toString()));
    socket.on('close', (code, reason) => (this.closed = [code, reason.toString()]));
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => (this.refusal = [response.statusCode!, text]));
    });
  }

  /** Resolves once there are so many frames. */
  async until(count: number): Promise<this> {
    await waitFor(
      () => this.frames.length >= count,
      () =>
        `${count} frames, not ${this.frames.length}: ${JSON.stringify([this.frames.slice(0, 20), this.closed, this.refusal])}`,
    );
    return this;
  }

  async done(): Promise<this> {
    await waitFor(
      () => this.closed !== undefined || this.refusal !== undefined,
      () => `the end of ${JSON.stringify(this.frames.slice(-5))}`,
    );
    return this;
  }
}

async function open(proxy: TestProxy, target: string, options: ClientOptions = {}): Promise<Client> {
  const client = new Client(
    new WebSocket(`${proxy.url.replace('http', 'ws')}${target}`, { ...pemOf(proxy), ...options }),
  );
  await waitFor(
    () => client.isOpen || client.refusal !== undefined,
    () => `the handshake of ${target}`,
  );
  return client;
}

function pemOf({ url }: TestProxy): ClientOptions {
  return url.startsWith('https') ? { ca: pem('ca') } : {};
}

async function withProxy(
  options: Parameters<typeof startTestProxy>[1],
  test: (proxy: TestProxy) => Promise<void>,
  yaml?: string,
): Promise<void> {
  const proxy = await startTestProxy(proto, options, yaml);
  try {
    await test(proxy);
  } finally {
    await proxy.close();
  }
}

const a = '{"name":"a"}';
const two: Answer = { messages: [wire({ name: 'a' }), wire({ name: 'b', number: 7 })] };

interface Row {
  readonly what: string;
  readonly target: string;
  readonly options?: Parameters<typeof startTestProxy>[1];
  readonly send?: readonly (string | Buffer)[];
  readonly answer?: Answer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly frames: readonly (string | Buffer | RegExp)[];
  readonly closed?: readonly [number, string | RegExp];
}

const rows: readonly Row[] = [
  {
    what: 'a server stream without a body starts at once',
    target: '/watch/x?number=5',
    frames: ['{"name":"x","number":"5"}'],
  },
  {
    what: 'its end is 1000',
    target: '/watch/x',
    answer: two,
    frames: [a, '{"name":"b","number":"7"}'],
    closed: [1000, ''],
  },
  {
    what: 'what a rule without a body takes for none',
    target: '/watch/x',
    send: ['', '{ }'],
    answer: { delayMs: 200 },
    frames: ['{"name":"x"}'],
  },
  { what: 'one with a body starts with the first frame', target: '/watch', send: [a], frames: [a] },
  { what: 'an empty frame is a message without a body', target: '/watch', send: [''], frames: ['{}'] },
  {
    what: 'a binary frame is protobuf, and so is the answer',
    target: '/watch',
    send: [wire({ name: 'b' })],
    frames: [wire({ name: 'b' })],
  },
  {
    what: 'an empty binary frame is an empty message',
    target: '/watch',
    send: [Buffer.alloc(0)],
    frames: [Buffer.alloc(0)],
  },
  {
    what: 'a client stream',
    target: '/put/x?',
    send: ['{"number":1}', '{"list":["b"]}', ''],
    frames: ['{"name":"x","number":"1","list":["b"]}'],
  },
  {
    what: 'a binary client stream keeps its kind',
    target: '/put/x',
    send: [wire({ number: 1 }), ''],
    frames: [Buffer.concat([wire({ number: 1 }), wire({ name: 'x' })])],
  },
  { what: 'a client stream of no frame is one message', target: '/put/x', send: [''], frames: ['{"name":"x"}'] },
  {
    what: 'a body field; query and path in the first message alone',
    target: '/list/x?number=5',
    send: [a, ''],
    frames: ['{"name":"x","number":"5","inner":{"name":"a"}}'],
  },
  {
    what: 'bidi; the first message has the path',
    target: '/chat/x',
    send: ['{"number":1}', '{"number":2}', ''],
    frames: ['{"name":"x","number":"1"}', '{"number":"2"}'],
  },
  {
    what: 'answers are of the kind of the last frame',
    target: '/chat',
    send: [a, wire({ name: 'b' }), ''],
    frames: [/./, wire({ name: 'b' })],
  },
  {
    what: 'bidi whose rule is a GET; path and query in the first message alone',
    target: '/talk/x?number=5',
    send: ['{"list":["l"]}', '{"name":"b","inner":{"name":"c"}}', ''],
    frames: ['{"name":"x","number":"5","list":["l"]}', '{"name":"b","inner":{"name":"c"}}'],
    closed: [1000, ''],
  },
  {
    what: 'the same in binary frames',
    target: '/talk/x',
    send: [wire({ number: 7 }), wire({ name: 'b' }), ''],
    frames: [Buffer.concat([wire({ number: 7 }), wire({ name: 'x' })]), wire({ name: 'b' })],
  },
  { what: 'the same, empty', target: '/talk/x', send: [''], frames: ['{"name":"x"}'], closed: [1000, ''] },
  {
    what: 'a client stream whose rule is a GET',
    target: '/collect/x?number=1',
    send: ['{"list":["a"]}', '{"list":["b"]}', ''],
    frames: ['{"name":"x","number":"1","list":["a","b"]}'],
    closed: [1000, ''],
  },
  { what: 'response_body', target: '/inner?inner.name=z', frames: ['{"name":"z"}'] },
  { what: 'fields', target: '/watch/x?number=5&$fields=number', frames: ['{"number":"5"}'] },
  {
    what: 'an HttpBody is a message like any other',
    target: '/pipe',
    send: ['{"contentType":"a/b","data":"AAE="}', ''],
    frames: ['{"contentType":"a/b","data":"AAE="}'],
  },
  {
    what: 'the envelope',
    target: '/watch/x',
    options: { envelope: 'photon' },
    headers: { 'x-request-id': 'r1' },
    frames: [/^\{"data":\{"name":"x"\},"meta":\{"request_id":"r1","timestamp":"[^"]+"\}\}$/],
  },
  { what: 'white space', target: '/watch/x', options: { addWhitespace: true }, frames: [/^\{\n.*\n\}\n?$/s] },
  {
    what: 'a failed call',
    target: '/watch/x',
    answer: { messages: [wire({ name: 'a' })], code: 9, details: 'no more' },
    frames: [a, '{"error":{"code":9,"message":"no more"}}'],
    closed: [4009, 'no more'],
  },
  {
    what: 'a failed client stream answers nothing else',
    target: '/put/x',
    send: [''],
    answer: { code: 5, details: 'gone' },
    frames: ['{"error":{"code":5,"message":"gone"}}'],
    closed: [4005, 'gone'],
  },
  {
    what: 'the configured shape',
    target: '/watch/x',
    options: { errorFormat: 'aip193' },
    answer: { messages: [], code: 9, details: 'no' },
    frames: ['{"error":{"code":400,"message":"no","status":"FAILED_PRECONDITION"}}'],
    closed: [4009, 'no'],
  },
  {
    what: 'a long reason is cut',
    target: '/watch/x',
    answer: { messages: [], code: 9, details: 'é'.repeat(100) },
    frames: [/é{100}/],
    closed: [4009, 'é'.repeat(61)],
  },
  {
    what: 'an unknown field',
    target: '/watch',
    send: ['{"nope":1}'],
    frames: [/^\{"error":\{"code":3,"message":"nope: /],
    closed: [4003, /^nope: /],
  },
  { what: 'no JSON', target: '/watch', send: ['x'], frames: [/^\{"error":\{"code":3/], closed: [4003, /./] },
  {
    what: 'no protobuf',
    target: '/watch',
    send: [Buffer.from([0xff])],
    frames: [/^\{"error":\{"code":3/],
    closed: [4003, /./],
  },
  {
    what: 'a later message is named',
    target: '/put/x',
    send: ['{}', '{"nope":1}'],
    frames: [/"message":"message 2: nope: /],
    closed: [4003, /./],
  },
  {
    what: 'an unknown parameter, before any frame',
    target: '/chat/x?nope=1',
    frames: [/^\{"error":\{"code":3,"message":"nope: /],
    closed: [4003, /./],
  },
  {
    what: 'a bad deadline',
    target: '/watch/x',
    headers: { 'grpc-timeout': 'soon' },
    frames: [/"code":3/],
    closed: [4003, /grpc-timeout/],
  },
  {
    what: 'a deadline',
    target: '/watch/x',
    headers: { 'x-request-timeout': '50ms' },
    answer: { delayMs: 5000 },
    frames: [/"code":4/],
    closed: [4004, /./],
  },
  {
    what: 'a second message of a server stream',
    target: '/watch',
    send: [a, a],
    answer: { delayMs: 300 },
    frames: [/s.v1.S.Watch takes one message, and has it already/],
    closed: [4003, /./],
  },
  {
    what: 'a message after the empty frame',
    target: '/put/x',
    send: ['{}', '', '{}'],
    answer: { delayMs: 300 },
    frames: [/a message came after the empty frame/],
    closed: [4003, /./],
  },
  {
    what: 'a server stream whose rule has no body takes no message',
    target: '/watch/x',
    send: [a],
    answer: { delayMs: 300 },
    frames: [/"code":3/],
    closed: [4003, /takes one message/],
  },
  {
    what: 'another value of what the path binds',
    target: '/talk/x',
    send: [a],
    frames: [/"field":"name"/],
    closed: [4003, /name/],
  },
  {
    what: 'another value of what the query binds',
    target: '/talk/x?number=1',
    send: ['{"number":2}'],
    frames: [/"field":"number"/],
    closed: [4003, /number/],
  },
  {
    what: 'an unknown field of a message',
    target: '/talk/x',
    send: ['{"nmber":2}'],
    frames: [/did you mean .*number/],
    closed: [4003, /nmber/],
  },
  {
    what: 'too large a message',
    target: '/chat',
    options: { maxBodyBytes: 100 },
    send: [JSON.stringify({ name: 'x'.repeat(100) })],
    frames: [/^\{"error":\{"code":8,"message":"a message is larger than the limit of 100 bytes; /],
    closed: [4008, /./],
  },
];

void t.test('frames and ends', async (t) => {
  for (const row of rows) {
    await withProxy(row.options ?? {}, async (proxy) => {
      proxy.service.answer = () => row.answer ?? {};
      const { socket, ...client } = await open(proxy, row.target, { headers: row.headers ?? {} }).then(
        async (client) => {
          for (const frame of row.send ?? []) client.socket.send(frame);
          return client.done();
        },
      );
      t.match(client.frames, row.frames, row.what);
      t.equal(client.frames.length, row.frames.length, row.what);
      t.match(client.closed, row.closed ?? [1000, ''], row.what);
      t.equal(socket.readyState, WebSocket.CLOSED);
    });
  }
});

void t.test('headers are metadata, those of the handshake are not; the request id is in the answer', async (t) => {
  await withProxy({}, async (proxy) => {
    const headers = { authorization: 'Bearer t', 'x-request-id': 'r7' };
    const client = new WebSocket(`${proxy.url.replace('http', 'ws')}/watch/x`, ['one', 'two'], { headers });
    const [response] = (await once(client, 'upgrade')) as [{ headers: Record<string, string> }];
    await once(client, 'close');
    t.equal(response.headers['x-request-id'], 'r7');
    t.equal(client.protocol, 'one');
    const map = proxy.service.calls[0]!.metadata.getMap();
    t.equal(map.authorization, 'Bearer t');
    t.equal(map['x-request-id'], 'r7');
    t.strictSame(
      Object.keys(map).filter((name) => /websocket|upgrade|connection/.test(name)),
      [],
    );
  });
});

void t.test('refused handshakes', async (t) => {
  const cases: readonly [target: string, options: ClientOptions, status: number, text: RegExp][] = [
    ['/one/x', {}, 404, /"code":5,"message":"no streaming route for a WebSocket at .*\/one\/x/],
    ['/nowhere', {}, 404, /"code":5/],
    ['/openapi.json', {}, 404, /"code":5/],
    ['/watch/x', { origin: 'https://evil.example' }, 403, /"code":7,"message":"a page of origin/],
    ['/watch/x', { headers: { host: 'evil.example' } }, 403, /loopback/],
  ];
  await withProxy({}, async (proxy) => {
    for (const [target, options, status, text] of cases) {
      const { refusal } = await (await open(proxy, target, options)).done();
      t.match(refusal, [status, text], target);
    }
    t.equal(proxy.service.calls.length, 0, 'none cost a call');
    const own = await open(proxy, '/watch/x', { origin: proxy.url });
    t.match((await own.done()).closed, [1000, ''], 'the own origin may');
  });
});

/** Everything that comes back for these bytes, up to the connection's end or the first that matches. */
function raw(proxy: TestProxy, text: string, until?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(proxy.port, '127.0.0.1', () => socket.write(text));
    let all = '';
    const finished = (): void => {
      socket.destroy();
      resolve(all);
    };
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
      if (until?.test(all) === true) finished();
    });
    socket.on('error', finished).on('close', finished);
  });
}

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const version = 'Sec-WebSocket-Version: 13\r\n';
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

void t.test('bad handshakes, and upgrades that are none', async (t) => {
  const cases: readonly [what: string, head: string, answer: RegExp, until?: RegExp][] = [
    [
      'no key',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}\r\n`,
      /^HTTP\/1.1 400 .*Sec-WebSocket-Key is missing/s,
    ],
    [
      'two keys',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}${key}\r\n`,
      /^HTTP\/1.1 400 .*Sec-WebSocket-Key is /s,
    ],
    [
      'no version',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${key}\r\n`,
      /^HTTP\/1.1 400 .*sec-websocket-version: 13/s,
    ],
    [
      'another version',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}Sec-WebSocket-Version: 12\r\n${key}\r\n`,
      /^HTTP\/1.1 400 .*is \\"12\\", expected 13/s,
    ],
    [
      'a body',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}Content-Length: 2\r\n\r\n{}`,
      /^HTTP\/1.1 400 .*cannot have a body/s,
    ],
    [
      'protocols',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}Sec-WebSocket-Protocol: a, a\r\n\r\n`,
      /^HTTP\/1.1 400 .*each once/s,
    ],
    ['no host', `GET /watch/x HTTP/1.1\r\n${upgrade}${version}${key}\r\n`, /^HTTP\/1.1 400 .*no Host/s],
    [
      'good',
      `GET /watch/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}\r\n`,
      /^HTTP\/1.1 101 .*"name":"x"/s,
      /\x88\x02\x03\xe8/,
    ],
    [
      'h2c',
      'GET /one/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
      /^HTTP\/1.1 200 .*"name":"x"/s,
      /"x"\}/,
    ],
    [
      'POST',
      `POST /one/x HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}Content-Length: 0\r\n\r\n`,
      /^HTTP\/1.1 405 /s,
      /405/,
    ],
    ['HTTP/1.0', `GET /one/x HTTP/1.0\r\nHost: localhost\r\n${upgrade}${version}${key}\r\n`, /^HTTP\/1.1 200 /s],
  ];
  await withProxy({}, async (proxy) => {
    for (const [what, head, answer, until] of cases) t.match(await raw(proxy, head, until), answer, what);
    proxy.service.answer = () => ({ delayMs: 50 });
    const head = `GET /one/a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /watch/b HTTP/1.1\r\nHost: localhost\r\n${upgrade}${version}${key}\r\n`;
    const both = await raw(proxy, head, /"b"/);
    t.match(both, /^HTTP\/1.1 200 .*"name":"a".*HTTP\/1.1 200 .*"name":"b"/s, 'an earlier answer comes first');
  });
});

void t.test('what breaks the protocol, closes early or vanishes cancels', async (t) => {
  const ends: readonly [what: string, end: (socket: WebSocket) => void, code: number][] = [
    ['closes', (socket) => socket.close(1000), 1000],
    ['closes as too large', (socket) => socket.close(1009), 4008],
    ['vanishes', (socket) => socket.terminate(), 1006],
    [
      'no mask',
      (socket) => (socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(Buffer.from([0x81, 1, 0x61])),
      1002,
    ],
    ['no UTF-8', (socket) => socket.send(Buffer.from([0xff]), { binary: false }), 1007],
    ['too large', (socket) => socket.send('x'.repeat(2000)), 4008],
    [
      'too large in pieces',
      (socket) => {
        for (let count = 0; count < 20; count++) socket.send('x'.repeat(100), { fin: false });
      },
      4008,
    ],
  ];
  await withProxy({ maxBodyBytes: 1000 }, async (proxy) => {
    for (const [what, end, code] of ends) {
      proxy.service.calls.length = 0;
      const client = await open(proxy, '/chat/x');
      client.socket.send('{}');
      await client.until(1);
      end(client.socket);
      await waitFor(
        () => proxy.service.calls[0]!.cancelled,
        () => `the cancel after ${what}`,
      );
      await client.done();
      if (code !== 1006 && what !== 'closes as too large') t.equal(client.closed![0], code, what);
    }
  });
});

void t.test('fragments are one message; pings are answered; the service may speak first', async (t) => {
  await withProxy({}, async (proxy) => {
    proxy.service.answer = () => ({ drive: (call) => call.write(wire({ name: 'hello' })) });
    const client = await open(proxy, '/chat/x');
    await client.until(1);
    t.strictSame(client.frames, ['{"name":"hello"}']);
    proxy.service.answer = () => ({});
    client.socket.ping('p');
    const [pong] = (await once(client.socket, 'pong')) as [Buffer];
    t.equal(pong.toString(), 'p');
    client.socket.send('{"num', { fin: false });
    client.socket.send('ber":', { fin: false });
    client.socket.send('4}', { fin: true });
    await waitFor(
      () => proxy.service.calls[0]!.messages.length === 1,
      () => 'the message',
    );
    t.same(proxy.service.calls[0]!.messages[0], Buffer.concat([wire({ number: 4 }), wire({ name: 'x' })]));
    client.socket.terminate();
  });
});

void t.test('a client that answers no ping is cut; one that does may be silent', async (t) => {
  await withProxy({ idleTimeoutMs: 100 }, async (proxy) => {
    const dead = await open(proxy, '/chat/x', { autoPong: false });
    const alive = await open(proxy, '/chat/x');
    t.equal((await dead.done()).closed![0], 1006);
    t.equal(alive.closed, undefined);
    alive.socket.send('');
    t.strictSame((await alive.done()).closed, [1000, '']);
  });
});

void t.test('a slow reader holds the service back', async (t) => {
  await withProxy({}, async (proxy) => {
    let written = 0;
    let stuck = false;
    const message = wire({ name: 'x'.repeat(50_000) });
    proxy.service.answer = () => ({
      drive(call) {
        const more = (): void => {
          while (written < 2000) {
            written++;
            if (!call.write(message)) {
              stuck = true;
              call.once('drain', () => {
                stuck = false;
                more();
              });
              return;
            }
          }
          finish(call, {});
        };
        more();
      },
    });
    const client = await open(proxy, '/watch/x');
    client.socket.pause();
    let before = -1;
    await waitFor(
      () => {
        const still = stuck && written === before;
        before = written;
        return still;
      },
      () => `the service to stop after ${written}`,
    );
    t.ok(written < 1000, `${written} of 2000 messages were taken`);
    client.socket.resume();
    await client.until(2000);
    t.strictSame((await client.done()).closed, [1000, '']);
  });
});

void t.test('a slow service holds the client back', async (t) => {
  await withProxy({}, async (proxy) => {
    let count = 0;
    let start: (() => void) | undefined;
    proxy.service.answer = () => ({
      reads: true,
      drive(call) {
        start = () => call.on('data', () => count++).on('end', () => finish(call, {}));
      },
    });
    const client = await open(proxy, '/chat');
    const message = JSON.stringify({ name: 'x'.repeat(50_000) });
    for (let sent = 0; sent < 1000; sent++) client.socket.send(message);
    client.socket.send('');
    let before = -1;
    let same = 0;
    await waitFor(
      () => {
        same = client.socket.bufferedAmount === before ? same + 1 : 0;
        before = client.socket.bufferedAmount;
        return same > 10 && start !== undefined;
      },
      () => 'the client to be stuck',
    );
    t.ok(before > 10_000_000, `${before} bytes wait at the client`);
    start!();
    await client.done();
    t.equal(count, 1000);
    t.strictSame(client.closed, [1000, '']);
  });
});

void t.test('sockets count as requests under way', async (t) => {
  await withProxy({ maxConcurrentRequests: 1 }, async (proxy) => {
    const first = await open(proxy, '/chat/x');
    t.match((await (await open(proxy, '/chat/x')).done()).refusal, [503, /under way/]);
    first.socket.send('');
    await first.done();
    t.equal((await open(proxy, '/watch/x')).refusal, undefined, 'and no more when they are closed');
  });
});

void t.test('a stop closes what is open when its time is over', async (t) => {
  const proxy = await startTestProxy(proto, { drainTimeoutMs: 200 });
  const client = await open(proxy, '/chat/x');
  client.socket.send('{}');
  await client.until(1);
  await proxy.close();
  await client.done();
  t.match(client.frames[1], /^\{"error":\{"code":14,"message":"the proxy is shutting down/);
  t.match(client.closed, [4014, /shutting down/]);
});

void t.test('under a mount, and over TLS', async (t) => {
  await withProxy(
    {},
    async (proxy) => {
      t.match((await (await open(proxy, '/m/watch/x')).done()).frames, ['{"name":"x"}']);
      t.match((await (await open(proxy, '/m/one/x')).done()).refusal, [404, /no streaming route/]);
    },
    'listeners: [{ listen: "127.0.0.1:0", mounts: { /m: { services: [s.v1] } } }]\n',
  );
  await withProxy({ tlsCert: certificate('server'), tlsKey: certificate('server-key') }, async (proxy) => {
    const client = await open(proxy, '/watch/x', { servername: 'localhost' });
    t.match((await client.done()).frames, ['{"name":"x"}']);
    t.match((await (await open(proxy, '/nowhere', { servername: 'localhost' })).done()).refusal, [404, /./]);
  });
});
