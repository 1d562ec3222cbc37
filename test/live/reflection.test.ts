/** Schemas by reflection: what is asked, what is served, and what happens when the server restarts, lies or is not there. */
import { readFileSync } from 'node:fs';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { clone } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Code, ConfigError, loadConfig, type Problem, type RunningProxy, startProxy } from '../../lib/index.js';
import type { LibrarySettings } from '../../lib/config/index.js';
import type { ReloadEvent } from '../../lib/live/index.js';
import { annotationsRoot } from '../support/schema.js';
import { runMain } from '../support/cli.js';
import { send } from '../support/proxy.js';
import {
  errorAnswer,
  fileOf,
  filesOfSet,
  type ReflectionServer,
  type ReflectionServerOptions,
  response,
  startReflectionServer,
  type Told,
} from '../support/reflection.js';
import { until } from '../support/until.js';

const lost = fileOf('a.proto', 'a.v1.A', { Get: '/a' }, ['google/api/annotations.proto', 'lost.proto']);
const lostType = clone(FileDescriptorProtoSchema, lost);
Object.assign(lostType.messageType[0]!.field[0]!, { type: 11, typeName: '.lost.T' });
const greeter = fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v1/hello/{name}' });
const fast = { reflectionInterval: '100ms', reflectionTimeout: '2s' };

async function server(t: Test, told: Told, options?: ReflectionServerOptions): Promise<ReflectionServer> {
  const started = await startReflectionServer(told, options);
  t.teardown(() => started.close());
  return started;
}

async function proxyFor(t: Test, upstreams: readonly string[], more: LibrarySettings = {}): Promise<RunningProxy> {
  const options = { ...fast, ...more.options };
  const flags = { reflection: true, listen: ['127.0.0.1:0'], upstreams, ...more, options } as const;
  const proxy = await startProxy(loadConfig({ flags, workingDirectory: annotationsRoot }));
  t.teardown(() => proxy.drain());
  return proxy;
}

function eventsOf(t: Test): ReloadEvent[] {
  const events: ReloadEvent[] = [];
  const listener = (message: unknown): void => void events.push(message as ReloadEvent);
  subscribe('photongate:reload', listener);
  t.teardown(() => unsubscribe('photongate:reload', listener));
  return events;
}

/** Of a start that must fail. */
async function problemsOf(start: Promise<unknown>): Promise<readonly Problem[]> {
  const error = await start.catch((thrown: unknown) => thrown);
  if (error instanceof ConfigError) return error.problems;
  throw new Error('it starts', { cause: error });
}

for (const versions of [['v1'], ['v1alpha'], ['v1', 'v1alpha']] as const) {
  void t.test(`a server with ${versions.join(' and ')}`, async (t) => {
    const { target } = await server(t, { files: [greeter] }, { versions });
    const { urls } = await proxyFor(t, [target]);
    const answer = await send(urls[0]!, 'GET /v1/hello/Ada');
    t.strictSame([answer.status, answer.text], [200, '{"name":"Ada"}']);
    t.match((await send(urls[0]!, 'GET /')).text, /greeter\.v1\.Greeter/);
    t.notMatch((await send(urls[0]!, 'GET /')).text, /grpc\.reflection/, 'reflection itself is not served');
  });
}

void t.test(
  'files are asked for once, from import to import, and those that are not given come from annotations/',
  async (t) => {
    const base = fileOf('base.proto', 'base.v1.Unasked', {}, []);
    const left = fileOf('left.proto', 'left.v1.L', { Get: '/left' }, ['google/api/annotations.proto', 'base.proto']);
    const right = fileOf('right.proto', 'right.v1.R', { Get: '/right' }, [
      'google/api/annotations.proto',
      'base.proto',
    ]);
    const told = { files: [base, left, right], services: ['right.v1.R', 'left.v1.L'] };
    const { target, asked } = await server(t, told);
    const { urls } = await proxyFor(t, [target], { options: { reflectionInterval: 'none' } });
    t.strictSame(asked, [
      'list_services *',
      'file_containing_symbol left.v1.L',
      'file_containing_symbol right.v1.R',
      'file_by_filename google/api/annotations.proto',
      'file_by_filename base.proto',
    ]);
    t.equal((await send(urls[0]!, 'GET /left')).status, 200);
    t.equal((await send(urls[0]!, 'GET /right')).status, 200);
    t.notMatch((await send(urls[0]!, 'GET /')).text, /Unasked/, 'a service that is not listed is not served');
  },
);

void t.test('a set of files keeps its options, lines and comments', async (t) => {
  const path = fileURLToPath(new URL('../schema/fixtures/everything.binpb', import.meta.url));
  const { target } = await server(t, { files: filesOfSet(readFileSync(path)) });
  // Its method options are wrong on purpose: what is told of them shows that they were read, and where they stand.
  const reflected = await problemsOf(proxyFor(t, [target]));
  const read = await problemsOf(proxyFor(t, [target], { descriptorSet: [path], reflection: false }));
  t.match(read, [{ code: 'option-value', place: { file: 'shop/v1/new.proto', line: 26 } }]);
  t.strictSame(reflected, read);
});

void t.test('each upstream is asked for the services that go to it', async (t) => {
  const other = fileOf('other.proto', 'other.v1.Other', { Get: '/other' });
  const first = await server(t, { files: [greeter, other] });
  const second = await server(t, { files: [other] });
  const upstreams = [first.target, `other.v1=${second.target}`];
  const { urls } = await proxyFor(t, upstreams);
  t.equal((await send(urls[0]!, 'GET /v1/hello/Ada')).status, 200);
  t.equal((await send(urls[0]!, 'GET /other')).status, 200);
  t.strictSame([first.calls, second.calls], [1, 1]);
  const { urls: named } = await proxyFor(t, upstreams, { reflection: ['other.v1'] });
  t.equal((await send(named[0]!, 'GET /v1/hello/Ada')).status, 404, 'the other upstream is not asked');
  t.equal((await send(named[0]!, 'GET /other')).status, 200);
});

void t.test('a server that restarts with another schema', async (t) => {
  const events = eventsOf(t);
  const first = await server(t, { files: [greeter] });
  const { urls } = await proxyFor(t, [first.target]);
  const url = urls[0]!;
  first.close();
  await until(() => events.some(({ outcome }) => outcome === 'unreachable'));
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 503, 'the old routes stand, and nobody answers');
  const changed = fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v2/hello/{name}' });
  await server(t, { files: [changed] }, { port: first.port });
  await until(async () => (await send(url, 'GET /v2/hello/Ada')).status === 200);
  t.equal((await send(url, 'GET /v1/hello/Ada')).status, 404);
  t.strictSame(
    events.map(({ outcome }) => outcome),
    ['unreachable', 'loaded'],
  );
});

void t.test('a schema that will not do leaves the old routes, and is told once', async (t) => {
  const events = eventsOf(t);
  const running = await server(t, { files: [greeter] });
  const { urls } = await proxyFor(t, [running.target]);
  running.told = { files: [fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v2/{nope}' })] };
  const before = running.looks;
  await until(() => events.length > 0 && running.looks > before + 4);
  t.equal(events.length, 1);
  t.equal(events[0]!.outcome, 'kept');
  t.match(events[0]!.problems, [{ code: 'unknown-field', rpc: 'greeter.v1.Greeter.Hello', template: '/v2/{nope}' }]);
  t.equal((await send(urls[0]!, 'GET /v1/hello/Ada')).status, 200);
  running.told = { files: [fileOf('greeter.proto', 'greeter.v1.Greeter', { Hello: '/v3/{name}' })] };
  await until(async () => (await send(urls[0]!, 'GET /v3/Ada')).status === 200);
});

void t.test('an upstream that is down at the start', async (t) => {
  const events = eventsOf(t);
  const { port, close } = await startReflectionServer({ files: [] });
  close();
  const { urls } = await proxyFor(t, [`127.0.0.1:${port}`], {
    services: ['greeter.v1.Greeter'],
    options: { errorFormat: 'photon' },
  });
  const url = urls[0]!;
  for (const request of ['GET /v1/hello/Ada', 'POST /anything', 'GET /']) {
    const answer = await send(url, request);
    t.equal(answer.status, 503, request);
    t.equal(answer.headers['retry-after'], '1');
    t.match(answer.text, `the schema of 127.0.0.1:${port} is not loaded yet`);
    t.match(answer.json, { error: { code: 'UNAVAILABLE' } }, "in the listener's own shape");
  }
  const call = new Client(new URL(url).host, credentials.createInsecure());
  t.teardown(() => call.close());
  const bytes = (message: Buffer): Buffer => message;
  const code = await new Promise((resolve) => {
    call.makeUnaryRequest('/greeter.v1.Greeter/Hello', bytes, bytes, Buffer.alloc(0), (error) => resolve(error?.code));
  });
  t.equal(code, Code.UNAVAILABLE, 'to gRPC too: UNIMPLEMENTED would be for good');
  const health = await send(url, 'GET /health');
  t.strictSame([health.status, (health.json as { status?: string }).status], [503, 'NOT_SERVING']);
  const probes = async () => [(await send(url, 'GET /livez')).status, (await send(url, 'GET /readyz')).status];
  t.strictSame(await probes(), [200, 503]);
  t.equal((await send(url, 'GET /health?alt=text')).text, 'NOT_SERVING');
  t.match(events[0], {
    outcome: 'waiting',
    problems: [{ code: 'reflection-unavailable', message: /^the schema of 127/ }],
  });
  await server(t, { files: [greeter] }, { port });
  await until(async () => (await send(url, 'GET /v1/hello/Ada')).status === 200);
  t.equal((await send(url, 'GET /health')).status, 200);
  t.strictSame(await probes(), [200, 200]);
  t.equal(events.at(-1)!.outcome, 'loaded');
});

const big = fileOf(
  'big.proto',
  'big.v1.Big',
  Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`M${i}`, `/${i}`])),
);

const refusals: readonly [name: string, told: Told, options: object, code: string, message: RegExp][] = [
  ['a file too many', { files: [greeter, big] }, { maxReflectionFiles: 1 }, 'reflection-failed', /more than 1 files/],
  ['bytes too many', { files: [big] }, { maxReflectionBytes: 1000 }, 'reflection-failed', /more than 1000 bytes/],
  ['a service without a file', { files: [], services: ['a.B'] }, {}, 'reflection-failed', /lists the service a\.B/],
  [
    'an import that nobody has, and that is used',
    { files: [lostType] },
    {},
    'import-not-found',
    /"lost\.proto" .* needed for the type ".lost.T"/,
  ],
  ['no protobuf', { files: [], answer: () => Buffer.from([0xff]) }, {}, 'reflection-failed', /is no grpc\.reflection/],
  [
    'no FileDescriptorProto',
    { files: [greeter], answer: (kind) => (kind === 4 ? response(4, [Buffer.from([0x0a])]) : undefined) },
    {},
    'reflection-failed',
    /is no grpc\.reflection/,
  ],
  [
    'a file without a name',
    { files: [greeter], answer: (kind) => (kind === 4 ? response(4, [Buffer.alloc(0)]) : undefined) },
    {},
    'reflection-failed',
    /gives a file without a name/,
  ],
  [
    'an error',
    { files: [], answer: () => errorAnswer(7, 'not for you') },
    {},
    'reflection-failed',
    /not for you \(code 7\)/,
  ],
  [
    'no list',
    { files: [], answer: () => errorAnswer(5, 'what?') },
    {},
    'reflection-failed',
    /does not list its services/,
  ],
];

for (const [name, told, options, code, message] of refusals) {
  void t.test(`refused at the start: ${name}`, async (t) => {
    const { target } = await server(t, told);
    t.match(await problemsOf(proxyFor(t, [target], { options })), [{ code, message }]);
  });
}

void t.test(
  'an import that nobody has, of which no type is used, is a warning; reflection of ours leaves it out',
  async (t) => {
    const { target } = await server(t, { files: [lost] });
    const proxy = await proxyFor(t, [target]);
    t.match(proxy.prepared.warnings, [{ code: 'import-not-found', message: /"lost\.proto" .* uses no type of it/ }]);
    t.equal((await send(proxy.urls[0]!, 'GET /a')).status, 200);
    const session = await startProxy(
      loadConfig({
        flags: { reflection: true, listen: ['127.0.0.1:0'], upstreams: [new URL(proxy.urls[0]!).host] },
        workingDirectory: annotationsRoot,
      }),
    );
    t.teardown(() => session.drain());
    t.strictSame(session.prepared.warnings, []);
  },
);

void t.test('a server without reflection refuses the start', async (t) => {
  const { target } = await server(t, { files: [greeter] }, { versions: [] });
  t.match(await problemsOf(proxyFor(t, [target])), [{ code: 'reflection-unsupported', hint: /--proto/ }]);
});

void t.test(
  'a server that takes the question and says nothing is waited for no longer than reflection_timeout',
  async (t) => {
    const events = eventsOf(t);
    const { target } = await server(t, { files: [], answer: () => 'silence' });
    const { urls } = await proxyFor(t, [target], { options: { reflectionTimeout: '100ms' } });
    t.equal((await send(urls[0]!, 'GET /x')).status, 503);
    t.match(events[0], { outcome: 'waiting', problems: [{ code: 'reflection-unavailable' }] });
  },
);

void t.test('commands and flags', async (t) => {
  const { target } = await server(t, { files: [greeter] });
  const folder = t.testdir();
  const route = /GET +\/v1\/hello\/\{name\} +- +greeter\.v1\.Greeter\.Hello/;
  const rows: readonly [args: readonly string[], code: number, words: RegExp, environment?: Record<string, string>][] =
    [
      [['routes', '--reflection', '--upstream', target], 0, route],
      [['routes', '--upstream', target, '--reflection'], 0, route],
      [['routes', '--upstream', target], 0, route, { PHOTONGATE_REFLECTION: 'true' }],
      [['check', '--reflection=default', '--upstream', target], 0, /ok: 1 route, 0 warnings/],
      [['check', '--reflection=nope', '--upstream', target], 1, /reflection-upstream.*"nope"/],
      [['check', '--reflection', '--upstream', '127.0.0.1:1'], 1, /reflection-unavailable.*127\.0\.0\.1:1/],
      [['routes', '--no-reflection', '--upstream', target], 2, /no-schema/, { PHOTONGATE_REFLECTION: 'true' }],
      [['openapi', '--reflection', '--upstream', target], 0, /\/v1\/hello\/\{name\}:/],
      [['print-config', '--reflection', '--watch', '--upstream', target], 0, /reflection: true\nwatch: true\n/],
      [['check', '--reflection', '--watch=maybe', '--upstream', target], 2, /--watch: found "maybe"/],
      [
        ['check', '--reflection', '--upstream', target],
        2,
        /PHOTONGATE_WATCH: found "maybe"/,
        { PHOTONGATE_WATCH: 'maybe' },
      ],
    ];
  for (const [args, code, words, environment] of rows) {
    const result = await runMain(args, folder, environment);
    t.equal(result.code, code, args.join(' '));
    t.match(result.stdout + result.stderr, words);
  }
});

void t.test('names of upstreams that there are not', async (t) => {
  for (const [flags, hint] of [
    [{ reflection: ['nope'], upstreams: ['127.0.0.1:1', 'a.v1=127.0.0.1:2'] }, /upstreams are: default, a\.v1/],
    [{ reflection: true }, /--upstream host:port/],
  ] as const) {
    const problems = await problemsOf(Promise.resolve().then(() => loadConfig({ flags })));
    t.match(problems, [{ code: 'reflection-upstream', hint }]);
  }
});
