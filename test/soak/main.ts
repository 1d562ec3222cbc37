/**
 * Memory, descriptors and timers of the proxy stay flat: round after round of mixed requests (REST, streams, uploads, WebSockets,
 * gRPC, some of them broken off or refused), with a server that goes away and a reload in each; after each round it is measured
 * what the process holds when all garbage is collected.
 *
 *   node --import tsx test/soak/main.ts [--seconds 20 | --requests 10000000] [--seed 1] [--plot soak.svg]
 *
 * A run of millions takes hours, has rounds of more requests, and holds no more of them than a short one.
 * Needs `npm run build`, and Linux.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { Ledger } from '../chaos/ledger.js';
import { type Kind, kinds, Load } from '../chaos/load.js';
import { protoFile } from '../chaos/service.js';
import { Site } from '../chaos/site.js';
import { serveCli } from '../support/cli.js';
import { Random } from '../support/random.js';
import { until } from '../support/until.js';
import { plotOf, type Sample } from './plot.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '20' },
    requests: { type: 'string' },
    round: { type: 'string' },
    users: { type: 'string', default: '12' },
    plot: { type: 'string' },
  },
});
const MiB = 1024 ** 2;

/** What heap and buffers may differ by at the end, as one collection is not as the other; or a tenth. */
const TOLERANCE_BYTES = 4 * MiB;
/** What may be open beside what was open in the first round. */
const MORE_DESCRIPTORS = 3;
const MORE_TIMERS = 3;

const random = new Random(Number(values.seed));
const folder = mkdtempSync(join(tmpdir(), 'soak-'));
const samplesFile = join(folder, 'samples');
const site = new Site('a', folder);

/** Requests that nobody waits for to their end. */
const rude: readonly ((port: number) => Promise<void>)[] = [
  async (port) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/talk`).on('error', () => undefined);
    socket.on('open', () => socket.send('{"id":"rude"}'));
    await sleep(random.below(40));
    socket.terminate();
  },
  async (port) => {
    const body = '{"id":"rude","count":50}';
    const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', path: '/v1/watch', agent: false });
    sent.on('error', () => undefined).end(body);
    await sleep(random.below(60));
    sent.destroy();
  },
  ...[
    'GET /v1/nothing HTTP/1.1\r\nhost: a\r\n\r\n',
    'nonsense\r\n\r\n',
    'POST /v1/do HTTP/1.1\r\nhost: a\r\n',
    'PRI * H',
  ].map((bytes) => async (port: number) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.resume().write(bytes);
    await sleep(random.below(20));
    socket.destroy();
  }),
];

/** Long bodies cost more time than they show. */
const polite: readonly Kind[] = kinds.filter(({ name }) => name !== 'long POST');

const problems: string[] = [];

/** Sends so many requests, by a number of users at once, and closes all connections. */
async function sendRound(port: number, requests: number): Promise<void> {
  const load = new Load(
    { ports: [port], random, ledger: new Ledger(true), breaks: false, attempts: 1, users: 0 },
    'soak',
  );
  let left = requests;
  const user = async (): Promise<void> => {
    while (left-- > 0) {
      if (random.one(8)) await random.pick(rude)(port);
      else {
        const outcome = await random.pick(polite).send(load, `soak-${left}`);
        if (outcome.kind === 'wrong') problems.push(outcome.why);
      }
    }
  };
  const users = Array.from({ length: Number(values.users) }, user);
  await sleep(50);
  site.link.cut();
  await Promise.all(users);
  load.close();
}

function lastSample(): Sample | undefined {
  const text = readFileSync(samplesFile, 'utf8');
  return text.endsWith('\n') ? (JSON.parse(text) as Sample) : undefined;
}

/** Measures until descriptors and timers are as few as in the first round, half a minute at most. */
async function measure(pid: number, first: Sample | undefined): Promise<Sample> {
  for (let attempt = 0; ; attempt++) {
    writeFileSync(samplesFile, '');
    process.kill(pid, 'SIGWINCH');
    let sample: Sample | undefined;
    await until(() => (sample = lastSample()) !== undefined, 'a sample');
    if (sample === undefined) throw new TypeError('there is no sample');
    if (first === undefined ? attempt === 8 : leftOver(first, sample) === undefined || attempt === 60) return sample;
    await sleep(500);
  }
}

function leftOver(first: Sample, last: Sample): string | undefined {
  if (last.descriptors > first.descriptors + MORE_DESCRIPTORS) {
    return `${last.descriptors} descriptors are open, and ${first.descriptors} were in the first round`;
  }
  if (last.timers <= first.timers + MORE_TIMERS) return undefined;
  return `${last.timers} timers run, and ${first.timers} did in the first round`;
}

const held = ({ heap, buffers }: Sample): number => heap + buffers;

/** The least that a part of the rounds held: a leak lifts it. */
function leastOf(samples: readonly Sample[], from: number, to: number): number {
  const part = samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  return Math.min(...part.map(held));
}

function problemsOf(samples: readonly Sample[]): string[] {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined || samples.length < 4) return ['there were too few rounds to judge'];
  const left = leftOver(first, last);
  const before = leastOf(samples, 0.25, 0.5);
  const after = leastOf(samples, 0.75, 1);
  const isFlat = after - before <= Math.max(TOLERANCE_BYTES, before / 10);
  const grown = isFlat ? [] : [`heap and buffers have grown from ${before} to ${after} bytes`];
  return left === undefined ? grown : [left, ...grown];
}

/** Of a long run, which are enough for a picture. */
const MOST_ROUNDS = 500;

const mebi = (bytes: number): string => (bytes / MiB).toFixed(1);

function textOf({ rss, heap, buffers, descriptors, timers }: Sample): string {
  const memory = `rss ${mebi(rss)}, heap ${mebi(heap)}, buffers ${mebi(buffers)} MiB`;
  return `${memory}; ${descriptors} descriptors, ${timers} timers`;
}

/** How fast it goes, when it ends, and what this tool itself holds. */
function progress(sent: number, wanted: number, elapsedMs: number): string {
  const perSecond = (sent / elapsedMs) * 1000;
  const own = mebi(process.memoryUsage().heapUsed);
  const left = wanted === Infinity ? '' : `, ${Math.round(Math.max(0, wanted - sent) / perSecond / 60)} min left`;
  return `; ${Math.round(perSecond)}/s${left}, this tool ${own} MiB`;
}

console.log(`seed ${values.seed}`);
const samples: Sample[] = [];
try {
  await site.start();
  writeFileSync(join(folder, 'photongate.yaml'), `upstreams: { default: '${site.link.address}' }\n`);
  const report = fileURLToPath(new URL('report.js', import.meta.url));
  process.env['SOAK_SAMPLES'] = samplesFile;
  const args = [
    '--config',
    'photongate.yaml',
    '--proto',
    protoFile,
    '--listen',
    '0',
    '--admin',
    '0',
    '--access-log',
    'json',
  ];
  const proxy = await serveCli([...args, '--access-log-file', '/dev/null'], folder, 1, {
    nodeOptions: `--expose-gc --import=${report}`,
  });
  const port = Number(new URL(proxy.urls[0]!).port);
  const { pid = 0 } = proxy.child;
  const wanted = Number(values.requests ?? Infinity);
  const untilMs = values.requests === undefined ? performance.now() + Number(values.seconds) * 1000 : Infinity;
  const size = Number(
    values.round ?? Math.max(400, values.requests === undefined ? 0 : Math.ceil(wanted / MOST_ROUNDS)),
  );
  const startMs = performance.now();
  let sent = 0;
  for (; samples.length < 4 || (sent < wanted && performance.now() < untilMs); sent += size) {
    await sendRound(port, size);
    proxy.child.kill('SIGHUP');
    const sample = await measure(pid, samples[0]);
    samples.push(sample);
    // A run of any length holds no more than one round.
    site.forget();
    Object.assign(proxy.text, { err: '' });
    console.log(
      `${sent + size} requests: ${textOf(sample)}${progress(sent + size, wanted, performance.now() - startMs)}`,
    );
  }
  problems.push(...problemsOf(samples));
  proxy.child.kill('SIGTERM');
  await proxy.finished;
  if (values.plot !== undefined) writeFileSync(values.plot, plotOf(samples, size));
} finally {
  await site.kill();
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(`PROBLEM ${problem} (seed ${values.seed})`);
if (problems.length === 0) console.log('memory, descriptors and timers stay flat');
process.exit(problems.length === 0 ? 0 : 1);
