/** Which server of a cluster is picked: by hash, by level of priority, by load, and in a slow start. */
import t from 'tap';
import { type BalancingPolicy, Picker } from '../../lib/upstream/balance/picker.js';
import { Host } from '../../lib/upstream/balance/host.js';
import { keyOf, Ring } from '../../lib/upstream/balance/ring.js';
import type { ChannelState } from '../../lib/channel-status.js';

void t.test('the hash is XXH64', (t) => {
  const cases: readonly (readonly [text: string, hash: string])[] = [
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['abc', '44bc2cf5ad770999'],
    ['x'.repeat(32), 'e2df261fc2ec30eb'],
    ['0123456789'.repeat(10), 'f80e7b96315afffa'],
    [`${'abcdefgh'.repeat(9)}ijk`, 'bdf522e8439b84df'],
  ];
  for (const [text, hash] of cases) t.equal(keyOf(text).toString(16), hash, text);
  t.end();
});

void t.test('a key keeps its server while that is there; only the keys of a lost one move', (t) => {
  const members = ['a:1', 'b:1', 'c:1'].map((name) => ({ name, weight: 1 }));
  const ring = new Ring(members);
  const keys = Array.from({ length: 3000 }, (_, index) => keyOf(`user ${index}`));
  const before = keys.map((key) => ring.find(key, () => true)!.name);
  for (const { name } of members) t.ok(before.filter((one) => one === name).length > 600, `${name} has its share`);
  const after = keys.map((key) => ring.find(key, ({ name }) => name !== 'b:1')!.name);
  t.ok(after.every((name, index) => name !== 'b:1' && (before[index] === 'b:1' || before[index] === name)));
  t.equal(
    ring.find(keys[0]!, () => false),
    undefined,
  );
  t.end();
});

interface Server {
  state: ChannelState;
}

interface Given {
  readonly priority?: number;
  readonly isNear?: boolean;
  readonly weight?: number;
  readonly health?: 'unchecked' | 'healthy' | 'unhealthy';
  readonly state?: ChannelState;
  readonly isEjected?: boolean;
}

/** Servers 0, 1, … as they are described. */
function hostsOf(given: readonly Given[]): Host<Server>[] {
  return given.map(
    ({ priority = 0, isNear = false, weight = 1, health = 'healthy', state = 'ready', isEjected = false }, index) => {
      const server: Server = { state };
      const host = new Host(server, { name: `${index}`, weight, priority, isNear }, () => server.state, true, -1e9);
      host.health = health;
      host.ejectedFor = isEjected ? 'it failed' : undefined;
      return host;
    },
  );
}

const CALLS = 4000;

/** The share of each server in many calls. */
function sharesOf(given: readonly Given[], policy: BalancingPolicy, panicThreshold = 0): number[] {
  const hosts = hostsOf(given);
  const picker = new Picker<Server>({ policy, panicThreshold, slowStartMs: 0 });
  picker.setHosts(hosts);
  const counts = hosts.map(() => 0);
  for (let call = 0; call < CALLS; call++) {
    const host = picker.pick();
    if (host !== undefined) counts[hosts.indexOf(host)]!++;
  }
  return counts.map((count) => count / CALLS);
}

const bad: Given = { health: 'unhealthy' };
const shares: readonly {
  readonly name: string;
  readonly hosts: readonly Given[];
  readonly policies?: readonly BalancingPolicy[];
  readonly panic?: number;
  readonly shares: readonly number[];
}[] = [
  { name: 'all are well', hosts: [{}, {}], shares: [0.5, 0.5] },
  {
    name: 'weights',
    hosts: [{}, { weight: 3 }],
    policies: ['round_robin', 'random', 'ring_hash'],
    shares: [0.25, 0.75],
  },
  { name: 'one failed its checks', hosts: [{}, bad, {}], shares: [0.5, 0, 0.5] },
  { name: 'one is ejected', hosts: [{}, { isEjected: true }], shares: [1, 0] },
  { name: 'one is ejected, and the other is down', hosts: [{ isEjected: true }, { state: 'down' }], shares: [1, 0] },
  { name: 'one is ejected, and the other is out', hosts: [bad, { isEjected: true }], shares: [0, 1] },
  { name: 'an ejected one is down itself', hosts: [{ isEjected: true, state: 'down' }, bad], shares: [0, 0] },
  { name: 'it is ejected and out', hosts: [{ isEjected: true, health: 'unhealthy' }, bad], shares: [0, 0] },
  { name: 'one is down', hosts: [{}, { state: 'down' }], shares: [1, 0] },
  { name: 'none is well', hosts: [bad, bad], shares: [0, 0] },
  { name: 'too few are well, and there is no panic', hosts: [{}, bad, bad, bad], shares: [1, 0, 0, 0] },
  { name: 'too few are well', hosts: [{}, bad, bad, bad], panic: 0.5, shares: [0.25, 0.25, 0.25, 0.25] },
  { name: 'enough are well', hosts: [{}, bad], panic: 0.5, shares: [1, 0] },
  { name: 'none is well, in panic', hosts: [bad, bad], panic: 0.5, shares: [0.5, 0.5] },
  { name: 'who is not checked yet waits', hosts: [{}, { health: 'unchecked' }], policies: ['random'], shares: [1, 0] },
  { name: 'nobody is checked yet', hosts: [{ health: 'unchecked' }, { health: 'unchecked' }], shares: [0.5, 0.5] },
  { name: 'the first level suffices', hosts: [{}, {}, { priority: 1 }], shares: [0.5, 0.5, 0] },
  { name: 'the first level is out', hosts: [bad, { priority: 1 }], shares: [0, 1] },
  { name: 'the first level is down', hosts: [{ state: 'down' }, { priority: 1 }], shares: [0, 1] },
  {
    name: 'three of four suffice',
    hosts: [{}, {}, {}, bad, { priority: 1 }],
    shares: [1 / 3, 1 / 3, 1 / 3, 0, 0],
  },
  { name: 'half of a level bears 70 %', hosts: [{}, bad, { priority: 1 }], shares: [0.7, 0, 0.3] },
  {
    name: 'both levels are weak',
    hosts: [{}, bad, bad, bad, { priority: 1 }, { ...bad, priority: 1 }],
    shares: [1 / 3, 0, 0, 0, 2 / 3, 0],
  },
  { name: 'the own zone suffices', hosts: [{}, { isNear: true }, {}], shares: [0, 1, 0] },
  {
    name: 'the own zone by weight',
    hosts: [{}, { isNear: true, weight: 3 }, { isNear: true }],
    policies: ['round_robin'],
    shares: [0, 0.75, 0.25],
  },
  {
    name: 'half of the own zone bears 70 %',
    hosts: [{}, { isNear: true }, { ...bad, isNear: true }],
    shares: [0.3, 0.7, 0],
  },
  { name: 'the own zone is out', hosts: [{}, { ...bad, isNear: true }, {}], shares: [0.5, 0, 0.5] },
  { name: 'the own zone is down', hosts: [{}, { isNear: true, state: 'down' }], shares: [1, 0] },
  {
    name: 'other zones come before the next priority',
    hosts: [{ isNear: true, priority: 1 }, {}, { ...bad, isNear: true }],
    shares: [0, 1, 0],
  },
  { name: 'the first in order', hosts: [bad, {}, {}], policies: ['pick_first'], shares: [0, 1, 0] },
];

for (const { name, hosts, policies, panic, shares: expected } of shares) {
  void t.test(name, (t) => {
    for (const policy of policies ?? (['round_robin', 'least_request', 'random', 'ring_hash'] as const)) {
      const found = sharesOf(hosts, policy, panic);
      const isNear = found.every((share, index) => {
        const wanted = expected[index] ?? NaN;
        // What gets nothing gets nothing at all. A ring of 1024 points is not quite even.
        return wanted === 0 ? share === 0 : Math.abs(share - wanted) < 0.08;
      });
      t.ok(isNear, `${policy}: found ${found.join()}, expected ${expected.join()}`);
    }
    t.end();
  });
}

void t.test('least_request takes the less busy of two', (t) => {
  const hosts = hostsOf([{}, {}]);
  const picker = new Picker<Server>({ policy: 'least_request', panicThreshold: 0, slowStartMs: 0 });
  picker.setHosts(hosts);
  hosts[0]!.active = 5;
  for (let call = 0; call < 5; call++) {
    const host = picker.pick();
    t.equal(host, hosts[1]);
    host!.active++;
  }
  t.end();
});

void t.test('a server that comes back begins with a tenth of its share', (t) => {
  const hosts = hostsOf([{}, bad]);
  const picker = new Picker<Server>({ policy: 'round_robin', panicThreshold: 0, slowStartMs: 1e9 });
  picker.setHosts(hosts);
  t.equal(picker.pick(), hosts[0]);
  hosts[1]!.health = 'healthy';
  let calls = 0;
  for (let call = 0; call < 110; call++) if (picker.pick() === hosts[1]) calls++;
  t.ok(calls >= 9 && calls <= 11, `${calls} of 110`);
  t.end();
});
