/**
 * What configurations open, and close again: channels, connections to fallback servers, keys of tokens, looks at
 * certificates, reflection. After many reloads there is what one of them needs; after the end there is nothing.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Config, ConfigError, createGateway, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { certificate, nextTlsEvent, RenewableFiles } from '../support/certificates.js';
import { send, type TestResponse } from '../support/proxy.js';
import { fileOf, type ReflectionServer, startReflectionServer } from '../support/reflection.js';
import { jwksOf, signed, type TestKey, testKey } from '../support/tokens.js';
import { until } from '../support/until.js';

// Looks at certificates are intervals, and do not keep the process alive: nobody else counts them.
const intervals = new Set<unknown>();
const { setInterval: startInterval, clearInterval: endInterval } = globalThis;
globalThis.setInterval = (...args: Parameters<typeof startInterval>) => {
  const interval = startInterval(...args);
  intervals.add(interval);
  return interval;
};
globalThis.clearInterval = (interval) => {
  intervals.delete(interval);
  endInterval(interval);
};

/** `connectionCounts` after the end. */
const nothingOpen = { channels: 0, clusters: 0, fallbacks: 0, keySets: 0, apiKeyFiles: 0, shedders: 0 };

/** What the process has open, by kind: sockets, servers, watched folders, timers that keep it alive. */
function resources(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { interval: intervals.size };
  for (const kind of process.getActiveResourcesInfo()) {
    // Those come and go with every step of a test.
    if (
      /^(?:Immediate|TickObject|Timeout|FSReqPromise|FSReqCallback|CloseReq|.*Wrap$(?<!TCPSocketWrap|TCPServerWrap))/.test(
        kind,
      )
    )
      continue;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Waits until no more is open than at another time: what is closed takes a moment to go. */
async function untilResources(t: Test, expected: Readonly<Record<string, number>>, what: string): Promise<void> {
  const surplus = () => Object.entries(resources()).filter(([kind, count]) => count > (expected[kind] ?? 0));
  await until(() => surplus().length === 0).catch(() => undefined);
  t.strictSame(surplus(), [], `${what}: no more than ${JSON.stringify(expected)}`);
}

/** Answers as a fallback, and with keys below `/keys`; counts both. */
interface HttpServer {
  readonly url: string;
  readonly seen: { keys: number; fallback: number };
}

async function httpServer(t: Test, key: TestKey): Promise<HttpServer> {
  const seen = { keys: 0, fallback: 0 };
  const server: Server = createServer((request, response) => {
    const isKeys = request.url!.startsWith('/keys');
    seen[isKeys ? 'keys' : 'fallback']++;
    response.end(isKeys ? jwksOf(key) : 'fallback');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const proto = `syntax = "proto3";
package greeter.v1;
import "google/api/annotations.proto";
service Greeter { rpc Hello(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; }
`;

const told = fileOf('told.proto', 'told.v1.Told', { Hello: '/told/{name}' });

interface World {
  readonly service: ReflectionServer;
  readonly http: HttpServer;
  /** A configuration in which each thing that is open differs from that of another number. */
  readonly config: (number: number, edit?: (yaml: string) => string) => Config;
  readonly ask: (proxy: RunningProxy, path: string) => Promise<TestResponse>;
}

async function world(t: Test): Promise<World> {
  const files = [fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v1/{name}' }), told];
  const service = await startReflectionServer({ files, services: ['told.v1.Told'] });
  t.teardown(() => service.close());
  const key = await testKey('one');
  const token = await signed(key);
  const http = await httpServer(t, key);
  const folder = t.testdir({ 'greeter.proto': proto });
  let count = 0;
  return {
    service,
    http,
    config(number, edit = (yaml) => yaml) {
      const file = join(folder, `${++count}.yaml`);
      const tls = `{ ca: "${certificate('ca')}", authority: a${number}.example }`;
      const jwt = `{ issuer: issuer, audiences: [api], jwks: "${http.url}/keys${number}", except: [told.v1.*], protect_fallback: false }`;
      const yaml = `proto: greeter.proto
reflection: [told.v1]
reflection_interval: none
reflection_timeout: 10m
fallback: ${http.url}/base${number}
policies: { jwt: ${jwt} }
upstreams:
  greeter.v1: "${service.target}"
  told.v1: "${service.target}"
  secret.v1: { target: "127.0.0.1:1", tls: ${tls} }
connect_timeout: ${10_000 + number}ms
listeners: [{ listen: "127.0.0.1:0" }]
`;
      writeFileSync(file, edit(yaml));
      return loadConfig({ file, workingDirectory: folder });
    },
    ask: (proxy, path) => send(proxy.urls[0]!, `GET ${path}`, { headers: { authorization: `Bearer ${token}` } }),
  };
}

/** One request along everything that a configuration opens. */
async function useAll(t: Test, { ask }: World, proxy: RunningProxy): Promise<void> {
  const answers = [await ask(proxy, '/v1/Ada'), await ask(proxy, '/told/Ada'), await ask(proxy, '/elsewhere')];
  t.strictSame(
    answers.map(({ text }) => text),
    ['{"name":"Ada"}', '{"name":"Ada"}', 'fallback'],
  );
}

void t.test('fifty reloads leave what one leaves, also under requests in flight', async (t) => {
  const all = await world(t);
  const { service, config, ask } = all;
  const atFirst = resources();
  const proxy = await startProxy(config(999));
  await useAll(t, all, proxy);
  await proxy.reload(config(0));
  await useAll(t, all, proxy);
  const { connectionCounts } = proxy;
  t.strictSame(connectionCounts, { channels: 2, clusters: 0, fallbacks: 1, keySets: 1, apiKeyFiles: 0, shedders: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  const afterOne = resources();

  let release = (): void => undefined;
  service.hold = new Promise((resolve) => (release = resolve));
  const { calls } = service;
  const flying = ask(proxy, '/v1/Bob');
  await until(() => service.calls === calls + 1);
  service.hold = undefined;
  for (let number = 1; number <= 50; number++) {
    await proxy.reload(config(number));
    await useAll(t, all, proxy);
  }
  t.strictSame(
    proxy.connectionCounts,
    { channels: 4, clusters: 0, fallbacks: 2, keySets: 2, apiKeyFiles: 0, shedders: 0 },
    'besides, what the request began with',
  );
  release();
  t.equal((await flying).text, '{"name":"Bob"}');
  await until(() => proxy.connectionCounts.channels === 2);
  t.strictSame(proxy.connectionCounts, connectionCounts);
  await untilResources(t, afterOne, 'of the process');
  await proxy.drain();
  t.strictSame(proxy.connectionCounts, nothingOpen);
  await untilResources(t, atFirst, 'and nothing at the end');
});

void t.test('what stays in the configuration stays open', async (t) => {
  const all = await world(t);
  const { http, config, service } = all;
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  await useAll(t, all, proxy);
  const channelOf = () => proxy.prepared.listeners[0]!.parts[0]!.services[0]!.channel;
  const channel = channelOf();
  for (let times = 0; times < 5; times++) {
    t.match(await proxy.reload(config(0)), [{ code: 'unused-upstream' }], 'that of the certificates');
    await useAll(t, all, proxy);
  }
  t.equal(channelOf(), channel);
  t.equal(http.seen.keys, 1, 'the keys were fetched once');
  t.equal(service.looks, 6, 'each reload asks for the schema');
});

void t.test('reloads at the same time come one after the other, and the last holds', async (t) => {
  const all = await world(t);
  const { config } = all;
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  await useAll(t, all, proxy);
  const bad = config(3, (yaml) => `${yaml}rules: nowhere.yaml\n`);
  const outcomes = await Promise.allSettled(
    [1, 2, bad, 4].map((next) => proxy.reload(typeof next === 'number' ? config(next) : next)),
  );
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.equal(proxy.prepared.listeners[0]!.config.root.options.connectTimeoutMs, 10_004);
  await useAll(t, all, proxy);
  t.strictSame(proxy.connectionCounts, {
    channels: 2,
    clusters: 0,
    fallbacks: 1,
    keySets: 1,
    apiKeyFiles: 0,
    shedders: 0,
  });
});

void t.test('a reload begins when the one before it has ended', async (t) => {
  const all = await world(t);
  const { config, service } = all;
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  // Nobody answers the first; the second would be through long before that is noticed.
  service.told = { ...service.told, answer: () => (ended.length === 0 ? 'silence' : undefined) };
  const ended: string[] = [];
  const waiting = (yaml: string) => yaml.replace('reflection_timeout: 10m', 'reflection_timeout: 300ms');
  const end = (name: string) => (): void => void ended.push(name);
  await Promise.all([
    proxy.reload(config(1, waiting)).then(end('first, loaded'), end('first')),
    proxy.reload(config(2)).then(end('second'), end('second, refused')),
  ]);
  t.strictSame(ended, ['first', 'second']);
  t.equal(proxy.prepared.listeners[0]!.config.root.options.connectTimeoutMs, 10_002);
});

void t.test('a request on a mount keeps what its listener had, though the root is idle', async (t) => {
  const all = await world(t);
  const { config, service, ask } = all;
  const mounted = (yaml: string) =>
    yaml.replace(
      /^listeners:.*$/m,
      'listeners: [{ listen: "127.0.0.1:0", services: [told.v1], mounts: { /m: { services: [greeter.v1] } } }]',
    );
  const proxy = await startProxy(config(0, mounted));
  t.teardown(() => proxy.drain());
  let release = (): void => undefined;
  service.hold = new Promise((resolve) => (release = resolve));
  const { calls } = service;
  const flying = ask(proxy, '/m/v1/Ada');
  await until(() => service.calls === calls + 1);
  await proxy.reload(config(1, mounted));
  t.strictSame(proxy.connectionCounts, {
    channels: 4,
    clusters: 0,
    fallbacks: 2,
    keySets: 2,
    apiKeyFiles: 0,
    shedders: 0,
  });
  release();
  t.equal((await flying).text, '{"name":"Ada"}');
  await until(() => proxy.connectionCounts.channels === 2);
  t.strictSame(proxy.connectionCounts, {
    channels: 2,
    clusters: 0,
    fallbacks: 1,
    keySets: 1,
    apiKeyFiles: 0,
    shedders: 0,
  });
});

void t.test('a listener that cannot be opened by a reload opens nothing else', async (t) => {
  const { config, http } = await world(t);
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  const another = (yaml: string) =>
    yaml.replace(/^(listeners: \[.*)\]$/m, `$1, { listen: "127.0.0.1:2", fallback: "${http.url}/other" }]`);
  const problems = await proxy.reload(config(0, another));
  t.match(
    problems.filter(({ code }) => code === 'needs-restart'),
    [{ message: /127\.0\.0\.1:2 is new/ }],
  );
  t.strictSame(proxy.connectionCounts, {
    channels: 2,
    clusters: 0,
    fallbacks: 1,
    keySets: 1,
    apiKeyFiles: 0,
    shedders: 0,
  });
});

void t.test('one timer asks for another schema, and none after the end', async (t) => {
  const { config } = await world(t);
  const often = (yaml: string) => yaml.replace('reflection_interval: none', 'reflection_interval: 123456ms');
  const alive = new Set<unknown>();
  const { setTimeout: start, clearTimeout: end } = globalThis;
  globalThis.setTimeout = ((run: () => void, delay?: number, ...rest: []) => {
    const timer = start(run, delay, ...rest);
    if (delay === 123_456) alive.add(timer);
    return timer;
  }) as typeof start;
  globalThis.clearTimeout = (timer) => {
    alive.delete(timer);
    end(timer);
  };
  t.teardown(() => Object.assign(globalThis, { setTimeout: start, clearTimeout: end }));
  const proxy = await startProxy(config(0, often));
  t.equal(alive.size, 1);
  for (let number = 1; number <= 5; number++) await proxy.reload(config(number, often));
  t.equal(alive.size, 1);
  await proxy.drain();
  t.equal(alive.size, 0);
});

void t.test('files to watch are those that serve, and those of the last attempt', async (t) => {
  const { config } = await world(t);
  const names = (): string[] =>
    [...proxy.files].map((path) => basename(path)).filter((name) => /\.(?:proto|yaml)$/.test(name));
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  t.ok(names().includes('greeter.proto'));
  for (const name of ['first', 'second']) {
    const edit = (yaml: string) =>
      `${yaml.replace('proto: greeter.proto', `proto: ${name}.proto`)}rules: ${name}.yaml\n`;
    await t.rejects(proxy.reload(config(1, edit)));
    t.ok(names().includes('greeter.proto'), 'what serves may be mended');
    t.ok(names().includes(`${name}.proto`), 'and what failed');
  }
  t.notOk(names().includes('first.proto'), 'but not what failed before that');
});

void t.test('a reload that fails leaves nothing behind, wherever it fails', async (t) => {
  const all = await world(t);
  const { config } = all;
  const proxy = await startProxy(config(0));
  t.teardown(() => proxy.drain());
  await useAll(t, all, proxy);
  const before = { counts: proxy.connectionCounts, resources: resources() };
  const add = (more: string) => (yaml: string) => `${yaml}${more}\n`;
  const second = (rest: string) => (yaml: string) =>
    yaml.replace(/^(listeners: \[.*)\]$/m, `$1, { listen: "127.0.0.1:2", fallback: "http://127.0.0.1:9/x", ${rest} }]`);
  const down = (yaml: string) =>
    yaml.replace('told.v1]', 'told.v1, down.v1]').replace(/^upstreams:$/m, '$&\n  down.v1: "127.0.0.1:1"');
  const rows: readonly [what: string, edit: (yaml: string) => string, code: string][] = [
    ['a selector that names nothing', add('methods: { "nope.v1.*": {} }'), 'unknown-rpc'],
    ['rules that are not there', add('rules: nowhere.yaml'), 'service-config'],
    [
      'a certificate that is not there',
      second('upstreams: { greeter.v1: { target: "127.0.0.1:8", tls: { ca: no.pem } } }'),
      'tls-file',
    ],
    [
      'keys that are not there',
      second('policies: { jwt: { issuer: i, audiences: [a], jwks: none.json } }'),
      'jwks-file',
    ],
    ['a listener that leads to itself', second('upstreams: { greeter.v1: "127.0.0.1:2" }'), 'upstream-loop'],
    ['an upstream that is not there to be asked', down, 'reflection-unavailable'],
  ];
  for (const [index, [what, edit, code]] of rows.entries()) {
    const error: unknown = await proxy.reload(config(index + 1, edit)).catch((thrown: unknown) => thrown);
    t.ok(error instanceof ConfigError, what);
    t.match((error as ConfigError).problems, [{ code }], what);
    t.strictSame(proxy.connectionCounts, before.counts, what);
    await untilResources(t, before.resources, what);
    await useAll(t, all, proxy);
  }
});

void t.test('the end gives up a reload that waits for a schema', async (t) => {
  const all = await world(t);
  const atFirst = resources();
  const proxy = await startProxy(all.config(0));
  all.service.told = { ...all.service.told, answer: () => 'silence' };
  const { length } = all.service.asked;
  const reloading = proxy.reload(all.config(1));
  await until(() => all.service.asked.length > length);
  await proxy.drain();
  t.strictSame(await reloading, []);
  t.strictSame(proxy.connectionCounts, nothingOpen);
  await untilResources(t, atFirst, 'its call is cancelled');
  t.strictSame(await proxy.reload(all.config(2)), [], 'nothing is loaded after the end');
  t.strictSame(proxy.connectionCounts, nothingOpen);
});

void t.test('certificates are warned of while they are configured, and as they are', async (t) => {
  const folder = t.testdir({ 'greeter.proto': proto });
  const files = new RenewableFiles('expired');
  t.teardown(() => files.remove());
  const load = (tls: string): Config => {
    writeFileSync(
      join(folder, 'p.yaml'),
      `proto: greeter.proto\nlisten: "127.0.0.1:0"\nupstreams: { default: { target: "127.0.0.1:1", tls: ${tls} } }\n`,
    );
    return loadConfig({ file: 'p.yaml', workingDirectory: folder });
  };
  const expired = `{ cert: "${files.cert}", key: "${files.key}" }`;
  const proxy = await startProxy(load(expired));
  t.teardown(() => proxy.drain());
  const warned = [{ code: 'certificate-validity' }];
  const looking = intervals.size;
  t.match(proxy.prepared.warnings, warned);
  t.match(await proxy.reload(load(expired)), warned, 'still there');
  t.strictSame(await proxy.reload(load('{}')), [], 'no longer configured');
  t.equal(intervals.size, looking - 1, 'nor looked at');
  t.match(await proxy.reload(load(expired)), warned, 'back again');
  const renewed = nextTlsEvent('upstream 127.0.0.1:1');
  files.replace('client');
  t.match(await renewed, { outcome: 'renewed' });
  t.strictSame(await proxy.reload(load(expired)), [], 'renewed');
});

void t.test('a port that has other values than the configuration is told of until it has them', async (t) => {
  const folder = t.testdir({ 'greeter.proto': proto });
  const load = (more: string): Config => {
    writeFileSync(
      join(folder, 'p.yaml'),
      `proto: greeter.proto\nlisten: "127.0.0.1:0"\nupstreams: { default: "127.0.0.1:1" }\n${more}\n`,
    );
    return loadConfig({ file: 'p.yaml', workingDirectory: folder });
  };
  const proxy = await startProxy(load(''));
  t.teardown(() => proxy.drain());
  const rows: readonly [more: string, needed: string | undefined][] = [
    ['', undefined],
    ['idle_timeout: 3s', 'idle_timeout'],
    ['idle_timeout: 3s', 'idle_timeout'],
    ['idle_timeout: 4s\nheader_timeout: 3s', 'header_timeout, idle_timeout'],
    ['', undefined],
    ['drain_timeout: 3s', undefined],
  ];
  for (const [more, needed] of rows) {
    const problems = await proxy.reload(load(more));
    const expected =
      needed === undefined ? [] : [{ code: 'needs-restart', message: new RegExp(`^${needed} of the listener`) }];
    t.equal(problems.length, expected.length, more);
    t.match(problems, expected, more);
  }
});

void t.test('a start that fails leaves nothing open', async (t) => {
  const all = await world(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const atFirst = resources();
  const rows: readonly [edit: (yaml: string) => string, code: string][] = [
    [(yaml) => yaml.replace(/^listeners:.*$/m, `listeners: [{ listen: 0 }, { listen: ${port} }]`), 'port-in-use'],
    [(yaml) => `${yaml}rules: nowhere.yaml\n`, 'service-config'],
  ];
  for (const [edit, code] of rows) {
    const error: unknown = await startProxy(all.config(0, edit)).catch((thrown: unknown) => thrown);
    t.match(error, { problems: [{ code }] });
    await untilResources(t, atFirst, code);
  }
});

void t.test('an embedded gateway opens and closes the same', async (t) => {
  const { http, service } = await world(t);
  const atFirst = resources();
  const tls = { upstreamTls: true, upstreamCa: certificate('ca') };
  const input = {
    proto: 'greeter.proto',
    upstreams: service.target,
    workingDirectory: t.testdir({ 'greeter.proto': proto }),
  };
  const secure = createGateway({ ...input, ...tls });
  t.equal(intervals.size, 1);
  await secure.close();
  t.throws(() => createGateway({ ...input, ...tls, rules: 'nowhere.yaml' }), ConfigError);
  const gateway = createGateway({ ...input, fallback: http.url });
  for (const [path, text] of [
    ['/v1/Ada', '{"name":"Ada"}'],
    ['/elsewhere', 'fallback'],
  ] as const) {
    t.equal(await (await gateway.fetch(new Request(`http://localhost${path}`))).text(), text);
  }
  await gateway.close();
  await untilResources(t, atFirst, 'at the end');
});
