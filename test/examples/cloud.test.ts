/** PhotonCloud as a whole, as `npm start` brings it up, on ports of the system's choice. */
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { seed } from '../../examples/photoncloud/seed.js';
import { services } from '../../examples/photoncloud/services.js';
import { temporaryFolder } from '../support/photoncloud.js';
import { send } from '../support/proxy.js';
import { until } from '../support/until.js';

async function start(test: Test, dataDir: string): Promise<PhotonCloud> {
  const cloud = await startCloud({ host: '127.0.0.1', dataDir, freePorts: true });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= cloud.close());
  test.teardown(close);
  return { ...cloud, close };
}

/** A list of each service that has sample data, below the port of all. */
const lists: readonly [target: string, items: number][] = [
  ['/chainfire/api/v1/kv', 3],
  ['/flaredb/api/v1/tables', 1],
  ['/iam/api/v1/users?page_size=1', 1],
  ['/iam/api/v1/projects', 1],
  ['/plasmavmc/api/v1/vms', 1],
  ['/k8shost/api/v1/pods', 1],
  ['/k8shost/api/v1/services', 1],
  ['/creditservice/api/v1/wallets', 1],
  ['/prismnet/api/v1/vpcs', 1],
  ['/prismnet/api/v1/subnets', 1],
  ['/nightlight/api/v1/series', 2],
  ['/lightningstor/api/v1/buckets/samples/objects', 1],
  ['/fiberlb/api/v1/loadbalancers', 1],
  ['/fiberlb/api/v1/pools', 1],
  ['/fiberlb/api/v1/listeners', 1],
  ['/deployer/api/v1/machines', 1],
];

async function contents(cloud: PhotonCloud): Promise<unknown[]> {
  return Promise.all(
    lists.map(async ([target]) => {
      const { status, json } = await send(cloud.url, `GET ${target}`);
      return [target, status, (json as { data: object }).data];
    }),
  );
}

void t.test('eleven services on ports of their own and together; sample data that stays as it is', async (test) => {
  const folder = temporaryFolder(test);
  const first = await start(test, folder);
  test.equal(first.services.length, 11);
  for (const { name, url } of first.services) {
    for (const [base, target] of [
      [url, '/health'],
      [first.url, `/${name}/health`],
    ] as const) {
      const { status, json } = await send(base, `GET ${target}`);
      test.match({ status, json }, { status: 200, json: { data: { status: 'SERVING' } } }, `${name} ${target}`);
    }
  }
  const said = await seed(first.services);
  const before = await contents(first);
  for (const [index, [target, items]] of lists.entries()) {
    const [, status, data] = before[index] as [string, number, Record<string, unknown>];
    const list = Object.values(data).find((value) => Array.isArray(value)) as unknown[];
    test.same([status, list.length], [200, items], target);
  }
  test.equal(await seed(first.services), said);
  await until(async () => JSON.stringify(await contents(first)).includes('RUNNING'));
  const settled = await contents(first);
  await first.close();

  const second = await start(test, folder);
  test.same(await contents(second), settled, 'a second start finds the data');
  test.equal(await seed(second.services), said);
  test.same(await contents(second), settled);
});

void t.test('below its mount a service lists its routes as they are to be typed', async (test) => {
  const { url, services } = await start(test, temporaryFolder(test));
  const own = services.find(({ name }) => name === 'iam')!.url;
  const list = (await send(url, 'GET /iam/')).text;
  test.match(list, /^iam\.v1\.IamService\n {2}POST +\/iam\/api\/v1\/auth\/token /);
  test.match(list, /\n {2}GET +\/iam\/health /);
  const typed = [...list.matchAll(/^ {2}GET +(\/\S+)/gm)]
    .map((match) => match[1]!)
    .filter((path) => !path.includes('{'));
  test.equal(typed.length, 6);
  for (const path of typed) test.equal((await send(url, `GET ${path}`)).status, 200, path);
  test.match((await send(own, 'GET /')).text, /\n {2}GET +\/api\/v1\/users /);
  test.match(
    (await send(url, 'GET /iam/api/v1/user')).text,
    /no route for GET .*; did you mean GET \/iam\/api\/v1\/users\? \\"GET \/iam\/\\" lists what is served/,
  );
  test.match((await send(own, 'GET /api/v1/user')).text, / \\"GET \/\\" lists what is served/);
  const page = (await send(url, 'GET /iam', { headers: { accept: 'text/html' } })).text.replaceAll('<wbr>', '');
  test.match(page, '<a href="/iam/api/v1/users"><code>/iam/api/v1/users</code></a>');
  test.match(page, /<a href="\/iam\/health"[^>]*>\/iam\/health<\/a>/);
});

void t.test('a port in use is told as what it is', async (test) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  test.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  const database = Database.open(join(temporaryFolder(test), 'photoncloud.db'));
  test.teardown(() => database.close());
  setLogVerbosity(logVerbosity.NONE);
  await test.rejects(services[0]!.start({ host: '127.0.0.1', port, database }), {
    message: `cannot listen on 127.0.0.1:${port}: another program listens there; is PhotonCloud running already?`,
  });
});

void t.test('a folder in use is refused; closed, it can be opened again', async (test) => {
  const folder = temporaryFolder(test);
  const cloud = await start(test, folder);
  await test.rejects(startCloud({ host: '127.0.0.1', dataDir: folder, freePorts: true }), /in use/);
  const impossible = '/proc/photoncloud/data';
  await test.rejects(startCloud({ host: '127.0.0.1', dataDir: impossible, freePorts: true }), /mkdir '\/proc/);
  await cloud.close();
  await (await start(test, folder)).close();
});

/** The first messages of a stream, which is then left. */
async function lines(url: string, count: number): Promise<Record<string, Record<string, unknown>>[]> {
  const response = await fetch(url);
  const found: string[] = [];
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop()!;
    found.push(...parts);
    if (found.length >= count) break;
  }
  return found
    .slice(0, count)
    .map((line) => (JSON.parse(line) as { data: Record<string, Record<string, unknown>> }).data);
}

void t.test('streams are lines, and go on as things happen', async (test) => {
  const { services } = await start(test, temporaryFolder(test));
  const url = (name: string): string => services.find((service) => service.name === name)!.url;
  const create = async (name: string, target: string, body: object): Promise<string> => {
    const { json } = await send(url(name), target, { body: JSON.stringify(body) });
    return (json as { data: { id: string } }).data.id;
  };
  const put = (key: string): Promise<unknown> =>
    send(url('chainfire'), `PUT /api/v1/kv/${key}`, { body: '{"value":"v"}' });
  await put('w/1');
  const watched = lines(`${url('chainfire')}/api/v1/watch?prefix=w/&start_revision=1`, 2);
  await put('other');
  await put('w/2');
  test.match(await watched, [{ type: 'PUT', item: { key: 'w/1' } }, { item: { key: 'w/2' } }]);

  const vm = { name: 'v', org_id: 'o', project_id: 'p', vcpus: 1, memory_mib: 64, hypervisor: 'KVM' };
  const id = await create('plasmavmc', 'POST /api/v1/vms', vm);
  const events = lines(`${url('plasmavmc')}/api/v1/vms/${id}/events`, 3);
  await send(url('plasmavmc'), `POST /api/v1/vms/${id}/start`);
  test.match(await events, [{ state: 'STOPPED' }, { state: 'STARTING' }, { state: 'RUNNING' }]);

  await create('k8shost', 'POST /api/v1/pods', { name: 'p', namespace: 'n', image: 'i' });
  const logs = lines(`${url('k8shost')}/api/v1/pods/n/p/logs?follow=true`, 4);
  test.match(await logs, [{ number: '1' }, { number: '2' }, { number: '3' }, { number: '4' }]);

  await send(url('deployer'), 'POST /api/v1/machines/m/phone_home', { body: '{"hostname":"m"}' });
  const rollout = await create('deployer', 'POST /api/v1/rollouts', { name: 'r', machine_ids: ['m'], image: 'i' });
  test.match(await lines(`${url('deployer')}/api/v1/rollouts/${rollout}/watch`, 2), [
    { updated: 0 },
    { state: 'SUCCEEDED' },
  ]);
});

void t.test('an object of 64 MiB goes up and down in pieces; ranges, list, delete', async (test) => {
  const { services } = await start(test, temporaryFolder(test));
  const { url } = services.find(({ name }) => name === 'lightningstor')!;
  const size = 64 * 1024 * 1024;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < size; sent += 65_536) {
      yield await Promise.resolve(new Uint8Array(65_536).fill(sent >> 16));
    }
  }
  await send(url, 'PUT /api/v1/buckets/b');
  const object = `${url}/api/v1/buckets/b/objects/a/big.bin`;
  const put = await fetch(object, { method: 'PUT', body: pieces(), duplex: 'half' } as unknown as RequestInit);
  test.match(await put.json(), { data: { key: 'a/big.bin', size: String(size) } });
  const got = await fetch(object);
  let received = 0;
  let right = true;
  for await (const chunk of got.body as unknown as AsyncIterable<Uint8Array>) {
    right &&= chunk[0] === ((received >> 16) & 0xff);
    received += chunk.length;
  }
  test.same([got.status, got.headers.get('content-length'), received, right], [200, String(size), size, true]);

  const part = await send(url, 'GET /api/v1/buckets/b/objects/a/big.bin', { headers: { range: 'bytes=65535-65536' } });
  test.same([part.status, [...part.bytes]], [206, [0, 1]]);
  test.equal(part.headers['content-range'], `bytes 65535-65536/${size}`);
  const beyond = await send(url, 'GET /api/v1/buckets/b/objects/a/big.bin', { headers: { range: `bytes=${size}-` } });
  test.match(beyond, { status: 416, headers: { 'content-range': `bytes */${size}` } });
  const list = await send(url, 'GET /api/v1/buckets/b/objects?prefix=a/');
  test.match(list.json, { data: { objects: [{ key: 'a/big.bin', size: String(size) }] } });
  const gone = await send(url, 'DELETE /api/v1/buckets/b/objects/a/big.bin');
  test.match(gone.json, { data: { deleted: true } });
});
