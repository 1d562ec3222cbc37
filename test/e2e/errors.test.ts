/** Errors of unary calls to the word: codes of our own, details of every kind, violations; and what JSON answers look like. */
import { connect } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { settingsOf } from '../../lib/cli/flags.js';
import { codeOfHttpStatus, httpStatusOf } from '../../lib/status.js';
import { Writer } from '../../lib/wire/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package errors.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
service Errors {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{id}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{id}" body: "inner" }; }
  rpc Echo(Message) returns (Message) { option (google.api.http) = { post: "/v1" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
}
enum Color { NONE = 0; RED = 1; }
message Message {
  int32 id = 1;
  string name = 2;
  Message inner = 3;
  google.protobuf.Any any = 4;
  Color color = 5;
  map<string, int32> counts = 6;
  uint64 big = 7;
  string snake_case = 8;
  repeated string list = 9;
  optional bool maybe = 10;
}
`;

async function withProxy(
  t: { teardown(close: () => Promise<void>): unknown },
  options: Parameters<typeof startTestProxy>[1] = {},
): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options);
  t.teardown(() => proxy.close());
  return proxy;
}

void t.test('codes and statuses of the table', (t) => {
  const http = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500, 500];
  http.forEach((status, code) => t.equal(httpStatusOf(code), status, `code ${code}`));
  const own = { 400: 3, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 414: 3, 415: 3, 417: 3, 431: 8, 503: 14, 500: 13 };
  for (const [status, code] of Object.entries(own)) t.equal(codeOfHttpStatus(Number(status)), code, status);
  t.end();
});

/** What a raw request is answered with. */
async function raw(port: number, text: string): Promise<{ status: number; body: { code?: number; message?: string } }> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  const [head, body] = answer.split('\r\n\r\n') as [string, string];
  return { status: Number(head.split(' ')[1]), body: JSON.parse(body) as { code: number } };
}

void t.test('our own answers carry a code', async (t) => {
  const proxy = await withProxy(t, {
    idleTimeoutMs: 150,
    headerTimeoutMs: 150,
    maxUrlBytes: 200,
    maxHeaderBytes: 2000,
  });
  const close = 'host: localhost\r\nconnection: close\r\n';
  const rows: readonly [request: string, status: number, code: number][] = [
    [`GET /v1/x HTTP/1.1\r\n${close}\r\n`, 400, 3],
    [`PUT /v1/1 HTTP/1.1\r\n${close}origin: http://evil.example\r\n\r\n`, 403, 7],
    [`GET /none HTTP/1.1\r\n${close}\r\n`, 404, 5],
    [`DELETE /v1/1 HTTP/1.1\r\n${close}\r\n`, 405, 12],
    [`PUT /v1/1 HTTP/1.1\r\n${close}content-length: 9\r\n\r\n{`, 408, 4],
    [`PUT /v1/1 HTTP/1.1\r\n${close}content-length: 9000000\r\n\r\n`, 413, 8],
    [`GET /v1/1?name=${'x'.repeat(300)} HTTP/1.1\r\n${close}\r\n`, 414, 3],
    [`PUT /v1/1 HTTP/1.1\r\n${close}content-type: image/png\r\ncontent-length: 1\r\n\r\nx`, 415, 3],
    [`PUT /v1/1 HTTP/1.1\r\n${close}expect: miracles\r\n\r\n`, 417, 3],
    [`GET /v1/1 HTTP/1.1\r\n${close}x-long: ${'x'.repeat(3000)}\r\n\r\n`, 431, 8],
  ];
  for (const [request, status, code] of rows) {
    const answer = await raw(proxy.port, request);
    t.strictSame([answer.status, answer.body.code], [status, code], request.slice(0, 60));
  }
});

void t.test('a violation for each bad field, wherever it stands', async (t) => {
  const proxy = await withProxy(t);
  const answer = await proxy.send('PUT /v1/x?nope=1&big=-1&name=a&name=b&$alt=xml', {
    body: '{"id":"y","color":"BLUE","zzz":1}',
  });
  t.equal(answer.status, 400);
  const { details } = answer.json as {
    details: { '@type': string; fieldViolations: { field: string; description: string }[] }[];
  };
  t.equal(details.length, 1);
  t.equal(details[0]!['@type'], 'type.googleapis.com/google.rpc.BadRequest');
  t.strictSame(
    new Set(details[0]!.fieldViolations.map(({ field }) => field)),
    new Set(['id', 'nope', 'big', 'name', '$alt', 'inner.id', 'inner.color', 'inner.zzz']),
  );
  for (const { description } of details[0]!.fieldViolations) t.ok(description.length > 10, description);
  t.equal(proxy.service.calls.length, 0);
});

const any = (type: string, value: Buffer): Buffer => {
  const out = new Writer();
  out.uint32(0x0a);
  out.string(`type.googleapis.com/${type}`);
  out.uint32(0x12);
  out.bytes(value);
  return out.take();
};
const statusOf = (...details: Buffer[]): Buffer => {
  const out = new Writer();
  for (const detail of details) {
    out.uint32(0x1a);
    out.bytes(detail);
  }
  return out.take();
};

void t.test('details in every shape', async (t) => {
  const details = statusOf(
    any('google.rpc.ErrorInfo', Buffer.from([0x0a, 1, 0x61])),
    any('google.rpc.DebugInfo', Buffer.from([0x12, 1, 0x62])),
    any('not.Known', Buffer.from([1, 2])),
    // 1.5 s
    any('google.rpc.RetryInfo', Buffer.from([0x0a, 0x08, 0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 1])),
  );
  const shown = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'a' },
    { '@type': 'type.googleapis.com/not.Known', value: 'AQI=' },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.500s' },
  ];
  const rows = [
    ['status', 'application/json', { code: 8, message: 'm', details: shown }],
    [
      'aip193',
      'application/json',
      { error: { code: 429, message: 'm', status: 'RESOURCE_EXHAUSTED', details: shown } },
    ],
    [
      'problem',
      'application/problem+json',
      {
        type: 'about:blank',
        title: 'Too Many Requests',
        status: 429,
        detail: 'm',
        code: 'RESOURCE_EXHAUSTED',
        details: shown,
      },
    ],
    ['photon', 'application/json', { error: { code: 'RESOURCE_EXHAUSTED', message: 'm', details: shown } }],
  ] as const;
  for (const [errorFormat, contentType, expected] of rows) {
    for (const debugInfo of [false, true]) {
      const proxy = await withProxy(t, { errorFormat, debugInfo });
      proxy.service.answer = () => ({ code: 8, details: 'm', trailers: { 'grpc-status-details-bin': details } });
      const answer = await proxy.send('GET /v1/1');
      t.equal(answer.status, 429);
      t.equal(answer.headers['content-type'], contentType);
      t.equal(answer.headers['retry-after'], '2', 'whole seconds, rounded up');
      t.equal(answer.text.includes('DebugInfo'), debugInfo);
      const { meta, ...rest } = answer.json as Record<string, unknown>;
      if (!debugInfo) t.strictSame(rest, expected, errorFormat);
      if (errorFormat === 'photon') t.match(meta, { request_id: String, timestamp: String });
      else t.equal(meta, undefined);
      proxy.service.answer = () => ({ code: 5, details: '' });
      t.notOk((await proxy.send('GET /v1/1')).text.includes('"details"'), 'left out where empty');
    }
  }
});

void t.test('codes that gRPC does not define: a status of ones choice, and the code in the body', async (t) => {
  const statusMap = settingsOf({ 'status-map': '5002=404,17=409,999999999=410,NOT_FOUND=451' }).options!.statusMap!;
  const rows: readonly [code: number, status: number, text: string][] = [
    [5002, 404, '5002'],
    [17, 409, '17'],
    [999_999_999, 410, '999999999'],
    [2000, 500, '2000'],
    [5, 451, 'NOT_FOUND'],
  ];
  const shapes = ['status', 'aip193', 'problem', 'photon'] as const;
  for (const upstreamClient of ['native', 'grpc-js'] as const) {
    for (const errorFormat of shapes) {
      const proxy = await withProxy(t, { statusMap, errorFormat, upstreamClient });
      for (const [code, status, text] of rows) {
        proxy.service.answer = () => ({ code, details: 'm', messages: [] });
        for (const request of ['GET /v1/1', 'GET /watch']) {
          const answer = await proxy.send(request);
          const what = `${request} ${errorFormat} ${upstreamClient} ${code}`;
          t.equal(answer.status, status, what);
          const expected = {
            status: { code },
            aip193: { error: { code: status, status: text } },
            problem: { status, code: text },
            photon: { error: { code: text } },
          }[errorFormat];
          t.match(answer.json, expected, what);
        }
      }
    }
  }
});

void t.test('an oversize message of a service is 500', async (t) => {
  const proxy = await withProxy(t, { maxReceiveBytes: 100 });
  proxy.service.answer = () => ({ message: Buffer.concat([Buffer.from([0x12, 120]), Buffer.alloc(120, 0x61)]) });
  const answer = await proxy.send('GET /v1/1');
  t.strictSame([answer.status, (answer.json as { code: number }).code], [500, 13]);
  t.match(answer.text, 'max_receive_bytes');
});

void t.test('the reason phrase is the message, ASCII and short', async (t) => {
  const proxy = await withProxy(t);
  for (const [message, reason] of [
    ['plain', 'plain'],
    ['line\r\nbreak\ttab', 'line break tab'],
    ['na\u00efve \u4e2d', 'naive \\u4e2d'],
    ['cut \u2026', 'cut ...'],
    ['\u201cStra\u00dfe\u201d \u2013 1\u00bd \u2192 e\u0301 \ud83d\ude00', `"Strasse" - 11/2 -> e \\ud83d\\ude00`],
    ['\ud55c\u0000\u007f!', '\\ud55c !'],
    ['x'.repeat(119) + '\u2026', 'x'.repeat(119) + '.'],
    [' '.repeat(500) + 'late', 'late'],
    ['x'.repeat(300), 'x'.repeat(120)],
    ['', 'Not Found'],
  ] as const) {
    proxy.service.answer = () => ({ code: 5, details: message });
    t.equal((await proxy.send('GET /v1/1')).reason, reason);
  }
});

void t.test('JSON answers: deterministic, by number, maps in the order of the wire', async (t) => {
  const proxy = await withProxy(t);
  // big = 1, counts z, a, id = 7, name = "n", color = 9: out of order on purpose.
  const message = Buffer.from([
    0x38, 1, 0x32, 5, 0x0a, 1, 0x7a, 0x10, 1, 0x32, 5, 0x0a, 1, 0x61, 0x10, 2, 0x08, 7, 0x12, 1, 0x6e, 0x28, 9,
  ]);
  proxy.service.answer = () => ({ message });
  const text = '{"id":7,"name":"n","color":9,"counts":{"z":1,"a":2},"big":"1"}';
  for (let count = 0; count < 3; count++) t.equal((await proxy.send('GET /v1/1')).text, text);
  const rows: readonly [Parameters<typeof startTestProxy>[1], string][] = [
    [{ int64AsNumbers: true }, '{"id":7,"name":"n","color":9,"counts":{"z":1,"a":2},"big":1}'],
    [
      { alwaysPrintPrimitiveFields: true, preserveProtoFieldNames: true, alwaysPrintEnumsAsInts: true },
      '{"id":7,"name":"n","color":9,"counts":{"z":1,"a":2},"big":"1","snake_case":"","list":[]}',
    ],
  ];
  for (const [options, expected] of rows) {
    const other = await withProxy(t, options);
    other.service.answer = () => ({ message });
    t.equal((await other.send('GET /v1/1')).text, expected);
  }
});

void t.test('an Any of unknown type goes out as base64, and is read back', async (t) => {
  const proxy = await withProxy(t);
  const text = '{"any":{"@type":"type.googleapis.com/not.Known","value":"AQI="}}';
  const answer = await proxy.send('POST /v1', { body: text });
  t.equal(answer.status, 200, answer.text);
  t.equal(answer.text, text);
  t.same(
    proxy.service.calls[0]!.message,
    Buffer.concat([Buffer.from([0x22, 35]), any('not.Known', Buffer.from([1, 2]))]),
  );
});
