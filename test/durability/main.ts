/**
 * What PhotonCloud acknowledged survives `kill -9`: the real process of `npm start` is killed at random moments while
 * many clients write over REST, started again, and asked for everything that it had answered.
 *
 *   DURABILITY_SEED=1 DURABILITY_ROUNDS=3 node --import tsx test/durability/main.ts
 *
 * A request that the kill left without an answer is repeated with the same `request_id`, as `curl --retry` would, so
 * that in the end each has happened exactly once; and what was answered before is answered the same again.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random } from '../support/random.js';

/** JSON of which a line looks at a field or two. */
type Loose = any;

const seed = Number(process.env['DURABILITY_SEED'] ?? Date.now() % 1_000_000);
const rounds = Number(process.env['DURABILITY_ROUNDS'] ?? 3);
/** An empty database on a server instead of a file. */
const server = process.env['DURABILITY_DATABASE'];
const random = new Random(seed);
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The process, with its services' base URLs by name. */
class Cloud {
  #child: ChildProcess | undefined;
  #urls = new Map<string, string>();

  constructor(readonly folder: string) {}

  async start(): Promise<void> {
    const program = ['--import', 'tsx', 'examples/photoncloud/main.ts', '--free-ports', '--data-dir', this.folder];
    if (server !== undefined) program.push('--database', server);
    const child = spawn(process.execPath, program, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${output}`)));
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('Ctrl-C')) resolve();
      });
    });
    const rows = output.matchAll(/^ {2}(\w+) +(http:\S+) +127\.0\.0\.1:\d+/gm);
    this.#urls = new Map([...rows].map(([, name, url]) => [name!, url!]));
    assert.equal(this.#urls.size, 11, output);
  }

  url(service: string): string {
    return `${this.#urls.get(service)!}/api/v1`;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
}

/** A write, and what came of it: nothing where the process died first. */
interface Write {
  readonly service: string;
  /** `POST /vms` */
  readonly target: string;
  readonly body: Buffer | object;
  answer?: Loose;
}

/** One client: writes one after the other until the process dies, and remembers all of them. */
class Writer {
  readonly writes: Write[] = [];

  constructor(
    readonly cloud: Cloud,
    readonly name: string,
    /** Makes the next writes; each waits for the one before. */
    readonly turn: (writer: Writer, turn: number) => Promise<void>,
  ) {}

  async run(): Promise<void> {
    try {
      for (let turn = this.writes.length; ; turn++) await this.turn(this, turn);
    } catch (error) {
      if (!(error instanceof Dead)) throw error;
    }
  }

  /** Sends a write and returns the `data` of its answer. */
  async write(service: string, target: string, body: Buffer | object): Promise<Loose> {
    const write: Write = { service, target, body };
    this.writes.push(write);
    return (write.answer = await send(this.cloud, write));
  }

  /** Repeats what went unanswered, and the last that was answered, which must be answered the same. */
  async repeat(): Promise<void> {
    for (const write of this.writes.slice(-6)) {
      const once = 'request_id' in write.body;
      if (write.answer !== undefined && !once) continue;
      const answer = await send(this.cloud, write);
      if (write.answer !== undefined) assert.deepEqual(answer, write.answer, `${write.target} repeated`);
      write.answer = answer;
    }
  }
}

/** The process has gone. */
class Dead extends Error {}

async function send(cloud: Cloud, { service, target, body }: Write): Promise<Loose> {
  const [method, path] = target.split(' ') as [string, string];
  let response: Response;
  let text: string;
  try {
    response = await fetch(cloud.url(service) + path, {
      method,
      body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body),
      headers: { 'content-type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json' },
    });
    text = await response.text();
  } catch {
    throw new Dead();
  }
  assert.ok(response.ok, `${target} ${JSON.stringify(body).slice(0, 200)}: ${response.status} ${text}`);
  return JSON.parse(text).data;
}

async function read(cloud: Cloud, service: string, path: string): Promise<Loose> {
  const response = await fetch(cloud.url(service) + path);
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return JSON.parse(text).data;
}

/** All entries of a list, page by page. */
async function list(cloud: Cloud, service: string, path: string, name: string): Promise<Loose[]> {
  const found: Loose[] = [];
  let token = '';
  do {
    const data = await read(
      cloud,
      service,
      `${path}${path.includes('?') ? '&' : '?'}page_size=1000&page_token=${token}`,
    );
    found.push(...data[name]);
    token = data.next_page_token;
  } while (token !== '');
  return found;
}

let lastId = 0;
const newId = (): string => `request-${++lastId}`;

/** Resources that a create makes: service, list, what is in the body beside the name, and the name's field. */
const creations: readonly (readonly [service: string, path: string, fields: object, field?: string])[] = [
  ['plasmavmc', 'vms', { org_id: 'o', project_id: 'p', vcpus: 1, memory_mib: 512, hypervisor: 'KVM' }],
  ['prismnet', 'vpcs', { org_id: 'o', project_id: 'p', cidr_block: '10.0.0.0/16' }],
  ['fiberlb', 'loadbalancers', { org_id: 'o', project_id: 'p' }],
  ['deployer', 'rollouts', { image: 'os:1', max_unavailable: 1 }],
  ['k8shost', 'services', { namespace: 'd', service_type: 'CLUSTER_IP', port: 80, target_port: 80, selector: {} }],
  ['iam', 'projects', { org_id: 'o' }],
];

const machine = { hostname: 'm', addresses: ['10.0.0.1'], hardware: { cpus: 1, memory_mib: 1, disks: [] } };

const amountOf = (text: string): bigint => BigInt(text);

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'durability-'));
  const cloud = new Cloud(folder);
  try {
    await cloud.start();
    await send(cloud, { service: 'creditservice', target: 'POST /wallets', body: { project_id: 'p', org_id: 'o' } });
    await send(cloud, { service: 'lightningstor', target: 'PUT /buckets/b', body: {} });
    const table = { query: 'CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)' };
    await send(cloud, { service: 'flaredb', target: 'POST /sql', body: table });
    const groups = writersOf(cloud);
    const writers = Object.values(groups).flat();
    for (let round = 0; round < rounds; round++) {
      const running = Promise.all(writers.map((writer) => writer.run()));
      await Promise.race([sleep(300 + random.below(1200)), running]);
      await cloud.kill();
      await running;
      await cloud.start();
      for (const writer of writers) await writer.repeat();
      await check(cloud, groups);
    }
    const total = writers.reduce((sum, { writes }) => sum + writes.length, 0);
    console.log(`${total} writes, ${rounds} kills, nothing lost and nothing twice (seed ${seed})`);
  } finally {
    await cloud.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Groups = Readonly<Record<'keys' | 'money' | 'objects' | 'rows' | 'resources', readonly Writer[]>>;

const numbers = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

function writersOf(cloud: Cloud): Groups {
  return {
    keys: numbers(3).map(
      (client) =>
        new Writer(cloud, `keys ${client}`, async (writer, turn) => {
          await writer.write('chainfire', `PUT /kv/${client}/${turn % 20}`, { value: String(turn) });
        }),
    ),
    money: numbers(4).map(
      (client) =>
        new Writer(cloud, `money ${client}`, async (writer) => {
          const post = (path: string, fields: object): Promise<Loose> =>
            writer.write('creditservice', `POST ${path}`, { ...fields, request_id: newId() });
          const amount = 10 + random.below(1000);
          await post('/wallets/p/topup', { amount: String(amount), description: 'topup' });
          const { id } = await post('/reservations', { project_id: 'p', amount: String(amount) });
          if (random.one(3)) await post(`/reservations/${id}/release`, { reason: 'test' });
          else await post(`/reservations/${id}/commit`, { actual_amount: String(random.below(amount + 1)) });
        }),
    ),
    objects: numbers(2).map(
      (client) =>
        new Writer(cloud, `objects ${client}`, async (writer, turn) => {
          const bytes = Buffer.alloc(1 + random.below(300_000), `${client} ${turn} `);
          await writer.write('lightningstor', `PUT /buckets/b/objects/${client}/${turn % 10}`, bytes);
        }),
    ),
    rows: numbers(2).map(
      (client) =>
        new Writer(cloud, `rows ${client}`, async (writer, turn) => {
          const query = 'INSERT INTO t VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET n = ?2';
          await writer.write('flaredb', 'POST /sql', { query, params: [`${client}/${turn}`, turn] });
        }),
    ),
    resources: creations.map(
      ([service, path, fields]) =>
        new Writer(cloud, path, async (writer, turn) => {
          // A machine has one rollout at a time.
          if (path === 'rollouts') await writer.write(service, `POST /machines/m-${turn}/phone_home`, machine);
          const own = path === 'rollouts' ? { machine_ids: [`m-${turn}`] } : {};
          await writer.write(service, `POST /${path}`, { ...own, name: `n-${turn}`, ...fields, request_id: newId() });
        }),
    ),
  };
}

async function check(cloud: Cloud, groups: Groups): Promise<void> {
  await checkKeys(cloud, groups.keys);
  await checkMoney(cloud, groups.money);
  await checkObjects(cloud, groups.objects);
  const { rows } = await send(cloud, {
    service: 'flaredb',
    target: 'POST /sql',
    body: { query: 'SELECT id, n FROM t ORDER BY id' },
  });
  const expected = groups.rows.flatMap(({ writes }) => writes.map(({ body }) => (body as Loose).params as unknown[]));
  assert.deepEqual(
    rows,
    expected.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    'rows',
  );
  for (const [index, [service, path]] of creations.entries()) {
    const found = await list(cloud, service, `/${path}`, path);
    const creates = groups.resources[index]!.writes.filter(({ target }) => target === `POST /${path}`);
    const names = creates.map(({ body }) => (body as Loose).name as string);
    assert.deepEqual(found.map(({ name }) => name as string).sort(), names.sort(), `${path}, each once`);
    for (const { answer } of creates) {
      const same = found.find(({ name }) => name === answer.name);
      if (answer.id !== undefined) assert.equal(same.id, answer.id, `${path} ${answer.name}`);
    }
  }
}

/** Each key has the value that was written last; no revision was used twice; a watch shows all changes in order. */
async function checkKeys(cloud: Cloud, writers: readonly Writer[]): Promise<void> {
  const last = new Map<string, string>();
  for (const { target, body } of writers.flatMap(({ writes }) => writes)) {
    last.set(target.slice('PUT /kv/'.length), (body as Loose).value as string);
  }
  const items = await list(cloud, 'chainfire', '/kv', 'items');
  assert.deepEqual(
    items.map(({ key, value }) => [key, value]),
    [...last].sort(([a], [b]) => (a < b ? -1 : 1)),
    'keys',
  );
  const revisions = writers.flatMap(({ writes }) => writes.map(({ answer }) => answer.revision as string));
  assert.equal(new Set(revisions).size, revisions.length, 'each revision is used once');
  const watched = await watchedRevisions(cloud, Math.max(...revisions.map(Number)));
  assert.ok(
    watched.every((revision, index) => index === 0 || revision > watched[index - 1]!),
    'a watch goes up',
  );
  const seen = new Set(watched);
  assert.ok(
    revisions.every((revision) => seen.has(Number(revision))),
    'a watch shows every change',
  );
}

async function watchedRevisions(cloud: Cloud, until: number): Promise<number[]> {
  const stop = new AbortController();
  const response = await fetch(`${cloud.url('chainfire')}/watch?start_revision=1`, {
    headers: { accept: 'application/x-ndjson' },
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
  });
  const revisions: number[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body! as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) revisions.push(Number(JSON.parse(line).data.item.mod_revision));
    if (revisions.at(-1)! >= until) break;
  }
  stop.abort();
  return revisions;
}

/** The balance is the sum of the transactions and of what was answered; what is reserved, of the open reservations. */
async function checkMoney(cloud: Cloud, writers: readonly Writer[]): Promise<void> {
  const wallet = await read(cloud, 'creditservice', '/wallets/p');
  const transactions = await list(cloud, 'creditservice', '/wallets/p/transactions', 'transactions');
  const reservations = await list(cloud, 'creditservice', '/reservations?project_id=p', 'reservations');
  const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, each) => total + each, 0n);
  const pending = reservations.filter(({ status }) => status === 'PENDING');
  assert.equal(
    amountOf(wallet.balance),
    sum(transactions.map(({ amount }) => amountOf(amount))),
    'sum of transactions',
  );
  assert.equal(amountOf(wallet.reserved), sum(pending.map(({ amount }) => amountOf(amount))), 'sum of reservations');
  assert.equal(amountOf(wallet.available), amountOf(wallet.balance) - amountOf(wallet.reserved));
  const writes = writers.flatMap((writer) => writer.writes);
  const moved = writes.map(({ target, body }) => {
    if (target.endsWith('/topup')) return amountOf((body as Loose).amount);
    return target.endsWith('/commit') ? -amountOf((body as Loose).actual_amount) : 0n;
  });
  assert.equal(amountOf(wallet.balance), sum(moved), 'each movement once');
  const reserved = writes
    .filter(({ target }) => target === 'POST /reservations')
    .map(({ answer }) => answer.id as string);
  assert.deepEqual(reservations.map(({ id }) => id as string).sort(), reserved.sort(), 'each reservation once');
}

/** Each object has the bytes that were written last; and there is no file beside those of the objects. */
async function checkObjects(cloud: Cloud, writers: readonly Writer[]): Promise<void> {
  const last = new Map<string, Buffer>();
  for (const { target, body } of writers.flatMap(({ writes }) => writes))
    last.set(target.split(' ')[1]!, body as Buffer);
  const objects = await list(cloud, 'lightningstor', '/buckets/b/objects', 'objects');
  assert.equal(objects.length, last.size);
  for (const [path, bytes] of last) {
    const response = await fetch(cloud.url('lightningstor') + path);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes), path);
    assert.equal(response.headers.get('etag'), `"${createHash('sha256').update(bytes).digest('hex')}"`);
  }
  const files = readdirSync(join(cloud.folder, 'lightningstor'), { recursive: true, withFileTypes: true });
  assert.equal(files.filter((file) => file.isFile()).length, last.size, 'files beside those of the objects');
}

await main();
