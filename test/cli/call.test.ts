/** `photongate call`: what a request leads to, with and without the service. */
import t from 'tap';
import { runMain } from '../support/cli.js';
import { startEchoService } from '../support/echo-service.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Buy(Order) returns (Order) { option (google.api.http) = { post: "/v1/{name}:buy" body: "*" }; }
  rpc Watch(Order) returns (stream Order) { option (google.api.http) = { get: "/v1/watch/{name}" }; }
  rpc Upload(stream Order) returns (Order) { option (google.api.http) = { post: "/v1/upload" body: "*" }; }
}
message Order { string name = 1; int32 count = 2; int64 price = 3; }
`;

const base = ['--proto', 'shop.proto'];
const files = { 'shop.proto': proto, 'order.json': '{"count": 2, "price": "9007199254740993"}' };

/** The lines with a prefix, without it and without what differs from call to call. */
function side(stdout: string, prefix: string): string[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length))
    .filter((line) => !/^(x-request-id|x-forwarded-\w+|date|connection): /i.test(line));
}

void t.test('without --send: the call is shown, and nobody is called', async (t) => {
  const folder = t.testdir(files);
  const { code, stdout } = await runMain(
    ['call', 'POST', '/v1/tea:buy', '-d', '@order.json', '-H', 'grpc-timeout: 5S', '-H', 'X-Trace: a', ...base],
    folder,
  );
  t.equal(code, 0);
  t.strictSame(side(stdout, '> '), [
    'POST /v1/tea:buy HTTP/1.1',
    'host: 127.0.0.1:8080',
    'content-type: application/json',
    'content-length: 41',
    'grpc-timeout: 5S',
    'x-trace: a',
  ]);
  const [head, ...rest] = side(stdout, '=> ');
  t.match(head, /^\/shop\.v1\.Shop\/Buy at none, deadline \d+ ms$/);
  t.match(
    rest.join('\n'),
    /^message of \d+ bytes\n\{\n {2}"name": "tea",\n {2}"count": 2,\n {2}"price": "9007199254740993"\n\}$/m,
  );
  t.strictSame(side(stdout, '<= '), []);
  t.strictSame(side(stdout, '< '), []);
});

void t.test('virtual hosts: the cluster is shown', async (t) => {
  const folder = t.testdir({
    ...files,
    'p.yaml': `proto: shop.proto
clusters: { c: { endpoints: ['127.0.0.1:1'] } }
listeners:
  - listen: 127.0.0.1:0
    virtual_hosts: [{ domains: ['shop.test'], routes: [{ match: { prefix: / }, route: { cluster: c } }] }]
`,
  });
  const { stdout } = await runMain(['call', 'GET', '/v1/watch/tea', '--config', 'p.yaml'], folder);
  t.match(side(stdout, '=> ')[0], /^\/shop\.v1\.Shop\/Watch at 127\.0\.0\.1:1/);
});

void t.test('each message of a client stream', async (t) => {
  const args = ['call', 'POST', '/v1/upload', '-d', '[{"count":1},{"count":2}]', '--json', ...base];
  const { code, stdout } = await runMain(args, t.testdir(files));
  t.equal(code, 0);
  const { calls, response } = JSON.parse(stdout) as { calls: { requests: unknown }[]; response: unknown };
  t.strictSame(calls[0]!.requests, [
    { bytes: 2, json: { count: 1 } },
    { bytes: 2, json: { count: 2 } },
  ]);
  t.equal(response, null);
});

void t.test('what is refused after the call began is shown; upgrades are refused', async (t) => {
  const folder = t.testdir(files);
  const upload = ['call', 'POST', '/v1/upload', '-H', 'content-type: application/x-ndjson', ...base];
  const bad = await runMain([...upload, '-d', '{"count":1}\n{"count":"bad"}\n'], folder);
  t.equal(bad.code, 1);
  t.match(bad.stdout, /^< HTTP\/1\.1 400/m);
  const socket = ['-H', 'connection: Upgrade', '-H', 'upgrade: websocket', '-H', 'sec-websocket-version: 13'];
  const key = ['-H', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='];
  const upgraded = await runMain(['call', 'GET', '/v1/watch/a', ...socket, ...key, ...base], folder);
  t.equal(upgraded.code, 1);
  t.match(upgraded.stderr, 'call-failed');
});

void t.test('with --send: the call, its answer with trailers, and the answer of the proxy', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  service.answer = () => ({
    headers: { 'x-at': 'start' },
    trailers: { 'x-end': 'yes', 'x-raw-bin': Buffer.from([1]) },
  });
  const upstream = ['--upstream', service.target];
  const folder = t.testdir(files);
  const { code, stdout } = await runMain(
    ['call', 'POST', '/v1/tea:buy', '-d', '{}', '--send', ...base, ...upstream],
    folder,
  );
  t.equal(code, 0);
  t.match(side(stdout, '=> ')[0], `/shop.v1.Shop/Buy at ${service.target}`);
  const answer = side(stdout, '<= ').join('\n');
  t.match(answer, /^x-at: start$/m);
  t.match(answer, /^message of 5 bytes\n\{\n {2}"name": "tea"\n\}\nstatus 0 OK.*\n[^]*^x-end: yes$/m);
  t.match(answer, /^x-raw-bin: AQ==$/m);
  t.match(stdout, /^< HTTP\/1\.1 200 OK$[^]*^\{"name":"tea"\}$/m);
  t.equal(service.calls.length, 1);

  service.answer = () => ({ code: 5, details: 'no tea' });
  const failed = await runMain(['call', 'POST', '/v1/tea:buy', '-d', '{}', '--send', ...base, ...upstream], folder);
  t.equal(failed.code, 1);
  t.match(failed.stdout, /^<= status 5 NOT_FOUND: no tea$[^]*^< HTTP\/1\.1 404/m);

  service.answer = ({ message }) => ({ messages: [message, message] });
  const stream = await runMain(['call', 'GET', '/v1/watch/a', '--send', '--json', ...base, ...upstream], folder);
  t.equal(stream.code, 0);
  const { calls, response } = JSON.parse(stream.stdout) as {
    calls: { responses: unknown; status: unknown }[];
    response: { status: number; body: string };
  };
  t.strictSame(calls[0]!.responses, [
    { bytes: 3, json: { name: 'a' } },
    { bytes: 3, json: { name: 'a' } },
  ]);
  t.match(calls[0]!.status, { code: 0, name: 'OK' });
  t.strictSame(JSON.parse(response.body), [{ name: 'a' }, { name: 'a' }]);
});

void t.test('a message that is not of its type is shown as bytes', async (t) => {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  service.answer = () => ({ message: Buffer.from([0xff]) });
  const args = ['call', 'POST', '/v1/tea:buy', '-d', '{}', '--send', ...base, '--upstream', service.target];
  const { code, stdout } = await runMain(args, t.testdir(files));
  t.equal(code, 1);
  t.match(side(stdout, '<= ').join('\n'), /^message of 1 bytes\nbase64 \/w==$/m);
});

const refused: readonly (readonly [name: string, args: readonly string[], code: number, words: RegExp])[] = [
  ['no such route', ['GET', '/none'], 1, /^< HTTP\/1\.1 404/m],
  ['a wrong field', ['GET', '/v1/watch/a?cont=1'], 1, /^< HTTP\/1\.1 400[^]*did you mean \\"count\\"/m],
  ['a page of the proxy', ['GET', '/openapi.json'], 0, /^< HTTP\/1\.1 200 OK/m],
  ['not a header', ['GET', '/v1/watch/a', '-H', 'nothing'], 1, /bad-header.*"nothing"/],
  [
    'a length',
    ['GET', '/v1/watch/a', '-H', 'Content-Length: 999'],
    1,
    /bad-header.*writes the length[^]*leave content-length/,
  ],
  ['a coding', ['GET', '/v1/watch/a', '-H', 'transfer-encoding: chunked'], 1, /bad-header.*writes the length/],
  ['no such body', ['POST', '/v1/upload', '-d', '@none.json'], 1, /call-body.*none\.json/],
  ['no target', ['GET'], 2, /target|arguments/],
  ['not a target', ['GET', 'v1 x'], 1, /call-failed/],
];

void t.test('what is refused', async (t) => {
  const folder = t.testdir(files);
  for (const [name, args, code, words] of refused) {
    const result = await runMain(['call', ...args, ...base], folder);
    t.equal(result.code, code, name);
    t.match(result.stdout + result.stderr, words, name);
  }
  const two = await runMain(['call', 'GET', '/v1/watch/a', ...base, '--listen', '1', '--listen', '2'], folder);
  t.equal(two.code, 1);
  t.match(two.stderr, 'which-listener');
  const chosen = [...base, '--listen', '1', '--listen', '2', '--listener', '2'];
  t.match((await runMain(['call', 'GET', '/v1/watch/a', ...chosen], folder)).stdout, 'host: 127.0.0.1:2');
});
