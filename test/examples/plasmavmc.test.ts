/** PlasmaVMC, the reference service: machines whose states move by the clock, and the events that tell of it. */
import t from 'tap';
import type * as message from '../../examples/photoncloud/plasmavmc/messages.js';
import { timestampOf } from '../../examples/photoncloud/lib/clock.js';
import { allPages, spawnService, startTestService, temporaryFile } from '../support/resource-service.js';
import { ManualClock } from '../support/manual-clock.js';
import { refusal } from '../support/refusal.js';
import { until } from '../support/until.js';

const service = ['plasmavmc', 'PlasmaVmcService'] as const;
const none = '01jz4q0v7m9k3c5x8w2n6t1r0a';
const vm = { name: 'web-1', org_id: 'acme', project_id: 'web', vcpus: 2, memory_mib: 2048, hypervisor: 'KVM' };
const briefly = ({ previous_state, state, reason }: message.VmEvent): string => `${previous_state} ${state} ${reason}`;

void t.test('machines by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const { clock } = running;
  const created = await running.data<{ id: string }>('POST /api/v1/vms', vm);
  test.same(created, {
    id: created.id,
    name: 'web-1',
    org_id: 'acme',
    project_id: 'web',
    state: 'STOPPED',
    spec: { cpu: { vcpus: 2 }, memory: { size_mib: 2048 } },
    hypervisor: 'KVM',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
  });
  const path = `/api/v1/vms/${created.id}`;
  const bad = (change: object): object => ({ ...vm, name: 'bad', ...change });
  await running.table(test, [
    [`GET ${path}`, undefined, 200, created],
    ['POST /api/v1/vms', vm, 409, /^a VM named "web-1" is there already$/],
    ['POST /api/v1/vms', bad({ hypervisor: 'MVISOR', project_id: 'other' }), 201, { hypervisor: 'MVISOR' }],
    ['POST /api/v1/vms', bad({ hypervisor: 'FIRECRACKER', project_id: 'third' }), 201, { hypervisor: 'FIRECRACKER' }],
    [
      'POST /api/v1/vms',
      {},
      400,
      /name: .*org_id: .*project_id: .*vcpus: is 0, expected 1 to 1024; memory_mib: is 0.*hypervisor: is missing, expected KVM, FIRECRACKER or MVISOR/,
    ],
    ['POST /api/v1/vms', bad({ vcpus: 1025 }), 400, /vcpus: is 1025/],
    ['POST /api/v1/vms', bad({ memory_mib: -1 }), 400, /memory_mib: is -1/],
    ['POST /api/v1/vms', bad({ hypervisor: 'XEN' }), 400, 'INVALID_ARGUMENT'],
    ['POST /api/v1/vms', bad({ hypervisor: 7 }), 400, /hypervisor: is 7, expected KVM/],
    [`POST ${path}/stop`, {}, 400, 'FAILED_PRECONDITION'],
    [
      `POST ${path}/stop`,
      { force: true },
      400,
      /^the VM is STOPPED; to stop it, it has to be STARTING or RUNNING or STOPPING$/,
    ],
    [`POST ${path}/start`, undefined, 200, { state: 'STARTING' }],
    [`POST ${path}/start`, undefined, 400, 'FAILED_PRECONDITION'],
    [`GET ${path}`, undefined, 200, { state: 'STARTING' }],
  ]);
  clock.advance(999);
  await running.table(test, [[`GET ${path}`, undefined, 200, { state: 'STARTING' }]]);
  clock.advance(1);
  await running.table(test, [
    [`GET ${path}`, undefined, 200, { state: 'RUNNING', updated_at: '2026-01-01T00:00:01Z' }],
    [`POST ${path}/start`, {}, 400, /^the VM is RUNNING; to start it, it has to be STOPPED or FAILED$/],
    ['GET /api/v1/vms?state=RUNNING', undefined, 200, { vms: [{ name: 'web-1' }] }],
    ['GET /api/v1/vms?state=STOPPED', undefined, 200, { vms: [{ name: 'bad' }, { name: 'bad' }] }],
    ['GET /api/v1/vms?state=STOPPED&project_id=other', undefined, 200, { vms: [{ hypervisor: 'MVISOR' }] }],
    ['GET /api/v1/vms?state=FAILED&org_id=acme', undefined, 200, { vms: [], next_page_token: '' }],
    ['GET /api/v1/vms?state=ASLEEP', undefined, 400, 'INVALID_ARGUMENT'],
    ['GET /api/v1/vms?state=9', undefined, 400, /state: is 9, expected STOPPED, STARTING, RUNNING, STOPPING or FAILED/],
    ['GET /api/v1/vms?page_size=-1', undefined, 400, /page_size/],
    ['GET /api/v1/vms?page_token=AAAA', undefined, 400, /page_token/],
    [`POST ${path}/stop`, '', 200, { state: 'STOPPING' }],
    [`POST ${path}/stop`, '', 400, 'FAILED_PRECONDITION'],
    [`POST ${path}/start`, '', 400, 'FAILED_PRECONDITION'],
  ]);
  clock.jump(1000); // the timer is late, but a call sees what should be
  await running.table(test, [
    ['GET /api/v1/vms?state=STOPPING', undefined, 200, { vms: [] }],
    [`GET ${path}`, undefined, 200, { state: 'STOPPED', updated_at: '2026-01-01T00:00:02Z' }],
    [`POST ${path}/start`, {}, 200, { state: 'STARTING' }],
    [`POST ${path}/stop`, { force: true }, 200, { state: 'STOPPED' }],
    [`POST ${path}/start`, {}, 200, { state: 'STARTING' }],
    [`POST ${path}/stop`, { force: false }, 200, { state: 'STOPPING' }],
    [`POST ${path}/stop`, { force: true }, 200, { state: 'STOPPED' }],
    [`DELETE ${path}`, undefined, 200, { deleted: true }],
    [`DELETE ${path}`, undefined, 404, 'NOT_FOUND'],
    [`GET ${path}`, undefined, 404, /^no VM has the id/],
    [`POST ${path}/start`, {}, 404, 'NOT_FOUND'],
    [`POST /api/v1/vms/${none}/stop`, {}, 404, 'NOT_FOUND'],
  ]);
  for (let n = 0; n < 5; n++) await running.data('POST /api/v1/vms', { ...vm, name: `n${n}`, request_id: `r${n}` });
  const again = await running.data<{ name: string }>('POST /api/v1/vms', { ...vm, name: 'n3', request_id: 'r3' });
  test.equal(again.name, 'n3');
  const { items, pages } = await allPages<{ name: string }>(running, '/api/v1/vms?project_id=web', 'vms', 2);
  test.same([items.map(({ name }) => name), pages], [['n0', 'n1', 'n2', 'n3', 'n4'], 3]);
  test.same(running.log, []);
});

void t.test('a host that is full', async (test) => {
  const running = await startTestService(test, ...service);
  const { client, clock } = running;
  const create = (name: string, vcpus: number, memory_mib: number): Promise<message.Vm> =>
    client.call('CreateVm', { ...vm, name, vcpus, memory_mib });
  const [half, rest, fat] = [
    await create('half', 256, 1),
    await create('rest', 257, 1),
    await create('fat', 1, 5 << 20),
  ];
  for (const { id } of [half, rest, fat]) await client.call('StartVm', { id });
  clock.advance(1000);
  const stateOf = async ({ id }: message.Vm): Promise<string> => (await client.call<message.Vm>('GetVm', { id })).state;
  test.same([await stateOf(half), await stateOf(rest), await stateOf(fat)], ['RUNNING', 'FAILED', 'FAILED']);
  await client.call('StopVm', { id: half.id, force: true });
  await client.call('StartVm', { id: rest.id });
  clock.advance(1000);
  test.equal(await stateOf(rest), 'RUNNING', 'with room it starts');
  const events = client.stream<message.VmEvent>('WatchVmEvents', { id: fat.id });
  test.equal((await events.atLeast(3)).map(briefly)[2], 'STARTING FAILED the host has too little memory left');
  test.equal((await refusal(client.call('StopVm', { id: fat.id }))).code, 'FAILED_PRECONDITION');
});

void t.test('events, live and again, over a restart', async (test) => {
  const running = await startTestService(test, ...service);
  const { client, clock } = running;
  const { id } = await client.call<message.Vm>('CreateVm', vm);
  const live = client.stream<message.VmEvent>('WatchVmEvents', { id });
  await live.atLeast(1);
  await client.call('StartVm', { id });
  await live.atLeast(2);
  clock.advance(1000);
  const expected = [
    'STATE_UNSPECIFIED STOPPED created',
    'STOPPED STARTING started by a call',
    'STARTING RUNNING has booted',
  ];
  test.same((await live.atLeast(3)).map(briefly), expected);
  test.same(live.received[2]?.occurred_at, timestampOf(Date.UTC(2026, 0, 1, 0, 0, 1)));
  const later = client.stream<message.VmEvent>('WatchVmEvents', { id, after_sequence: live.received[1]!.sequence });
  test.same(await later.atLeast(1), live.received.slice(2));
  for (const [request, code] of [
    [{ id: none }, 'NOT_FOUND'],
    [{ id: '' }, 'INVALID_ARGUMENT'],
    [{ id, after_sequence: -1n }, 'INVALID_ARGUMENT'],
  ] as const) {
    test.equal(await client.stream('WatchVmEvents', request).end(), code);
  }
  await client.call('StopVm', { id });
  await running.stop();
  test.equal(await live.end(), 'UNAVAILABLE', 'a close is no end');

  // The process was down when the machine had shut down: it did so at its time.
  const late = new ManualClock(clock.now() + 3_600_000);
  const again = await startTestService(test, ...service, { file: running.file, clock: late });
  const replay = again.client.stream<message.VmEvent>('WatchVmEvents', { id });
  const all = [...expected, 'RUNNING STOPPING stopped by a call', 'STOPPING STOPPED has shut down'];
  test.same((await replay.atLeast(5)).map(briefly), all);
  test.same(replay.received[4]?.occurred_at, timestampOf(Date.UTC(2026, 0, 1, 0, 0, 2)));
  await again.client.call('DeleteVm', { id });
  test.equal(await replay.end(), 'OK', 'the end of the machine is the end of its events');

  const other = await again.client.call<message.Vm>('CreateVm', vm);
  for (let n = 0; n < 501; n++) {
    await again.client.call('StartVm', { id: other.id });
    await again.client.call('StopVm', { id: other.id, force: true });
  }
  const kept = again.client.stream<message.VmEvent>('WatchVmEvents', { id: other.id });
  test.equal((await kept.atLeast(1000))[0]?.state, 'STARTING', 'the last thousand are kept');
  kept.call.cancel();
  test.equal(await kept.end(), 'CANCELLED');
});

void t.test('killed while machines boot, it has lost no state, and they go on', async (test) => {
  const file = temporaryFile();
  const { client, kill } = await spawnService(test, ...service, file);
  const started: message.Vm[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; ; n++) {
      const { id } = await client.call<message.Vm>('CreateVm', { ...vm, vcpus: 1, name: `${writer}-${n}` });
      started.push(await client.call<message.Vm>('StartVm', { id }));
    }
  };
  const writers = [0, 1, 2, 3].map((writer) => write(writer).catch(() => undefined));
  await until(() => started.length >= 20, 'machines');
  await kill();
  await Promise.all(writers);
  const after = await spawnService(test, ...service, file);
  for (const { id } of started) {
    const stateOf = async (): Promise<string> => (await after.client.call<message.Vm>('GetVm', { id })).state;
    test.match(await stateOf(), /^(STARTING|RUNNING)$/);
    await until(async () => (await stateOf()) === 'RUNNING', 'the boot');
    const events = after.client.stream<message.VmEvent>('WatchVmEvents', { id });
    test.same(
      (await events.atLeast(3)).map(({ state }) => state),
      ['STOPPED', 'STARTING', 'RUNNING'],
    );
    events.call.cancel();
  }
  await after.kill();
});
