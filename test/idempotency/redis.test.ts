/** Idempotency keys in a real Redis (`apt-get install redis-server`): several proxies, passwords, and what happens without it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { RedisStore, type IdempotencyStore, MemoryStore } from '../../lib/idempotency/index.js';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';

const isThere = spawnSync('redis-server', ['--version']).status === 0;
const skip = isThere ? false : 'redis-server is not installed';
if (!isThere && process.env['REQUIRE_REDIS'] !== undefined) throw new Error('redis-server is not installed');

const proto = `
syntax = "proto3";
package r.v1;
import "google/api/annotations.proto";
service R { rpc Create(M) returns (M) { option (google.api.http) = { post: "/v1/{name}" body: "*" }; } }
message M { string name = 1; string text = 2; }
`;

interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startRedis(t: Test, args: readonly string[] = [], given?: number): Promise<RedisServer> {
  const port = given ?? (await freePort());
  const process = spawn('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    t.testdir(),
    ...args,
  ]);
  const closed = once(process, 'close');
  await new Promise<void>((resolve) => {
    process.stdout.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Ready to accept connections')) resolve();
    });
  });
  const stop = async (): Promise<void> => {
    process.kill('SIGKILL');
    await closed;
  };
  t.teardown(stop);
  return { port, stop };
}

const settings = (port: number, more: object = {}) => ({ redis: { url: `redis://127.0.0.1:${port}`, ...more } });

async function withProxy(t: Test, idempotency: object): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, {}, JSON.stringify({ policies: { idempotency } }));
  t.teardown(() => proxy.close());
  return proxy;
}

const post = (proxy: TestProxy, key: string): Promise<TestResponse> =>
  proxy.send('POST /v1/a', {
    body: '{"text":"x"}',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
  });

const replayed = ({ status, headers }: TestResponse): unknown[] => [status, headers['idempotent-replayed']];

/** The first answer that is no 503: the connection takes a moment. */
async function whenConnected(proxy: TestProxy, key: string): Promise<TestResponse> {
  for (;;) {
    const answer = await post(proxy, key);
    if (answer.status !== 503) return answer;
  }
}

void t.test('two proxies with one Redis', { skip }, async (t) => {
  const { port } = await startRedis(t);
  const one = await withProxy(t, settings(port));
  const two = await withProxy(t, settings(port));
  t.strictSame(replayed(await whenConnected(one, 'k')), [200, undefined]);
  await whenConnected(two, 'other');
  t.strictSame(replayed(await post(two, 'k')), [200, 'true']);
  t.equal(two.service.calls.length, 1);
  const apart = await withProxy(t, settings(port, { prefix: 'apart:' }));
  t.strictSame(replayed(await whenConnected(apart, 'k')), [200, undefined]);
  const many = await Promise.all(Array.from({ length: 20 }, (_, n) => post(n % 2 === 0 ? one : two, 'race')));
  t.equal(
    many.filter((answer) => answer.status === 200 && answer.headers['idempotent-replayed'] === undefined).length,
    1,
  );
  t.ok(many.every(({ status }) => status === 200 || status === 409));
});

void t.test('without Redis requests are 503, or pass', { skip }, async (t) => {
  const redis = await startRedis(t);
  const closed = await withProxy(t, settings(redis.port, { timeout: '2s' }));
  const open = await withProxy(t, settings(redis.port, { failure_mode_allow: true }));
  await whenConnected(closed, 'k');
  await redis.stop();
  const refused = await post(closed, 'k');
  t.match(
    [refused.status, refused.headers['retry-after'], refused.json],
    [503, '1', { code: 14, message: /not carried out/ }],
  );
  t.notMatch(refused.text, /127\.0\.0\.1/, 'clients learn no addresses');
  t.equal(closed.service.calls.length, 1);
  t.strictSame(replayed(await post(open, 'k')), [200, undefined]);
  await startRedis(t, [], redis.port);
  t.strictSame(replayed(await whenConnected(closed, 'k')), [200, undefined], 'it connects again');
});

void t.test('a password from a file', { skip }, async (t) => {
  const { port } = await startRedis(t, ['--requirepass', 'open sesame']);
  const file = join(t.testdir(), 'password');
  writeFileSync(file, 'open sesame\n');
  const proxy = await withProxy(t, settings(port, { password_file: file }));
  t.strictSame(replayed(await whenConnected(proxy, 'k')), [200, undefined]);
  const wrong = await withProxy(t, settings(port));
  t.equal((await post(wrong, 'k')).status, 503);
});

void t.test('memory and Redis do the same', async (t) => {
  const stores: [string, IdempotencyStore][] = [
    ['memory', new MemoryStore({ maxEntries: 10, maxBytes: 10_000, now: () => 0 })],
  ];
  if (isThere) {
    const { port } = await startRedis(t);
    const url = `redis://127.0.0.1:${port}`;
    const redis = new RedisStore({
      url,
      passwordFile: undefined,
      prefix: 'p:',
      timeoutMs: 5000,
      failureModeAllow: false,
    });
    t.teardown(() => redis.close());
    for (;;) {
      const isUp = await redis.replace('x', 'x', undefined, 1).then(
        () => true,
        () => false,
      );
      if (isUp) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    stores.push(['redis', redis]);
  }
  for (const [name, store] of stores) {
    const steps = [
      await store.putIfAbsent('k', 'a', 60_000),
      await store.putIfAbsent('k', 'b', 60_000),
      await store.replace('k', 'b', 'c', 60_000),
      await store.replace('k', 'a', 'é"', 60_000),
      await store.putIfAbsent('k', 'b', 60_000),
      await store.replace('k', 'é"', undefined, 60_000),
      await store.replace('k', 'é"', 'x', 60_000),
      await store.putIfAbsent('k', 'b', 60_000),
      await store.putIfAbsent('__proto__', 'b', 60_000),
    ];
    t.strictSame(steps, [undefined, 'a', false, true, 'é"', true, false, undefined, undefined], name);
  }
});

void t.test('the package is a peer that may be missing', (t) => {
  const { peerDependenciesMeta } = createRequire(import.meta.url)('../../package.json') as {
    peerDependenciesMeta: Record<string, unknown>;
  };
  t.strictSame(peerDependenciesMeta['@redis/client'], { optional: true });
  t.end();
});
