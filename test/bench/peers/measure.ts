/** What is measured of the peers: CPU time for a request, latency at open load, memory, start. All in turn, in rounds. */
import { execFile } from 'node:child_process';
import { isDeepStrictEqual, promisify } from 'node:util';
import type { Peer } from './peers.js';
import { freeAddress, type Running, type StartFigure } from './running.js';
import { FILE_MEGABYTES, loadFlags, type Shape, STREAMED_MESSAGES } from './shapes.js';

const run = promisify(execFile);

/** Of the capacity that a closed load finds just before. */
const LOAD_SHARES = [0.2, 0.5, 0.8];
const LATENCY_SECONDS = 3;
const STARTS = 3;

export interface LatencyFigure {
  /** Share of the capacity. */
  readonly share: number;
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What one peer took. Keys are those of shapes. */
export interface PeerFigures {
  readonly key: string;
  readonly name: string;
  /** Microseconds of CPU for a request, in each round. */
  readonly cpu: Record<string, number[]>;
  readonly latency: Record<string, LatencyFigure[]>;
  peakMegabytes: number;
  start: StartFigure;
}

export interface MeasureOptions {
  readonly program: string;
  readonly folder: string;
  readonly upstream: string;
  readonly shapes: readonly Shape[];
  readonly rounds: number;
  readonly hasLatency: boolean;
  readonly say: (text: string) => void;
}

/** Answers of streams; of other shapes, the first peer's answer is what the others have to give. */
const streamed: Readonly<Record<string, object>> = {
  stream: { messages: STREAMED_MESSAGES },
  download: { bytes: FILE_MEGABYTES * 1024 * 1024 },
};

interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

interface Candidate {
  readonly peer: Peer;
  readonly running: Running;
  readonly figures: PeerFigures;
}

/** Measures all peers; those that answer a shape otherwise than photongate are left out of it, with a word. */
export async function measure(peers: readonly Peer[], options: MeasureOptions): Promise<PeerFigures[]> {
  const { upstream, shapes, say } = options;
  const candidates: Candidate[] = [];
  try {
    for (const peer of peers) {
      const running = await peer.start(await freeAddress(), upstream);
      const { key, name } = peer;
      const figures = { key, name, cpu: {}, latency: {}, peakMegabytes: 0, start: running.start };
      candidates.push({ peer, running, figures });
    }
    for (const shape of shapes) {
      say(shape.name);
      const able = await thoseAble(candidates, shape, say);
      await measureCpu(able, shape, options);
    }
    for (const { running, figures } of candidates) figures.peakMegabytes = running.peakMegabytes;
    if (options.hasLatency) {
      for (const shape of shapes.filter(({ hasLatency }) => hasLatency === true)) {
        say(`latency: ${shape.name}`);
        const proxies = candidates.filter(({ peer }) => peer.isFloor !== true);
        await measureLatency(proxies, shape, options);
      }
    }
  } finally {
    for (const { running } of candidates) await running.stop();
  }
  say('starts');
  for (const { peer, figures } of candidates) figures.start = await measureStart(peer, upstream);
  return candidates.map(({ figures }) => figures);
}

async function thoseAble(
  candidates: readonly Candidate[],
  shape: Shape,
  say: (text: string) => void,
): Promise<Candidate[]> {
  const able: Candidate[] = [];
  let expected: unknown = streamed[shape.key];
  for (const candidate of candidates) {
    const { peer, running } = candidate;
    if (peer.lacks.includes(shape.key)) continue;
    const found = shape.isGrpc === true ? undefined : await answerOf(running.address, shape).catch(failureOf);
    expected ??= found;
    if (isDeepStrictEqual(found, expected)) able.push(candidate);
    else say(`  ${peer.name} is left out: it answers ${excerpt(found)}, and not ${excerpt(expected)}`);
  }
  return able;
}

const failureOf = (error: unknown): object => ({ error: String(error) });
const excerpt = (value: unknown): string => JSON.stringify(value).slice(0, 200);

/** What must be the same of all peers: the message, or how much of a stream came. */
async function answerOf(
  address: string,
  { key, path, method, body, contentType, repeat = 1 }: Shape,
): Promise<unknown> {
  const headers = body === undefined ? {} : { 'content-type': contentType ?? 'application/json' };
  const sent = body === undefined ? undefined : Buffer.concat(Array.from({ length: repeat }, () => Buffer.from(body)));
  const response = await fetch(`http://${address}${path}`, {
    method: method ?? 'GET',
    headers,
    ...(sent === undefined ? {} : { body: sent }),
  });
  if (response.status !== 200) return { status: response.status, text: await response.text() };
  if (key === 'stream') return { messages: (await response.text()).split('"createdAt"').length - 1 };
  if (key !== 'download') return response.json();
  let bytes = 0;
  for await (const chunk of response.body!) bytes += (chunk as Uint8Array).length;
  return { bytes };
}

/** Sends a load, and returns what its answers took. */
export async function send(program: string, flags: readonly string[]): Promise<LoadReport> {
  const { stdout } = await run(program, ['load', ...flags]);
  return JSON.parse(stdout) as LoadReport;
}

async function measureCpu(able: readonly Candidate[], shape: Shape, options: MeasureOptions): Promise<void> {
  const { program, folder, rounds } = options;
  const once = ({ running }: Candidate): Promise<LoadReport> =>
    send(program, [...loadFlags(shape, running.address, folder), '-count', String(shape.count)]);
  for (const candidate of able) await once(candidate);
  for (let round = 0; round < rounds; round++) {
    for (const candidate of able) {
      const before = candidate.running.cpuMicroseconds;
      await once(candidate);
      (candidate.figures.cpu[shape.key] ??= []).push((candidate.running.cpuMicroseconds - before) / shape.count);
    }
  }
}

/** The capacity of each peer is measured by a closed load, and shares of it are sent by an open one. The best of the rounds counts. */
async function measureLatency(able: readonly Candidate[], shape: Shape, options: MeasureOptions): Promise<void> {
  const { program, folder, rounds } = options;
  for (const { running, figures } of able) {
    const flags = loadFlags(shape, running.address, folder);
    let capacity = 0;
    for (let round = 0; round < 2; round++) {
      const { requests, seconds } = await send(program, [...flags, '-count', String(2 * shape.count)]);
      capacity = Math.max(capacity, requests / seconds);
    }
    figures.latency[shape.key] = LOAD_SHARES.map((share) => ({
      share,
      rate: share * capacity,
      p50: Infinity,
      p99: Infinity,
      p999: Infinity,
    }));
  }
  for (let round = 0; round < rounds; round++) {
    for (const [index] of LOAD_SHARES.entries()) {
      for (const { running, figures } of able) {
        const list = figures.latency[shape.key]!;
        const { share, rate, p50, p99, p999 } = list[index]!;
        const open = ['-rate', String(rate), '-seconds', String(LATENCY_SECONDS)];
        const found = await send(program, [...loadFlags(shape, running.address, folder), ...open]);
        list[index] = {
          share,
          rate,
          p50: Math.min(p50, found.p50),
          p99: Math.min(p99, found.p99),
          p999: Math.min(p999, found.p999),
        };
      }
    }
  }
}

async function measureStart(peer: Peer, upstream: string): Promise<StartFigure> {
  const starts: StartFigure[] = [];
  for (let round = 0; round < STARTS; round++) {
    const running = await peer.start(await freeAddress(), upstream);
    starts.push(running.start);
    await running.stop();
  }
  return {
    milliseconds: median(starts.map(({ milliseconds }) => milliseconds)),
    cpuMilliseconds: median(starts.map(({ cpuMilliseconds }) => cpuMilliseconds)),
    megabytes: median(starts.map(({ megabytes }) => megabytes)),
  };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
