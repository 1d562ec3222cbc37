/**
 * ChainFire, the reference service, over real gRPC on loopback: every RPC, what it refuses, races, leases, watches, and
 * that nothing acknowledged is lost, whether the service is closed or killed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, credentials, status as Status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import t, { type Test } from 'tap';
import { startChainFire, type ChainFireOptions } from '../../examples/photoncloud/chainfire.js';
import { Cluster } from '../../examples/photoncloud/chainfire/cluster.js';
import type * as message from '../../examples/photoncloud/chainfire/messages.js';
import { KeyValueStore } from '../../examples/photoncloud/chainfire/store.js';
import { systemClock, timestampOf } from '../../examples/photoncloud/lib/clock.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { quoted } from '../../examples/photoncloud/lib/errors.js';
import { serve } from '../../examples/photoncloud/lib/grpc.js';
import { isId, newId } from '../../examples/photoncloud/lib/ids.js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { services } from '../../examples/photoncloud/services.js';
import { spawnProcess } from '../support/service-process.js';
import { ManualClock } from '../support/manual-clock.js';
import { refusal } from '../support/refusal.js';
import { until } from '../support/until.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const serviceName = 'chainfire.v1.ChainFireService';
const schema = Schema.load(['chainfire/v1/chainfire.proto']);
const healthMethods = Schema.parse(
  `
  syntax = "proto3";
  package grpc.health.v1;
  message HealthCheckRequest { string service = 1; }
  message HealthCheckResponse {
    enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
    ServingStatus status = 1;
  }
  message HealthListRequest {}
  message HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }
  service Health {
    rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
    rpc List(HealthListRequest) returns (HealthListResponse);
    rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
  }
`,
).methods('grpc.health.v1.Health');

/** The replies of a stream as they come, and how it ended. */
class Replies<Reply> {
  readonly received: Reply[] = [];
  error: ServiceError | undefined;
  ended = false;
  readonly call: ClientReadableStream<Reply>;
  readonly accepted: Promise<void>;

  constructor(call: ClientReadableStream<Reply>) {
    this.call = call;
    this.accepted = new Promise((resolve) => call.once('metadata', () => resolve()));
    call.on('data', (reply: Reply) => this.received.push(reply));
    call.on('error', (error: ServiceError) => (this.error = error));
    call.on('end', () => (this.ended = true));
  }

  /** Waits until so many have come in all. */
  async atLeast(count: number): Promise<Reply[]> {
    await until(() => this.received.length >= count || this.ended || this.error !== undefined, `${count} replies`);
    return this.received;
  }

  async end(): Promise<ServiceError | undefined> {
    await until(() => this.error !== undefined || this.ended, 'the end of the stream');
    await sleep(0); // an error comes right after the end
    return this.error;
  }
}

/** Calls RPCs by name, with plain objects. */
class TestClient {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
  }

  call<Reply>(name: string, request: object = {}, methods = schema.methods(serviceName)): Promise<Reply> {
    const method = methods.find((each) => each.name === name)!;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        (value: object) => method.request.encode(value),
        (bytes) => method.reply.decode(bytes) as Reply,
        request,
        { deadline: Date.now() + 20_000 },
        (error, reply) => (error === null ? resolve(reply!) : reject(error)),
      );
    });
  }

  stream<Reply>(name: string, request: object = {}, methods = schema.methods(serviceName)): Replies<Reply> {
    const method = methods.find((each) => each.name === name)!;
    return new Replies(
      this.#client.makeServerStreamRequest(
        method.path,
        (value: object) => method.request.encode(value),
        (bytes) => method.reply.decode(bytes) as Reply,
        request,
      ),
    );
  }

  /** Sends bytes as they are. */
  raw(path: string, bytes: Buffer): Promise<Buffer> {
    const same = (buffer: Buffer): Buffer => buffer;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, same, same, bytes, (error, reply) =>
        error === null ? resolve(reply!) : reject(error),
      );
    });
  }

  get = (key: string): Promise<message.Item> => this.call('Get', { key });
  put = (key: string, value: string, more: Partial<message.PutRequest> = {}): Promise<message.PutResponse> =>
    this.call('Put', { key, value, ...more });
  delete = async (key: string): Promise<boolean> => (await this.call<message.Deleted>('Delete', { key })).deleted;
  list = (request: Partial<message.ListRequest> = {}): Promise<message.ListResponse> => this.call('List', request);
  status = (): Promise<message.ClusterStatus> => this.call('GetClusterStatus');

  /** A watch that the service has accepted: what is written from now on, it sees. */
  async watch(request: Partial<message.WatchRequest> = {}): Promise<Replies<message.WatchEvent>> {
    const replies = this.stream<message.WatchEvent>('Watch', request);
    await replies.accepted;
    return replies;
  }

  close(): void {
    this.#client.close();
  }
}

interface Running {
  readonly client: TestClient;
  readonly clock: ManualClock;
  readonly log: string[];
  /** Closes the service and the database; the files stay. */
  readonly stop: () => Promise<void>;
}

const folders: string[] = [];
t.teardown(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chainfire-'));
  folders.push(folder);
  return join(folder, 'data', 'photoncloud.db');
}

async function start(test: Test, options: Partial<ChainFireOptions> & { file?: string } = {}): Promise<Running> {
  const database = Database.open(options.file ?? temporaryFile());
  const clock = new ManualClock();
  const log: string[] = [];
  const service = await startChainFire({
    host: '127.0.0.1',
    port: 0,
    database,
    clock,
    log: (what, error) => log.push(`${what}: ${String(error)}`),
    ...options,
  });
  const client = new TestClient(service.port);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopped ??= service.close().then(() => {
      client.close();
      database.close();
    }));
  test.teardown(stop);
  return { client, clock, log, stop };
}

/** A file with many keys in it, written at once: the way over gRPC, with a commit for each, would take long. */
function fileWith(items: readonly (readonly [key: string, value: string])[]): string {
  const file = temporaryFile();
  const database = Database.open(file);
  const limits = { historyRevisions: 100_000, historyBytes: 1e9, pageBytes: 1e9 };
  const store = new KeyValueStore(database, systemClock, limits, () => undefined);
  database.transaction(() => items.forEach(([key, value]) => store.put(key, value)));
  store.close();
  database.close();
  return file;
}

const briefly = ({ type, item }: message.WatchEvent): string =>
  `${item.mod_revision} ${type} ${item.key}${type === 'PUT' ? `=${item.value}` : ''}`;

const count = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

void t.test('keys: versions and revisions', async (test) => {
  const { client, clock } = await start(test);
  const [first, second] = [timestampOf(clock.now()), timestampOf(clock.now() + 5000)];

  test.same(await client.put('greeting', 'hello'), { key: 'greeting', version: 1n, revision: 1n });
  test.same(await client.put('other', 'x'), { key: 'other', version: 1n, revision: 2n });
  clock.advance(5000);
  test.same(await client.put('greeting', 'hi'), { key: 'greeting', version: 2n, revision: 3n });
  test.same(await client.get('greeting'), {
    key: 'greeting',
    value: 'hi',
    version: 2n,
    create_revision: 1n,
    mod_revision: 3n,
    created_at: first,
    updated_at: second,
  });

  test.equal(await client.delete('greeting'), true);
  test.match(await refusal(client.get('greeting')), { code: 'NOT_FOUND', message: 'no key "greeting"' });
  test.equal(await client.delete('greeting'), false, 'deleting what is not there is no error');
  test.same(
    await client.put('greeting', ''),
    { key: 'greeting', version: 1n, revision: 5n },
    'the version starts again, revisions go on, and a deletion of nothing used none',
  );
  test.match(await client.get('greeting'), { value: '', version: 1n, create_revision: 5n, created_at: second });
});

void t.test('keys and values are any text, byte for byte', async (test) => {
  const { client } = await start(test);
  const texts = [
    'a/b/c',
    'a/',
    '/',
    ' ',
    '.',
    'ключ',
    '\u{1f525}',
    'nul\0nul',
    '\0',
    "'; DROP TABLE x; --",
    'k'.repeat(2048),
  ];
  for (const text of texts) {
    await client.put(text, `v${text}`);
    test.equal((await client.get(text)).value, `v${text}`);
  }
  const { items } = await client.list();
  const byBytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  test.same(
    items.map((item) => item.key),
    byBytes,
  );
  test.same(
    (await client.list({ prefix: 'a/' })).items.map((item) => item.key),
    ['a/', 'a/b/c'],
  );
  test.same(
    (await client.list({ prefix: '\u{1f525}' })).items.map((item) => item.key),
    ['\u{1f525}'],
  );
  // As large as a value may be: it comes back over a client with default limits, from every call that holds it.
  const large = 'x'.repeat(4 * 1024 * 1024 - 8 * 1024);
  const watch = await client.watch({ prefix: 'large' });
  await client.put(`large${'k'.repeat(2043)}`, large);
  test.equal((await client.get(`large${'k'.repeat(2043)}`)).value.length, large.length);
  test.equal((await client.list({ prefix: 'large' })).items[0]?.value.length, large.length);
  test.equal((await watch.atLeast(1))[0]?.item.value.length, large.length);
});

void t.test('what is refused, and how', async (test) => {
  const { client } = await start(test);
  await client.put('taken', 'x');
  await client.call('AddMember', { name: 'taken', peer_addr: 'a:1' });
  const self = (await client.status()).node_id;
  const tooLong = 'k'.repeat(2049);
  const cases: [string, object, string, string[], RegExp][] = [
    ['Get', { key: '' }, 'INVALID_ARGUMENT', ['key'], /^key: is empty/],
    ['Get', { key: tooLong }, 'INVALID_ARGUMENT', ['key'], /longer than 2048 bytes/],
    ['Get', { key: 'я'.repeat(1025) }, 'INVALID_ARGUMENT', ['key'], /longer than 2048 bytes/],
    ['Get', { key: 'none\n' }, 'NOT_FOUND', [], /^no key "none\\n"$/],
    ['Put', { key: '', value: 'x' }, 'INVALID_ARGUMENT', ['key'], /^key: is empty/],
    ['Put', { key: 'k' }, 'INVALID_ARGUMENT', ['value'], /^value: is missing; to store an empty value, send it as ""$/],
    ['Put', { key: '' }, 'INVALID_ARGUMENT', ['key', 'value'], /^key: .*; value: /],
    [
      'Put',
      { key: 'k', value: 'x', lease_ttl_seconds: 0n },
      'INVALID_ARGUMENT',
      ['lease_ttl_seconds'],
      /is 0, expected 1/,
    ],
    ['Put', { key: 'k', value: 'x', lease_ttl_seconds: -1n }, 'INVALID_ARGUMENT', ['lease_ttl_seconds'], /is -1/],
    [
      'Put',
      { key: 'k', value: 'x', lease_ttl_seconds: 2n ** 62n },
      'INVALID_ARGUMENT',
      ['lease_ttl_seconds'],
      /4611686018427387904/,
    ],
    ['Put', { key: 'k', value: 'x', expected_version: -1n }, 'INVALID_ARGUMENT', ['expected_version'], /is -1/],
    [
      'Put',
      { key: 'k', value: 'x', expected_version: 1n },
      'ABORTED',
      [],
      /^key "k" does not exist, expected version 1;/,
    ],
    [
      'Put',
      { key: 'taken', value: 'x', expected_version: 0n },
      'ABORTED',
      [],
      /^key "taken" has version 1, expected it not to exist/,
    ],
    [
      'Put',
      { key: 'taken', value: 'x', expected_version: 2n ** 62n + 1n },
      'ABORTED',
      [],
      /expected version 4611686018427387905/,
    ],
    ['Delete', { key: '' }, 'INVALID_ARGUMENT', ['key'], /^key: is empty/],
    ['List', { page_size: -1 }, 'INVALID_ARGUMENT', ['page_size'], /is -1, expected 0/],
    ['List', { prefix: tooLong }, 'INVALID_ARGUMENT', ['prefix'], /longer than 2048/],
    ['List', { page_token: 'x' }, 'INVALID_ARGUMENT', ['page_token'], /is not a token of this list/],
    ['List', { page_token: 'AAAAAAAAAAA' }, 'INVALID_ARGUMENT', ['page_token'], /is not a token of this list/],
    ['ListMembers', { page_size: -5 }, 'INVALID_ARGUMENT', ['page_size'], /is -5/],
    ['ListMembers', { page_token: '*' }, 'INVALID_ARGUMENT', ['page_token'], /is not a token/],
    [
      'AddMember',
      { name: 'taken', peer_addr: 'b:2' },
      'ALREADY_EXISTS',
      [],
      /^a member named "taken" is there already$/,
    ],
    ['AddMember', { name: '', peer_addr: 'b:2' }, 'INVALID_ARGUMENT', ['name'], /expected 1 to 128 characters/],
    ['AddMember', { name: 'a\0b', peer_addr: '' }, 'INVALID_ARGUMENT', ['name', 'peer_addr'], /control character/],
    ['AddMember', { name: 'n'.repeat(129), peer_addr: 'b:2' }, 'INVALID_ARGUMENT', ['name'], /128/],
    [
      'AddMember',
      { name: 'n', peer_addr: 'b:2', request_id: 'a b' },
      'INVALID_ARGUMENT',
      ['request_id'],
      /visible ASCII/,
    ],
    ['RemoveMember', { id: '' }, 'INVALID_ARGUMENT', ['id'], /is empty/],
    ['RemoveMember', { id: 'nobody\0' }, 'NOT_FOUND', [], /^no member has the id "nobody\\u0000"$/],
    ['RemoveMember', { id: newId(systemClock) }, 'NOT_FOUND', [], /^no member has the id/],
    ['RemoveMember', { id: self }, 'FAILED_PRECONDITION', [], /cannot remove itself/],
  ];
  for (const [rpc, request, code, fields, text] of cases) {
    const found = await refusal(client.call(rpc, request));
    const name = `${rpc} ${JSON.stringify(request, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)).slice(0, 60)}`;
    test.same([found.code, found.fields], [code, fields], name);
    test.match(found.message, text, name);
  }
  test.equal((await refusal(client.put('k', 'x'.repeat(5 * 1024 * 1024)))).code, 'RESOURCE_EXHAUSTED');
  test.equal((await refusal(client.put('k', 'x'.repeat(4 * 1024 * 1024 - 100)))).code, 'INVALID_ARGUMENT');
  for (const bytes of [Buffer.of(0x0a, 0x05, 0x41), Buffer.of(0x0a, 0x01, 0xff)]) {
    const found = await refusal(client.raw(`/${serviceName}/Get`, bytes));
    test.equal(found.code, 'INVALID_ARGUMENT', `bytes ${bytes.toString('hex')} are no request, or no UTF-8`);
  }
  test.equal((await refusal(client.raw(`/${serviceName}/Nope`, Buffer.alloc(0)))).code, 'UNIMPLEMENTED');
  test.same((await client.list()).items.length, 1, 'nothing refused has written anything');
});

void t.test('peer addresses', async (test) => {
  const { client } = await start(test);
  const good = ['10.0.0.2:50051', 'node-2.example.com:1', 'localhost:65535', '[::1]:2380', '[fe80::1]:80', 'a_b:80'];
  const bad = [
    '',
    'host',
    'host:',
    ':80',
    'host:0',
    'host:65536',
    'host:080',
    'host:8o',
    'http://host:80',
    'a:b:80',
    '::1:80',
  ];
  bad.push(
    '[::1]',
    '[nope]:80',
    '1.2.3:80',
    '1.2.3.256:80',
    'host:80/',
    ' host:80',
    'host:80\n',
    '-a:80',
    `${'a'.repeat(64)}:80`,
    'a..b:80',
  );
  for (const [index, peer_addr] of good.entries()) {
    const member = await client.call<message.Member>('AddMember', { name: `good${index}`, peer_addr });
    test.equal(member.peer_addr, peer_addr);
  }
  for (const peer_addr of bad) {
    const found = await refusal(client.call('AddMember', { name: 'bad', peer_addr }));
    test.same([found.code, found.fields], ['INVALID_ARGUMENT', ['peer_addr']], JSON.stringify(peer_addr));
  }
});

void t.test('compare and swap: of many at once, one wins', async (test) => {
  const { client } = await start(test);
  const race = async (expected_version: bigint): Promise<void> => {
    const outcomes = await Promise.all(count(50).map((n) => refusal(client.put('lock', `${n}`, { expected_version }))));
    const codes = outcomes.map(({ code }) => code).sort();
    test.same(codes, ['OK', ...count(49).map(() => 'ABORTED')].sort());
    test.equal((await client.get('lock')).version, expected_version + 1n);
  };
  await race(0n);
  await race(1n);

  // Ten clients count up together, each trying again where another was faster: no step gets lost.
  await client.put('counter', '0');
  const increment = async (): Promise<void> => {
    for (;;) {
      const { value, version } = await client.get('counter');
      const found = await refusal(client.put('counter', `${Number(value) + 1}`, { expected_version: version }));
      if (found.code === 'OK') return;
    }
  };
  await Promise.all(count(10).map(increment));
  test.match(await client.get('counter'), { value: '10', version: 11n });
});

void t.test('lists: pages', async (test) => {
  const keys = count(1010).map((n) => `k/${String(n).padStart(4, '0')}`);
  const { client } = await start(test, { file: fileWith(keys.map((key) => [key, key])) });
  await client.put('other', 'x');

  const sizes = [
    [0, 100],
    [1, 1],
    [1000, 1000],
    [1001, 1000],
    [2 ** 31 - 1, 1000],
  ] as const;
  for (const [page_size, expected] of sizes) {
    test.equal((await client.list({ prefix: 'k/', page_size })).items.length, expected, `page_size ${page_size}`);
  }

  const seen: string[] = [];
  let page_token = '';
  do {
    const page = await client.list({ prefix: 'k/', page_size: 300, page_token });
    seen.push(...page.items.map((item) => item.key));
    page_token = page.next_page_token;
    // Others write meanwhile: before the place, behind it, and the very key at which the page ended.
    await client.delete(seen.at(-1)!);
    await client.put(`k/0000/${seen.length}`, 'new, before the place');
    await client.delete(`k/${String(seen.length - 10).padStart(4, '0')}`);
  } while (page_token !== '');
  test.same(seen, keys, 'what was there all the time came exactly once, in order');

  const first = await client.list({ prefix: 'k/', page_size: 10 });
  const exact = await client.list({ prefix: 'other', page_size: 1 });
  test.equal(exact.next_page_token, '', 'a page that holds the rest has no next');
  test.same(await client.list({ prefix: 'none' }), { items: [], next_page_token: '' });
  for (const page_token of [
    first.next_page_token.slice(1),
    first.next_page_token.slice(0, -1),
    `${first.next_page_token}A`,
    `${first.next_page_token}=`,
    ` ${first.next_page_token}`,
  ]) {
    const found = await refusal(client.list({ prefix: 'k/', page_token }));
    test.same(found.fields, ['page_token'], `not a token: ${page_token}`);
  }
  const otherFilter = await refusal(client.list({ prefix: 'k', page_token: first.next_page_token }));
  test.same(otherFilter.fields, ['page_token'], 'a token belongs to its filter');
  const otherList = await refusal(client.call('ListMembers', { page_token: first.next_page_token }));
  test.same(otherList.fields, ['page_token'], 'and to its list');
});

void t.test('lists: a page of large values ends early and fits into a message', async (test) => {
  const large = 'v'.repeat(1024 * 1024);
  // Many small ones: keys and values alone would fit into a message, what comes with them would not.
  const small = 'v'.repeat(4175);
  const file = fileWith([
    ...count(6).map((n) => [`large/${n}`, large] as const),
    ...count(1000).map((n) => [`small/${n}`, small] as const),
  ]);
  const { client } = await start(test, { file });
  const pages: number[] = [];
  let page_token = '';
  do {
    const page = await client.list({ prefix: 'large/', page_token });
    pages.push(page.items.length);
    page_token = page.next_page_token;
  } while (page_token !== '');
  test.same(pages, [3, 3]);
  test.equal((await refusal(client.list({ prefix: 'small/', page_size: 1000 }))).code, 'OK');
});

void t.test('leases', async (test) => {
  const file = temporaryFile();
  const { client, clock, stop } = await start(test, { file });
  const watch = await client.watch({});
  await client.put('short', 's', { lease_ttl_seconds: 10n });
  await client.put('long', 'l', { lease_ttl_seconds: 20n });
  await client.put('kept', 'k', { lease_ttl_seconds: 10n });
  await client.put('kept', 'k2');
  await client.put('renewed', 'r', { lease_ttl_seconds: 10n });
  clock.advance(9_999);
  await client.put('renewed', 'r2', { lease_ttl_seconds: 10n });
  test.equal((await client.get('short')).value, 's', 'there to the last millisecond');
  clock.advance(1);
  test.equal((await watch.atLeast(7)).map(briefly).at(-1), '7 DELETE short', 'watchers learn of it without a call');
  test.equal((await refusal(client.get('short'))).code, 'NOT_FOUND');
  test.same(
    (await client.list()).items.map((item) => item.key),
    ['kept', 'long', 'renewed'],
    'a write without a lease makes a key stay; a new lease counts from its own start',
  );

  // The timer is late, but no call sees what should be gone: each looks first.
  for (const [name, look] of Object.entries({
    Get: async () => test.equal((await refusal(client.get('x'))).code, 'NOT_FOUND'),
    List: async () => test.same((await client.list({ prefix: 'x' })).items, []),
    Put: async () => test.equal((await refusal(client.put('x', 'y', { expected_version: 0n }))).code, 'OK'),
    Delete: async () => test.equal(await client.delete('x'), false),
  })) {
    await client.put('x', name, { lease_ttl_seconds: 1n });
    clock.jump(1000);
    await look();
    await client.delete('x');
  }

  // A lease that ends and a write to a key that nobody watches, in one go: the deletion is told all the same.
  const narrow = await client.watch({ prefix: 'narrow' });
  await client.put('narrow', 'n', { lease_ttl_seconds: 1n });
  await narrow.atLeast(1);
  clock.jump(1000);
  await client.put('kept', 'k3');
  await client.put('narrow', 'again');
  test.match((await narrow.atLeast(3)).map(briefly), [/PUT narrow=n$/, /DELETE narrow$/, /PUT narrow=again$/]);
  await client.delete('narrow');

  // What runs out while nothing runs is deleted at the next start, with an event.
  await client.put('orphan', 'o', { lease_ttl_seconds: 1n });
  const { mod_revision } = await client.get('orphan');
  await stop();
  const late = new ManualClock();
  late.advance(3_600_000);
  const again = await start(test, { file, clock: late });
  const replay = await again.client.watch({ prefix: 'orphan', start_revision: mod_revision });
  test.match((await replay.atLeast(2)).map(briefly), [/PUT orphan=o$/, /DELETE orphan$/]);
  test.match((await replay.atLeast(2))[1], {
    type: 'DELETE',
    item: {
      key: 'orphan',
      value: '',
      version: 0n,
      create_revision: 0n,
      created_at: null,
      updated_at: timestampOf(late.now()),
    },
  });
  test.same(
    (await again.client.list()).items.map((item) => item.key),
    ['kept'],
  );
});

void t.test("leases on the machine's own clock", async (test) => {
  const { client } = await start(test, { clock: systemClock });
  const watch = await client.watch({ prefix: 'brief' });
  const begin = Date.now();
  await client.put('brief', 'b', { lease_ttl_seconds: 1n });
  await watch.atLeast(2);
  const took = Date.now() - begin;
  test.same(watch.received.map(briefly), ['1 PUT brief=b', '2 DELETE brief']);
  test.ok(took >= 1000 && took < 3000, `after a second, not ${took} ms`);
});

void t.test('watch: replay, then live, in order and without a gap', async (test) => {
  const { client, stop } = await start(test);
  await client.put('a/1', 'one');
  await client.put('b/1', 'other');
  await client.put('a/1', 'two');
  await client.delete('a/1');

  const live = await client.watch({ prefix: 'a/' });
  const fromStart = await client.watch({ prefix: 'a/', start_revision: 1n });
  const everything = await client.watch({ start_revision: 2n });
  const ahead = await client.watch({ start_revision: 7n });
  const nothing = await client.watch({ prefix: 'a/1/' });
  await client.put('a/2', 'three'); // 5
  await client.put('c', 'x'); // 6
  await client.put('a', 'not under a/'); // 7
  await client.put('a/3', 'four'); // 8

  test.same((await live.atLeast(2)).map(briefly), ['5 PUT a/2=three', '8 PUT a/3=four']);
  test.same((await fromStart.atLeast(5)).map(briefly), [
    '1 PUT a/1=one',
    '3 PUT a/1=two',
    '4 DELETE a/1',
    '5 PUT a/2=three',
    '8 PUT a/3=four',
  ]);
  test.same(
    (await everything.atLeast(7)).map((event) => event.item.mod_revision),
    [2n, 3n, 4n, 5n, 6n, 7n, 8n],
  );
  test.same((await ahead.atLeast(2)).map(briefly), ['7 PUT a=not under a/', '8 PUT a/3=four']);
  test.same(fromStart.received[1]?.item.version, 2n, 'an event holds the key as that change left it');

  // Started in the midst of writing, replay and live meet without a seam.
  const writing = Promise.all(count(200).map((n) => client.put(`many/${n % 7}`, `${n}`)));
  await sleep(10);
  const midway = await client.watch({ start_revision: 5n });
  await writing;
  await midway.atLeast(204);
  test.same(
    midway.received.map((event) => event.item.mod_revision),
    count(204).map((n) => BigInt(n + 5)),
  );

  test.equal(Status[(await refusalOfStream(client, { start_revision: -1n })).code], 'INVALID_ARGUMENT');
  live.call.cancel();
  test.equal((await live.end())?.code, Status.CANCELLED);
  test.same(nothing.received, []);
  const begin = Date.now();
  await stop();
  test.ok(Date.now() - begin < 1500, 'open watches do not hold up the close');
  test.equal((await everything.end())?.code, Status.UNAVAILABLE, 'nor do they look as if they were complete');
});

async function refusalOfStream(client: TestClient, request: Partial<message.WatchRequest>): Promise<ServiceError> {
  return (await client.stream('Watch', request).end())!;
}

void t.test('watch: what is no longer kept is OUT_OF_RANGE', async (test) => {
  const { client } = await start(test, { history: { historyRevisions: 10, historyBytes: 1_000_000 } });
  for (const n of count(10)) await client.put('k', `${n}`);
  const patient = await client.watch({ prefix: 'quiet' });
  const whole = await client.watch({ start_revision: 1n });
  await whole.atLeast(10);
  await client.put('k', '10');

  const error = await refusalOfStream(client, { start_revision: 1n });
  test.equal(error.code, Status.OUT_OF_RANGE);
  test.match(
    error.details,
    'changes from revision 1 on are no longer kept, the oldest is 2; list the keys and watch from revision 12',
  );
  test.match((await (await client.watch({ start_revision: 2n })).atLeast(10)).map(briefly)[0], '2 PUT k=1');

  for (const n of count(30)) await client.put('k', `${n}`);
  await client.put('quiet', 'at last');
  test.same((await patient.atLeast(1)).map(briefly), ['42 PUT quiet=at last'], 'waiting for a quiet key loses nothing');
  test.equal((await whole.atLeast(42)).length, 42, 'nor does one that keeps up');

  // The history is bounded in bytes as well, but the last change is always there.
  await client.put('k', 'x'.repeat(900_000));
  await client.put('k', 'y'.repeat(900_000));
  test.equal((await refusalOfStream(client, { start_revision: 43n })).code, Status.OUT_OF_RANGE);
  await client.put('k', 'z'.repeat(2_000_000));
  test.equal((await (await client.watch({ start_revision: 45n })).atLeast(1)).length, 1);
});

void t.test('watch: a slow reader holds up nobody, and learns when it has fallen behind', async (test) => {
  const { client } = await start(test, { history: { historyRevisions: 40, historyBytes: 1e9 } });
  const slow = await client.watch({});
  slow.call.pause();
  const value = 'x'.repeat(64 * 1024);
  for (const n of count(120)) await client.put(`${n}`, value);
  test.ok(slow.received.length < 70, 'it has not been sent what it does not read');
  slow.call.resume();
  test.equal((await slow.end())?.code, Status.OUT_OF_RANGE);
  const revisions = slow.received.map((event) => event.item.mod_revision);
  test.same(
    revisions,
    revisions.map((_, index) => BigInt(index + 1)),
    'what it did get has no gap',
  );
});

void t.test('cluster', async (test) => {
  const file = temporaryFile();
  const { client, clock, stop } = await start(test, { file, nodeName: 'first' });
  const founded = timestampOf(clock.now());
  const status = await client.status();
  test.match(status, { term: 1n, role: 'LEADER', is_leader: true });
  test.ok(isId(status.node_id) && isId(status.cluster_id));
  test.same(status.members.length, 1);
  test.match(status.members[0], { id: status.node_id, name: 'first', created_at: founded, updated_at: founded });

  clock.advance(1000);
  const second = await client.call<message.Member>('AddMember', { name: 'second', peer_addr: '10.0.0.2:50051' });
  test.match(second, { name: 'second', peer_addr: '10.0.0.2:50051', created_at: timestampOf(clock.now()) });
  test.ok(isId(second.id));
  clock.advance(1000);
  const third = await client.call<message.Member>('AddMember', { name: 'third', peer_addr: '[::1]:50051' });
  test.same((await client.status()).members.slice(1), [second, third]);

  const firstPage = await client.call<message.ListMembersResponse>('ListMembers', { page_size: 2 });
  test.same(
    firstPage.members.map((member) => member.name),
    ['first', 'second'],
  );
  test.same(await client.call('ListMembers', { page_size: 2, page_token: firstPage.next_page_token }), {
    members: [third],
    next_page_token: '',
  });

  test.same(await client.call('RemoveMember', { id: second.id }), { deleted: true });
  test.equal((await refusal(client.call('RemoveMember', { id: second.id }))).code, 'NOT_FOUND');
  clock.advance(1000);
  const back = await client.call<message.Member>('AddMember', { name: 'second', peer_addr: '10.0.0.3:50051' });
  test.not(back.id, second.id, 'a name is free again, an id never comes back');

  await stop();
  const again = await start(test, { file, nodeName: 'renamed in vain' });
  const restarted = await again.client.status();
  test.match(restarted, { node_id: status.node_id, cluster_id: status.cluster_id, term: 2n });
  test.same(
    restarted.members.map((member) => member.name),
    ['first', 'third', 'second'],
  );
  test.not(restarted.members[0]?.peer_addr, status.members[0]?.peer_addr, 'its address is the present one');
});

void t.test('a cluster has an end', async (test) => {
  const file = temporaryFile();
  const database = Database.open(file);
  const cluster = new Cluster(database, systemClock);
  cluster.join('first', 'h:1');
  database.transaction(() => count(998).forEach((n) => cluster.add(`m${n}`, 'h:1')));
  database.close();
  const { client } = await start(test, { file });
  await client.call('AddMember', { name: 'last', peer_addr: 'h:1' });
  test.equal((await client.status()).members.length, 1000);
  test.match(await refusal(client.call('AddMember', { name: 'one more', peer_addr: 'h:1' })), {
    code: 'RESOURCE_EXHAUSTED',
    message: 'a cluster has at most 1000 members; remove one',
  });
});

void t.test('request_id: a repeat does nothing and answers as the first did', async (test) => {
  const file = temporaryFile();
  const { client, clock, stop } = await start(test, { file });
  const add = (on: TestClient, fields: Partial<message.AddMemberRequest>): Promise<message.Member> =>
    on.call('AddMember', { name: 'a', peer_addr: 'h:1', request_id: 'r-1', ...fields });
  const first = await add(client, {});
  clock.advance(1000);
  test.same(await add(client, {}), first);
  test.same(
    await Promise.all(count(10).map(() => add(client, {}))),
    count(10).map(() => first),
  );
  test.equal((await client.status()).members.length, 2);

  const other = await refusal(add(client, { peer_addr: 'h:2' }));
  test.same([other.code, other.fields], ['INVALID_ARGUMENT', ['request_id']]);
  test.match(other.message, /was used within the last day for another request/);
  test.equal((await refusal(add(client, { request_id: '' }))).code, 'ALREADY_EXISTS', 'no id, no repeat');

  const taken = await refusal(add(client, { request_id: 'r-2' }));
  test.equal(taken.code, 'ALREADY_EXISTS');
  await client.call('RemoveMember', { id: first.id });
  test.same(await refusal(add(client, { request_id: 'r-2' })), taken, 'a refusal is an answer');
  test.same(await add(client, {}), first, 'and so is one about what is gone by now');

  const badly = await refusal(add(client, { request_id: 'r-3', peer_addr: 'nowhere' }));
  test.same(badly.fields, ['peer_addr']);
  test.equal((await add(client, { request_id: 'r-3', name: 'c' })).name, 'c', 'a mended request may keep its id');

  await stop();
  const later = new ManualClock();
  later.jump(1000 + 24 * 3600 * 1000 - 1001);
  const again = await start(test, { file, clock: later });
  test.same(await add(again.client, {}), first, 'a restart forgets nothing');
  later.jump(1);
  test.not((await add(again.client, {})).id, first.id, 'after a day it is a new request');
});

void t.test('health', async (test) => {
  const { client, stop } = await start(test);
  const check = (service: string): Promise<unknown> => client.call('Check', { service }, healthMethods);
  test.same(await check(''), { status: 'SERVING' });
  test.same(await check(serviceName), { status: 'SERVING' });
  test.match(await refusal(check('nope')), { code: 'NOT_FOUND', message: /no service "nope"/ });
  test.same(await client.call('List', {}, healthMethods), {
    statuses: { '': { status: 'SERVING' }, [serviceName]: { status: 'SERVING' } },
  });
  const watched = client.stream<{ status: string }>('Watch', { service: serviceName }, healthMethods);
  const unknown = client.stream<{ status: string }>('Watch', { service: 'nope' }, healthMethods);
  test.same(await watched.atLeast(1), [{ status: 'SERVING' }]);
  test.same(await unknown.atLeast(1), [{ status: 'SERVICE_UNKNOWN' }]);
  await stop();
  await watched.end();
  test.same(watched.received, [{ status: 'SERVING' }, { status: 'NOT_SERVING' }], 'told before the close');
  test.same(unknown.received, [{ status: 'SERVICE_UNKNOWN' }]);
});

void t.test('a restart keeps everything', async (test) => {
  const file = temporaryFile();
  const before = await start(test, { file });
  for (const n of count(20)) await before.client.put(`k${n % 5}`, `${n}`);
  await before.client.delete('k0');
  const { items } = await before.client.list();
  await before.stop();
  const after = await start(test, { file });
  test.same((await after.client.list()).items, items);
  test.same(await after.client.put('new', ''), { key: 'new', version: 1n, revision: 22n });
  const history = await after.client.watch({ start_revision: 1n });
  test.equal((await history.atLeast(22)).length, 22);
});

void t.test('killed while it writes, it has lost nothing that it acknowledged', async (test) => {
  const file = temporaryFile();
  const acknowledged = new Map<string, { version: bigint; revision: bigint; value: string }>();
  const members = new Map<string, message.Member>();
  for (const round of count(3)) {
    const { port, kill } = await spawnProcess(test, 'chainfire', dirname(file));
    const client = new TestClient(port);
    let alive = true;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; alive; n++) {
        const [key, value] = [`w${writer}/${n % 3}`, `${round}.${n}`];
        if (writer === 0) {
          const request = { name: `${round}-${n}`, peer_addr: 'h:1', request_id: `${round}-${n}` };
          const member = await client.call<message.Member>('AddMember', request);
          members.set(member.name, member);
        } else if (n % 10 === 9) {
          await client.delete(key);
          acknowledged.delete(key);
        } else {
          acknowledged.set(key, { ...(await client.put(key, value)), value });
        }
      }
    };
    // A delete that was cut off may or may not have happened: its key is left to the writer that was at it.
    const writers = count(8).map((writer) => write(writer).catch(() => undefined));
    const before = members.size;
    while (members.size < before + 5) await sleep(5);
    const killed = kill();
    alive = false;
    await Promise.all([killed, ...writers]);
    client.close();
  }
  test.ok(acknowledged.size > 10 && members.size > 10, `${acknowledged.size} keys, ${members.size} members`);

  const { client } = await start(test, { file, clock: systemClock });
  const stored = new Map((await client.list({ page_size: 1000 })).items.map((item) => [item.key, item]));
  const replay = await client.watch({ start_revision: 1n });
  await client.put('end', '');
  const last = (await client.get('end')).mod_revision;
  const events = await replay.atLeast(Number(last));
  test.same(
    events.map((event) => event.item.mod_revision),
    count(Number(last)).map((n) => BigInt(n + 1)),
    'the history has no gap',
  );
  const history = new Map(events.map((event) => [event.item.mod_revision, event]));
  for (const [key, written] of acknowledged) {
    test.match(history.get(written.revision), { type: 'PUT', item: { key, value: written.value } }, 'in the history');
    const item = stored.get(key);
    // The one call of each writer that was cut off may have been the last to touch its key.
    if (item?.mod_revision === written.revision) test.match(item, { version: written.version, value: written.value });
    else test.ok(events.some((event) => event.item.key === key && event.item.mod_revision > written.revision));
  }
  const { members: kept } = await client.status();
  for (const member of members.values())
    test.same(
      kept.find((each) => each.name === member.name),
      member,
    );
  for (const member of [...members.values()].slice(-5)) {
    const request = { name: member.name, peer_addr: 'h:1', request_id: member.name };
    test.same(await client.call('AddMember', request), member, 'and a repeat after the crash answers as the first did');
  }
});

void t.test('a database belongs to one process', async (test) => {
  const file = temporaryFile();
  const { kill } = await spawnProcess(test, 'chainfire', dirname(file));
  test.throws(() => Database.open(file), {
    message: /is in use; end the process that has it open, or choose another file/,
  });
  await kill();
  Database.open(file).close();
});

void t.test('a fault inside is logged and not shown', async (test) => {
  const database = Database.open(temporaryFile());
  const log: string[] = [];
  const service = await startChainFire({
    host: '127.0.0.1',
    port: 0,
    database,
    log: (what, error) => log.push(`${what}: ${String(error)}`),
  });
  const client = new TestClient(service.port);
  test.teardown(() => client.close());
  database.close();
  test.same(await refusal(client.get('k')), { code: 'INTERNAL', message: 'internal error', fields: [] });
  test.equal(log.length, 1);
  test.match(log[0], /^\/chainfire.v1.ChainFireService\/Get failed: /);
  await service.close();
  await service.close();
});

void t.test('starting', async (test) => {
  const running = await start(test);
  const database = Database.open(temporaryFile());
  const [entry] = services;
  test.match(entry, { name: 'chainfire', httpPort: 8081, grpcPort: 50051, package: 'chainfire.v1' });
  const service = await entry!.start({ host: '::1', port: 0, database });
  const client = new Client(`[::1]:${service.port}`, credentials.createInsecure());
  await new Promise<void>((resolve, reject) =>
    client.waitForReady(Date.now() + 5000, (error) => (error ? reject(error) : resolve())),
  );
  client.close();
  await test.rejects(startChainFire({ host: '::1', port: service.port, database }), {
    message: /cannot listen on \[::1\]:\d+: /,
  });
  await service.close();
  database.close();

  const handlers = Object.fromEntries(schema.methods(serviceName).map(({ name }) => [name, () => ({})]));
  const refused: [Record<string, () => object>, RegExp][] = [
    [{}, /has no handler for its RPC Get/],
    [{ ...handlers, Gett: () => ({}) }, /has no RPC Gett/],
  ];
  for (const [wrong, text] of refused) {
    const options = { host: '127.0.0.1', port: 0, services: [{ schema, name: serviceName, handlers: wrong }] };
    await test.rejects(serve(options), { message: text });
  }
  await running.stop();
});

void t.test('every call of the REST table is annotated', (test) => {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    return join(repository, target.startsWith('chainfire/') ? 'protos' : 'annotations', target);
  };
  root.loadSync('chainfire/v1/chainfire.proto', { keepCase: true });
  const rules: string[] = [];
  for (const method of root.lookupService(serviceName).methodsArray) {
    const options = Object.assign({}, ...(method.parsedOptions as object[])) as Record<string, Record<string, unknown>>;
    const { additional_bindings: more = [], ...rule } = options['(google.api.http)']!;
    const created = (options['(photongate.http)']?.['success_status'] ?? 200) as number;
    for (const { body, ...pattern } of [rule, more].flat() as Record<string, string>[]) {
      for (const [verb, path] of Object.entries(pattern))
        rules.push(`${verb} ${path} ${body ?? '-'} ${method.name} ${created}`);
    }
  }
  test.same(rules.sort(), [
    'delete /api/v1/cluster/members/{id} - RemoveMember 200',
    'delete /api/v1/kv/{key=*/**} - Delete 200',
    'delete /api/v1/kv/{key} - Delete 200',
    'get /api/v1/cluster/members - ListMembers 200',
    'get /api/v1/cluster/status - GetClusterStatus 200',
    'get /api/v1/kv - List 200',
    'get /api/v1/kv/{key=*/**} - Get 200',
    'get /api/v1/kv/{key} - Get 200',
    'get /api/v1/watch - Watch 200',
    'post /api/v1/cluster/members * AddMember 201',
    'post /api/v1/kv/{key=*/**}/delete * Delete 200',
    'post /api/v1/kv/{key=*/**}/put * Put 200',
    'post /api/v1/kv/{key}/delete * Delete 200',
    'post /api/v1/kv/{key}/put * Put 200',
    'put /api/v1/kv/{key=*/**} * Put 200',
    'put /api/v1/kv/{key} * Put 200',
  ]);
  test.end();
});

void t.test('codecs keep every bit, and refuse what does not fit', (test) => {
  const all = Schema.parse(
    `
    syntax = "proto3";
    message M {
      int64 i64 = 1; uint64 u64 = 2; optional int32 i32 = 3; uint32 u32 = 4; string s = 5; bytes b = 6; bool t = 7;
      double d = 8; E e = 9; repeated int64 many = 10; map<string, M> map = 11; M m = 12;
    }
    enum E { ZERO = 0; ONE = 1; }
  `,
  ).codec<Record<string, unknown>>('M');
  const zero = {
    i64: 0n,
    u64: 0n,
    u32: 0,
    s: '',
    b: Buffer.alloc(0),
    t: false,
    d: 0,
    e: 'ZERO',
    many: [],
    map: {},
    m: null,
  };
  const values: Record<string, unknown>[] = [
    {},
    { i64: -(2n ** 63n), u64: 2n ** 64n - 1n, i32: 0, u32: 4294967295 },
    { i64: 2n ** 53n + 1n, many: [1n, -1n, 2n ** 63n - 1n], e: 'ONE', t: true, d: -0.5 },
    { s: 'ü\0', b: Buffer.of(0, 255), map: { '': { ...zero, s: 'x' }, k: zero }, m: zero },
  ];
  for (const value of values) test.same(all.decode(all.encode(value)), { ...zero, ...value });
  const misfits: Record<string, unknown>[] = [
    { x: 1 },
    { i64: 1 },
    { i64: 2n ** 63n },
    { u64: -1n },
    { i32: 1.5 },
    { u32: -1 },
    { s: 5 },
    { b: 'text' },
    { t: 1 },
    { d: '1' },
    { e: 'TWO' },
    { many: [1] },
    { map: { a: { x: 1 } } },
    { m: { m: { i64: 'no' } } },
  ];
  for (const value of misfits) test.throws(() => all.encode(value), TypeError, Object.keys(value)[0]!);
  test.throws(() => all.decode(Buffer.of(0x2a, 0x02, 0xc3, 0x28)), 'invalid UTF-8');
  test.throws(() => Schema.load(['no/such.proto']), { message: /^no\/such\.proto is in none of / });
  test.end();
});

void t.test('the database: all or nothing', (test) => {
  const file = temporaryFile();
  let database = Database.open(file);
  const steps = ['CREATE TABLE things (name TEXT PRIMARY KEY, data BLOB) STRICT'];
  database.migrate('things', steps);
  const names = (): string[] =>
    database.all<{ name: string }>('SELECT name FROM things ORDER BY name').map((row) => row.name);
  const add = (name: string): number => database.run('INSERT INTO things VALUES (?, ?)', name, Buffer.from(name));

  add('a');
  test.throws(
    () =>
      database.transaction(() => {
        add('b');
        database.transaction(() => add('c'));
        throw new Error('on second thoughts');
      }),
    { message: 'on second thoughts' },
  );
  test.same(names(), ['a']);
  test.throws(() => add('a'), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' });
  test.throws(() => add('nul\0'), /NUL in a TEXT/);
  test.same(database.get('SELECT data, 9007199254740993 AS n FROM things'), {
    data: Buffer.from('a'),
    n: 2n ** 53n + 1n,
  });
  test.equal(database.get('SELECT 1 FROM things WHERE name = ?', 'nope'), undefined);
  test.same(database.all('PRAGMA journal_mode'), [{ journal_mode: 'wal' }]);
  test.same(
    database.all('PRAGMA synchronous'),
    [{ synchronous: 2n }],
    'FULL: an acknowledged write outlives a power cut',
  );
  database.close();
  database.close();
  const text = join(dirname(file), 'text');
  writeFileSync(text, 'this is no database, but long enough to be looked at as one. '.repeat(100));
  test.throws(() => Database.open(text), { message: /^cannot open the database .*: / });

  database = Database.open(file);
  database.migrate('things', [...steps, 'ALTER TABLE things ADD COLUMN more TEXT']);
  test.throws(() => database.migrate('things', steps), {
    message: /are of version 2, this program knows 1: use a newer one/,
  });
  test.throws(() => database.migrate('broken', ['CREATE TABLE half (x); SELECT nonsense']));
  test.throws(() => database.all('SELECT * FROM half'), 'a step that fails leaves nothing behind');
  test.same(names(), ['a']);
  database.close();
  test.end();
});

void t.test('small parts', async (test) => {
  test.same(timestampOf(1_700_000_000_123), { seconds: 1_700_000_000n, nanos: 123_000_000 });
  test.same(timestampOf(-1), { seconds: -1n, nanos: 999_000_000 });
  const ids = count(1000).map(() => newId(systemClock));
  test.equal(new Set(ids).size, 1000);
  test.ok(ids.every((id) => /^[0-9a-z]{26}$/.test(id) && isId(id)));
  test.ok(newId({ ...systemClock, now: () => 1 }) < newId({ ...systemClock, now: () => 2 }));
  test.notOk(isId('l'.repeat(26)));
  test.equal(quoted('a"\n'), '"a\\"\\n"');
  test.equal(quoted('\u{1f525}'.repeat(80)), `"${'\u{1f525}'.repeat(80)}"`);
  test.equal(quoted('x'.repeat(5000)), `"${'x'.repeat(80)}"…`);

  const fired: string[] = [];
  systemClock.schedule(Date.now() + 20, () => fired.push('soon'));
  systemClock.schedule(Date.now() - 5, () => fired.push('late'));
  systemClock.schedule(Date.now() + 2 ** 40, () => fired.push('in 35 years'));
  const cancel = systemClock.schedule(Date.now() + 10, () => fired.push('cancelled'));
  cancel();
  await sleep(60);
  test.same(fired, ['late', 'soon']);
});
