/**
 * Sample data, so that the first calls of a newcomer show something. It goes through the REST APIs, as a user's would.
 * What is there already, by its name, stays as it is: seeding again changes nothing.
 */
import type { ServiceAddresses } from './cloud.js';

/** A resource as JSON, looked at by name. */
type Resource = Readonly<Record<string, unknown>> & { readonly id: string };

/** A call to one service: `POST /api/v1/vms`; a string is sent as it is, anything else as JSON. */
type Call = (service: string, methodAndTarget: string, body?: unknown) => Promise<Record<string, unknown>>;

const org = 'acme';

/**
 * Fills every service, and tells in a line what to look at. Throws where a service refuses.
 * @param token of an administrator, where calls need one.
 */
export async function seed(services: readonly ServiceAddresses[], token?: string): Promise<string> {
  const call = callTo(services, token);
  const project = await seedAccounts(call);
  await seedStores(call);
  await seedMetrics(call);
  await seedMachines(call, project);
  await seedBalancer(call, project);
  return `organization ${org}, project ${project}, user ada with the password ${samplePassword}.`;
}

/** Nothing secret: whoever asks for sample data knows it. */
const samplePassword = 'analytical-engine';

async function seedAccounts(call: Call): Promise<string> {
  const ada = await ensure(call, 'iam', 'users', 'username', {
    username: 'ada',
    password: samplePassword,
    email: 'ada@example.com',
    org_id: org,
  });
  const { id } = await ensure(call, 'iam', 'projects', 'name', {
    name: 'demo',
    org_id: org,
    description: 'Sample data.',
  });
  await call('iam', `PUT /api/v1/projects/${id}/members/${ada.id}`, { role: 'owner' });
  await ensure(call, 'creditservice', 'wallets', 'project_id', {
    project_id: id,
    org_id: org,
    initial_balance: '1000',
  });
  return id;
}

async function seedStores(call: Call): Promise<void> {
  const pairs = { 'app/config/url': 'https://example.com', 'app/config/color': 'blue', greeting: 'hello' };
  const { items } = (await call('chainfire', 'GET /api/v1/kv?page_size=1000')) as { items: { key: string }[] };
  for (const [key, value] of Object.entries(pairs)) {
    if (items.some((item) => item.key === key)) continue;
    await call('chainfire', `PUT /api/v1/kv/${key}`, { value, expected_version: '0' });
  }
  const statements = [
    'CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER)',
    "INSERT OR IGNORE INTO books VALUES (1, 'Sketch of the Analytical Engine', 1843), (2, 'Computing Machinery', 1950)",
  ];
  for (const query of statements) await call('flaredb', 'POST /api/v1/sql', { query });
  await call('lightningstor', 'PUT /api/v1/buckets/samples', {});
  const { objects } = await call('lightningstor', 'GET /api/v1/buckets/samples/objects');
  if ((objects as unknown[]).length === 0) {
    await call('lightningstor', 'PUT /api/v1/buckets/samples/objects/hello.txt', 'hello\n');
  }
}

/** Ten minutes of two counters, a sample every 15 seconds. */
async function seedMetrics(call: Call): Promise<void> {
  const { series } = await call('nightlight', 'GET /api/v1/series?match=http_requests_total');
  if ((series as unknown[]).length > 0) return;
  const now = Math.floor(Date.now() / 1000);
  const samples = (perStep: number): object[] =>
    Array.from({ length: 41 }, (_, index) => ({ timestamp: String(now - 15 * (40 - index)), value: perStep * index }));
  await call('nightlight', 'POST /api/v1/write', {
    series: [
      { labels: { __name__: 'http_requests_total', method: 'GET', instance: 'web-1' }, samples: samples(30) },
      { labels: { __name__: 'http_requests_total', method: 'POST', instance: 'web-1' }, samples: samples(6) },
    ],
  });
}

async function seedMachines(call: Call, project: string): Promise<void> {
  const own = { org_id: org, project_id: project };
  const vpc = await ensure(call, 'prismnet', 'vpcs', 'name', { name: 'main', ...own, cidr_block: '10.0.0.0/16' });
  await ensure(call, 'prismnet', 'subnets', 'name', { name: 'web', vpc_id: vpc.id, cidr_block: '10.0.1.0/24' });
  await ensure(call, 'plasmavmc', 'vms', 'name', {
    name: 'web-1',
    ...own,
    vcpus: 2,
    memory_mib: 2048,
    hypervisor: 'KVM',
  });
  const labels = { app: 'web' };
  await ensure(call, 'k8shost', 'pods', 'name', { name: 'web', namespace: 'default', image: 'nginx', labels });
  await ensure(call, 'k8shost', 'services', 'name', {
    name: 'web',
    namespace: 'default',
    service_type: 'CLUSTER_IP',
    port: 80,
    target_port: 8080,
    selector: labels,
  });
  const { machines } = await call('deployer', 'GET /api/v1/machines?page_size=1000');
  if (!(machines as Resource[]).some(({ id }) => id === 'rack1-node1')) {
    await call('deployer', 'POST /api/v1/machines/rack1-node1/phone_home', {
      hostname: 'node1',
      addresses: ['192.0.2.11'],
      hardware: { cpus: 16, memory_mib: 65_536, disks: ['nvme0n1'] },
    });
  }
}

async function seedBalancer(call: Call, project: string): Promise<void> {
  const own = { org_id: org, project_id: project };
  const { id } = await ensure(call, 'fiberlb', 'loadbalancers', 'name', { name: 'front', ...own, vip: '192.0.2.80' });
  const pool = await ensure(call, 'fiberlb', 'pools', 'name', {
    name: 'web',
    loadbalancer_id: id,
    algorithm: 'ROUND_ROBIN',
  });
  await ensure(call, 'fiberlb', `pools/${pool.id}/backends`, 'name', {
    name: 'web-1',
    address: '10.0.1.10',
    port: 8080,
    weight: 1,
  });
  await ensure(call, 'fiberlb', 'listeners', 'name', {
    name: 'http',
    loadbalancer_id: id,
    protocol: 'HTTP',
    port: 80,
    default_pool_id: pool.id,
  });
}

/** The resource of a collection that has this name, made where there is none. */
async function ensure(
  call: Call,
  service: string,
  collection: string,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Resource> {
  const list = collection.split('/').at(-1)!;
  for (let token = ''; ;) {
    const page = await call(
      service,
      `GET /api/v1/${collection}?page_size=1000&page_token=${encodeURIComponent(token)}`,
    );
    const found = (page[list] as Resource[]).find((resource) => resource[name] === body[name]);
    if (found !== undefined) return found;
    token = page['next_page_token'] as string;
    if (token === '') return (await call(service, `POST /api/v1/${collection}`, body)) as Resource;
  }
}

function callTo(services: readonly ServiceAddresses[], token: string | undefined): Call {
  const urls = new Map(services.map(({ name, url }) => [name, url]));
  return async (service, methodAndTarget, body) => {
    const [method, target] = methodAndTarget.split(' ') as [string, string];
    const raw = typeof body === 'string';
    const response = await fetch(`${urls.get(service)!}${target}`, {
      method,
      headers: {
        'content-type': raw ? 'text/plain' : 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    // Creating a bucket that is there answers 409, and it is as it should be.
    if (!response.ok && response.status !== 409) throw new Error(`sample data: ${service} ${methodAndTarget}: ${text}`);
    return ((JSON.parse(text) as { data?: unknown }).data ?? {}) as Record<string, unknown>;
  };
}
