/** Routes and connections as a client sees them: sections 1 and 7 of the rules, a row each where one request shows it. */
import { connect as connectHttp2 } from 'node:http2';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const rule = (name: string, text: string): string =>
  `rpc ${name}(Message) returns (Message) { option (google.api.http) = { ${text} }; }`;
const proto = `
syntax = "proto3";
package front.v1;
import "google/api/annotations.proto";
service Front {
  ${rule('Literal', 'get: "/r/known"')}
  ${rule('Star', 'get: "/r/{name}"')}
  ${rule('Deep', 'get: "/r/{name=**}"')}
  ${rule('Nested', 'get: "/n/{inner.name=shelves/*/books/*}"')}
  ${rule('MiddleDeep', 'get: "/m/{name=**}/end/*"')}
  ${rule('Cancel', 'post: "/v/{name}:cancel" body: "*" additional_bindings { get: "/v/{name}" }')}
  ${rule('Wild', 'custom { kind: "*" path: "/wild/{name}" }')}
  ${rule('WildGet', 'get: "/wild/{name}"')}
  ${rule('Slash', 'get: "/slash/{name}"')}
  ${rule('Escaped', 'get: "/caf%c3%A9/~x"')}
  ${rule('Put', 'put: "/body/{name}" body: "*"')}
}
message Message { string name = 1; Message inner = 2; }
`;

/** Status, then the RPC that was called or the answer's `allow`, then the name that it got. */
const rows: readonly [request: string, status: number, rpcOrAllow?: string, name?: string][] = [
  ['GET /r/known', 200, 'Literal', ''],
  ['GET /r/k%6eown', 200, 'Literal', ''],
  ['GET /r/Known', 200, 'Star', 'Known'],
  ['GET /r/a%2Fb', 200, 'Star', 'a/b'],
  ['GET /r/a/b%2Fc', 200, 'Deep', 'a/b%2Fc'],
  ['GET /r', 200, 'Deep', ''],
  ['GET /r/a//b/', 200, 'Deep', 'a//b/'],
  ['GET /r/known/', 200, 'Deep', 'known/'],
  ['GET /n/shelves/1/books/2', 200, 'Nested'],
  ['GET /n/shelves/1/books', 404],
  ['GET /n/shelves//books/2', 404],
  ['GET /m/a/b/end/c', 200, 'MiddleDeep', 'a/b'],
  ['GET /m/end/c', 200, 'MiddleDeep', ''],
  ['GET /m/a//end/c', 404],
  ['POST /v/a:cancel', 200, 'Cancel', 'a'],
  ['GET /v/a:cancel', 200, 'Cancel', 'a:cancel'],
  ['POST /v/a%3Acancel', 405, 'GET, HEAD, OPTIONS'],
  ['POST /v/urn:x:1:cancel', 200, 'Cancel', 'urn:x:1'],
  ['GET /v/urn:x:1', 200, 'Cancel', 'urn:x:1'],
  ['GET /v/', 404],
  ['GET /v/a/', 200, 'Cancel', 'a'],
  ['GET /v/a//', 404],
  ['GET /wild/a', 200, 'WildGet', 'a'],
  ['DELETE /wild/a', 200, 'Wild', 'a'],
  ['HEAD /wild/a', 200, 'WildGet', 'a'],
  ['OPTIONS /wild/a', 204, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
  ['GET /caf%C3%a9/%7ex', 200, 'Escaped', ''],
  ['GET /caf%C3%A9/%7Ey', 404],
  ['GET /r/%zz', 400, 'Star'],
  ['GET /r/%ff', 400, 'Star'],
  ['GET /none/%zz', 404],
  ['OPTIONS *', 204],
  ['OPTIONS /none', 404],
  ['PATCH /r/known', 405, 'GET, HEAD, OPTIONS'],
  ['GET http://h.example/r/known?name=x', 200, 'Literal', 'x'],
  ['POST http://h.example', 405, 'GET, HEAD, OPTIONS'],
  ['POST /front.v1.Front/Star', 404],
];

void t.test('routes', async (t) => {
  const proxy = await startTestProxy(proto);
  t.teardown(() => proxy.close());
  for (const [request, status, rpcOrAllow, name] of rows) {
    proxy.service.calls.length = 0;
    const response = await proxy.send(request);
    t.equal(response.status, status, `${request}: ${response.text}`);
    if (status === 200) t.equal(proxy.service.calls[0]?.path.split('/')[2], rpcOrAllow, request);
    else {
      t.equal(proxy.service.calls.length, 0, request);
      if (status !== 400) t.equal(response.headers['allow'], rpcOrAllow, request);
    }
    if (name !== undefined && !request.startsWith('HEAD'))
      t.equal((response.json as { name?: string }).name ?? '', name, request);
    if (status >= 400) t.match(response.json, { code: { 400: 3, 404: 5, 405: 12 }[status], message: String }, request);
  }
});

/** What comes back for raw bytes until the connection is closed. */
async function raw(proxy: TestProxy, text: string): Promise<string> {
  const socket = connect(proxy.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(Buffer.from(text, 'utf8'));
  await once(socket, 'close');
  return answer;
}

void t.test('refused before 100 Continue, and in the configured shape', async (t) => {
  const proxy = await startTestProxy(proto, { errorFormat: 'aip193', maxUrlBytes: 500 });
  t.teardown(() => proxy.close());
  const expecting = (line: string, headers = ''): string =>
    `${line} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n${headers}\r\n`;
  const cases: readonly [string, number, RegExp][] = [
    [expecting('PUT /none'), 404, /no route/],
    [expecting('POST /body/a'), 405, /GET|PUT/],
    [expecting('PUT /body/a', 'content-type: text/plain\r\n'), 415, /text\/plain/],
    [expecting('PUT /body/a', 'origin: http://evil.example\r\n'), 403, /origin/],
    [expecting('PUT /body/a').replace('length: 3', 'length: 99999999'), 413, /larger than the limit/],
    [expecting('PUT /body/a').replace('100-continue', '200-ok'), 417, /200-ok/],
    ['GET /r/\u00e9 HTTP/1.1\r\nhost: localhost\r\n\r\n', 400, /percent|%C3%A9/],
    ['GET /r/a HTTP/1.1\r\n\r\n', 400, /no Host header/],
    [
      'GET /r/a HTTP/1.1\r\nhost: evil.example\r\n\r\n'.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'),
      403,
      /--allowed-hosts/,
    ],
    [`GET /r/${'a'.repeat(600)} HTTP/1.1\r\nhost: localhost\r\n\r\n`, 414, /500 bytes/],
    [`GET /r/a HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431, /16384 bytes/],
    ['CONNECT a:1 HTTP/1.1\r\nhost: localhost\r\n\r\n', 501, /CONNECT/],
  ];
  for (const [request, status, message] of cases) {
    const answer = await raw(proxy, request);
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(request.slice(0, 60)));
    t.match(answer, /\r\nconnection: close\r\n/i);
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as {
      error: { code: number; message: string };
    };
    t.equal(body.error.code, status);
    t.match(body.error.message, message);
  }
  const longUrl = await raw(
    proxy,
    `GET /r/${'a'.repeat(400)} HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(16_000)}\r\nconnection: close\r\n\r\n`,
  );
  t.match(longUrl, /^HTTP\/1\.1 200 /, 'the URL does not count towards the headers');
  const taken = await raw(proxy, `${expecting('PUT /body/a')}{ }`);
  t.match(taken, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  t.equal(proxy.service.calls.length, 2);
});

void t.test('the same over HTTP/2', async (t) => {
  const proxy = await startTestProxy(proto, { maxUrlBytes: 500 });
  const session = connectHttp2(proxy.url);
  t.teardown(async () => {
    session.close();
    await proxy.close();
  });
  const ask = async (headers: Record<string, string>): Promise<{ status: number; text: string }> => {
    const stream = session.request(headers, { endStream: true });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(stream, 'close');
    return { status: head[':status'] as number, text };
  };
  const h2Rows: readonly [Record<string, string>, number, RegExp][] = [
    [{ ':path': '/r/known' }, 200, /^\{\}$/],
    [{ ':path': '/none' }, 404, /no route/],
    [{ ':path': '/r/a', ':method': 'PATCH' }, 405, /GET, HEAD, OPTIONS/],
    [{ ':path': '/wild/a', ':method': 'BREW' }, 200, /"a"/],
    [{ ':path': '/r/a', ':authority': 'evil.example' }, 403, /allowed-hosts/],
    [{ ':path': '/body/a', ':method': 'PUT', origin: 'http://evil.example' }, 403, /origin/],
    [{ ':path': `/r/${'a'.repeat(600)}` }, 414, /500 bytes/],
    [{ ':path': '/r/a', expect: '200-ok' }, 417, /200-ok/],
    [{ ':path': '/r/a', x: 'a'.repeat(20_000) }, 431, /16384 bytes/],
    [{ ':path': '*', ':method': 'OPTIONS' }, 204, /^$/],
  ];
  for (const [headers, status, text] of h2Rows) {
    const answer = await ask({ ':authority': 'localhost', ...headers });
    t.equal(answer.status, status, JSON.stringify(headers).slice(0, 80));
    t.match(answer.text, text);
  }
});

void t.test('our own pages give way to a rule of their path', async (t) => {
  const hidden = proto.replace('"/r/known"', '"/health"');
  const proxy = await startTestProxy(hidden);
  t.equal((await proxy.send('GET /health')).text, '{}');
  t.match(proxy.proxy.prepared.warnings, [{ code: 'hidden-page' }]);
  await proxy.close();
});
