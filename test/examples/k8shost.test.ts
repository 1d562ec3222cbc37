/** k8shost, the reference service: pods that come to run, their logs, services that find them, and nodes. */
import t from 'tap';
import type * as message from '../../examples/photoncloud/k8shost/messages.js';
import {
  allPages,
  spawnService,
  startTestService,
  temporaryFile,
  type RunningTestService,
} from '../support/resource-service.js';
import { ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

const service = ['k8shost', 'K8sHostService'] as const;
const pod = { name: 'web', namespace: 'shop', image: 'nginx:1.27' };
const lines = (found: readonly message.LogLine[]): string[] => found.map(({ number, line }) => `${number} ${line}`);

void t.test('pods and nodes by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const created = await running.data<object>('POST /api/v1/pods', {
    ...pod,
    command: ['nginx'],
    args: ['-g', 'daemon off;'],
  });
  test.match(created, {
    ...pod,
    command: ['nginx'],
    args: ['-g', 'daemon off;'],
    labels: {},
    phase: 'PENDING',
    node_name: 'node-1',
    pod_ip: '',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
  });
  const bad = (change: object): object => ({ ...pod, name: 'bad', ...change });
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']));
  await running.table(test, [
    ['GET /api/v1/pods/shop/web', undefined, 200, created],
    ['POST /api/v1/pods', pod, 409, /^a pod named "web" is there already$/],
    ['POST /api/v1/pods', { ...pod, namespace: 'other' }, 201, { node_name: 'node-2', command: [], args: [] }],
    [
      'POST /api/v1/pods',
      {},
      400,
      /name: is missing or empty; namespace: is missing or empty; image: is missing or empty/,
    ],
    ['POST /api/v1/pods', bad({ name: 'Web' }), 400, /name: is "Web", expected 1 to 63 of a-z, 0-9 and -/],
    ['POST /api/v1/pods', bad({ name: '-a' }), 400, /name: /],
    ['POST /api/v1/pods', bad({ name: 'a'.repeat(64) }), 400, /name: /],
    ['POST /api/v1/pods', bad({ namespace: 'a/b' }), 400, /namespace: /],
    ['POST /api/v1/pods', bad({ image: 'a b' }), 400, /image: expected/],
    ['POST /api/v1/pods', bad({ args: ['x'.repeat(8192)] }), 400, /command: has 8193 bytes/],
    ['POST /api/v1/pods', bad({ labels: { '': 'x' } }), 400, /labels: has "", expected a key/],
    ['POST /api/v1/pods', bad({ labels: many }), 400, /labels: has 65 entries/],
    ['GET /api/v1/pods/shop/none', undefined, 404, /^the namespace "shop" has no pod named "none"$/],
    ['GET /api/v1/pods/shop/%00', undefined, 404, 'NOT_FOUND'],
    ['GET /api/v1/pods/Shop/web', undefined, 404, 'NOT_FOUND'],
    [
      'GET /api/v1/pods?namespace=shop',
      undefined,
      200,
      { pods: [{ name: 'web', phase: 'PENDING' }], next_page_token: '' },
    ],
    ['GET /api/v1/pods?namespace=none', undefined, 200, { pods: [] }],
    ['GET /api/v1/pods?namespace=%00', undefined, 400, /namespace/],
    ['GET /api/v1/pods?page_size=-2', undefined, 400, /page_size/],
    ['GET /api/v1/pods?page_token=zzz', undefined, 400, /page_token/],
  ]);
  running.clock.advance(1000);
  await running.table(test, [
    [
      'GET /api/v1/pods/shop/web',
      undefined,
      200,
      { phase: 'RUNNING', pod_ip: '10.244.16.1', updated_at: '2026-01-01T00:00:01Z' },
    ],
    ['GET /api/v1/pods', undefined, 200, { pods: [{ pod_ip: '10.244.16.1' }, { pod_ip: '10.244.32.1' }] }],
    [
      'GET /api/v1/nodes?page_size=2',
      undefined,
      200,
      {
        nodes: [
          {
            name: 'node-1',
            state: 'READY',
            address: '10.0.0.11',
            pod_cidr: '10.244.16.0/20',
            capacity_pods: 1000,
            pods: 1,
          },
          { name: 'node-2', pods: 1 },
        ],
      },
    ],
    ['GET /api/v1/nodes?page_size=-1', undefined, 400, /page_size/],
    ['GET /api/v1/nodes?page_token=x', undefined, 400, /page_token/],
    ['DELETE /api/v1/pods/shop/web', undefined, 200, { deleted: true }],
    ['DELETE /api/v1/pods/shop/web', undefined, 404, 'NOT_FOUND'],
    ['POST /api/v1/pods', { ...pod, request_id: 'r-1' }, 201, { node_name: 'node-1' }],
    ['POST /api/v1/pods', { ...pod, request_id: 'r-1' }, 201, { node_name: 'node-1' }],
  ]);
  running.clock.jump(1000); // the timer is late, but a call sees what should be
  await running.table(test, [
    ['GET /api/v1/pods/shop/web', undefined, 200, { phase: 'RUNNING', pod_ip: '10.244.16.1' }],
  ]);
  const nodes = await allPages<{ name: string; pods: number }>(running, '/api/v1/nodes', 'nodes', 2);
  test.same([nodes.items.map(({ name }) => name), nodes.pages], [['node-1', 'node-2', 'node-3'], 2]);
  for (let n = 0; n < 5; n++) await running.data('POST /api/v1/pods', { ...pod, namespace: 'many', name: `n${n}` });
  const { items, pages } = await allPages<{ name: string }>(running, '/api/v1/pods?namespace=many', 'pods', 2);
  test.same([items.map(({ name }) => name), pages], [['n0', 'n1', 'n2', 'n3', 'n4'], 3]);
  test.same(running.log, []);
});

void t.test('services by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const svc = {
    name: 'front',
    namespace: 'shop',
    service_type: 'ClusterIP',
    port: 80,
    target_port: 8080,
    selector: { app: 'web' },
  };
  const created = await running.data<object>('POST /api/v1/services', svc);
  test.match(created, {
    ...svc,
    cluster_ip: '10.96.0.2',
    node_port: 0,
    endpoints: [],
    created_at: '2026-01-01T00:00:00Z',
  });
  const bad = (change: object): object => ({ ...svc, name: 'bad', ...change });
  await running.table(test, [
    ['GET /api/v1/services/shop/front', undefined, 200, created],
    ['POST /api/v1/services', svc, 409, 'ALREADY_EXISTS'],
    [
      'POST /api/v1/services',
      bad({ name: 'np', service_type: 'NodePort' }),
      201,
      { cluster_ip: '10.96.0.3', node_port: 30000 },
    ],
    [
      'POST /api/v1/services',
      bad({ name: 'lb', service_type: 'LOAD_BALANCER' }),
      201,
      { service_type: 'LoadBalancer', node_port: 30001 },
    ],
    [
      'POST /api/v1/services',
      bad({ name: 'plain', service_type: '', target_port: 0 }),
      201,
      { service_type: 'ClusterIP', target_port: 80 },
    ],
    ['POST /api/v1/services', {}, 400, /name: .*namespace: .*port: is 0, expected 1 to 65535/],
    [
      'POST /api/v1/services',
      bad({ service_type: 'Round' }),
      400,
      /service_type: is "Round", expected ClusterIP, NodePort or LoadBalancer/,
    ],
    ['POST /api/v1/services', bad({ port: 65536 }), 400, /port: is 65536/],
    ['POST /api/v1/services', bad({ target_port: -1 }), 400, /target_port: is -1/],
    ['GET /api/v1/services/shop/none', undefined, 404, /no service named "none"/],
    [
      'GET /api/v1/services?namespace=shop',
      undefined,
      200,
      { services: [{ name: 'front' }, {}, {}, { name: 'plain' }] },
    ],
    ['GET /api/v1/services?namespace=Shop', undefined, 400, /namespace/],
    ['GET /api/v1/services?page_size=-1', undefined, 400, /page_size/],
    ['GET /api/v1/services?page_token=a', undefined, 400, /page_token/],
    ['POST /api/v1/pods', { ...pod, labels: { app: 'web', tier: 'front' } }, 201, {}],
    ['POST /api/v1/pods', { ...pod, name: 'db', labels: { app: 'db' } }, 201, {}],
    ['POST /api/v1/pods', { ...pod, namespace: 'other', labels: { app: 'web' } }, 201, {}],
    ['GET /api/v1/services/shop/front', undefined, 200, { endpoints: [] }],
  ]);
  running.clock.advance(1000);
  await running.table(test, [
    ['GET /api/v1/services/shop/front', undefined, 200, { endpoints: ['10.244.16.1:8080'] }],
    [
      'GET /api/v1/services?namespace=shop',
      undefined,
      200,
      { services: [{ endpoints: ['10.244.16.1:8080'] }, {}, {}, {}] },
    ],
    ['DELETE /api/v1/services/shop/np', undefined, 200, { deleted: true }],
    ['DELETE /api/v1/services/shop/np', undefined, 404, 'NOT_FOUND'],
    [
      'POST /api/v1/services',
      bad({ name: 'again', service_type: 'NODE_PORT', request_id: 's' }),
      201,
      { cluster_ip: '10.96.0.3', node_port: 30000 },
    ],
    [
      'POST /api/v1/services',
      bad({ name: 'again', service_type: 'NODE_PORT', request_id: 's' }),
      201,
      { node_port: 30000, endpoints: ['10.244.16.1:8080'] },
    ],
  ]);
  const { items, pages } = await allPages<{ name: string }>(running, '/api/v1/services', 'services', 3);
  test.same([items.map(({ name }) => name), pages], [['front', 'lb', 'plain', 'again'], 2]);
  test.same(running.log, []);
});

async function log(running: RunningTestService, request: object): Promise<string[]> {
  const replies = running.client.stream<message.LogLine>('StreamPodLogs', {
    namespace: 'shop',
    name: 'web',
    ...request,
  });
  requireOk(await replies.end());
  return lines(replies.received);
}

function requireOk(code: string): void {
  if (code !== 'OK') throw new Error(code);
}

void t.test('logs', async (test) => {
  const running = await startTestService(test, ...service);
  const { client, clock } = running;
  await client.call('CreatePod', { ...pod, command: ['run', 'it\nnow'] });
  const pending = ['1 scheduled on node-1', '2 pulling image nginx:1.27'];
  test.same(await log(running, {}), pending);
  const request = { namespace: 'shop', name: 'web', follow: true };
  const all = client.stream<message.LogLine>('StreamPodLogs', request);
  const fresh = client.stream<message.LogLine>('StreamPodLogs', { ...request, tail_lines: 0 });
  const last = client.stream<message.LogLine>('StreamPodLogs', { ...request, tail_lines: 1 });
  await all.atLeast(2);
  await last.atLeast(1);
  test.same(await log(running, { tail_lines: 0 }), []); // by now the stream of what is new has begun, too
  clock.advance(1000);
  const started = ['3 pulled image nginx:1.27', '4 started run it now'];
  test.same(lines(await all.atLeast(4)), [...pending, ...started]);
  clock.advance(2000);
  const beats = ['5 running for 1 s', '6 running for 2 s'];
  test.same(lines(await all.atLeast(6)), [...pending, ...started, ...beats]);
  test.same(lines(await fresh.atLeast(4)), [...started, ...beats]);
  test.same(lines(await last.atLeast(5)), ['2 pulling image nginx:1.27', ...started, ...beats]);
  test.same(
    all.received.map(({ written_at }) => Number(written_at.seconds) - Date.UTC(2026, 0, 1) / 1000),
    [0, 0, 1, 1, 2, 3],
  );
  test.same(await log(running, { tail_lines: 1 }), beats.slice(1));
  test.same(await log(running, { tail_lines: 100 }), [...pending, ...started, ...beats]);

  clock.jump(3_600_000);
  const hour = await log(running, {});
  test.same([hour.length, hour[0], hour.at(-1)], [1000, '2607 running for 2603 s', '3606 running for 3602 s']);
  for (const [wrong, code] of [
    [{ name: 'none' }, 'NOT_FOUND'],
    [{ name: '' }, 'INVALID_ARGUMENT'],
    [{ tail_lines: -1 }, 'INVALID_ARGUMENT'],
  ] as const) {
    test.equal(await client.stream('StreamPodLogs', { ...request, ...wrong }).end(), code);
  }
  await client.call('DeletePod', { namespace: 'shop', name: 'web' });
  test.equal(await all.end(), 'OK', 'the end of the pod is the end of its log');
  await client.call('CreatePod', pod);
  const open = client.stream<message.LogLine>('StreamPodLogs', request);
  await open.atLeast(2);
  await running.stop();
  test.equal(await open.end(), 'UNAVAILABLE', 'a close is no end');

  const late = new ManualClock(clock.now() + 5000);
  const again = await startTestService(test, ...service, { file: running.file, clock: late });
  test.same(await log(again, {}), [
    ...pending,
    '3 pulled image nginx:1.27',
    '4 started what the image says',
    ...beats,
    '7 running for 3 s',
    '8 running for 4 s',
  ]);
  test.equal((await again.data<{ nodes: object[] }>('GET /api/v1/nodes')).nodes.length, 3, 'the nodes are the same');
});

void t.test('killed while it writes, it has lost nothing that it acknowledged, and pods go on', async (test) => {
  const file = temporaryFile();
  const { client, kill } = await spawnService(test, ...service, file);
  const created: message.Pod[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; ; n++) created.push(await client.call('CreatePod', { ...pod, name: `p${writer}-${n}` }));
  };
  const writers = [0, 1, 2, 3].map((writer) => write(writer).catch(() => undefined));
  await until(() => created.length >= 40, 'pods');
  await kill();
  await Promise.all(writers);
  const after = await spawnService(test, ...service, file);
  const read = ({ namespace, name }: message.Pod): Promise<message.Pod> =>
    after.client.call('GetPod', { namespace, name });
  for (const each of created) await until(async () => (await read(each)).phase === 'RUNNING', 'the pod to run');
  const pods = await Promise.all(created.map(read));
  test.same(
    pods.map(({ id, node_name }) => [id, node_name]),
    created.map(({ id, node_name }) => [id, node_name]),
  );
  test.equal(new Set(pods.map(({ pod_ip }) => pod_ip)).size, pods.length, 'no address is given twice');
  await after.kill();
});
