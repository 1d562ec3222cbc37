/** Headers and metadata, both ways, name by name; trailers; what no client may say; method options of a configuration. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import t from 'tap';
import type { ConfigError } from '../../lib/status.js';
import { HeaderNames } from '../../lib/metadata/index.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package headers.v1;
import "google/api/annotations.proto";
import "photongate/http.proto";
service Headers {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Put(Message) returns (Message) {
    option (google.api.http) = { put: "/v1/{name}" body: "*" };
    option (photongate.http) = {
      success_status: 201
      headers: { header: "if-match" field: "etag" }
      headers: { cookie: "session" field: "inner.name" }
      response_headers: { header: "location" field: "uri" }
      response_headers: { header: "x-size" field: "size" }
      deadline: { seconds: 20 }
    };
  }
}
message Message { string name = 1; string etag = 2; Message inner = 3; string uri = 4; int64 size = 5; repeated string list = 6; }
`;

async function withProxy(
  t: { teardown(close: () => Promise<void>): unknown },
  options: Parameters<typeof startTestProxy>[1] = {},
  yaml?: string,
): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options, yaml);
  t.teardown(() => proxy.close());
  return proxy;
}

void t.test('request headers that never become metadata', async (t) => {
  const proxy = await withProxy(t);
  const never = {
    'content-length': '2',
    'content-type': 'application/json',
    'content-encoding': 'identity',
    'accept-encoding': 'gzip',
    host: 'localhost',
    connection: 'x-hop, close',
    'x-hop': 'x',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'x',
    'proxy-authenticate': 'x',
    'proxy-authorization': 'x',
    'http2-settings': 'x',
    'grpc-timeout': '5S',
    'grpc-encoding': 'gzip',
    'grpc-status': '0',
    'grpc-message': 'x',
    'grpc-accept-encoding': 'gzip',
    'grpc-trace-bin': 'AQ==',
    'grpc-previous-rpc-attempts': '1',
    forwarded: 'for=1.2.3.4',
    'x-forwarded-for': '1.2.3.4',
    'x-forwarded-host': 'x',
    'x-forwarded-proto': 'x',
    'x-forwarded-client-cert': 'x',
    'x-envoy-original-path': '/x',
    'x-envoy-original-method': 'x',
  };
  const kept = {
    accept: 'application/json',
    cookie: 'a=b',
    'accept-language': 'de',
    'if-none-match': '"x"',
    'x-own': 'y',
  };
  await proxy.send('PUT /v1/a', { headers: { ...never, ...kept }, body: '{}' });
  const metadata = proxy.service.calls[0]!.metadata.getMap();
  // What grpc-js sets itself has other values.
  for (const [name, value] of Object.entries(never)) t.not(metadata[name], value, name);
  t.match(metadata, kept);
});

void t.test('the same without a connection, and what no client of Node sends', (t) => {
  const names = new HeaderNames({ grpcGatewayNames: false, identityHeaders: [] });
  const never = [
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'expect',
    ':path',
    ':authority',
    'x!odd',
    'x odd',
    'X',
  ];
  const headers = never.flatMap((name) => [name, 'x']);
  t.strictSame(
    names
      .metadata({
        headers: [...headers, 'x_ok.1-a', 'v'],
        requestId: 'id',
        caller: { address: '1.2.3.4', forwarded: ['x-forwarded-for', '1.2.3.4'] },
      })
      .map(([name]) => name),
    ['x_ok.1-a', 'x-forwarded-for', 'x-request-id'],
  );
  const out: string[] = [];
  const response = [
    'content-length',
    'content-type',
    'transfer-encoding',
    'trailer',
    'date',
    'connection',
    'keep-alive',
    'upgrade',
    'te',
  ];
  names.addHeaders(
    out,
    [...response, ':status', 'grpc-x', 'a b'].map((name) => [name, '1'] as const),
  );
  names.addHeaders(out, [
    ['x-a', 'a\r\nb'],
    ['x-b', 'a\0b'],
    ['x-c', '\u4e2d'],
    ['x-d', 'ok'],
  ]);
  t.strictSame(out, ['x-d', 'ok']);
  t.end();
});

void t.test('lists over several lines, and values of no character', async (t) => {
  const proxy = await withProxy(t);
  await proxy.send('GET /v1/a', { headers: { 'if-none-match': ['"a"', '"b"'], 'x-empty': '', 'x-two': ['1', '2'] } });
  const { metadata } = proxy.service.calls[0]!;
  t.strictSame(metadata.get('if-none-match'), ['"a", "b"']);
  t.strictSame(metadata.get('x-empty'), ['']);
  t.equal(metadata.get('x-two').join(', '), '1, 2');
});

void t.test('metadata that never becomes a header', async (t) => {
  const proxy = await withProxy(t);
  const never = {
    'content-encoding': 'gzip',
    'x-http-code': '202',
    'x-request-id': 'theirs',
    'grpc-foo': 'x',
    'proxy-authenticate': 'x',
  };
  for (const where of ['headers', 'trailers'] as const) {
    proxy.service.answer = () => ({ [where]: { ...never, 'x-own': 'y', 'x-own-bin': Buffer.from([1, 255]) } });
    const answer = await proxy.send('GET /v1/a', { headers: { 'x-request-id': 'mine' } });
    t.equal(answer.status, where === 'headers' ? 202 : 200);
    t.match(answer.headers, { 'x-request-id': 'mine', 'x-own': 'y', 'x-own-bin': 'Af8=' });
    for (const name of Object.keys(never)) if (name !== 'x-request-id') t.notOk(name in answer.headers, name);
    t.equal(answer.headers['content-length'], String(answer.bytes.length));
  }
});

void t.test('trailers: of errors, of answers without body, and over HTTP/1.0 or HEAD', async (t) => {
  const proxy = await withProxy(t);
  const te = { te: 'trailers', connection: 'te' };
  proxy.service.answer = () => ({ code: 5, details: 'gone', trailers: { 'x-tail': 't' } });
  const plain = await proxy.send('GET /v1/a');
  t.strictSame([plain.headers['x-tail'], plain.headers['trailer']], ['t', undefined]);
  const failed = await proxy.send('GET /v1/a', { headers: te });
  t.strictSame([failed.status, failed.json], [404, { code: 5, message: 'gone' }]);
  t.strictSame([failed.headers['x-tail'], failed.trailers['x-tail']], [undefined, 't']);
  t.equal(failed.headers['trailer'], 'x-tail', 'they are announced');
  for (const code of ['204', '304']) {
    proxy.service.answer = () => ({ headers: { 'x-http-code': code }, trailers: { 'x-tail': 't' } });
    const empty = await proxy.send('GET /v1/a', { headers: te });
    t.strictSame([empty.status, empty.text, empty.headers['x-tail']], [Number(code), '', 't']);
  }
  proxy.service.answer = () => ({ trailers: { 'x-tail': 't' } });
  t.equal((await proxy.send('HEAD /v1/a', { headers: te })).headers['x-tail'], 't');
});

void t.test('names of grpc-gateway', async (t) => {
  const proxy = await withProxy(t, { grpcGatewayNames: true });
  proxy.service.answer = () => ({
    headers: { 'x-one': 'h', 'x-data-bin': Buffer.from([1]) },
    trailers: { 'x-two': 't' },
  });
  const headers = {
    'Grpc-Metadata-X-Custom': 'c',
    'Grpc-Metadata-X-Data-Bin': 'AQ==',
    'Grpc-Metadata-X-Forwarded-For': '6.6.6.6',
    'Grpc-Metadata-Content-Length': '7',
    'Grpc-Metadata-Grpc-Timeout': '1S',
    'Grpc-Metadata-Host': 'x',
    'Grpc-Metadata-Grpcgateway-User': 'mallory',
    authorization: 'Bearer x',
    'accept-language': 'de',
    'x-plain': 'p',
    'x-request-id': 'id',
  };
  const answer = await proxy.send('GET /v1/a', { headers });
  const metadata = proxy.service.calls[0]!.metadata.getMap();
  t.match(metadata, {
    'x-custom': 'c',
    'x-data-bin': Buffer.from([1]),
    authorization: 'Bearer x',
    'grpcgateway-authorization': 'Bearer x',
    'grpcgateway-accept-language': 'de',
    'x-request-id': 'id',
  });
  t.equal(metadata['x-forwarded-for'], '127.0.0.1');
  for (const name of ['content-length', 'x-plain', 'accept-language', 'grpcgateway-host', 'host', 'grpcgateway-user']) {
    t.notOk(name in metadata, name);
  }
  t.match(answer.headers, {
    'grpc-metadata-x-one': 'h',
    'grpc-metadata-x-data-bin': 'AQ==',
    'grpc-trailer-x-two': 't',
  });
  t.notOk('x-one' in answer.headers);
  const trailing = await proxy.send('GET /v1/a', { headers: { te: 'trailers', connection: 'te' } });
  t.equal(trailing.trailers['grpc-trailer-x-two'], 't');
});

void t.test('identity headers are never a client’s', async (t) => {
  const proxy = await withProxy(t, { identityHeaders: ['X-User', 'x-auth-*'] });
  await proxy.send('GET /v1/a', { headers: { 'x-user': 'mallory', 'x-auth-role': 'root', 'x-username': 'kept' } });
  const { metadata } = proxy.service.calls[0]!;
  t.strictSame(
    ['x-user', 'x-auth-role', 'x-username'].map((name) => metadata.get(name)),
    [[], [], ['kept']],
  );
  const gateway = await withProxy(t, { identityHeaders: ['x-user'], grpcGatewayNames: true });
  await gateway.send('GET /v1/a', { headers: { 'grpc-metadata-x-user': 'mallory' } });
  t.strictSame(gateway.service.calls[0]!.metadata.get('x-user'), []);
  await t.rejects(startTestProxy(proto, { identityHeaders: ['if-*'] }), {
    message: /"if-match" is never taken from clients/,
  });
});

void t.test('no line break reaches a header or metadata', async (t) => {
  const proxy = await withProxy(t);
  proxy.service.answer = () => ({ code: 3, details: 'a\r\nx-evil: 1\0b' });
  const failed = await proxy.send('GET /v1/a%0d%0ax-evil:%201?list=%00%0a');
  t.equal(failed.status, 400);
  t.notOk('x-evil' in failed.headers);
  t.notMatch(failed.reason, /[\r\n\0]/);
  proxy.service.answer = () => ({});
  const put = await proxy.send('PUT /v1/a', { body: JSON.stringify({ uri: '/x\r\nx-evil: 1' }) });
  t.strictSame([put.status, put.headers['location'], put.headers['x-evil']], [201, undefined, undefined]);
  t.notOk('x-evil' in proxy.service.calls.at(-1)!.metadata.getMap());
});

void t.test('ignored x-http-code is told', async (t) => {
  const proxy = await withProxy(t);
  const seen: unknown[] = [];
  const listen = (message: unknown): void => void seen.push(message);
  subscribe('photongate:ignored-status', listen);
  t.teardown(() => unsubscribe('photongate:ignored-status', listen));
  for (const code of ['404', '206', '100', 'x', '201']) {
    proxy.service.answer = () => ({ headers: { 'x-http-code': code } });
    t.equal((await proxy.send('GET /v1/a', { headers: { 'x-request-id': 'id' } })).status, code === '201' ? 201 : 200);
  }
  const rpc = 'headers.v1.Headers.Get';
  const reason = 'expected 200 to 399';
  t.strictSame(seen, [
    { rpc, requestId: 'id', found: '404', reason },
    { rpc, requestId: 'id', found: '206', reason: 'expected content-range beside 206' },
    { rpc, requestId: 'id', found: '100', reason },
    { rpc, requestId: 'id', found: 'x', reason },
  ]);
});

void t.test('method options of the .proto', async (t) => {
  const proxy = await withProxy(t);
  const put = await proxy.send('PUT /v1/a', {
    headers: { 'if-match': '"v1"', cookie: 'other=1; session="s"' },
    body: '{"uri":"/v1/a","size":"7"}',
  });
  t.strictSame(put.json, { name: 'a', etag: '"v1"', inner: { name: 's' }, uri: '/v1/a', size: '7' });
  t.strictSame([put.status, put.headers['location'], put.headers['x-size']], [201, '/v1/a', '7']);
  const left = Number(proxy.service.calls[0]!.deadline) - Date.now();
  t.ok(left > 10_000 && left <= 20_000, `${left}`);
  proxy.service.answer = () => ({ headers: { 'x-http-code': '200', location: '/theirs' } });
  const theirs = await proxy.send('PUT /v1/a', { body: '{"uri":"/ours"}' });
  t.strictSame([theirs.status, theirs.headers['location']], [200, '/theirs'], "the service's headers win");
});

void t.test('method options of a configuration', async (t) => {
  const proxy = await withProxy(
    t,
    { defaultDeadlineMs: 5000, maxDeadlineMs: 8000 },
    `
methods:
  "*": { success_status: 202, deadline: 1m }
  headers.v1.Headers.Get:
    success_status: 203
    headers: [{ header: x-etag, field: etag }]
    response_headers:
      - { header: location, field: name }
    deadline: none
`,
  );
  const deadlineOf = (): number => Number(proxy.service.calls.at(-1)!.deadline) - Date.now();
  const get = await proxy.send('GET /v1/a', { headers: { 'x-etag': 'e' } });
  t.strictSame([get.status, get.headers['location'], get.json], [203, 'a', { name: 'a', etag: 'e' }]);
  t.equal(deadlineOf(), Infinity, 'none, whatever the default and the maximum');
  await proxy.send('GET /v1/a', { headers: { 'x-request-timeout': '60s' } });
  t.ok(deadlineOf() <= 8000, 'a client that asks gets the maximum');
  t.equal((await proxy.send('GET /v1/a?etag=x')).status, 400, 'such a field is no query parameter');
  const put = await proxy.send('PUT /v1/a', { headers: { 'if-match': 'm' }, body: '{"uri":"/u"}' });
  t.strictSame([put.status, put.headers['location']], [202, '/u'], 'members that it does not name stay');
  t.ok(deadlineOf() > 5000 && deadlineOf() <= 8000, 'of the selector, cut to the maximum');
});

void t.test('method options of a configuration that are wrong', async (t) => {
  const rows: readonly [yaml: string, code: string, message: RegExp, line: number, column: number][] = [
    ['  headers.v1.Headers.Got: {}', 'unknown-rpc', /no RPC is named "headers.v1.Headers.Got"/, 2, 3],
    ['  headers.v1.Headers: {}', 'unknown-rpc', /no RPC is named/, 2, 3],
    ['  "a b": {}', 'selector-syntax', /not a selector/, 2, 3],
    ['  "*": 5', 'config-type', /are a map/, 2, 8],
    ['  "*": { sucess_status: 201 }', 'option-unknown', /no member "sucess_status"/, 2, 25],
    ['  "*": { success_status: 500 }', 'option-value', /success_status is 500/, 2, 26],
    ['  "*": { success_status: "201" }', 'option-type', /expected an integer/, 2, 26],
    ['  "*": { deadline: 5 }', 'option-type', /expected a string/, 2, 20],
    ['  "*": { deadline: soon }', 'option-value', /deadline is "soon"/, 2, 20],
    ['  "*": { headers: [{ header: x, field: nam }] }', 'unknown-field', /no field "nam"/, 2, 40],
    [
      '  "*": { response_headers: [{ header: x, field: inner }] }',
      'option-value',
      /cannot be written as one text/,
      2,
      49,
    ],
    ['  "*": { sse: { id: name } }', 'option-value', /does not return a stream/, 2, 15],
    ['  "*": { update_mask: maybe }', 'option-type', /expected true or false/, 2, 23],
  ];
  for (const [yaml, code, message, line, column] of rows) {
    const error = await startTestProxy(proto, {}, `methods:\n${yaml}\n`).then(
      () => undefined,
      (thrown: unknown) => thrown as ConfigError,
    );
    const problem = error?.problems[0];
    t.equal(problem?.code, code, yaml);
    t.match(problem?.message, message, yaml);
    const place = problem?.place;
    t.equal(place?.file, 'photongate.yaml', yaml);
    t.equal(place?.line, line, yaml);
    if (code !== 'option-unknown') t.equal(place?.column, column, yaml);
  }
});
