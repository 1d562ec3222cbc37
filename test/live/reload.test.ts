/** Routes that are exchanged while requests run: `reload` of a proxy in this process, and `--watch` of the command. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Config, ConfigError, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { watchFiles } from '../../lib/live/index.js';
import { serveCli } from '../support/cli.js';
import { send } from '../support/proxy.js';
import { fileOf, type ReflectionServer, startReflectionServer } from '../support/reflection.js';
import { until } from '../support/until.js';

const greeter = fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v1/hello/{name}' });

/** `/path` is a GET, `POST /path` takes a body. */
const ruleOf = (path: string): string =>
  path.startsWith('POST ') ? `post: "${path.slice(5)}" body: "*"` : `get: "${path}"`;

const protoWith = (path: string): string => `syntax = "proto3";
package greeter.v1;
import "google/api/annotations.proto";
service Greeter { rpc Hello(M) returns (M) { option (google.api.http) = { ${ruleOf(path)} }; } }
message M { string name = 1; }
`;

async function service(t: Test): Promise<ReflectionServer> {
  const started = await startReflectionServer({ files: [greeter] });
  t.teardown(() => started.close());
  return started;
}

interface World {
  readonly url: string;
  readonly proxy: RunningProxy;
  /** Writes the proto and reads everything again. */
  readonly reload: (path: string, upstream?: string, yaml?: string) => ReturnType<RunningProxy['reload']>;
}

async function world(t: Test, upstream: string): Promise<World> {
  const folder = t.testdir({ 'p.yaml': 'listeners: [{ listen: 0 }]\n', 'greeter.proto': protoWith('/v1/{name}') });
  const load = (target: string): Config =>
    loadConfig({
      flags: { proto: ['greeter.proto'], upstreams: [target] },
      file: 'p.yaml',
      workingDirectory: folder,
    });
  const proxy = await startProxy(load(upstream));
  t.teardown(() => proxy.drain());
  return {
    url: proxy.urls[0]!,
    proxy,
    reload: (path, target = upstream, yaml = 'listeners: [{ listen: 0 }]\n') => {
      writeFileSync(join(folder, 'greeter.proto'), protoWith(path));
      writeFileSync(join(folder, 'p.yaml'), yaml);
      return Promise.resolve().then(() => proxy.reload(load(target)));
    },
  };
}

void t.test('other routes, on the same port', async (t) => {
  const { target } = await service(t);
  const { url, reload } = await world(t, target);
  t.equal((await send(url, 'GET /v1/Ada')).status, 200);
  t.strictSame(await reload('/v2/{name}'), []);
  t.equal((await send(url, 'GET /v2/Ada')).text, '{"name":"Ada"}');
  t.equal((await send(url, 'GET /v1/Ada')).status, 404);
});

void t.test('what is broken changes nothing, and says why', async (t) => {
  const { target } = await service(t);
  const { url, reload } = await world(t, target);
  const error = await reload('/v2/{nope}').catch((thrown: unknown) => thrown);
  t.ok(error instanceof ConfigError);
  t.match((error as ConfigError).problems, [{ code: 'unknown-field', place: { line: 4 } }]);
  t.equal((await send(url, 'GET /v1/Ada')).status, 200);
  t.strictSame(await reload('/v3/{name}'), []);
  t.equal((await send(url, 'GET /v3/Ada')).status, 200);
});

void t.test('requests in flight end on the old routes and the old upstream, which is closed after them', async (t) => {
  const [before, after] = [await service(t), await service(t)];
  const { url, reload, proxy } = await world(t, before.target);
  let release = (): void => undefined;
  before.hold = new Promise((resolve) => (release = resolve));
  const { channel } = proxy.prepared.listeners[0]!.parts[0]!.services[0]!;
  const flying = send(url, 'GET /v1/Ada');
  await until(() => before.calls === 1);
  await reload('/v2/{name}', after.target);
  t.equal((await send(url, 'GET /v2/Bob')).text, '{"name":"Bob"}');
  t.equal(after.calls, 1);
  t.ok(await channel.connect(1000), 'the old channel stands as long as its request');
  release();
  t.strictSame([(await flying).status, (await flying).text], [200, '{"name":"Ada"}']);
  t.notOk(await channel.connect(1000), 'and is closed then');
});

void t.test('a channel that stays is the same one', async (t) => {
  const { target } = await service(t);
  const { reload, proxy } = await world(t, target);
  const channelOf = () => proxy.prepared.listeners[0]!.parts[0]!.services[0]!.channel;
  const before = channelOf();
  await reload('/v2/{name}');
  t.equal(channelOf(), before);
  t.ok(await before.connect(1000));
});

void t.test('a request whose body is still on its way keeps its upstream', async (t) => {
  const [before, after] = [await service(t), await service(t)];
  const { url, reload } = await world(t, before.target);
  await reload('POST /up');
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  const head = 'POST /up HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 14\r\n';
  socket.write(`${head}expect: 100-continue\r\n\r\n`);
  await until(() => answer.includes('100 Continue'));
  await reload('/v2/{name}', after.target);
  t.equal((await send(url, 'GET /v2/Ada')).status, 200);
  socket.write('{"name":"Ada"}');
  await until(() => answer.endsWith('{"name":"Ada"}'));
  t.match(answer, /HTTP\/1\.1 200/);
  t.strictSame([before.calls, after.calls], [1, 1]);
});

void t.test(
  'max_concurrent_requests counts what a reload left on the old routes, and all mounts of a listener',
  async (t) => {
    const upstream = await service(t);
    const { url, reload } = await world(t, upstream.target);
    const services = 'services: [greeter.v1]';
    const listener = `{ listen: 0, ${services}, mounts: { /m: { ${services} } } }`;
    const mounts = `listeners: [${listener}]\nmax_concurrent_requests: 2\n`;
    await reload('/v1/{name}', upstream.target, mounts);
    let release = (): void => undefined;
    upstream.hold = new Promise((resolve) => (release = resolve));
    const flying = ['GET /v1/Ada', 'GET /m/v1/Bob'].map((line) => send(url, line));
    await until(() => upstream.calls === 2);
    const refused = { status: 503, json: { message: /^2 requests are under way already/ } };
    t.match(await send(url, 'GET /m/v1/Cy'), refused, 'root and mount together');
    await reload('/v2/{name}', upstream.target, mounts);
    t.match(await send(url, 'GET /v2/Cy'), refused, 'after a reload');
    release();
    t.strictSame(
      (await Promise.all(flying)).map(({ status }) => status),
      [200, 200],
    );
    t.equal((await send(url, 'GET /v2/Cy')).status, 200, 'when they have ended');
  },
);

void t.test('addresses and limits of the port need a restart, and are told', async (t) => {
  const { target } = await service(t);
  const { url, reload } = await world(t, target);
  const limits = await reload('/v2/{name}', target, 'listeners: [{ listen: 0 }]\nheader_timeout: 3s\n');
  t.match(limits, [{ code: 'needs-restart', message: /^header_timeout of the listener 0 changed/ }]);
  t.equal((await send(url, 'GET /v2/Ada')).status, 200, 'the routes are taken');
  const addresses = await reload('/v3/{name}', target, 'listeners: [{ listen: "127.0.0.1:1" }]\n');
  t.match(addresses, [
    { code: 'needs-restart', message: /^the listener 0 is no longer in the configuration/ },
    { code: 'needs-restart', message: /^the listener 127\.0\.0\.1:1 is new/ },
  ]);
  t.equal((await send(url, 'GET /v2/Ada')).status, 200, 'a listener without a successor goes on');
});

void t.test('a reload whose new upstream does not tell its schema changes nothing', async (t) => {
  const { target } = await service(t);
  const load = (upstream: string): Config =>
    loadConfig({ flags: { reflection: true, upstreams: [upstream], listen: ['0'] } });
  const proxy = await startProxy(load(target));
  t.teardown(() => proxy.drain());
  await t.rejects(proxy.reload(load('127.0.0.1:1')), /the schema of 127\.0\.0\.1:1 cannot be loaded/);
  t.equal((await send(proxy.urls[0]!, 'GET /v1/hello/Ada')).status, 200);
});

void t.test('files that change', async (t) => {
  const folder = t.testdir({ 'a.proto': 'a', 'b.proto': 'b' });
  const path = (name: string): string => join(folder, name);
  let paths = new Set([path('a.proto'), path('b.proto'), path('later/c.proto'), folder]);
  let changes = 0;
  const stop = await watchFiles(
    () => paths,
    () => {
      changes++;
      return Promise.resolve();
    },
  );
  t.teardown(stop);
  const steps: readonly [name: string, step: () => void][] = [
    ['written', () => writeFileSync(path('a.proto'), 'aa')],
    [
      'renamed over',
      () => {
        writeFileSync(path('a.tmp'), 'aaa');
        renameSync(path('a.tmp'), path('a.proto'));
      },
    ],
    ['removed', () => rmSync(path('b.proto'))],
    ['there again', () => writeFileSync(path('b.proto'), 'b')],
    [
      'in a folder that was not there',
      () => {
        mkdirSync(path('later'));
        writeFileSync(path('later/c.proto'), 'c');
      },
    ],
  ];
  for (const [name, step] of steps) {
    const before = changes;
    step();
    await until(() => changes > before);
    t.pass(name);
  }
  paths = new Set([path('b.proto')]);
  stop();
  const before = changes;
  writeFileSync(path('b.proto'), 'bb');
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(changes, before, 'not after the stop');
});

void t.test('photongate --watch', async (t) => {
  const { target } = await service(t);
  const folder = t.testdir({
    'p.yaml': 'proto: greeter.proto\nwatch: true\nlisten: 0\nrules: rules.yaml\n',
    'rules.yaml': 'http: { rules: [] }\n',
    'greeter.proto': protoWith('/v1/{name}'),
  });
  const { child, urls, finished } = await serveCli(['--config', 'p.yaml', '--upstream', target], folder);
  const url = urls[0]!;
  let errors = '';
  child.stderr!.on('data', (chunk: string) => (errors += chunk));
  const serves = (path: string) => async () => (await send(url, `GET ${path}`)).status === 200;
  t.ok(await serves('/v1/Ada')());
  writeFileSync(join(folder, 'greeter.proto'), protoWith('/v2/{name}'));
  await until(serves('/v2/Ada'));
  writeFileSync(join(folder, 'greeter.proto'), 'syntax = "proto3";\nmessage {\n');
  await until(() => errors.includes('not reloaded'));
  t.match(errors, /"code":"proto-syntax"/);
  t.ok(await serves('/v2/Ada')(), 'the old routes serve on');
  writeFileSync(join(folder, 'greeter.proto'), protoWith('/v3/{name}'));
  await until(serves('/v3/Ada'));
  const rules = 'http: { rules: [{ selector: greeter.v1.Greeter.Hello, get: "/v4/{name}" }] }\n';
  writeFileSync(join(folder, 'rules.yaml'), rules);
  await until(serves('/v4/Ada'));
  writeFileSync(join(folder, 'p.yaml'), 'proto: [\n');
  await until(() => errors.includes('config-syntax'));
  writeFileSync(join(folder, 'p.yaml'), 'proto: greeter.proto\nlisten: 1\nrules: rules.yaml\nenvelope: photon\n');
  await until(() => errors.includes('needs-restart'));
  child.kill('SIGTERM');
  t.equal((await finished).code, 0);
});

void t.test('photongate --reflection', async (t) => {
  const { target, close, port } = await service(t);
  const args = ['--reflection', '--upstream', target, '--listen', '0', '--reflection-interval', '100ms'];
  const { child, urls, finished } = await serveCli(args, t.testdir());
  t.equal((await send(urls[0]!, 'GET /v1/hello/Ada')).status, 200);
  let errors = '';
  child.stderr!.on('data', (chunk: string) => (errors += chunk));
  close();
  await until(() => errors.includes('does not tell its schema any more'));
  const changed = fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v2/{name}' });
  const next = await startReflectionServer({ files: [changed] }, { port });
  t.teardown(() => next.close());
  await until(async () => (await send(urls[0]!, 'GET /v2/Ada')).status === 200);
  child.kill('SIGTERM');
  t.equal((await finished).code, 0);
});
