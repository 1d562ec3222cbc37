/**
 * Native gRPC, gRPC-Web and Connect through the proxy, by their public clients: grpc-js, and the transports of connect-node
 * and connect-web. The service behind is a real one.
 */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { create, createFileRegistry, type DescMethod, type DescService, type Message } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel,
} from '@bufbuild/protobuf/wkt';
import { Code as ConnectCode, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import {
  createConnectTransport as createWebConnectTransport,
  createGrpcWebTransport as createWebGrpcWebTransport,
} from '@connectrpc/connect-web';
import { Client, credentials, Metadata, status as Status, type ServiceError } from '@grpc/grpc-js';
import t from 'tap';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package p.v1;
import "google/api/annotations.proto";
service Talk {
  rpc Say(Words) returns (Words) {
    option (google.api.http) = { post: "/v1/say" body: "*" };
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc Repeat(Words) returns (stream Words) { option (google.api.http) = { get: "/v1/repeat" }; }
  rpc Collect(stream Words) returns (Words) { option (google.api.http) = { post: "/v1/collect" body: "*" }; }
  rpc Chat(stream Words) returns (stream Words) { option (google.api.http) = { post: "/v1/chat" body: "*" }; }
  rpc Hidden(Words) returns (Words);
}
message Words { string text = 1; int64 big = 2; }
`;

/** The same, as the other implementation sees it. */
function talkService(): DescService {
  const name = 'p.v1.Words';
  const rpc = (method: string, clientStreaming: boolean, serverStreaming: boolean): object => ({
    name: method,
    inputType: `.${name}`,
    outputType: `.${name}`,
    clientStreaming,
    serverStreaming,
    ...(method === 'Say' && { options: { idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS } }),
  });
  const label = FieldDescriptorProto_Label.OPTIONAL;
  const file = create(FileDescriptorProtoSchema, {
    name: 'p.proto',
    syntax: 'proto3',
    package: 'p.v1',
    messageType: [
      {
        name: 'Words',
        field: [
          { name: 'text', jsonName: 'text', number: 1, label, type: FieldDescriptorProto_Type.STRING },
          { name: 'big', jsonName: 'big', number: 2, label, type: FieldDescriptorProto_Type.INT64 },
        ],
      },
    ],
    service: [
      {
        name: 'Talk',
        method: [
          rpc('Say', false, false),
          rpc('Repeat', false, true),
          rpc('Collect', true, false),
          rpc('Chat', true, true),
          rpc('Hidden', false, false),
        ],
      },
    ],
  });
  return createFileRegistry(file, () => undefined).getService('p.v1.Talk')!;
}

const service = talkService();

type Words = Message & { text: string; big: bigint };
/** The client as the tests use it; its types are made at run time. */
interface TalkClient {
  say(request: object, options?: object): Promise<Words>;
  hidden(request: object): Promise<Words>;
  repeat(request: object, options?: object): AsyncIterable<Words>;
  collect(request: AsyncIterable<object>): Promise<Words>;
  chat(request: AsyncIterable<object>): AsyncIterable<Words>;
}

const clientOf = (transport: Transport): TalkClient => createClient(service, transport) as unknown as TalkClient;

async function* several(...texts: readonly string[]): AsyncIterable<object> {
  for (const text of texts) {
    await new Promise((resolve) => setImmediate(resolve));
    yield { text };
  }
}

async function textsOf(stream: AsyncIterable<Words>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of stream) texts.push(text);
  return texts;
}

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('the call did not fail');
}

/** A google.rpc.Status with an ErrorInfo { reason: "why" } and the DebugInfo that must not be shown. */
const statusDetails = (() => {
  const any = (type: string, value: Buffer): Buffer => {
    const url = `type.googleapis.com/google.rpc.${type}`;
    const body = Buffer.concat([
      Buffer.from([0x0a, url.length]),
      Buffer.from(url),
      Buffer.from([0x12, value.length]),
      value,
    ]);
    return Buffer.concat([Buffer.from([0x1a, body.length]), body]);
  };
  return Buffer.concat([
    Buffer.from([0x08, 9]),
    any('ErrorInfo', Buffer.from([0x0a, 3, ...Buffer.from('why')])),
    any('DebugInfo', Buffer.alloc(0)),
  ]);
})();

interface TransportRow {
  readonly name: string;
  readonly make: (url: string) => Transport;
  /** Which kinds of streams it can carry. */
  readonly bidi: boolean;
  readonly clientStreams: boolean;
}

const transports: readonly TransportRow[] = [
  { name: 'gRPC', make: (baseUrl) => createGrpcTransport({ baseUrl }), bidi: true, clientStreams: true },
  {
    name: 'gRPC, compressed messages',
    make: (baseUrl) =>
      createGrpcTransport({
        baseUrl,
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 0,
      }),
    bidi: true,
    clientStreams: true,
  },
  {
    name: 'gRPC-Web, HTTP/2',
    make: (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
    bidi: true,
    clientStreams: true,
  },
  {
    name: 'gRPC-Web, HTTP/1.1',
    make: (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
    bidi: false,
    clientStreams: true,
  },
  {
    name: 'Connect, JSON, HTTP/1.1',
    make: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
    bidi: false,
    clientStreams: true,
  },
  {
    name: 'Connect, protobuf, HTTP/2',
    make: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
    bidi: true,
    clientStreams: true,
  },
  {
    name: 'Connect, GET',
    make: (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useHttpGet: true }),
    bidi: false,
    clientStreams: true,
  },
  {
    name: 'Connect of browsers',
    make: (baseUrl) => createWebConnectTransport({ baseUrl }),
    bidi: false,
    clientStreams: false,
  },
  {
    name: 'gRPC-Web of browsers',
    make: (baseUrl) => createWebGrpcWebTransport({ baseUrl }),
    bidi: false,
    clientStreams: false,
  },
];

async function withProxy(
  options: Parameters<typeof startTestProxy>[1],
  run: (proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const proxy = await startTestProxy(proto, options);
  try {
    await run(proxy);
  } finally {
    await proxy.close();
  }
}

void t.test('the transports of Connect', async (t) => {
  await withProxy({}, async (proxy) => {
    for (const { name, make, bidi, clientStreams } of transports) {
      const client = clientOf(make(proxy.url));
      await t.test(name, async (t) => {
        proxy.service.answer = () => ({ headers: { 'x-head': 'h' }, trailers: { 'x-trail': 't' } });
        const seen: Record<string, string | null> = {};
        const said = await client.say(
          { text: 'grüß dich', big: 9007199254740993n },
          {
            headers: { 'x-mine': 'm' },
            timeoutMs: 20_000,
            onHeader: (headers: Headers) => (seen['head'] = headers.get('x-head')),
            onTrailer: (trailers: Headers) => (seen['trail'] = trailers.get('x-trail')),
          },
        );
        t.match(said, { text: 'grüß dich', big: 9007199254740993n });
        t.strictSame(seen, { head: 'h', trail: 't' });
        const call = proxy.service.calls.at(-1)!;
        t.strictSame(call.metadata.get('x-mine'), ['m']);
        t.ok(Number(call.deadline) < Date.now() + 30_000, 'the deadline goes upstream');

        const messages = ['a', 'b', 'c'].map((text) => Buffer.from([0x0a, 1, text.charCodeAt(0)]));
        proxy.service.answer = () => ({ messages });
        t.strictSame(await textsOf(client.repeat({ text: 'x' })), ['a', 'b', 'c']);

        if (clientStreams) {
          proxy.service.answer = () => ({});
          t.equal((await client.collect(several('a', 'b'))).text, 'b', 'a client stream');
          t.equal(proxy.service.calls.at(-1)!.messages.length, 2);
        }
        if (bidi) t.strictSame(await textsOf(client.chat(several('a', 'b'))), ['a', 'b'], 'both ways');

        proxy.service.answer = () => ({
          code: 9,
          details: 'not now: ü',
          trailers: { 'grpc-status-details-bin': statusDetails, 'x-trail': 't' },
        });
        const failed = await errorOf(client.say({ text: 'x' }));
        t.equal(failed.code, ConnectCode.FailedPrecondition);
        t.equal(failed.rawMessage, 'not now: ü');
        t.equal(failed.metadata.get('x-trail'), 't');
        t.strictSame(
          failed.details.map((detail) => ('type' in detail ? detail.type : '')),
          ['google.rpc.ErrorInfo'],
          'details, without DebugInfo',
        );
        t.equal((await errorOf(textsOf(client.repeat({ text: 'x' })))).code, ConnectCode.FailedPrecondition);
        t.equal((await errorOf(client.hidden({ text: 'x' }))).code, ConnectCode.Unimplemented, 'no rule, no way');

        proxy.service.answer = () => ({ delayMs: 2000 });
        t.equal((await errorOf(client.say({ text: 'x' }, { timeoutMs: 60 }))).code, ConnectCode.DeadlineExceeded);
      });
    }
  });
});

void t.test('grpc-js', async (t) => {
  await withProxy({}, async (proxy) => {
    const client = new Client(new URL(proxy.url).host, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const call = (path: string, message: Buffer, metadata = new Metadata()): Promise<Buffer | ServiceError> =>
      new Promise((resolve) => {
        client.makeUnaryRequest(path, same, same, message, metadata, (error, answer) => resolve(error ?? answer!));
      });
    const message = Buffer.from([0x0a, 1, 0x78, 0x50, 1]);
    const metadata = new Metadata();
    metadata.set('x-bytes-bin', Buffer.from([0, 255]));
    t.strictSame(await call('/p.v1.Talk/Say', message, metadata), message, 'unknown fields and all');
    t.strictSame(proxy.service.calls.at(-1)!.metadata.get('x-bytes-bin'), [Buffer.from([0, 255])]);
    t.match(await call('/p.v1.Talk/Hidden', message), { code: Status.UNIMPLEMENTED });
    t.match(await call('/p.v1.Nothing/Say', message), { code: Status.UNIMPLEMENTED, details: /not served here/ });
    t.match(await call('/p.v1.Talk/Say', Buffer.alloc(5 * 1024 * 1024)), { code: Status.RESOURCE_EXHAUSTED });

    const chat = client.makeBidiStreamRequest('/p.v1.Talk/Chat', same, same);
    chat.write(Buffer.from([0x0a, 1, 0x61]));
    t.strictSame(
      (await once(chat, 'data'))[0],
      Buffer.from([0x0a, 1, 0x61]),
      'the answer comes while the request is open',
    );
    chat.cancel();
    await once(chat, 'error');
    while (proxy.service.cancelled === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
  });
});

void t.test('pass_through', async (t) => {
  for (const [passThrough, say, hidden] of [
    ['mapped', 200, 'unimplemented'],
    ['all', 200, undefined],
  ] as const) {
    await withProxy({ passThrough }, async (proxy) => {
      const post = (method: string): ReturnType<TestProxy['send']> =>
        proxy.send(`POST /p.v1.Talk/${method}`, { headers: { 'content-type': 'application/proto' }, body: '' });
      t.equal((await post('Say')).status, say, passThrough);
      const answer = await clientOf(createGrpcTransport({ baseUrl: proxy.url }))
        .hidden({})
        .then(
          () => undefined,
          (error: unknown) => ConnectCode[ConnectError.from(error).code]?.toLowerCase(),
        );
      t.equal(answer, hidden, passThrough);
      const unknown = await proxy.send('POST /p.v1.Talk/Nope', { headers: { 'content-type': 'application/grpc-web' } });
      t.match(unknown.text, passThrough === 'all' ? 'has this method' : 'pass_through: all', passThrough);
    });
  }
  await withProxy({ passThrough: 'off' }, async (proxy) => {
    const failed = await errorOf(clientOf(createGrpcTransport({ baseUrl: proxy.url })).say({}));
    t.equal(failed.code, ConnectCode.Unimplemented, 'off');
    t.match(failed.rawMessage, 'switched off (pass_through: off)', 'no rule would help');
    t.equal((await proxy.send('POST /v1/say', { body: '{"text":"x"}' })).text, '{"text":"x"}', 'REST goes on');
  });
  await withProxy({ autoMapping: true }, async (proxy) => {
    const headers = { 'content-type': 'application/json' };
    const target = 'POST /p.v1.Talk/Hidden';
    const rest = await proxy.send(target, { headers, body: '{"nope":1}' });
    t.match(rest.json, { code: 3 }, 'without the header it is REST');
    const connect = await proxy.send(target, {
      headers: { ...headers, 'connect-protocol-version': '1' },
      body: '{"nope":1}',
    });
    t.match(connect.json, { code: 'invalid_argument', details: [{ type: 'google.rpc.BadRequest' }] });
  });
});

interface RawRow {
  readonly name: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly status: number;
  readonly text: RegExp;
}

const frame = (payload: Buffer | string, flag = 0): Buffer => {
  const bytes = Buffer.from(payload as Buffer);
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const words = Buffer.from([0x0a, 1, 0x78]);

/** By hand: what clients do not send, or hide. */
const raw: readonly RawRow[] = [
  {
    name: 'gRPC-Web text',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/grpc-web-text' },
    body: `${frame(words).subarray(0, 4).toString('base64')}${frame(words).subarray(4).toString('base64')}`,
    status: 200,
    text: new RegExp(`^${frame(words).toString('base64').replace(/[+]/g, '\\+')}`),
  },
  {
    name: 'gRPC-Web text that is no base64',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/grpc-web-text' },
    body: '****',
    status: 200,
    text: /^gAAA/,
  },
  {
    name: 'gRPC over HTTP/1.1',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/grpc' },
    body: frame(words),
    status: 200,
    text: /^$/,
  },
  {
    name: 'Connect, gzip',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    body: gzipSync(words),
    status: 200,
    text: /^\n\x01x$/,
  },
  {
    name: 'Connect, not gzip at all',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    body: words,
    status: 400,
    text: /"code":"invalid_argument".*not what content-encoding gzip says/,
  },
  {
    name: 'Connect, a gzip bomb',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(50 * 1024 * 1024)),
    status: 429,
    text: /"code":"resource_exhausted"/,
  },
  {
    name: 'Connect, an unknown coding',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', 'content-encoding': 'br' },
    body: words,
    status: 501,
    text: /send gzip or identity/,
  },
  {
    name: 'Connect, a stream called as unary',
    target: 'POST /p.v1.Talk/Repeat',
    headers: { 'content-type': 'application/proto' },
    body: words,
    status: 501,
    text: /is a stream/,
  },
  {
    name: 'Connect, unary called as a stream',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/connect+json' },
    body: frame('{}'),
    status: 200,
    text: /"code":"unimplemented".*has no stream/,
  },
  {
    name: 'Connect, a stream cut short',
    target: 'POST /p.v1.Talk/Collect',
    headers: { 'content-type': 'application/connect+json' },
    body: frame('{"text":"x"}').subarray(0, 9),
    status: 200,
    text: /"code":"invalid_argument".*9 bytes into a message/,
  },
  {
    name: 'Connect, a bad time-out',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', 'connect-timeout-ms': '1s' },
    body: words,
    status: 400,
    text: /connect-timeout-ms/,
  },
  {
    name: 'Connect GET of JSON',
    target: 'GET /p.v1.Talk/Say?connect=v1&encoding=json&message=%7B%22text%22%3A%22x%22%7D',
    headers: {},
    status: 200,
    text: /^\{"text":"x"\}$/,
  },
  {
    name: 'Connect GET without a message',
    target: 'GET /p.v1.Talk/Say?connect=v1&encoding=json',
    headers: {},
    status: 400,
    text: /encoding and message/,
  },
  {
    name: 'a refused origin, in the protocol that is spoken',
    target: 'POST /p.v1.Talk/Say',
    headers: { 'content-type': 'application/proto', origin: 'http://evil.example' },
    body: words,
    status: 403,
    text: /"code":"permission_denied"/,
  },
];

void t.test('by hand', async (t) => {
  await withProxy({}, async (proxy) => {
    for (const { name, target, headers, body, status, text } of raw) {
      const response = await proxy.send(target, { headers, ...(body === undefined ? {} : { body }) });
      t.equal(response.status, status, `${name}: ${response.text}`);
      t.match(response.text, text, name);
    }
    const web = await proxy.send('POST /p.v1.Talk/Say', {
      headers: { 'content-type': 'application/grpc' },
      body: frame(words),
    });
    t.match(web.headers, { 'grpc-status': '12', 'grpc-message': /needs HTTP\/2/ });
  });
});

void t.test('a body that breaks off in a message, over HTTP/2', async (t) => {
  await withProxy({}, async (proxy) => {
    const session = connectHttp2(proxy.url);
    const request = session.request({
      ':method': 'POST',
      ':path': '/p.v1.Talk/Collect',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    request.end(frame(words).subarray(0, 7));
    const [headers] = (await once(request, 'response')) as [Record<string, string>];
    t.match(headers, { 'grpc-status': '13', 'grpc-message': /7 bytes into a message/ });
    session.close();
  });
});

const methods: readonly DescMethod[] = service.methods;
t.equal(methods.length, 5);
