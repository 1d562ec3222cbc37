/** PhotonCloud as a whole, as `npm start` brings it up, on ports of the system's choice. */
import t, { type Test } from 'tap';
import { type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { seed } from '../../examples/photoncloud/seed.js';
import { temporaryFolder } from '../support/photoncloud.js';
import { send } from '../support/proxy.js';

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

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!(await condition())) if (Date.now() > giveUpAt) throw new Error('waited in vain');
}

void t.test('a folder in use is refused; closed, it can be opened again', async (test) => {
  const folder = temporaryFolder(test);
  const cloud = await start(test, folder);
  await test.rejects(startCloud({ host: '127.0.0.1', dataDir: folder, freePorts: true }), /in use/);
  await cloud.close();
  await (await start(test, folder)).close();
});
