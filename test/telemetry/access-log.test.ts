/** The access log and the log of failures, over real sockets: what a reader of these lines alone learns. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openLogFile, textLog } from '../../lib/telemetry/index.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere, type ServedHere, type TerminalOptions } from '../support/serve-here.js';
import { until } from '../support/until.js';
import { WebSocket } from 'ws';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello {
  rpc Say(Msg) returns (Msg) { option (google.api.http) = { get: "/v1/hello/{name}" additional_bindings { post: "/v1/hello" body: "*" } }; }
  rpc Watch(Msg) returns (stream Msg) { option (google.api.http) = { get: "/v1/watch/{name}" }; }
  rpc Talk(stream Msg) returns (stream Msg) { option (google.api.http) = { post: "/v1/talk" body: "*" }; }
}
message Msg { string name = 1; string token = 2; Msg inner = 3; }
`;
const schema = schemaFromText(proto);

interface Served extends ServedHere {
  readonly service: EchoService;
  readonly url: string;
  /** Access lines, once there are so many. */
  readonly requests: (count: number) => Promise<Record<string, unknown>[]>;
}

async function serve(
  t: Test,
  args: readonly string[] = [],
  terminal: TerminalOptions = {},
  files: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const folder = t.testdir({ 'a.proto': proto, ...files });
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const all = ['--proto', 'a.proto', '--upstream', service.target, '--listen', '0', ...args];
  const here = await serveHere(all, folder, terminal);
  t.teardown(() => here.stop());
  return {
    ...here,
    service,
    url: here.urls[0]!,
    requests: async (count) => {
      const found = (): Record<string, unknown>[] => here.lines().filter(({ msg }) => msg === 'request');
      await until(() => found().length >= count, `${count} lines in ${here.errors()}`);
      return found();
    },
  };
}

void t.test('a line for each request, as JSON', async (t) => {
  const { url, service, requests } = await serve(t, ['--access-log', 'json']);
  const headers = { 'user-agent': 'test/1', traceparent: `00-${'a'.repeat(31)}1-${'b'.repeat(16)}-01` };
  await send(url, 'GET /v1/hello/Ada?token=s3cret&inner.token=s3cret2&inner.name=x', { headers });
  service.answer = () => ({ code: 13, details: 'the disk is full' });
  const body = '{"name":"Grace"}';
  await send(url, 'POST /v1/hello', { body });
  await send(url, 'GET /nowhere');
  await send(url, 'PUT /v1/hello/Ada');
  await send(url, 'GET /health');
  const [get, post, missing, wrongMethod, health] = await requests(5);
  t.match(get, {
    level: 'info',
    time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    request_id: /^[\w-]{36}$/,
    client: '127.0.0.1',
    method: 'GET',
    path: '/v1/hello/Ada',
    query: 'token=[redacted]&inner.token=[redacted]&inner.name=x',
    route: '/v1/hello/{name}',
    rpc: 'a.v1.Hello.Say',
    status: 200,
    code: 'OK',
    bytes_in: 0,
    upstream: service.target,
    trace_id: `${'a'.repeat(31)}1`,
    user_agent: 'test/1',
  });
  for (const name of ['duration_ms', 'policy_ms', 'request_ms', 'upstream_ms']) {
    t.ok(typeof get![name] === 'number' && get![name] >= 0, `${name}: ${String(get![name])}`);
  }
  const stages = ['policy_ms', 'request_ms', 'upstream_ms'].map((name) => get![name] as number);
  t.ok(
    stages.reduce((sum, ms) => sum + ms, 0) <= (get!['duration_ms'] as number) + 0.01,
    'stages are parts of the whole',
  );
  t.notOk('error' in get! || 'outcome' in get!);
  t.match(post, { level: 'error', status: 500, code: 'INTERNAL', bytes_in: body.length, error: 'the disk is full' });
  t.match(missing, { level: 'info', status: 404, error: /^no route for GET/ });
  t.notOk('route' in missing! || 'rpc' in missing!);
  t.match(wrongMethod, { status: 405 });
  t.match(health, { route: '/health' });
});

void t.test('gRPC, gRPC-Web and Connect have their names', async (t) => {
  const { url, requests } = await serve(t, [
    '--access-log',
    'json',
    '--access-log-fields',
    'protocol,route,rpc,code,status',
  ]);
  const frame = Buffer.from([0, 0, 0, 0, 0]);
  const say = 'POST /a.v1.Hello/Say';
  await send(url, say, { headers: { 'content-type': 'application/grpc-web' }, body: frame });
  await send(url, say, {
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: '{}',
  });
  await send(url, 'POST /a.v1.Hello/Nothing', { headers: { 'content-type': 'application/grpc-web' }, body: frame });
  const lines = await requests(3);
  const called = { route: '/a.v1.Hello/Say', rpc: 'a.v1.Hello.Say', code: 'OK', status: 200 };
  t.match(lines, [
    { protocol: 'grpc-web', ...called },
    { protocol: 'connect', ...called },
    { protocol: 'grpc-web', status: 200 },
  ]);
  t.notOk('rpc' in lines[2]!, 'a name that a client made up is no RPC');
  t.strictSame(Object.keys(lines[0]!), ['level', 'time', 'protocol', 'route', 'rpc', 'code', 'status', 'msg']);
});

void t.test('streams: messages, and how they ended', async (t) => {
  const { url, service, requests, lines } = await serve(t, ['--access-log', 'json']);
  service.answer = () => ({ messages: [Buffer.from('0a0161', 'hex'), Buffer.from('0a0162', 'hex')] });
  await send(url, 'GET /v1/watch/x');
  const [whole] = await requests(1);
  t.match(whole, { rpc: 'a.v1.Hello.Watch', code: 'OK', status: 200, messages_in: 1, messages_out: 2 });

  service.answer = () => ({ drive: () => undefined });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /v1/watch/slow HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await until(() => service.calls.length === 2);
  socket.destroy();
  const [, gone] = await requests(2);
  t.match(gone, { path: '/v1/watch/slow', status: 499, outcome: 'client_gone' });

  service.answer = () => ({});
  const web = new WebSocket(`${url.replace('http', 'ws')}/v1/talk`);
  await once(web, 'open');
  web.send('{"name":"one"}');
  await once(web, 'message');
  web.send('');
  await once(web, 'close');
  const [, , talk] = await requests(3);
  t.match(talk, { rpc: 'a.v1.Hello.Talk', status: 101, code: 'OK', messages_in: 1, bytes_in: 14 });
  t.equal(lines().filter(({ msg }) => msg === 'request').length, 3, 'each once');
});

void t.test('the log alone tells what happened: an upstream goes and comes back, a 500, a slow stream', async (t) => {
  const { url, service, lines, requests } = await serve(t, [
    '--access-log',
    'json',
    '--initial-reconnect-backoff',
    '5ms',
  ]);
  const port = Number(service.target.split(':')[1]);
  await send(url, 'GET /v1/hello/before');
  service.close();
  await until(async () => (await send(url, 'GET /v1/hello/down')).status === 503);
  const back = await startEchoService(schema, undefined, port);
  t.teardown(() => back.close());
  await until(async () => (await send(url, 'GET /v1/hello/back')).status === 200);
  const told = lines().filter(({ msg }) => /^upstream /.test(String(msg)));
  t.match(told[0], { level: 'warn', upstream: service.target, error: /connection refused/ });
  t.match(told[1], { level: 'info', msg: `upstream ${service.target} is connected again` });
  t.equal(told.length, 2);
  const down = (await requests(3)).find(({ status }) => status === 503);
  t.match(down, { code: 'UNAVAILABLE', error: `cannot connect to ${service.target}: connection refused` });

  back.answer = () => ({ code: 2, details: 'boom' });
  await send(url, 'GET /v1/hello/failed');
  t.match(
    lines().find(({ msg }) => /failed with/.test(String(msg))),
    {
      level: 'error',
      msg: 'GET /v1/hello/failed failed with 500 UNKNOWN: boom',
      rpc: 'a.v1.Hello.Say',
      code: 'UNKNOWN',
    },
  );

  back.answer = () => ({
    drive: (call) => {
      call.write(Buffer.from('0a0161', 'hex'));
      setTimeout(() => call.emit('error', { code: 13, details: 'lost the disk' }), 50);
    },
  });
  await send(url, 'GET /v1/watch/slow').catch(() => undefined);
  await until(() => lines().some(({ path, msg }) => path === '/v1/watch/slow' && msg === 'request'));
  const stream = lines().find(({ path, msg }) => path === '/v1/watch/slow' && msg === 'request')!;
  t.match(stream, { status: 200, code: 'INTERNAL', error: 'lost the disk', messages_out: 1, outcome: 'aborted' });
  t.ok((stream['duration_ms'] as number) >= 45, String(stream['duration_ms']));
  t.ok((stream['upstream_ms'] as number) < (stream['duration_ms'] as number), 'the first message was there before');
  t.ok(lines().some(({ msg }) => msg === 'GET /v1/watch/slow failed with 500 INTERNAL: lost the disk'));
});

void t.test('without any option failures are logged, and nothing else', async (t) => {
  const { url, service, lines, stop } = await serve(t);
  await send(url, 'GET /v1/hello/Ada');
  await send(url, 'GET /nowhere');
  service.answer = () => ({ code: 5 });
  await send(url, 'GET /v1/hello/Ada');
  service.answer = () => ({ code: 13, details: 'boom' });
  for (let count = 0; count < 5; count++) await send(url, 'GET /v1/hello/Ada');
  await stop();
  const said = lines().map(({ level, msg }) => `${String(level)} ${String(msg)}`);
  t.strictSame(said, [
    'info started',
    'error GET /v1/hello/Ada failed with 500 INTERNAL: boom',
    'info SIGTERM, finishing what is in flight; once more to end at once',
    'info stopped',
    'error GET /v1/hello/Ada failed with 500 INTERNAL: boom (and 3 requests before)',
  ]);
});

void t.test('levels', async (t) => {
  const quiet = await serve(t, ['--log-level', 'off']);
  quiet.service.answer = () => ({ code: 13, details: 'boom' });
  await send(quiet.url, 'GET /v1/hello/Ada');
  await quiet.stop();
  t.equal(quiet.errors(), '');
});

void t.test('samples: errors and slow requests are always logged', async (t) => {
  const none = ['--access-log', 'json', '--access-log-sample', '0'];
  const fast = await serve(t, [...none, '--access-log-slow', '1h']);
  await send(fast.url, 'GET /v1/hello/fast');
  await send(fast.url, 'GET /nowhere');
  t.match(await fast.requests(1), [{ path: '/nowhere' }]);
  t.equal((await fast.requests(1)).length, 1);
  const slow = await serve(t, [...none, '--access-log-slow', '1ms']);
  slow.service.answer = () => ({ delayMs: 5 });
  await send(slow.url, 'GET /v1/hello/slow');
  t.match(await slow.requests(1), [{ path: '/v1/hello/slow' }]);
});

void t.test('on a terminal: one readable line, coloured if it may be', async (t) => {
  const plain = await serve(t, ['--access-log', 'auto'], { interactive: true });
  await send(plain.url, 'GET /v1/hello/Ada?token=x&inner.name=y', { headers: { 'user-agent': 'test' } });
  plain.service.answer = () => ({ code: 13, details: 'a\u001b[31mb' });
  await send(plain.url, 'GET /v1/hello/Eve');
  await until(() => plain.errors().includes('/v1/hello/Eve'));
  await plain.stop();
  const [ok, ...rest] = plain.errors().split('\n');
  t.match(
    ok,
    /^\d{4}-\S+Z request_id=\S+ 127\.0\.0\.1 GET \/v1\/hello\/Ada\?token=\[redacted\]&inner\.name=y a\.v1\.Hello\.Say 200 OK \d+B [\d.]+ms upstream=\S+ user_agent=test$/,
  );
  const text = rest.join('\n');
  t.match(text, / 500 INTERNAL .*\(a\\x1b\[31mb\)\n/);
  t.notMatch(plain.errors(), '\u001b');

  const colored = await serve(t, ['--access-log', 'auto'], { interactive: true, color: true });
  await send(colored.url, 'GET /v1/hello/Ada');
  await until(() => colored.errors().includes('\u001b[32m200\u001b[0m'));
});

void t.test('query parameters that the configuration names', async (t) => {
  const { url, requests } = await serve(t, ['--access-log', 'json', '--log-redact-query', 'inner.name']);
  await send(url, 'GET /v1/hello/Ada?token=a&inner.name=b');
  t.match(await requests(1), [{ query: 'token=a&inner.name=[redacted]' }]);
});

void t.test('headers by name, without credentials', async (t) => {
  const fields = 'header.Referer,header.authorization,header.cookie';
  const { url, requests } = await serve(t, ['--access-log', 'json', '--access-log-fields', fields]);
  await send(url, 'GET /v1/hello/Ada', { headers: { referer: 'http://a/', authorization: 'Bearer x', cookie: 'a=b' } });
  t.match(await requests(1), [
    { 'header.Referer': 'http://a/', 'header.authorization': '[redacted]', 'header.cookie': '[redacted]' },
  ]);
});

void t.test('a file, moved away and opened anew', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'access.log');
  const { url, errors, hangUp, lines } = await serve(t, ['--access-log', 'auto', '--access-log-file', file]);
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  await send(url, 'GET /v1/hello/one');
  await until(() => read(file).includes('/v1/hello/one'));
  renameSync(file, join(folder, 'old.log'));
  hangUp();
  await until(() => lines().some(({ msg }) => msg === 'reloaded'));
  await send(url, 'GET /v1/hello/two');
  await until(() => read(file).includes('/v1/hello/two'));
  t.notMatch(read(join(folder, 'old.log')), '/v1/hello/two');
  t.notMatch(errors(), '/v1/hello');
  await t.rejects(serve(t, ['--access-log', 'auto', '--access-log-file', join(folder, 'none/x')]), /log-file/);
});

void t.test('a file that cannot be opened anew is written on', async (t) => {
  const folder = join(t.testdir({ a: {} }), 'a');
  const away = `${folder}-away`;
  const problems: string[] = [];
  const file = openLogFile(join(folder, 'x.log'), (problem) => problems.push(problem));
  await new Promise((resolve) => setTimeout(resolve, 20));
  renameSync(folder, away);
  file.reopen();
  file.write('one\n');
  file.close();
  file.write('late\n');
  t.match(problems, [/^the log file ".*" cannot be opened anew: ENOENT.*x\.log/]);
  t.equal(readFileSync(join(away, 'x.log'), 'utf8'), 'one\n');
});

void t.test('line feeds of others make no lines of ours', (t) => {
  let text = '';
  textLog('info', (lines) => (text += lines)).write('error', 'boom\nphotongate: reloaded\u001b[31m');
  t.equal(text, 'photongate: boom\n  photongate: reloaded\\x1b[31m\n');
  t.end();
});

void t.test('a reload takes other options', async (t) => {
  const folder = t.testdir({ 'a.proto': proto, 'p.yaml': 'access_log: off\n' });
  const service = await startEchoService(schema);
  t.teardown(() => service.close());
  const args = ['--config', 'p.yaml', '--proto', 'a.proto', '--upstream', service.target, '--listen', '0'];
  const here = await serveHere(args, folder);
  t.teardown(() => here.stop());
  await send(here.urls[0]!, 'GET /v1/hello/one');
  writeFileSync(join(folder, 'p.yaml'), 'access_log: json\naccess_log_fields: [path]\n');
  here.hangUp();
  await until(() => here.lines().some(({ msg }) => msg === 'reloaded'));
  await send(here.urls[0]!, 'GET /v1/hello/two');
  await until(() => here.lines().some(({ msg }) => msg === 'request'));
  t.strictSame(
    here.lines().flatMap(({ msg, path }) => (msg === 'request' ? [path] : [])),
    ['/v1/hello/two'],
  );
});

void t.test('attempts of a call that was sent again', async (t) => {
  const { url, service, requests } = await serve(
    t,
    ['--access-log', 'json', '--config', 'r.yaml'],
    {},
    {
      'r.yaml': 'retries: { initial_backoff: 1ms }',
    },
  );
  service.answer = () => (service.calls.length < 3 ? { code: 14 } : {});
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 200);
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 200);
  const [first, second] = await requests(2);
  t.match(first, { attempts: 3, code: 'OK' });
  t.notOk('attempts' in (second ?? {}), 'once is the rule');
});
