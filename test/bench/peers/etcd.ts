/**
 * etcd beside its own gateway: the same requests by etcd's grpc-gateway, which runs in etcd's process, and by photongate before
 * the same etcd. What both take for a request is the CPU time of all processes: etcd alone, or etcd and photongate.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadFlags, type Shape } from './shapes.js';
import { freeAddress, Running } from './running.js';

const top = fileURLToPath(new URL('../../../', import.meta.url));

/** Where Debian's golang-etcd-server-dev has the protos, as examples/etcd says. */
const protos = '/usr/share/gocode/src/go.etcd.io/etcd';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const json = (value: object): string => JSON.stringify(value);

const etcdShapes: readonly Shape[] = [
  {
    key: 'etcd-put',
    name: 'put of 100 bytes',
    count: 2000,
    path: '/v3/kv/put',
    method: 'POST',
    body: json({ key: base64('greeting'), value: base64('x'.repeat(100)) }),
  },
  {
    key: 'etcd-range',
    name: 'range, one key',
    count: 4000,
    path: '/v3/kv/range',
    method: 'POST',
    body: json({ key: base64('greeting') }),
  },
];

/** CPU time for a request in each round, in microseconds. */
export interface EtcdFigures {
  readonly name: string;
  readonly gateway: number[];
  /** etcd's share is in it. */
  readonly photongate: number[];
}

/** Measures; undefined if etcd or its protos are not here. */
export async function measureEtcd(
  send: (flags: readonly string[]) => Promise<unknown>,
  folder: string,
  rounds: number,
): Promise<{ readonly version: string; readonly figures: readonly EtcdFigures[] } | undefined> {
  const version = spawnSync('etcd', ['--version'], { encoding: 'utf8' }).stdout?.match(/etcd Version: (\S+)/)?.[1];
  if (version === undefined || !existsSync(protos)) return undefined;
  const data = mkdtempSync(join(tmpdir(), 'photongate-etcd-'));
  const [client, peer, own] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const etcd = await Running.begin(client, 'etcd', [
    ...['--data-dir', data, '--log-level', 'error', '--unsafe-no-fsync'].filter((flag) => supports(flag)),
    ...['--listen-client-urls', `http://${client}`, '--advertise-client-urls', `http://${client}`],
    ...['--listen-peer-urls', `http://${peer}`, '--initial-advertise-peer-urls', `http://${peer}`],
    ...['--initial-cluster', `default=http://${peer}`],
  ]);
  try {
    const config = join(top, 'examples/etcd/photongate.yaml');
    const flags = ['--config', config, '--upstream', client, '--listen', own];
    const photongate = await Running.begin(own, process.execPath, [join(top, 'bin/photongate'), ...flags]);
    try {
      const figures: EtcdFigures[] = [];
      for (const shape of etcdShapes) {
        const found: EtcdFigures = { name: shape.name, gateway: [], photongate: [] };
        const run = async (address: string, into: number[], processes: readonly Running[]): Promise<void> => {
          const cpu = (): number => processes.reduce((sum, { cpuMicroseconds }) => sum + cpuMicroseconds, 0);
          const before = cpu();
          await send([...loadFlags(shape, address, folder), '-count', String(shape.count)]);
          into.push((cpu() - before) / shape.count);
        };
        for (let round = -1; round < rounds; round++) {
          // The first round warms up.
          await run(client, round < 0 ? [] : found.gateway, [etcd]);
          await run(own, round < 0 ? [] : found.photongate, [etcd, photongate]);
        }
        figures.push(found);
      }
      return { version, figures };
    } finally {
      await photongate.stop();
    }
  } finally {
    await etcd.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

/** etcd 3.5 and later can leave out what waits for the disk, and is not of interest here. */
function supports(flag: string): boolean {
  if (flag !== '--unsafe-no-fsync') return true;
  return spawnSync('etcd', ['--help'], { encoding: 'utf8' }).stdout?.includes(flag) ?? false;
}
