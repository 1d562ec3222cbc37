/**
 * Three gRPC servers behind the proxy are killed, paused, delayed, cut off and made to talk nonsense, and workers of the proxy are
 * killed, while clients of all kinds send requests with ids. In the end a ledger of what clients sent and were told is compared with what the servers saw: each
 * request was answered once, and nothing was done twice that must not be.
 *
 *   node --import tsx test/chaos/main.ts [--seconds 60 | --minutes 30] [--seed 1] [--setup grpc-js] [--users 8]
 *
 * Needs `npm run build`. The same seed makes the same faults in the same order, but not at the same requests.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serveCli } from '../support/cli.js';
import { Random } from '../support/random.js';
import { until } from '../support/until.js';
import { type Fault, faults } from './faults.js';
import { Ledger } from './ledger.js';
import { Load, probe } from './load.js';
import { protoFile } from './service.js';
import { type Setup, setups } from './setups.js';
import { Site } from './site.js';
import { WorkerKiller } from './workers.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '45' },
    minutes: { type: 'string' },
    setup: { type: 'string', default: '' },
    fault: { type: 'string', default: '' },
    users: { type: 'string', default: '8' },
    verbose: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const seconds = values.minutes === undefined ? Number(values.seconds) : Number(values.minutes) * 60;
const random = new Random(seed);

/** So many requests in a row succeed, and the proxy has recovered. */
const STEADY = 5;
/** A client that asks so often … */
const PROBE_MS = 20;
/** … is served again after so many requests at most, wherever the machine is not busy with other things. */
const MOST_PROBES = 60;
const GIVE_UP_PROBES = 200;

const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
const sites = ['a', 'b', 'c'].map((name) => new Site(name, folder));

interface Recovery {
  readonly fault: string;
  readonly probes: number;
  readonly ms: number;
}

/** Counts requests until the first of STEADY in a row that succeed. */
async function recovered(load: Load, fault: string): Promise<Recovery> {
  const start = performance.now();
  let found: Recovery = { fault, probes: GIVE_UP_PROBES, ms: Infinity };
  for (let sent = 1, steady = 0; steady < STEADY && sent < GIVE_UP_PROBES; sent++) {
    const sentAt = performance.now();
    const { kind } = await load.once(probe);
    if (kind !== 'ok') steady = 0;
    else if (steady++ === 0) found = { fault, probes: sent, ms: Math.round(sentAt - start) };
    await sleep(PROBE_MS);
  }
  return found;
}

/** Faults until the time is over, of a server or of all of them, or of a worker. */
async function disturb(
  setup: Setup,
  load: Load,
  untilMs: number,
  recoveries: Recovery[],
  workers: WorkerKiller | undefined,
): Promise<void> {
  const called = sites.slice(0, setup.servers);
  const wanted = faults.filter(({ name }) => name.includes(values.fault));
  while (performance.now() < untilMs) {
    if (workers !== undefined && workers.mayKill && random.one(2)) {
      const name = `worker killed, ${setup.workers}`;
      if (values.verbose) console.log(name);
      const returnedMs = await workers.kill();
      const recovery = await recovered(load, name);
      if (values.verbose) console.log(`  there again after ${returnedMs} ms; ${recovery.probes} requests`);
      recoveries.push(recovery);
      continue;
    }
    const fault: Fault = random.pick(wanted);
    const hit = random.one(3) ? called : [random.pick(called)];
    const name = `${fault.name}, ${hit.length} of ${called.length}`;
    if (values.verbose) console.log(name);
    await fault.run(hit, random);
    const recovery = await recovered(load, name);
    if (values.verbose) console.log(`  ${recovery.ms} ms, ${recovery.probes} requests`);
    recoveries.push(recovery);
  }
}

interface UpstreamStatus {
  readonly target: string;
  readonly calls?: number;
  readonly waiting?: number;
}

async function tryOut(setup: Setup, index: number, forMs: number): Promise<readonly string[]> {
  const called = sites.slice(0, setup.servers);
  writeFileSync(join(folder, 'photongate.yaml'), setup.yaml(called.map(({ link }) => link.address)));
  const args = ['--config', 'photongate.yaml', '--proto', protoFile, '--listen', '0', '--admin', '0'];
  const workers = setup.workers === 0 ? [] : ['--workers', String(setup.workers)];
  const proxy = await serveCli([...args, ...workers], folder);
  const ledger = new Ledger(!setup.name.startsWith('grpc-js'));
  const recoveries: Recovery[] = [];
  const before = called.map(({ link }) => link.accepted);
  try {
    const ports = proxy.urls.map((url) => Number(new URL(url).port));
    const { attempts } = setup;
    const breaks = setup.losesWorkers === true;
    const load = new Load({ ports, random, ledger, attempts, breaks, users: Number(values.users) }, `s${index}`);
    load.start();
    const workers = breaks ? new WorkerKiller(proxy.child.pid!, () => proxy.text.err) : undefined;
    await disturb(setup, load, performance.now() + forMs, recoveries, workers);
    await load.stop();
    await checkIdle(proxy.text.err, ledger);
  } finally {
    proxy.child.kill('SIGTERM');
  }
  const { code, stderr } = await proxy.finished;
  if (values.verbose) console.log(stderr);
  if (code !== 0) ledger.problems.push(`the proxy ended with ${code}`);
  for (const line of stderr.split('\n').filter((text) => /"stack"|fault|died|    at /.test(text))) {
    ledger.problems.push(`the proxy says: ${line.slice(0, 1000)}`);
  }
  ledger.check(sites.flatMap((site) => site.lines()).filter((line) => line.includes(` s${index}-`)));
  const slow = recoveries.filter(({ probes }) => probes > MOST_PROBES);
  for (const { fault, probes, ms } of slow)
    ledger.problems.push(`${fault}: served again after ${probes} requests, ${ms} ms`);
  const connections = called.map(({ link }, at) => link.accepted - before[at]!);
  report(setup, ledger, recoveries, connections);
  return ledger.problems.map((problem) => `${setup.name}: ${problem}`);
}

/** No call is left over. */
async function checkIdle(log: string, ledger: Ledger): Promise<void> {
  const admin = /the admin listener is at (http:\/\/[^"\s/]+)/.exec(log)?.[1];
  let last = '';
  const isIdle = async (): Promise<boolean> => {
    const answer = await fetch(`${admin}/upstreams`);
    last = await answer.text();
    // A check of a server may be under way at any time.
    return (JSON.parse(last) as UpstreamStatus[]).every(({ calls = 0, waiting = 0 }) => calls + waiting === 0);
  };
  await until(isIdle, 'the end of all calls').catch(() => ledger.problems.push(`calls are left over: ${last}`));
}

function report(setup: Setup, ledger: Ledger, recoveries: readonly Recovery[], connections: readonly number[]): void {
  const counts = [...ledger.counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const worst = recoveries.reduce((most, one) => (one.ms > most.ms ? one : most), { fault: '', probes: 0, ms: 0 });
  console.log(`${setup.name}: ${ledger.size} requests, ${recoveries.length} faults; ${counts}`);
  console.log(
    `  slowest return: ${worst.ms} ms, ${worst.probes} requests (${worst.fault}); connections ${connections.join(' + ')}`,
  );
  const reasons = [...ledger.reasons].sort(([, a], [, b]) => b - a);
  for (const [reason, count] of reasons.slice(0, 12)) console.log(`  ${count} x ${reason}`);
}

console.log(`seed ${seed}`);
const chosen = setups.filter(({ name }) => name.includes(values.setup));
const problems: string[] = [];
try {
  await Promise.all(sites.map((site) => site.start()));
  for (const [index, setup] of chosen.entries()) {
    problems.push(...(await tryOut(setup, index, (seconds * 1000) / chosen.length)));
  }
} finally {
  await Promise.all(sites.map((site) => site.kill()));
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems.slice(0, 50)) console.error(`PROBLEM ${problem}`);
if (problems.length > 0) console.error(`${problems.length} problems (seed ${seed})`);
else console.log('each request was answered once, and nothing was done twice');
// Not by itself: with sessions of node:http2 that were destroyed half-way, Node 20 may go round for ever while it cleans up.
process.exit(problems.length > 0 ? 1 : 0);
