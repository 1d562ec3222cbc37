/** The access log in a form of its owner's, with Envoy's commands: over real sockets, and command by command. */
import { hostname } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type CommandContext, compileFormat } from '../../lib/commands.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere, type ServedHere } from '../support/serve-here.js';
import { until } from '../support/until.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello { rpc Say(Msg) returns (Msg) { option (google.api.http) = { get: "/v1/hello/{name}" }; } }
message Msg { string name = 1; string token = 2; }
`;
const schema = schemaFromText(proto);

const context: CommandContext = {
  request: ['user-agent', 'curl', 'x-long', 'abcdef', 'constructor', 'c'],
  pseudo: { ':method': 'POST', ':path': '/a.v1.Hello/Say?x=1', ':authority': 'h', ':scheme': 'http' },
  protocol: 'HTTP/2',
  remoteAddress: '2001:db8::1',
  remotePort: 7,
  cluster: 'grpc',
  response: { status: 404, headers: ['x-a', '1', 'x-a', '2'] },
  ended: {
    startedAt: new Date('2026-01-02T03:04:05.678Z'),
    durationMs: 12.9,
    requestMs: 1.5,
    responseMs: undefined,
    bytesIn: 3,
    bytesOut: 0,
    upstream: '127.0.0.1:50051',
    routeName: undefined,
    code: 'NOT_FOUND',
    codeNumber: 5,
    peer: { address: '10.0.0.1', port: 9 },
    requestId: 'id',
    traceId: undefined,
    error: 'no such thing',
  },
};

void t.test('commands', (t) => {
  const cases: readonly [format: string, line: string][] = [
    ['%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%', 'POST /a.v1.Hello/Say?x=1 HTTP/2'],
    ['%REQ(x-none?User-Agent)% %REQ(x-none)% %REQ(X-LONG):3%', 'curl - abc'],
    ['%REQ(constructor)% %REQ(toString)%', 'c -'],
    ['%REQ_WITHOUT_QUERY(:PATH)%', '/a.v1.Hello/Say'],
    ['%RESP(x-a)% %RESP(:status)% %RESP(x-b)%', '1 404 -'],
    ['%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%', '404 - no_such_thing'],
    ['%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %REQUEST_DURATION% %RESPONSE_DURATION%', '3 0 12 1 -'],
    ['%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %ROUTE_NAME% %TRACE_ID%', '127.0.0.1:50051 grpc - -'],
    ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%', '[2001:db8::1]:7 10.0.0.1'],
    ['%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%', 'NotFound NOT_FOUND 5 5'],
    ['%START_TIME%', '2026-01-02T03:04:05.678Z'],
    ['%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%', '2026/01/02T03:04:05+0000 1767323045'],
    ['%START_TIME(%3f %6f %f %b %e %a 100%%)%', '678 678000 678000000 Jan  2 Fri 100%'],
    ['%DYNAMIC_METADATA(a:b)% %CONNECTION_ID%', '- -'],
    ['100%% of %HOSTNAME%', `100% of ${hostname()}`],
  ];
  for (const [format, line] of cases) t.equal(compileFormat(format)(context), line, format);
  t.equal(compileFormat('[%REQ(x-none)%]', true)(context), '[]');
  t.end();
});

void t.test('lines of JSON', (t) => {
  const format = {
    code: '%RESPONSE_CODE%',
    path: '%REQ(:PATH)%',
    none: '%REQ(x-none)%',
    both: '%REQ(x-none)% %DURATION%',
    inner: { list: ['%BYTES_SENT%', 1, true, null] },
    constructor: '%PROTOCOL%',
  };
  t.same(JSON.parse(compileFormat(format)(context)), {
    ...{ code: 404, path: '/a.v1.Hello/Say?x=1', none: null, both: '- 12' },
    inner: { list: [0, 1, true, null] },
    constructor: 'HTTP/2',
  });
  t.same(JSON.parse(compileFormat({ none: '%REQ(x-none)%', code: '%RESPONSE_CODE%' }, true)(context)), { code: 404 });
  t.match(compileFormat({ a: 'b' })(context), /^\{"a":"b"\}\n$/);
  t.end();
});

void t.test('what is wrong', (t) => {
  const cases: readonly [format: string, message: RegExp][] = [
    ['%NOPE%', /%NOPE% is not known; known are %REQ\(name\)%/],
    ['%REQ%', /%REQ% names no header; write %REQ\(x-user\)%/],
    ['%DURATION(x)%', /%DURATION% takes no argument, and has \(x\)/],
    ['%GRPC_STATUS(X)%', /expected CAMEL_STRING, SNAKE_STRING or NUMBER/],
    ['%START_TIME(%5S)%', /has %5S, which is not known/],
    ['50%', /has a single %; write %% for the sign itself/],
    ['%constructor%', /%constructor% is not known/],
  ];
  for (const [format, message] of cases) t.throws(() => compileFormat(format), { message });
  t.end();
});

interface Served extends ServedHere {
  readonly service: EchoService;
  readonly url: string;
  readonly folder: string;
}

async function serve(t: Test, yaml: string): Promise<Served> {
  const folder = t.testdir({ 'a.proto': proto });
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const routes = `clusters: { grpc: { endpoints: "${service.target}" } }
listeners:
- listen: 127.0.0.1:0
  original_path_headers: true
  virtual_hosts:
  - domains: ["*"]
    routes:
    - { name: gone, match: { prefix: /gone }, direct_response: { status: 410 } }
    - { name: all, match: { prefix: / }, route: { cluster: grpc } }
`;
  writeFileSync(join(folder, 'p.yaml'), `proto: [a.proto]\n${routes}${yaml}`);
  const here = await serveHere(['--config', 'p.yaml'], folder);
  t.teardown(() => here.stop());
  return { ...here, service, url: here.urls[0]!, folder };
}

void t.test('a text, as Envoy has it of calls that were transcoded', async (t) => {
  const format =
    '%REQ(:METHOD)% %REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %GRPC_STATUS% %ROUTE_NAME% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %RESP(X-REQUEST-ID)% %REQ(X-REQUEST-ID)%';
  const { url, service, errors } = await serve(t, `access_log: text\naccess_log_format: "line ${format}\\n"\n`);
  await send(url, 'GET /v1/hello/Ada?token=s3cret', { headers: { 'x-request-id': 'i1' } });
  service.answer = () => ({ code: 5 });
  await send(url, 'GET /v1/hello/Eve', { headers: { 'x-request-id': 'i2' } });
  await send(url, 'GET /gone?x=1', { headers: { 'x-request-id': 'i3' } });
  const lines = (): string[] => errors().match(/^line .*$/gm) ?? [];
  await until(() => lines().length === 3, 'three lines');
  const { target } = service;
  t.same(lines(), [
    `line POST /a.v1.Hello/Say GET /v1/hello/Ada?token=[redacted] 200 OK all grpc ${target} i1 i1`,
    `line POST /a.v1.Hello/Say GET /v1/hello/Eve 404 NotFound all grpc ${target} i2 i2`,
    'line GET /gone?x=1 GET /gone?x=1 410 - gone - - i3 i3',
  ]);
});

void t.test('JSON in a file, without what is empty', async (t) => {
  const yaml = `access_log: json
access_log_file: access.log
access_log_format: { code: "%RESPONSE_CODE%", none: "%REQ(x-none)%", who: "%REQ(user-agent)%" }
access_log_omit_empty: true
`;
  const { url, folder } = await serve(t, yaml);
  await send(url, 'GET /v1/hello/Ada', { headers: { 'user-agent': 'test' } });
  const text = (): string => readFileSync(join(folder, 'access.log'), 'utf8');
  await until(() => text() !== '', 'a line');
  t.equal(text(), '{"code":200,"who":"test"}\n');
});
