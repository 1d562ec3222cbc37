/** One unary call over HTTP, the rest of it: status and headers, errors and their shapes, deadlines, methods, limits. */
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { Pool } from 'undici';
import { Writer } from '../../lib/wire/index.js';
import { send, startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package http.v1;
import "google/api/annotations.proto";
import "photongate/http.proto";
service Http {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
  rpc Verb(Message) returns (Message) { option (google.api.http) = { post: "/v1/{name}:verb" body: "*" }; }
  rpc Any(Message) returns (Message) { option (google.api.http) = { custom { kind: "*" path: "/any" } body: "*" }; }
  rpc Purge(Message) returns (Message) { option (google.api.http) = { custom { kind: "PURGE" path: "/v1/{name}" } }; }
  rpc Brew(Message) returns (Message) { option (google.api.http) = { custom { kind: "BREW" path: "/pot/{name}" } }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
  rpc Endless(Message) returns (Message) { option (google.api.http) = { get: "/endless" }; option (photongate.http) = { deadline {} }; }
  rpc Timed(Message) returns (Message) { option (google.api.http) = { get: "/timed" }; option (photongate.http) = { deadline { nanos: 50000000 } }; }
}
message Message { string name = 1; int64 number = 2; string snake_case = 3; repeated string list = 4; optional string maybe = 5; }
`;

interface Status {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly Record<string, unknown>[];
}

const any = (type: string, value: Buffer): Buffer => {
  const out = new Writer();
  out.uint32(0x0a);
  out.string(`type.googleapis.com/${type}`);
  out.uint32(0x12);
  out.bytes(value);
  return out.take();
};
const statusBytes = (...details: Buffer[]): Buffer => {
  const out = new Writer();
  for (const detail of details) {
    out.uint32(0x1a);
    out.bytes(detail);
  }
  return out.take();
};

void t.test('with default options', async (t) => {
  const proxy = await startTestProxy(proto);
  const { service } = proxy;
  t.teardown(() => proxy.close());
  t.afterEach(() => {
    service.answer = () => ({});
    service.calls.length = 0;
  });

  await t.test('methods', async (t) => {
    const rows: readonly [string, number, string | undefined, string?][] = [
      ['PATCH /v1/a', 405, 'GET, HEAD, OPTIONS, PURGE, PUT'],
      ['DELETE /v1/a', 405, 'GET, HEAD, OPTIONS, PURGE, PUT'],
      ['GET /v1/a:verb', 200, undefined, 'a:verb'],
      ['POST /v1/a:verb', 200, undefined, 'a'],
      ['PATCH /v1/a:verb', 405, 'GET, HEAD, OPTIONS, POST, PURGE, PUT'],
      ['PURGE /v1/a', 200, undefined, 'a'],
      ['OPTIONS /v1/a', 204, 'GET, HEAD, OPTIONS, PURGE, PUT'],
      ['OPTIONS /any', 204, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
      ['OPTIONS /nothing', 404, undefined],
      ['OPTIONS *', 204, undefined],
      ['REPORT /any', 200, undefined],
      ['POST /health', 405, 'GET, HEAD, OPTIONS'],
      ['GET /v1', 404, undefined],
      ['GET http://elsewhere.example/v1/abs?number=1', 200, undefined, 'abs'],
    ];
    for (const [request, status, allow, name] of rows) {
      const response = await proxy.send(request);
      t.equal(response.status, status, `${request}: ${response.text}`);
      t.equal(response.headers['allow'], allow, request);
      if (name !== undefined) t.equal((response.json as { name: string }).name, name, request);
      if (status >= 400) {
        t.equal((response.json as Status).code, status === 405 ? 12 : 5, request);
        t.equal(response.headers['content-type'], 'application/json', request);
      }
      if (status === 204) t.equal(response.text, '', request);
    }
  });

  await t.test('HEAD is GET without the body', async (t) => {
    const get = await proxy.send('GET /v1/a');
    const head = await proxy.send('HEAD /v1/a');
    t.equal(head.status, 200);
    t.equal(head.text, '');
    t.equal(head.headers['content-length'], get.headers['content-length']);
    t.equal(head.headers['content-type'], 'application/json');
    const missing = await proxy.send('HEAD /nothing');
    t.equal(missing.status, 404);
    t.equal(missing.text, '');
  });

  await t.test('headers become metadata', async (t) => {
    await proxy.send('GET /v1/a', {
      headers: {
        authorization: 'Bearer x',
        'X-Custom': 'one',
        'x-many': ['a', 'b'],
        'x-data-bin': Buffer.from([1, 2, 255]).toString('base64'),
        'x-forwarded-for': '6.6.6.6',
        forwarded: 'for=6.6.6.6',
        'x-envoy-original-path': '/x',
        'grpc-encoding': 'gzip',
        'grpc-anything': 'x',
        'accept-encoding': 'gzip',
        connection: 'close, x-hop',
        'x-hop': 'x',
        'x!odd': 'dropped',
        'x-request-id': 'abc-1',
      },
    });
    const { metadata } = service.calls[0]!;
    t.strictSame(metadata.get('authorization'), ['Bearer x']);
    t.strictSame(metadata.get('x-custom'), ['one']);
    t.strictSame(metadata.get('x-many').join(', '), 'a, b');
    t.strictSame(metadata.get('x-data-bin'), [Buffer.from([1, 2, 255])]);
    t.strictSame(metadata.get('x-request-id'), ['abc-1']);
    t.strictSame(metadata.get('traceparent'), [], 'none is made up');
    t.strictSame(metadata.get('x-forwarded-for'), ['127.0.0.1']);
    const dropped = ['forwarded', 'x-envoy-original-path', 'grpc-encoding', 'grpc-anything'];
    for (const name of [...dropped, 'x-hop', 'x!odd', 'host', 'connection']) {
      t.strictSame(metadata.get(name.replace('!', '')), [], name);
    }
  });

  await t.test('a client’s trace goes on, a broken one does not', async (t) => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const rows: readonly [string | readonly string[], boolean][] = [
      [trace, true],
      [trace.toUpperCase(), false],
      [trace.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)), false],
      [`${trace}-more`, false],
      [[trace, trace], false],
    ];
    for (const [traceparent, kept] of rows) {
      service.calls.length = 0;
      await proxy.send('GET /v1/a', { headers: { traceparent } });
      t.strictSame(service.calls[0]!.metadata.get('traceparent'), kept ? [trace] : [], String(traceparent));
    }
  });

  await t.test('the state of a trace goes on with the trace alone', async (t) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const [headers, kept] of [
      [{ traceparent, tracestate: 'a=b' }, ['a=b']],
      [{ traceparent: 'x', tracestate: 'a=b' }, []],
      [{ tracestate: 'a=b' }, []],
    ] as const) {
      service.calls.length = 0;
      await proxy.send('GET /v1/a', { headers });
      t.strictSame(service.calls[0]!.metadata.get('tracestate'), kept, JSON.stringify(headers));
    }
  });

  await t.test('several values in one -bin header', async (t) => {
    await proxy.send('GET /v1/a', { headers: { 'x-data-bin': ['AQ==, Ag', 'Aw=='] } });
    t.strictSame(service.calls[0]!.metadata.get('x-data-bin'), [Buffer.from([1]), Buffer.from([2]), Buffer.from([3])]);
    t.equal((await proxy.send('GET /v1/a', { headers: { 'x-data-bin': 'AQ==,%' } })).status, 400);
  });

  await t.test('request ids', async (t) => {
    for (const [given, kept] of [
      ['abc.DEF_1-2', true],
      ['x'.repeat(128), true],
      ['x'.repeat(129), false],
      ['a b', false],
      ['a"b', false],
    ] as const) {
      service.calls.length = 0;
      const response = await proxy.send('GET /v1/a', { headers: { 'x-request-id': given } });
      const id = response.headers['x-request-id'] as string;
      t.equal(id === given, kept, given);
      t.match(id, /^[A-Za-z0-9._-]{1,128}$/);
      t.strictSame(service.calls[0]!.metadata.get('x-request-id'), [id]);
    }
    t.match((await proxy.send('GET /nothing')).headers['x-request-id'], /^[0-9a-f-]{36}$/);
  });

  await t.test('headers that metadata cannot carry', async (t) => {
    const latin = await proxy.send('GET /v1/a', { headers: { 'x-name': 'caf\u00e9' } });
    t.equal(latin.status, 400);
    t.match((latin.json as Status).message, 'header x-name');
    for (const value of ['%%%', 'a', 'YQ=b', 'aGk==', 'AQI=,aGk==']) {
      const response = await proxy.send('GET /v1/a', { headers: { 'x-data-bin': value } });
      t.equal(response.status, 400, value);
      t.match((response.json as Status).message, 'header x-data-bin', value);
    }
    t.equal((await proxy.send('GET /v1/a')).status, 200, 'and the upstream connection still works');
  });

  await t.test('metadata becomes headers, trailers too', async (t) => {
    service.answer = () => ({
      headers: {
        'x-one': 'h',
        'x-data-bin': Buffer.from([255]),
        'content-language': 'en',
        'grpc-foo': 'x',
        'x-http-code': '202',
      },
      trailers: { 'x-two': 't' },
    });
    const response = await proxy.send('GET /v1/a');
    t.equal(response.status, 202);
    t.match(response.headers, { 'x-one': 'h', 'x-data-bin': '/w==', 'content-language': 'en', 'x-two': 't' });
    t.notOk('grpc-foo' in response.headers || 'x-http-code' in response.headers || 'grpc-status' in response.headers);
    const trailing = await proxy.send('GET /v1/a', { headers: { te: 'trailers', connection: 'te' } });
    t.notOk('x-two' in trailing.headers);
    t.equal(trailing.trailers['x-two'], 't');
    t.equal(trailing.headers['trailer'], 'x-two');
    t.strictSame(trailing.json, { name: 'a' });
  });

  await t.test('success status by the service', async (t) => {
    for (const [code, range, status] of [
      ['201', undefined, 201],
      ['204', undefined, 204],
      ['302', undefined, 302],
      ['304', undefined, 304],
      ['206', undefined, 200],
      ['206', 'bytes 0-1/2', 206],
      ['199', undefined, 200],
      ['404', undefined, 200],
      ['2xx', undefined, 200],
      ['20', undefined, 200],
    ] as const) {
      service.answer = () => ({
        headers: { 'x-http-code': code, ...(range === undefined ? {} : { 'content-range': range }) },
      });
      const response = await proxy.send('GET /v1/a');
      t.equal(response.status, status, code);
      if (status === 204 || status === 304) t.equal(response.text, '');
      else t.strictSame(response.json, { name: 'a' });
    }
  });

  await t.test('codes and statuses', async (t) => {
    const expected = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (let code = 1; code <= 16; code++) {
      service.answer = () => ({ code, details: `c\u00f6de ${code}\r\nx` });
      const response = await proxy.send('GET /v1/a');
      t.equal(response.status, expected[code], `code ${code}`);
      t.strictSame(response.json, { code, message: `c\u00f6de ${code}\r\nx` });
      t.equal(response.reason, `code ${code} x`);
    }
  });

  await t.test('error details', async (t) => {
    service.answer = () => ({
      code: 8,
      details: 'slow down',
      headers: { 'x-head': 'h' },
      trailers: {
        'x-tail': 't',
        'grpc-status-details-bin': statusBytes(
          any('google.rpc.ErrorInfo', Buffer.from([0x0a, 1, 0x61])),
          any('google.rpc.DebugInfo', Buffer.from([0x12, 1, 0x62])),
          any('not.Known', Buffer.from([1, 2])),
          any('google.rpc.ErrorInfo', Buffer.from([0xff])),
          any('google.rpc.RetryInfo', Buffer.from([0x0a, 0x02, 0x08, 0x02])),
        ),
      },
    });
    const response = await proxy.send('GET /v1/a');
    t.equal(response.status, 429);
    t.equal(response.headers['retry-after'], '2');
    t.match(response.headers, { 'x-head': 'h', 'x-tail': 't' });
    t.strictSame((response.json as Status).details, [
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'a' },
      { '@type': 'type.googleapis.com/not.Known', value: 'AQI=' },
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', value: '/w==' },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' },
    ]);
    service.answer = () => ({ code: 5, details: 'x', trailers: { 'grpc-status-details-bin': Buffer.from([0xff]) } });
    t.strictSame(
      (await proxy.send('GET /v1/a')).json,
      { code: 5, message: 'x' },
      'broken details do not cost the error',
    );
  });

  await t.test('an answer that is no message of its type', async (t) => {
    service.answer = () => ({ message: Buffer.from([0x0a, 0x05, 0x61]) });
    const response = await proxy.send('GET /v1/a');
    t.equal(response.status, 500);
    t.equal((response.json as Status).code, 13);
  });

  await t.test('deadlines', async (t) => {
    service.answer = () => ({ delayMs: 2000 });
    for (const headers of [
      { 'grpc-timeout': '50m' },
      { 'x-request-timeout': '50ms' },
      { 'x-request-timeout': '0.05s' },
    ]) {
      const response = await proxy.send('GET /v1/a', { headers });
      t.equal(response.status, 504, JSON.stringify(headers));
      t.equal((response.json as Status).code, 4);
    }
    t.equal((await proxy.send('GET /timed')).status, 504, 'of the method');
    service.answer = () => ({});
    const both = await proxy.send('GET /v1/a', { headers: { 'grpc-timeout': '20S', 'x-request-timeout': '5s' } });
    t.equal(both.status, 200);
    const left = Number(service.calls.at(-1)!.deadline) - Date.now();
    t.ok(left > 3000 && left <= 5000, `the smaller of both: ${left}`);
    const unit = await proxy.send('GET /v1/a', { headers: { 'grpc-timeout': '5' } });
    t.match(
      (unit.json as Status).message,
      'found "5", expected 1 to 8 digits and a unit of H, M, S, m, u or n, such as 1500m',
    );
    for (const headers of [
      { 'grpc-timeout': '123456789S' },
      { 'grpc-timeout': '-1S' },
      { 'x-request-timeout': '5' },
      { 'x-request-timeout': '1e3s' },
    ]) {
      const response = await proxy.send('GET /v1/a', { headers: headers });
      t.equal(response.status, 400, JSON.stringify(headers));
      t.match((response.json as Status).message, Object.keys(headers)[0]);
    }
  });

  await t.test('a client that goes away cancels the call', async (t) => {
    service.answer = () => ({ delayMs: 3000 });
    const before = service.cancelled;
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write('GET /v1/a HTTP/1.1\r\nhost: localhost\r\n\r\n');
    while (service.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    for (let tries = 0; tries < 200 && service.cancelled === before; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.equal(service.cancelled, before + 1);
  });

  await t.test('bodies over the limit', async (t) => {
    const announced = await proxy.send('PUT /v1/a', { body: Buffer.alloc(4 * 1024 * 1024 + 1, 0x20) });
    t.equal(announced.status, 413);
    t.equal((announced.json as Status).code, 8);
    t.match((announced.json as Status).message, /4194304 bytes.*--max-body-bytes/);
    const most = `{"snakeCase":"${'x'.repeat(4 * 1024 * 1024 - 17)}"}`;
    const fits = await proxy.send('PUT /v1/a', { body: most, headers: { 'content-type': 'application/json' } });
    t.equal(fits.status, 200);
    t.equal((fits.json as { snakeCase: string }).snakeCase.length, 4 * 1024 * 1024 - 17);
    const chunked = await rawRequest(
      proxy,
      'PUT /v1/a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n',
      Array.from({ length: 5 }, () => `100000\r\n${' '.repeat(1024 * 1024)}\r\n`),
    );
    t.match(chunked, /^HTTP\/1.1 413 /);
  });

  await t.test('Expect: 100-continue is answered after the head is accepted', async (t) => {
    const rows: readonly [string, string][] = [
      ['PUT /v1/a', '100'],
      ['PUT /nothing', '404'],
      ['DELETE /v1/a', '405'],
    ];
    for (const [line, status] of rows) {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.write(`${line} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 12\r\n\r\n`);
      t.match(await firstData(socket), new RegExp(`^HTTP/1.1 ${status} `), line);
      if (status === '100') {
        socket.write('{"number":7}');
        t.match(await firstData(socket), /^HTTP\/1.1 200 /);
      }
      socket.destroy();
    }
    for (const [headers, status] of [
      ['content-length: 5000000', '413'],
      ['content-type: text/plain\r\ncontent-length: 2', '415'],
    ] as const) {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.write(`PUT /v1/a HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n${headers}\r\n\r\n`);
      t.match(await firstData(socket), new RegExp(`^HTTP/1.1 ${status} `), headers);
      socket.destroy();
    }
  });

  await t.test('HTTP/2 on the same port', async (t) => {
    const session = connectHttp2(proxy.url);
    t.teardown(() => session.close());
    const stream = session.request({ ':path': '/v1/a?number=5', ':method': 'GET' });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    t.equal(headers[':status'], 200);
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    t.strictSame(JSON.parse(text), { name: 'a', number: '5' });
    const brew = session.request({ ':path': '/pot/tea', ':method': 'BREW' }, { endStream: true });
    const [brewed] = (await once(brew, 'response')) as [Record<string, unknown>];
    t.equal(brewed[':status'], 200, 'a method that HTTP/1 does not know');
    brew.resume();
    t.equal((await proxy.send('GET /pot/tea')).headers['allow'], 'BREW, OPTIONS');
  });

  await t.test('many at once over few connections: each gets its own answer', async (t) => {
    const pool = new Pool(proxy.url, { connections: 4, pipelining: 10 });
    t.teardown(() => pool.close());
    service.answer = ({ message }) => ({ delayMs: message.length % 7 });
    const names = Array.from({ length: 400 }, (_, index) => 'x'.repeat(index % 50) + index);
    const answers = await Promise.all(
      names.map(async (name) => {
        const { body } = await pool.request({ path: `/v1/${name}`, method: 'GET' });
        return ((await body.json()) as { name: string }).name;
      }),
    );
    t.strictSame(answers, names);
  });

  await t.test('a page of another site cannot write, nor use another name', async (t) => {
    const evil = await proxy.send('PUT /v1/a', { headers: { origin: 'http://evil.example' }, body: '{}' });
    t.equal(evil.status, 403);
    t.equal((evil.json as Status).code, 7);
    t.equal((await proxy.send('GET /v1/a', { headers: { host: 'evil.example' } })).status, 403);
    t.equal((await proxy.send('PUT /v1/a', { headers: { origin: proxy.url }, body: '{}' })).status, 200);
    t.equal(service.calls.length, 1);
  });

  await t.test('health', async (t) => {
    const response = await proxy.send('GET /health');
    t.equal(response.status, 200);
    t.strictSame(response.json, { status: 'SERVING', services: { 'http.v1.Http': 'SERVING' } });
    for (const query of ['alt=text', '%24alt=text']) {
      const { text, headers } = await proxy.send(`GET /health?${query}`);
      t.strictSame([text, headers['content-type']], ['SERVING', 'text/plain; charset=utf-8'], query);
    }
    t.strictSame((await proxy.send('GET /health?alt=json')).json, response.json);
  });

  await t.test('probes', async (t) => {
    for (const path of ['/livez', '/readyz']) {
      t.match(await proxy.send(`GET ${path}`), { status: 200, text: 'ok\n', headers: { 'cache-control': 'no-store' } });
      t.match(await proxy.send(`HEAD ${path}`), { status: 200, text: '', headers: { 'content-length': '3' } });
      t.equal((await proxy.send(`POST ${path}`)).status, 405, path);
    }
  });
});

void t.test('with the envelope', async (t) => {
  const proxy = await startTestProxy(proto, {
    envelope: 'photon',
    preserveProtoFieldNames: true,
    alwaysPrintPrimitiveFields: true,
    methodOverride: true,
  });
  t.teardown(() => proxy.close());
  const headers = { 'x-request-id': 'id-1' };
  const ok = await proxy.send('GET /v1/a', { headers });
  const { data, meta } = ok.json as { data: unknown; meta: Record<string, string> };
  t.strictSame(data, { name: 'a', number: '0', snake_case: '', list: [] });
  t.equal(meta['request_id'], 'id-1');
  t.match(meta['timestamp'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const missing = await proxy.send('GET /nothing', { headers });
  t.match(missing.json, { error: { code: 'NOT_FOUND', message: /no route/ }, meta: { request_id: 'id-1' } });
  t.notOk('details' in (missing.json as { error: object }).error);
  const bad = await proxy.send('GET /v1/a?snakeCas=1');
  t.match(bad.json, {
    error: {
      code: 'INVALID_ARGUMENT',
      details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', field_violations: [{ field: 'snakeCas' }] }],
    },
  });
  const put = await proxy.send('POST /v1/a', { headers: { 'x-http-method-override': 'put' }, body: '{"number":3}' });
  t.match(put.json, { data: { name: 'a', number: '3' } });
  t.match((await proxy.send('GET /health')).json, { data: { status: 'SERVING' }, meta: {} });
  proxy.service.answer = () => ({ code: 99, details: 'odd' });
  const odd = await proxy.send('GET /v1/a');
  t.equal(odd.status, 500);
});

void t.test('error shapes', async (t) => {
  const message = 'name: given more than once, expected one value';
  const details = [
    {
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: [{ field: 'number', description: 'given more than once, expected one value' }],
    },
  ];
  const rows = [
    [
      'status',
      'application/json',
      { code: 3, message: message.replace('name', 'number'), details },
      { code: 5, message: 'm' },
    ],
    [
      'aip193',
      'application/json',
      { error: { code: 422, message: message.replace('name', 'number'), status: 'INVALID_ARGUMENT', details } },
      { error: { code: 404, message: 'm', status: 'NOT_FOUND' } },
    ],
    [
      'problem',
      'application/problem+json',
      {
        type: 'about:blank',
        title: 'Unprocessable Entity',
        status: 422,
        detail: message.replace('name', 'number'),
        code: 'INVALID_ARGUMENT',
        details,
      },
      { type: 'about:blank', title: 'Not Found', status: 404, detail: 'm', code: 'NOT_FOUND' },
    ],
  ] as const;
  for (const [errorFormat, contentType, ours, theirs] of rows) {
    const proxy = await startTestProxy(proto, { errorFormat, statusMap: new Map([[3, 422]]) });
    proxy.service.answer = () => ({ code: 5, details: 'm' });
    const bad = await proxy.send('GET /v1/a?number=1&number=2');
    t.equal(bad.status, 422);
    t.equal(bad.headers['content-type'], contentType);
    t.strictSame(bad.json, ours, errorFormat);
    t.strictSame((await proxy.send('GET /v1/a')).json, theirs, errorFormat);
    const unknown = await proxy.send('GET /nothing');
    t.equal(unknown.status, 404);
    t.equal(unknown.headers['content-type'], contentType);
    for (const body of ['{', '{"number":"x"}', '{"nope":1}']) {
      t.equal((await proxy.send('PUT /v1/a', { body })).status, 422, `a body has the code of a query: ${body}`);
    }
    await proxy.close();
  }
});

void t.test('white space is all or nothing', async (t) => {
  const proxy = await startTestProxy(proto, { addWhitespace: true, envelope: 'photon' });
  t.teardown(() => proxy.close());
  for (const request of ['GET /v1/a?list=x', 'GET /v1/a?nope=1', 'GET /nothing']) {
    const { text, json, headers } = await proxy.send(request);
    t.equal(text, JSON.stringify(json, null, 2), request);
    t.equal(headers['content-length'], String(Buffer.byteLength(text)));
  }
});

void t.test('options', async (t) => {
  const proxy = await startTestProxy(proto, {
    maxConcurrentRequests: 1,
    statusMap: new Map([[5, 410]]),
    debugInfo: true,
    reasonPhrase: false,
    maxDeadlineMs: 60,
    ignoreQuery: ['utm_', 'x*', 'exact'],
    ignoreUnexpectedBody: true,
    commaLists: true,
    literalPlus: true,
    health: false,
    urlUnescape: 'all_characters',
    checkOrigin: false,
    allowedHosts: ['good.example'],
  });
  const { service } = proxy;
  t.teardown(() => proxy.close());
  for (const path of ['/health', '/livez', '/readyz']) t.equal((await proxy.send(`GET ${path}`)).status, 404, path);
  t.strictSame((await proxy.send('GET /v1/a?utm_source=x&xyz=1&exact=&list=a,b+c')).json, {
    name: 'a',
    list: ['a', 'b+c'],
  });
  t.equal((await proxy.send('GET /v1/a?exactly=1')).status, 400);
  t.equal((await proxy.send('GET /v1/a', { body: 'whatever' })).status, 200);
  t.equal((await proxy.send('GET /v1/a', { headers: { host: 'good.example' } })).status, 200);
  t.equal((await proxy.send('PUT /v1/a', { headers: { origin: 'http://evil.example' }, body: '{}' })).status, 200);
  service.answer = () => ({
    code: 5,
    details: 'gone',
    trailers: { 'grpc-status-details-bin': statusBytes(any('google.rpc.DebugInfo', Buffer.from([0x12, 1, 0x62]))) },
  });
  const gone = await proxy.send('GET /v1/a');
  t.equal(gone.status, 410);
  t.equal(gone.reason, 'Gone');
  t.match(gone.json, { details: [{ detail: 'b' }] });
  service.answer = () => ({ delayMs: 500 });
  const [first, second] = await Promise.all([proxy.send('GET /v1/a'), later(20, () => send(proxy.url, 'GET /v1/b'))]);
  t.equal(first.status, 504, 'the longest deadline');
  t.equal(second.status, 503, 'one request at a time');
  t.equal((second.json as Status).code, 14);
  service.answer = () => ({});
  t.equal((await proxy.send('GET /v1/a')).status, 200);
});

void t.test('a service that is down is 503, and found again', async (t) => {
  const proxy = await startTestProxy(proto);
  t.teardown(() => proxy.close());
  proxy.service.close();
  const response = await proxy.send('GET /v1/a');
  t.equal(response.status, 503);
  t.equal((response.json as Status).code, 14);
  const health = await proxy.send('GET /health');
  t.equal(health.status, 503);
  t.match(health.json, { status: 'NOT_SERVING' });
});

function later<T>(milliseconds: number, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    setTimeout(() => void run().then(resolve, reject), milliseconds);
  });
}

async function firstData(socket: Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString('latin1');
}

/** Writes what may be more than the other side reads, and returns all that it answers. */
async function rawRequest(proxy: TestProxy, head: string, chunks: readonly string[]): Promise<string> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
  socket.write(head);
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, 'close');
  return text;
}

void t.test('an empty deadline of a method is none, whatever the default is', async (t) => {
  const proxy = await startTestProxy(proto, { defaultDeadlineMs: 50 });
  proxy.service.answer = () => ({ delayMs: 300 });
  t.equal((await proxy.send('GET /endless')).status, 200);
  t.equal((await proxy.send('GET /v1/a')).status, 504);
  await proxy.close();
});
