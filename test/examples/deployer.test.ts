/** Deployer, the reference service: machines that phone home, and rollouts that go from one to the next. */
import t from 'tap';
import type * as message from '../../examples/photoncloud/deployer/messages.js';
import {
  allPages,
  spawnService,
  startTestService,
  temporaryFile,
  type RunningTestService,
} from '../support/resource-service.js';
import { ManualClock } from '../support/manual-clock.js';
import { refusal } from '../support/refusal.js';
import { until } from '../support/until.js';

const service = ['deployer', 'DeployerService'] as const;
const none = '01jz4q0v7m9k3c5x8w2n6t1r0a';
const home = {
  hostname: 'node-a',
  addresses: ['10.0.0.7', 'fd00::7'],
  hardware: { cpus: 16, memory_mib: 65536, disks: ['nvme0n1', { name: 'sda', size_gib: 4000 }] },
};

/** Makes machines `m0`, `m1` and so on known. */
async function furnish(running: RunningTestService, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `m${index}`);
  for (const id of ids) await running.client.call('PhoneHome', { id, hostname: id });
  return ids;
}

const briefly = ({ state, machines }: message.Rollout): string =>
  `${state} ${machines.map((each) => each.state.slice(0, 6)).join(' ')}`;

void t.test('machines by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const fresh = await running.data<object>('POST /api/v1/machines/SN-1/phone_home', home);
  test.same(fresh, {
    id: 'SN-1',
    ...home,
    role: '',
    config: '',
    labels: {},
    state: 'DISCOVERED',
    image: '',
    rollout_id: '',
    last_seen_at: '2026-01-01T00:00:00Z',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
  });
  running.clock.advance(1000);
  const seen = '2026-01-01T00:00:01Z';
  const large = { text: 'x'.repeat(66_000) };
  await running.table(test, [
    ['POST /api/v1/machines/SN-1:phoneHome', home, 200, { ...fresh, last_seen_at: seen }],
    ['GET /api/v1/machines/SN-1', undefined, 200, { ...fresh, last_seen_at: seen }],
    [
      'POST /api/v1/machines/52:54:00:12:34:56/phone_home',
      { hostname: 'b' },
      200,
      { id: '52:54:00:12:34:56', addresses: [] },
    ],
    ['POST /api/v1/machines/52:54:00:12:34:56:phoneHome', { hostname: 'b' }, 200, { id: '52:54:00:12:34:56' }],
    ['POST /api/v1/machines/x/phone_home', {}, 400, /hostname: is missing or empty/],
    [
      'POST /api/v1/machines/x/phone_home',
      { hostname: 'x', addresses: ['here'] },
      400,
      /addresses: has "here", expected IP addresses/,
    ],
    ['POST /api/v1/machines/x/phone_home', { hostname: 'x', hardware: { cpus: -1 } }, 400, /hardware.cpus: is -1/],
    [
      'POST /api/v1/machines/x/phone_home',
      { hostname: 'x', hardware: { disks: [large] } },
      400,
      /hardware.disks: is larger than 65536/,
    ],
    ['POST /api/v1/machines/-x/phone_home', { hostname: 'x' }, 400, /id: is "-x", expected/],
    [`POST /api/v1/machines/${'x'.repeat(129)}/phone_home`, { hostname: 'x' }, 400, /id: is/],
    [
      'PATCH /api/v1/machines/SN-1',
      { role: 'storage' },
      200,
      { role: 'storage', state: 'READY', config: '', hostname: 'node-a' },
    ],
    [
      'PATCH /api/v1/machines/SN-1',
      { config: { raid: [1, 'x', null] } },
      200,
      { role: 'storage', config: { raid: [1, 'x', null] } },
    ],
    ['PATCH /api/v1/machines/SN-1', { labels: { rack: '7' } }, 200, { labels: { rack: '7' }, role: 'storage' }],
    ['PATCH /api/v1/machines/SN-1', { role: 'a\u0007' }, 400, /role: expected/],
    ['PATCH /api/v1/machines/SN-1', { config: large }, 400, /config: is larger/],
    ['PATCH /api/v1/machines/SN-1', { labels: { k: 'v'.repeat(64) } }, 400, /labels: has "k"/],
    ['PATCH /api/v1/machines/none', { role: 'x' }, 404, 'NOT_FOUND'],
    [
      'POST /api/v1/machines/SN-1/phone_home',
      { hostname: 'renamed' },
      200,
      {
        hostname: 'renamed',
        addresses: [],
        hardware: home.hardware,
        role: 'storage',
        config: { raid: [1, 'x', null] },
        labels: { rack: '7' },
        updated_at: seen,
      },
    ],
    ['GET /api/v1/machines?state=READY', undefined, 200, { machines: [{ id: 'SN-1' }], next_page_token: '' }],
    ['GET /api/v1/machines?state=DISCOVERED', undefined, 200, { machines: [{ hostname: 'b' }] }],
    ['GET /api/v1/machines?state=UPDATING', undefined, 200, { machines: [] }],
    ['GET /api/v1/machines?state=LOST', undefined, 400, 'INVALID_ARGUMENT'],
    ['GET /api/v1/machines?state=7', undefined, 400, /state: is 7/],
    ['GET /api/v1/machines?page_size=-1', undefined, 400, /page_size/],
    ['GET /api/v1/machines?page_token=x', undefined, 400, /page_token/],
    ['GET /api/v1/machines/none', undefined, 404, /^no machine has the id "none"$/],
    ['DELETE /api/v1/machines/SN-1', undefined, 200, { deleted: true }],
    ['DELETE /api/v1/machines/SN-1', undefined, 404, 'NOT_FOUND'],
    ['POST /api/v1/machines/SN-1/phone_home', home, 200, { role: '', created_at: seen }],
  ]);
  await furnish(running, 5);
  const { items, pages } = await allPages<{ id: string }>(running, '/api/v1/machines?state=DISCOVERED', 'machines', 3);
  test.same([items.map(({ id }) => id), pages], [['52:54:00:12:34:56', 'SN-1', 'm0', 'm1', 'm2', 'm3', 'm4'], 3]);
  const cleared = { machine: { id: 'm0', labels: {}, role: '' }, update_mask: { paths: ['role', 'labels', 'config'] } };
  await running.data('PATCH /api/v1/machines/m0', { role: 'x', labels: { a: 'b' }, config: 'text' });
  test.match(await running.client.call('UpdateMachine', cleared), {
    role: '',
    labels: {},
    state: 'DISCOVERED',
  });
  await running.table(test, [['GET /api/v1/machines/m0', undefined, 200, { role: '', config: '' }]]);
  test.same(running.log, []);
});

void t.test('a rollout by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const { clock, client } = running;
  await furnish(running, 5);
  for (const id of ['m3', 'm1'])
    await running.data(`PATCH /api/v1/machines/${id}`, { labels: { rack: '7', kind: id }, role: 'storage' });
  const rollout = {
    name: 'november',
    machine_ids: ['m0', 'm2', 'm4'],
    image: 'photonos:2026.11',
    max_unavailable: 2,
    request_id: 'r',
  };
  const created = await running.data<{ id: string }>('POST /api/v1/rollouts', rollout);
  const at = (changed_at: string): object => ({ changed_at });
  test.same(created, {
    id: created.id,
    name: 'november',
    image: 'photonos:2026.11',
    max_unavailable: 2,
    selector: {},
    state: 'RUNNING',
    machines: [
      { machine_id: 'm0', state: 'UPDATING', ...at('2026-01-01T00:00:00Z') },
      { machine_id: 'm2', state: 'UPDATING', ...at('2026-01-01T00:00:00Z') },
      { machine_id: 'm4', state: 'PENDING', ...at('2026-01-01T00:00:00Z') },
    ],
    total: 3,
    updating: 2,
    updated: 0,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
  });
  const url = `/api/v1/rollouts/${created.id}`;
  const bad = (change: object): object => ({ ...rollout, name: 'bad', machine_ids: ['m1'], request_id: '', ...change });
  const many = Array.from({ length: 1001 }, (_, index) => `x${index}`);
  await running.table(test, [
    ['POST /api/v1/rollouts', rollout, 201, created],
    ['POST /api/v1/rollouts', bad({ name: 'november' }), 409, /^a rollout named "november" is there already$/],
    ['POST /api/v1/rollouts', { ...rollout, request_id: '' }, 409, /^a rollout named "november" is there already$/],
    ['POST /api/v1/rollouts', {}, 400, /^machine_ids: .*; name: is missing or empty; image: is missing or empty/],
    ['POST /api/v1/rollouts', bad({ machine_ids: [] }), 400, /machine_ids: expected either these or a selector/],
    [
      'POST /api/v1/rollouts',
      bad({ selector: { rack: '7' } }),
      400,
      /machine_ids: expected either these or a selector/,
    ],
    ['POST /api/v1/rollouts', bad({ machine_ids: ['m1', 'm1'] }), 400, /machine_ids: has a machine twice/],
    ['POST /api/v1/rollouts', bad({ machine_ids: many }), 400, /machine_ids: are 1001/],
    [
      'POST /api/v1/rollouts',
      bad({ machine_ids: ['m1', 'none'] }),
      400,
      /machine_ids\[1\]: no machine has the id "none"/,
    ],
    ['POST /api/v1/rollouts', bad({ machine_ids: ['m1', 'm4'] }), 400, 'FAILED_PRECONDITION'],
    ['POST /api/v1/rollouts', bad({ machine_ids: ['m4'] }), 400, /^the machine "m4" waits for the rollout "/],
    ['POST /api/v1/rollouts', bad({ machine_ids: [], selector: { rack: '8' } }), 400, /selector: finds 0 machines/],
    ['POST /api/v1/rollouts', bad({ max_unavailable: 0 }), 400, /max_unavailable: is 0/],
    ['POST /api/v1/rollouts', bad({ image: '' }), 400, /image: is missing or empty/],
    ['POST /api/v1/rollouts', bad({ name: '' }), 400, /name: is missing or empty/],
    ['GET /api/v1/machines?state=UPDATING', undefined, 200, { machines: [{ id: 'm0' }, { id: 'm2' }] }],
    ['GET /api/v1/machines/m4', undefined, 200, { state: 'DISCOVERED', rollout_id: created.id, image: '' }],
    ['PATCH /api/v1/machines/m0', { role: 'web' }, 200, { state: 'UPDATING', role: 'web' }],
    ['DELETE /api/v1/machines/m0', undefined, 400, 'FAILED_PRECONDITION'],
    ['DELETE /api/v1/machines/m4', undefined, 400, /^the machine waits for the rollout/],
    [
      'POST /api/v1/rollouts',
      bad({ name: 'by labels', machine_ids: [], selector: { rack: '7' }, max_unavailable: undefined }),
      201,
      {
        max_unavailable: 1,
        selector: { rack: '7' },
        machines: [
          { machine_id: 'm1', state: 'UPDATING' },
          { machine_id: 'm3', state: 'PENDING' },
        ],
      },
    ],
    [`POST ${url}/resume`, '', 400, /^the rollout is RUNNING; to resume it, it has to be PAUSED$/],
    [`POST ${url}/pause`, '', 200, { state: 'PAUSED', updating: 2 }],
    [`POST ${url}/pause`, {}, 400, 'FAILED_PRECONDITION'],
  ]);
  clock.advance(5000);
  await running.table(test, [
    [
      `GET ${url}`,
      undefined,
      200,
      {
        state: 'PAUSED',
        updated: 2,
        updating: 0,
        machines: [
          { state: 'UPDATED' },
          { state: 'UPDATED', changed_at: '2026-01-01T00:00:01Z' },
          { state: 'PENDING' },
        ],
      },
    ],
    ['GET /api/v1/machines/m0', undefined, 200, { state: 'READY', image: 'photonos:2026.11', rollout_id: '' }],
    ['GET /api/v1/machines/m3', undefined, 200, { state: 'READY', image: 'photonos:2026.11' }],
    [`POST ${url}/resume`, {}, 200, { state: 'RUNNING', updating: 1 }],
  ]);
  clock.jump(1000); // the timer is late, but a call sees what should be
  await running.table(test, [
    [`GET ${url}`, undefined, 200, { state: 'SUCCEEDED', updated: 3, updating: 0, updated_at: '2026-01-01T00:00:06Z' }],
    [`POST ${url}/cancel`, {}, 400, /^the rollout is SUCCEEDED; to cancel it, it has to be RUNNING or PAUSED$/],
    [`POST ${url}/resume`, {}, 400, 'FAILED_PRECONDITION'],
    [
      'POST /api/v1/rollouts',
      bad({ name: 'again', machine_ids: ['m0', 'm2', 'm4'], max_unavailable: 1 }),
      201,
      { state: 'RUNNING' },
    ],
  ]);
  const { items, pages } = await allPages<{ id: string; name: string }>(running, '/api/v1/rollouts', 'rollouts', 2);
  test.same([items.map(({ name }) => name), pages], [['november', 'by labels', 'again'], 2]);
  const again = items[2]!.id;
  await running.table(test, [
    [
      `POST /api/v1/rollouts/${again}/cancel`,
      '',
      200,
      { state: 'CANCELLED', machines: [{ state: 'UPDATING' }, { state: 'SKIPPED' }, { state: 'SKIPPED' }] },
    ],
    ['GET /api/v1/machines/m2', undefined, 200, { rollout_id: '', state: 'DISCOVERED' }],
    ['DELETE /api/v1/machines/m2', undefined, 200, { deleted: true }],
    ['DELETE /api/v1/machines/m0', undefined, 400, 'FAILED_PRECONDITION'],
  ]);
  clock.advance(1000);
  await running.table(test, [
    [`GET /api/v1/rollouts/${again}`, undefined, 200, { state: 'CANCELLED', updated: 1, updating: 0 }],
    ['DELETE /api/v1/machines/m0', undefined, 200, { deleted: true }],
    ['GET /api/v1/rollouts?page_size=-1', undefined, 400, /page_size/],
    ['GET /api/v1/rollouts?page_token=x', undefined, 400, /page_token/],
    [`GET /api/v1/rollouts/${none}`, undefined, 404, /^no rollout has the id/],
    [`POST /api/v1/rollouts/${none}/pause`, {}, 404, 'NOT_FOUND'],
    [`POST /api/v1/rollouts/${none}/resume`, {}, 404, 'NOT_FOUND'],
    [`POST /api/v1/rollouts/${none}/cancel`, {}, 404, 'NOT_FOUND'],
  ]);
  test.equal((await refusal(client.call('PauseRollout', {}))).code, 'INVALID_ARGUMENT');
  test.same(running.log, []);
});

void t.test('a watched rollout, within max_unavailable, over a restart', async (test) => {
  const running = await startTestService(test, ...service);
  const { client, clock } = running;
  const machine_ids = await furnish(running, 5);
  const { id } = await client.call<message.Rollout>('CreateRollout', {
    name: 'r',
    machine_ids,
    image: 'i',
    max_unavailable: 2,
  });
  const watch = client.stream<message.Rollout>('WatchRollout', { id });
  test.same((await watch.atLeast(1)).map(briefly), ['RUNNING UPDATI UPDATI PENDIN PENDIN PENDIN']);
  await client.call('PauseRollout', { id });
  await watch.atLeast(2);
  await client.call('ResumeRollout', { id });
  await watch.atLeast(3);
  clock.advance(1000);
  test.same((await watch.atLeast(4)).map(briefly).slice(1), [
    'PAUSED UPDATI UPDATI PENDIN PENDIN PENDIN',
    'RUNNING UPDATI UPDATI PENDIN PENDIN PENDIN',
    'RUNNING UPDATE UPDATE UPDATI UPDATI PENDIN',
  ]);
  await running.stop();
  test.equal(await watch.end(), 'UNAVAILABLE', 'a close is no end');

  const late = new ManualClock(clock.now() + 1500);
  const again = await startTestService(test, ...service, { file: running.file, clock: late });
  const rest = again.client.stream<message.Rollout>('WatchRollout', { id });
  test.same(
    (await rest.atLeast(1)).map(briefly),
    ['RUNNING UPDATE UPDATE UPDATE UPDATE UPDATI'],
    'it went on at its time',
  );
  late.advance(500);
  test.same((await rest.atLeast(2)).map(briefly)[1], 'SUCCEEDED UPDATE UPDATE UPDATE UPDATE UPDATE');
  test.equal(await rest.end(), 'OK');
  const over = again.client.stream<message.Rollout>('WatchRollout', { id });
  test.equal(await over.end(), 'OK', 'one that is over is told once');
  test.equal(over.received.length, 1);
  test.equal(await again.client.stream('WatchRollout', { id: none }).end(), 'NOT_FOUND');
  test.equal(await again.client.stream('WatchRollout', {}).end(), 'INVALID_ARGUMENT');

  const next = await again.client.call<message.Rollout>('CreateRollout', { name: 'n', machine_ids, image: 'i' });
  const cancelled = again.client.stream<message.Rollout>('WatchRollout', { id: next.id });
  await cancelled.atLeast(1);
  await again.client.call('CancelRollout', { id: next.id });
  await cancelled.atLeast(2);
  late.advance(1000);
  test.equal(await cancelled.end(), 'OK');
  test.same(cancelled.received.map(briefly), [
    'RUNNING UPDATI PENDIN PENDIN PENDIN PENDIN',
    'CANCELLED UPDATI SKIPPE SKIPPE SKIPPE SKIPPE',
    'CANCELLED UPDATE SKIPPE SKIPPE SKIPPE SKIPPE',
  ]);
});

void t.test('killed while it rolls out, it has lost nothing that it acknowledged, and goes on', async (test) => {
  const file = temporaryFile();
  const { client, kill } = await spawnService(test, ...service, file);
  const ids: string[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; ; n++) {
      const { id } = await client.call<message.Machine>('PhoneHome', { id: `w${writer}-${n}`, hostname: 'h' });
      ids.push(id);
    }
  };
  for (const id of ['a', 'b', 'c']) await client.call('PhoneHome', { id, hostname: id });
  const rollout = { name: 'r', machine_ids: ['a', 'b', 'c'], image: 'i', request_id: 'once' };
  const { id } = await client.call<message.Rollout>('CreateRollout', rollout);
  const writers = [0, 1, 2, 3].map((writer) => write(writer).catch(() => undefined));
  await until(() => ids.length >= 40, 'machines');
  await kill();
  await Promise.all(writers);
  const after = await spawnService(test, ...service, file);
  for (const each of ids) test.match(await after.client.call('GetMachine', { id: each }), { id: each, hostname: 'h' });
  test.equal(
    (await after.client.call<message.Rollout>('CreateRollout', rollout)).id,
    id,
    'a repeat begins no second one',
  );
  const watch = after.client.stream<message.Rollout>('WatchRollout', { id });
  test.equal(await watch.end(), 'OK');
  test.equal(watch.received.at(-1)?.state, 'SUCCEEDED');
  for (const { updating } of watch.received) test.ok(updating <= 1);
  await after.kill();
});
