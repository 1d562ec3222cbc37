/** Streaming methods over REST: framings, errors on each HTTP version, uploads, back-pressure, aborts. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { type Answer, finish, type StreamCall } from '../support/echo-service.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { type HttpVersion, type StreamRequest, streamRequest, waitFor } from '../support/stream-client.js';

const proto = `
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "photongate/http.proto";
service S {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/one/{name}" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch/{name}" additional_bindings { post: "/watch" body: "*" } }; }
  rpc Inner(Message) returns (stream Message) { option (google.api.http) = { get: "/inner" response_body: "inner" }; }
  rpc Events(Message) returns (stream Message) {
    option (google.api.http) = { get: "/events" };
    option (photongate.http) = { sse { id: "number" event: "inner.name" } headers { header: "last-event-id" field: "number" } response_headers { header: "x-name" field: "name" } success_status: 202 };
  }
  rpc Put(stream Message) returns (Message) { option (google.api.http) = { post: "/put/{name}" body: "*" additional_bindings { put: "/list/{name}" body: "inner" } additional_bindings { get: "/put" } }; }
  rpc Chat(stream Message) returns (stream Message) { option (google.api.http) = { post: "/chat/{name}" body: "*" additional_bindings { post: "/chat" body: "*" } }; }
  rpc Download(Message) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/file/{name}" }; }
  rpc Upload(stream File) returns (Message) { option (google.api.http) = { put: "/file/{name}" body: "body" }; }
  rpc Raw(stream google.api.HttpBody) returns (Message) { option (google.api.http) = { put: "/raw" body: "*" }; }
  rpc Pipe(stream google.api.HttpBody) returns (stream google.api.HttpBody) { option (google.api.http) = { post: "/pipe" body: "*" }; }
}
message Message { string name = 1; int64 number = 2; repeated string list = 3; Message inner = 4; }
message File { string name = 1; int64 number = 2; google.api.HttpBody body = 3; }
`;

const schema = schemaFromText(proto);
const codec = new Codec(schema);
const versions: readonly HttpVersion[] = ['1.0', '1.1', '2'];

/** JSON → message bytes. */
function wire(json: object, type = 's.v1.Message'): Buffer {
  const out = new Writer();
  codec.reader(schema.message(type)!)(Buffer.from(JSON.stringify(json)), out);
  return out.take();
}

/** Message bytes → JSON. */
function json(message: Buffer, type = 's.v1.Message'): unknown {
  const out = new Writer();
  codec.writer(schema.message(type)!)(message, out);
  return JSON.parse(out.take().toString()) as unknown;
}

const body = (data: string | Buffer, contentType = ''): Buffer =>
  wire({ contentType, data: Buffer.from(data as Buffer).toString('base64') }, 'google.api.HttpBody');

async function withProxy(
  options: Parameters<typeof startTestProxy>[1],
  test: (proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const proxy = await startTestProxy(proto, options);
  try {
    await test(proxy);
  } finally {
    await proxy.close();
  }
}

const two: Answer = { messages: [wire({ name: 'a' }), wire({ name: 'b', number: 7 })] };
/** Two messages, then a failure. */
const broken: Answer = {
  drive(call) {
    call.write(two.messages![0]!);
    call.write(two.messages![1]!);
    setTimeout(() => finish(call, { code: 9, details: 'no more' }), 20);
  },
};
const a = '{"name":"a"}';
const b = '{"name":"b","number":"7"}';
const error9 = '{"error":{"code":9,"message":"no more"}}';

interface Row {
  readonly what: string;
  readonly options?: Parameters<typeof startTestProxy>[1];
  readonly accept?: string;
  readonly target?: string;
  readonly answer?: Answer;
  readonly type: string;
  readonly text: string;
  readonly ended?: 'whole' | 'broken';
}

const downloads: readonly Row[] = [
  { what: 'array by default', type: 'application/json', text: `[${a},${b}]` },
  { what: 'an empty array', answer: { messages: [] }, type: 'application/json', text: '[]' },
  { what: 'lines by Accept', accept: 'application/x-ndjson', type: 'application/x-ndjson', text: `${a}\n${b}\n` },
  { what: 'the other name of lines', accept: 'application/jsonl', type: 'application/jsonl', text: `${a}\n${b}\n` },
  {
    what: 'events by Accept',
    accept: 'text/event-stream',
    type: 'text/event-stream',
    text: `data: ${a}\n\ndata: ${b}\n\n`,
  },
  {
    what: 'a sequence by Accept, which fails',
    accept: 'application/json-seq',
    answer: broken,
    type: 'application/json-seq',
    text: `\x1e${a}\n\x1e${b}\n\x1e${error9}\n`,
  },
  {
    what: 'a sequence by default, with white space',
    options: { streamFormat: 'json-seq', addWhitespace: true },
    answer: { messages: [Buffer.alloc(0)] },
    type: 'application/json-seq',
    text: '\x1e{}\n',
  },
  {
    what: 'weights',
    accept: 'application/json;q=0.5, application/x-ndjson;q=0.9, text/event-stream;q=0.1',
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n`,
  },
  {
    what: 'listed order',
    accept: 'text/event-stream, application/json',
    type: 'text/event-stream',
    text: `data: ${a}\n\ndata: ${b}\n\n`,
  },
  { what: 'nothing fits', accept: 'image/png', type: 'application/json', text: `[${a},${b}]` },
  {
    what: 'anything is the default',
    options: { streamFormat: 'ndjson' },
    accept: 'text/html, */*;q=0.8',
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n`,
  },
  {
    what: 'an array where lines are the default',
    options: { streamFormat: 'ndjson' },
    accept: 'application/json, */*',
    type: 'application/json',
    text: `[${a},${b}]`,
  },
  {
    what: 'what is refused is not sent',
    accept: '*/*, application/json;q=0',
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n`,
  },
  {
    what: 'grpc-gateway',
    options: { streamFormat: 'grpc-gateway' },
    accept: 'application/json',
    type: 'application/json',
    text: `{"result":${a}}\n{"result":${b}}\n`,
  },
  {
    what: "Envoy's lines",
    options: { streamNewlineDelimited: true },
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n`,
  },
  {
    what: "Envoy's events",
    options: { streamNewlineDelimited: true, streamSseStyleDelimited: true },
    type: 'text/event-stream',
    text: `data: ${a}\n\ndata: ${b}\n\n`,
  },
  {
    what: 'an array that fails is broken off',
    answer: broken,
    type: 'application/json',
    text: `[${a},${b},${error9}`,
    ended: 'broken',
  },
  {
    what: 'close_error_array',
    options: { closeErrorArray: true },
    answer: broken,
    type: 'application/json',
    text: `[${a},${b},${error9}]`,
  },
  {
    what: 'stream_errors: trailers',
    options: { streamErrors: 'trailers' },
    answer: broken,
    type: 'application/json',
    text: `[${a},${b}]`,
  },
  {
    what: 'stream_errors: trailers, with lines',
    options: { streamErrors: 'trailers' },
    accept: 'application/x-ndjson',
    answer: broken,
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n`,
  },
  {
    what: 'lines that fail',
    accept: 'application/x-ndjson',
    answer: broken,
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n${error9}\n`,
  },
  {
    what: 'events that fail',
    accept: 'text/event-stream',
    answer: broken,
    type: 'text/event-stream',
    text: `data: ${a}\n\ndata: ${b}\n\nevent: error\ndata: ${error9}\n\n`,
  },
  {
    what: 'grpc-gateway that fails',
    options: { streamFormat: 'grpc-gateway' },
    answer: broken,
    type: 'application/json',
    text: `{"result":${a}}\n{"result":${b}}\n${error9}\n`,
  },
  {
    what: 'error shapes are not marked twice',
    options: { errorFormat: 'aip193' },
    accept: 'application/x-ndjson',
    answer: broken,
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n{"error":{"code":400,"message":"no more","status":"FAILED_PRECONDITION"}}\n`,
  },
  {
    what: 'white space does not break lines',
    options: { addWhitespace: true },
    accept: 'application/x-ndjson',
    answer: broken,
    type: 'application/x-ndjson',
    text: `${a}\n${b}\n${error9}\n`,
  },
  {
    what: 'white space in events',
    options: { addWhitespace: true },
    accept: 'text/event-stream',
    type: 'text/event-stream',
    text: 'data: {\ndata:   "name": "a"\ndata: }\n\ndata: {\ndata:   "name": "b",\ndata:   "number": "7"\ndata: }\n\n',
  },
  {
    what: 'elements of an array are bare in the envelope',
    options: { envelope: 'photon', errorFormat: 'photon' },
    type: 'application/json',
    text: `[${a},${b}]`,
  },
  {
    what: 'response_body',
    target: '/inner',
    answer: { messages: [wire({ inner: { name: 'a' } }), wire({})] },
    type: 'application/json',
    text: `[${a},{}]`,
  },
];

void t.test('server streams, on each version of HTTP', async (t) => {
  for (const { what, options, accept, target = '/watch/x', answer = two, type, text, ended = 'whole' } of downloads) {
    await withProxy(options, async (proxy) => {
      proxy.service.answer = () => answer;
      for (const version of versions) {
        const headers = accept === undefined ? {} : { accept };
        const client = await streamRequest(proxy.port, `GET ${target}`, { version, headers }).done();
        t.equal(client.status, 200, `${what}, HTTP/${version}`);
        t.equal(client.headers['content-type'], type, `${what}, HTTP/${version}`);
        t.equal(client.text, text, `${what}, HTTP/${version}`);
        t.equal(client.ended, ended, `${what}, HTTP/${version}`);
      }
    });
  }
});

void t.test('the envelope goes round lines and events', async (t) => {
  await withProxy({ envelope: 'photon', errorFormat: 'photon' }, async (proxy) => {
    proxy.service.answer = () => broken;
    const lines = await streamRequest(proxy.port, 'GET /watch/x', {
      headers: { accept: 'application/x-ndjson' },
    }).done();
    t.match(
      lines.text,
      /^\{"data":\{"name":"a"\},"meta":\{"request_id":.*\}\}\n\{"data".*\n\{"error":\{"code":"FAILED_PRECONDITION","message":"no more"\},"meta":.*\}\n$/,
    );
    const events = await streamRequest(proxy.port, 'GET /watch/x', { headers: { accept: 'text/event-stream' } }).done();
    t.match(events.text, /^data: \{"data":\{"name":"a"\},"meta"/);
  });
});

void t.test('events: id, event and request header by method option; headers of the answer', async (t) => {
  await withProxy({}, async (proxy) => {
    proxy.service.answer = ({ message }) => ({
      messages: [message, wire({ name: 'q', number: 8, inner: { name: 'put' } })],
      headers: { 'x-extra': 'y' },
    });
    const headers = { accept: 'text/event-stream', 'last-event-id': '5' };
    const client = await streamRequest(proxy.port, 'GET /events?name=n', { headers }).done();
    t.equal(client.status, 202);
    t.match(client.headers, { 'x-name': 'n', 'x-extra': 'y', 'cache-control': 'no-cache' });
    t.equal(
      client.text,
      'id: 5\ndata: {"name":"n","number":"5"}\n\nevent: put\nid: 8\ndata: {"name":"q","number":"8","inner":{"name":"put"}}\n\n',
    );
  });
});

void t.test('each message goes out when it comes; the head waits for the first event', async (t) => {
  await withProxy({ streamHeadDelayMs: 60, sseKeepAliveMs: 40 }, async (proxy) => {
    let call!: StreamCall;
    proxy.service.answer = () => ({ drive: (started) => (call = started) });
    for (const version of versions) {
      const client = streamRequest(proxy.port, 'GET /watch/x', { version });
      await client.until('[');
      t.equal(client.status, 200, 'the head, without a message');
      call.write(wire({ name: 'a' }));
      await client.until('[{"name":"a"}');
      call.write(wire({ name: 'b' }));
      await client.until('{"name":"b"}');
      t.equal(client.ended, undefined);
      call.end();
      t.equal((await client.done()).text, '[{"name":"a"},{"name":"b"}]');
    }
    const events = streamRequest(proxy.port, 'GET /watch/x', { headers: { accept: 'text/event-stream' } });
    await events.until(': keep-alive\n\n: keep-alive\n\n');
    call.write(wire({ name: 'a' }));
    await events.until('data: {"name":"a"}\n\n');
    call.end();
    t.equal((await events.done()).ended, 'whole');
  });
});

void t.test('an early failure has its true status', async (t) => {
  await withProxy({}, async (proxy) => {
    proxy.service.answer = () => ({ messages: [], code: 5, details: 'no such thing' });
    for (const version of versions) {
      for (const target of ['GET /watch/x', 'GET /file/x']) {
        const client = await streamRequest(proxy.port, target, { version }).done();
        t.equal(client.status, 404, `${target} ${version}`);
        t.equal(client.text, '{"code":5,"message":"no such thing"}');
      }
    }
    const before = proxy.service.calls.length;
    const rows: readonly (readonly [string, StreamRequest, number, RegExp])[] = [
      ['GET /watch/x?nope=1', {}, 400, /nope/],
      ['GET /watch/x?number=z', {}, 400, /number/],
      ['GET /watch/x?alt=text', {}, 400, /\$alt: text is for single answers; write json, ndjson or sse/],
      ['GET /file/x?fields=data', {}, 400, /\$fields: the answer of this route is raw bytes, which have no fields/],
      ['POST /watch', { body: '{"nope":1}' }, 400, /nope/],
      ['POST /put/x?number=1', { body: '{}' }, 400, /number/],
      ['PUT /list/x?number=z', { body: '{}' }, 400, /number/],
      ['PUT /file/x?number=z', { body: 'x' }, 400, /number/],
      ['POST /put/x', { body: '{}', headers: { 'content-type': 'text/plain' } }, 415, /application\/json/],
      ['POST /put/x', { body: '{"name":"y"}' }, 400, /another value/],
      ['POST /put/x', { body: '[{"number":1}' }, 400, /ends inside the array/],
      ['GET /put', { body: 'x' }, 400, /takes no body/],
      ['PUT /file/x', { body: 'x', headers: { 'content-encoding': 'gzip' } }, 415, /content-encoding/],
    ];
    for (const [target, request, status, text] of rows) {
      const client = await streamRequest(proxy.port, target, request).done();
      t.equal(client.status, status, target);
      t.match(client.text, text, target);
    }
    t.equal(proxy.service.calls.length, before + 1, 'but for the array that ends early, no call was made');
  });
});

void t.test('trailers, HEAD, statuses', async (t) => {
  await withProxy({}, async (proxy) => {
    proxy.service.answer = () => ({ ...two, trailers: { 'x-last': 'z' } });
    for (const version of ['1.1', '2'] as const) {
      const with_ = await streamRequest(proxy.port, 'GET /watch/x', { version, headers: { te: 'trailers' } }).done();
      t.equal(with_.trailers['x-last'], 'z');
      const without = await streamRequest(proxy.port, 'GET /watch/x', { version }).done();
      t.equal(without.trailers['x-last'], undefined);
      t.equal(without.headers['x-last'], undefined);
    }
    let ended = false;
    proxy.service.answer = () => ({
      headers: { 'x-extra': 'y' },
      drive(call) {
        call.write(wire({ name: 'a' }));
        call.on('cancelled', () => (ended = true));
      },
    });
    for (const version of versions) {
      ended = false;
      const head = await streamRequest(proxy.port, 'HEAD /watch/x', { version }).done();
      t.match(
        [head.status, head.headers['content-type'], head.headers['x-extra'], head.length],
        [200, 'application/json', 'y', 0],
      );
      await waitFor(
        () => ended,
        () => 'the call to be cancelled',
      );
    }
    proxy.service.answer = () => ({ ...two, headers: { 'x-http-code': '204' } });
    const empty = await streamRequest(proxy.port, 'GET /watch/x').done();
    t.match([empty.status, empty.text, empty.ended], [204, '', 'whole']);
  });
});

void t.test('client streams: what a body is, and what goes into the first message', async (t) => {
  const json_ = { 'content-type': 'application/json' };
  const lines = { 'content-type': 'application/x-ndjson' };
  const rows: readonly (readonly [string, StreamRequest, readonly object[]])[] = [
    [
      'POST /put/x',
      { body: '[{"number":1},{"list":["a"]}]', headers: json_ },
      [{ name: 'x', number: '1' }, { list: ['a'] }],
    ],
    [
      'POST /put/x',
      { body: '{"number":1}\n{"number":2}\n', headers: lines },
      [{ name: 'x', number: '1' }, { number: '2' }],
    ],
    ['POST /put/x', { body: '{"number":1}{"number":2}' }, [{ name: 'x', number: '1' }, { number: '2' }]],
    ['POST /put/x', { body: '[]' }, []],
    ['POST /put/x', { body: ' \n' }, [{ name: 'x' }]],
    ['POST /put/x', {}, [{ name: 'x' }]],
    ['GET /put?name=q', {}, [{ name: 'q' }]],
    [
      'PUT /list/x?number=5',
      { body: '[{"name":"i"},{"name":"j"}]', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      [{ name: 'x', number: '5', inner: { name: 'i' } }, { inner: { name: 'j' } }],
    ],
    [
      'POST /put/x',
      { body: 'number=5&list=a&list=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      [{ name: 'x', number: '5', list: ['a', 'b'] }],
    ],
  ];
  await withProxy({}, async (proxy) => {
    for (const version of versions) {
      for (const [target, request, messages] of rows) {
        proxy.service.calls.length = 0;
        const client = await streamRequest(proxy.port, target, { version, ...request }).done();
        t.equal(client.status, 200, `${target} ${client.text}`);
        t.strictSame(
          proxy.service.calls[0]!.messages.map((message) => json(message)),
          messages,
          `${target} ${String(request.body)}`,
        );
      }
    }
  });
});

void t.test('coded bodies are decoded as they come', async (t) => {
  await withProxy({ requestCompression: ['gzip'], maxBodyBytes: 1000 }, async (proxy) => {
    proxy.service.answer = () => ({ message: wire({}) });
    const headers = { 'content-encoding': 'gzip' };
    const lines = gzipSync('{"number":1}\n'.repeat(5000));
    const client = await streamRequest(proxy.port, 'POST /put/x', { headers, body: lines }).done();
    t.equal(client.status, 200, client.text);
    t.equal(proxy.service.calls[0]!.messages.length, 5000);
    const raw = await streamRequest(proxy.port, 'PUT /raw', {
      headers,
      body: gzipSync(Buffer.alloc(3_000_000)),
    }).done();
    t.equal(raw.status, 200, raw.text);
    const sizes = proxy.service.calls[1]!.messages.map((message) => message.length);
    t.ok(sizes.length > 40 && Math.max(...sizes) < 65600, 'pieces of the decoded bytes');
    const bad = await streamRequest(proxy.port, 'POST /put/x', { headers, body: 'no gzip' }).done();
    t.match([bad.status, bad.text], [400, /content-encoding gzip/]);
  });
});

void t.test('a limit for each message, none for the stream', async (t) => {
  await withProxy({ maxBodyBytes: 100 }, async (proxy) => {
    const many = `[${Array.from({ length: 50 }, (_, index) => `{"number":${index}}`).join(',')}]`;
    const client = await streamRequest(proxy.port, 'POST /put/x', { body: many }).done();
    t.equal(client.status, 200);
    t.equal(proxy.service.calls[0]!.messages.length, 50);
    const large = await streamRequest(proxy.port, 'POST /put/x', { body: `{}{"list":["${'x'.repeat(100)}"]}` }).done();
    t.equal(large.status, 413);
    t.match(large.text, /message 2 of the body/);
    const second = await streamRequest(proxy.port, 'POST /put/x', { body: '[{},{"nope":1}]' }).done();
    t.match(second.text, /"message":"message 2: nope: /);
    for (const [body, place] of [
      ['[{},{"nope":1}]', 'line 1, column 6'],
      ['[{"list":["é"]},\n  {"nope":1}]', 'line 2, column 4'],
      ['[{"list":["é"]}, {"number":x}]', 'line 1, column 28'],
      ['{}\n{}\n {"list":[\n1]}', 'line 4, column 1'],
      ['[{},{} {}]', 'line 1, column 8'],
    ] as const) {
      const wrong = await streamRequest(proxy.port, 'POST /put/x', { body }).done();
      t.ok(wrong.text.includes(place), `${body}: ${wrong.text}`);
    }
  });
});

void t.test('an upload that breaks off cancels the call; so does a client that goes away', async () => {
  await withProxy({}, async (proxy) => {
    for (const version of ['1.1', '2'] as const) {
      for (const target of ['POST /put/x', 'POST /chat/x']) {
        proxy.service.calls.length = 0;
        const client = streamRequest(proxy.port, target, { version, open: true, body: '{"number":1}\n{"num' });
        await waitFor(
          () => proxy.service.calls[0]?.messages.length === 1,
          () => 'the first message',
        );
        client.destroy();
        await waitFor(
          () => proxy.service.calls[0]!.cancelled,
          () => 'the call to be cancelled',
        );
      }
      proxy.service.calls.length = 0;
      proxy.service.answer = () => ({ drive: (call) => call.write(wire({ name: 'a' })) });
      const client = streamRequest(proxy.port, 'GET /watch/x', { version });
      await client.until('"a"');
      client.destroy();
      await waitFor(
        () => proxy.service.calls[0]!.cancelled,
        () => 'the call to be cancelled',
      );
      proxy.service.answer = () => ({});
    }
  });
});

void t.test('bidi: answers flow while the body still comes, its end half-closes', async (t) => {
  await withProxy({}, async (proxy) => {
    for (const version of ['1.1', '2'] as const) {
      proxy.service.calls.length = 0;
      const headers = { accept: 'application/x-ndjson' };
      const client = streamRequest(proxy.port, 'POST /chat/x', {
        version,
        headers,
        open: true,
        body: '{"number":1}\n',
      });
      await client.until('{"name":"x","number":"1"}\n');
      client.write('{"number":2}');
      await client.until('{"number":"2"}\n');
      client.write('{"numb');
      client.write('er":3}\n');
      await client.until('{"number":"3"}\n');
      t.equal(proxy.service.calls[0]!.halfClosed, false);
      client.end();
      t.equal((await client.done()).ended, 'whole');
      t.equal(proxy.service.calls[0]!.halfClosed, true);

      const failing = streamRequest(proxy.port, 'POST /chat/x', { version, headers, open: true, body: '{}\n' });
      await failing.until('{"name":"x"}\n');
      failing.write('{"nope":1}\n');
      await failing.until('{"error":{"code":3,"message":"message 2: nope: ');
      t.equal((await failing.done()).ended, 'whole', 'the error is marked');
      await waitFor(
        () => proxy.service.calls[1]!.cancelled,
        () => 'the call to be cancelled',
      );
    }
    const call = proxy.service.calls.length;
    proxy.service.answer = () => ({ drive: (started) => started.write(wire({ name: 'hello' })) });
    const silent = streamRequest(proxy.port, 'POST /chat/x', { open: true });
    await silent.until('[{"name":"hello"}');
    t.equal(proxy.service.calls[call]!.messages.length, 0, 'the service may speak first');
    silent.destroy();
  });
});

void t.test('a client stream may be answered before its end', async (t) => {
  await withProxy({}, async (proxy) => {
    for (const version of ['1.1', '2'] as const) {
      proxy.service.answer = () => ({ delayMs: 0, message: wire({ name: 'enough' }) });
      const early = streamRequest(proxy.port, 'POST /put/x', { version, open: true, body: '{}\n' });
      await early.until('{"name":"enough"}');
      t.equal(early.status, 200);
      early.destroy();
      proxy.service.answer = () => ({ delayMs: 0, code: 7, details: 'not you' });
      const refused = streamRequest(proxy.port, 'POST /put/x', { version, open: true, body: '{}\n' });
      await refused.until('not you');
      t.equal(refused.status, 403);
      refused.destroy();
    }
  });
});

void t.test('HttpBody down', async (t) => {
  await withProxy({ streamHeadDelayMs: 100 }, async (proxy) => {
    const pieces = [body('abc', 'text/x-log; a=b'), body(Buffer.from([0, 255])), body('', 'ignored/later'), body('z')];
    const bytes = Buffer.from([0x61, 0x62, 0x63, 0, 255, 0x7a]).toString();
    const rows: readonly (readonly [string, Answer, number, Record<string, string | undefined>, string, string])[] = [
      [
        'plain',
        { messages: pieces },
        200,
        { 'content-type': 'text/x-log; a=b', 'content-length': undefined },
        bytes,
        'whole',
      ],
      ['empty', { messages: [] }, 200, { 'content-type': 'application/octet-stream' }, '', 'whole'],
      [
        'with a length',
        { messages: pieces, headers: { 'x-content-length': '6' } },
        200,
        { 'content-length': '6', 'x-content-length': undefined },
        bytes,
        'whole',
      ],
      [
        'too short',
        { messages: pieces, headers: { 'x-content-length': '7' } },
        200,
        { 'content-length': '7' },
        bytes,
        'broken',
      ],
      [
        'too long',
        { messages: pieces, headers: { 'x-content-length': '5' } },
        200,
        { 'content-length': '5' },
        'abc',
        'broken',
      ],
      [
        'a range',
        { messages: pieces, headers: { 'x-http-code': '206', 'content-range': 'bytes 0-5/9' } },
        206,
        { 'content-range': 'bytes 0-5/9' },
        bytes,
        'whole',
      ],
      ['a range without its header', { messages: pieces, headers: { 'x-http-code': '206' } }, 200, {}, bytes, 'whole'],
      [
        'a failure',
        {
          drive: (call) => {
            call.write(pieces[0]!);
            setTimeout(() => finish(call, { code: 15, details: 'disk' }), 20);
          },
        },
        200,
        {},
        'abc',
        'broken',
      ],
      [
        'a failure after all bytes',
        {
          headers: { 'x-content-length': '3' },
          drive: (call) => {
            call.write(pieces[0]!);
            setTimeout(() => finish(call, { code: 15, details: 'disk' }), 20);
          },
        },
        200,
        {},
        '',
        'broken',
      ],
      [
        'no type in time',
        {
          drive: (call) => {
            setTimeout(() => {
              call.write(pieces[0]!);
              call.end();
            }, 250);
          },
        },
        200,
        { 'content-type': 'application/octet-stream' },
        'abc',
        'whole',
      ],
      [
        'a type that is no header',
        { messages: [body('x', 'a\nb')] },
        500,
        { 'content-type': 'application/json' },
        '{"code":13,"message":"the content_type that s.v1.S.Download gave, \\"a\\\\nb\\", cannot be sent as a header"}',
        'whole',
      ],
    ];
    for (const [what, answer, status, headers, text, ended] of rows) {
      proxy.service.answer = () => answer;
      for (const version of versions) {
        const client = await streamRequest(proxy.port, 'GET /file/x', { version }).done();
        t.equal(client.status, status, `${what} ${version}`);
        t.match(client.headers, headers, `${what} ${version}`);
        t.equal(client.text, text, `${what} ${version}`);
        t.equal(client.ended, ended, `${what} ${version}`);
      }
    }
    const head = await streamRequest(proxy.port, 'HEAD /file/x').done();
    t.equal(head.status, 500);
  });
});

void t.test('HttpBody up: pieces of at most 64 KiB, the first with all else', async (t) => {
  const bytes = Buffer.alloc(300_000, 'x');
  await withProxy({ maxBodyBytes: 1000 }, async (proxy) => {
    proxy.service.answer = () => ({ message: wire({}) });
    for (const version of versions) {
      proxy.service.calls.length = 0;
      const headers = { 'content-type': 'image/png' };
      const client = await streamRequest(proxy.port, 'PUT /file/x?number=5', { version, headers, body: bytes }).done();
      t.equal(client.status, 200, client.text);
      const files = proxy.service.calls[0]!.messages.map((message) => json(message, 's.v1.File')) as {
        body: { data: string };
      }[];
      t.match(files[0], { name: 'x', number: '5', body: { contentType: 'image/png' } });
      t.strictSame([...new Set(files.slice(1).map((file) => Object.keys(file).join()))], ['body']);
      const sizes = files.map((file) => Buffer.from(file.body.data, 'base64').length);
      t.ok(Math.max(...sizes) <= 65536);
      t.equal(
        sizes.reduce((sum, size) => sum + size),
        bytes.length,
      );

      proxy.service.calls.length = 0;
      await streamRequest(proxy.port, 'PUT /raw', { version, body: '\0{' }).done();
      t.strictSame(
        proxy.service.calls[0]!.messages.map((message) => json(message, 'google.api.HttpBody')),
        [{ contentType: 'application/octet-stream', data: 'AHs=' }],
      );
      proxy.service.calls.length = 0;
      await streamRequest(proxy.port, 'PUT /file/x', { version }).done();
      t.strictSame(
        proxy.service.calls[0]!.messages.map((message) => json(message, 's.v1.File')),
        [{ name: 'x', body: { contentType: 'application/octet-stream' } }],
        'an empty body is one message',
      );
    }
    proxy.service.answer = () => ({});
    const pipe = await streamRequest(proxy.port, 'POST /pipe', {
      body: bytes,
      headers: { 'content-type': 'a/b' },
    }).done();
    t.match([pipe.length, pipe.headers['content-type']], [bytes.length, 'a/b']);
  });
});

void t.test('a slow reader holds the service back', async (t) => {
  await withProxy({}, async (proxy) => {
    const piece = body(Buffer.alloc(64 * 1024, 'x'));
    const total = 1000;
    for (const version of versions) {
      let written = 0;
      proxy.service.answer = () => ({
        drive(call) {
          const more = (): void => {
            while (written < total) {
              written++;
              if (!call.write(piece)) return void call.once('drain', more);
            }
            call.end();
          };
          more();
        },
      });
      const client = streamRequest(proxy.port, 'GET /file/x', { version });
      await client.until('x');
      client.pause();
      let before = -1;
      await waitFor(
        () => {
          const isStill = before === written;
          before = written;
          return isStill && written > 5;
        },
        () => `the service to be held back, ${written} pieces`,
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      t.ok(written < 400, `HTTP/${version}: ${written} of ${total} pieces of 64 KiB were written`);
      client.resume();
      t.equal((await client.done()).length, total * 64 * 1024);
      t.equal(client.ended, 'whole');
    }
  });
});

void t.test('a slow service holds the client back', async (t) => {
  await withProxy({}, async (proxy) => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    for (const version of ['1.1', '2'] as const) {
      for (const target of ['PUT /raw', 'POST /pipe', 'POST /chat']) {
        const isJson = target === 'POST /chat';
        const data = isJson ? Buffer.from(`{"name":"${chunk.toString()}"}\n`) : chunk;
        let call!: StreamCall;
        let read = 0;
        proxy.service.answer = () => ({ message: wire({}), reads: true, drive: (started) => (call = started) });
        const client = streamRequest(proxy.port, target, { version, open: true });
        let sent = 0;
        let isFull = false;
        while (!isFull && sent < 2000) {
          for (; client.write(data) && sent < 2000; sent++);
          sent++;
          // Time for everybody on the way to take what they take.
          isFull = await client.isStuck(150);
        }
        t.ok(sent < 600, `${target} HTTP/${version}: ${sent} pieces of 64 KiB were taken`);
        call.on('data', (message: Buffer) => (read += message.length));
        call.on('end', () => (target === 'PUT /raw' ? undefined : call.end()));
        client.end();
        await waitFor(
          () => read >= sent * chunk.length,
          () => `${sent * chunk.length} bytes, ${read} came`,
        );
        t.equal((await client.done()).status, 200);
      }
    }
  });
});
