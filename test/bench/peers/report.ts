/** What was measured, as tables: on the terminal, and in docs/performance.md between its marks, with charts beside it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { bars, curves } from './charts.js';
import type { EtcdFigures } from './etcd.js';
import { median, type PeerFigures } from './measure.js';
import { type Shape, shapes } from './shapes.js';

export interface Results {
  /** photongate first. */
  readonly figures: readonly PeerFigures[];
  readonly workers: number;
  readonly rounds: number;
  /** Version of Go. */
  readonly go: string;
  readonly machine: string;
  /** etcd's own gateway beside photongate before the same etcd, if etcd is here. */
  readonly etcd?: { readonly version: string; readonly figures: readonly EtcdFigures[] } | undefined;
}

const docs = (name: string): URL => new URL(`../../../docs/${name}`, import.meta.url);
const BEGIN = '<!-- measured: by npm run bench:peers -- --write -->';
const END = '<!-- measured: end -->';

const measuredShapes = ({ figures }: Results): Shape[] =>
  shapes.filter(({ key }) => figures.some(({ cpu }) => cpu[key] !== undefined));

/** The median of CPU times, in microseconds; undefined if the peer does not serve the shape. */
const cpuOf = ({ cpu }: PeerFigures, { key }: Shape): number | undefined => cpu[key] && median(cpu[key]);

/** The median of the ratios of each round, so that a busy machine slows both alike. */
function ratioOf(own: PeerFigures, other: PeerFigures, { key }: Shape): number | undefined {
  const [mine, theirs] = [own.cpu[key], other.cpu[key]];
  return mine && theirs && median(mine.map((value, round) => value / theirs[round]!));
}

function time(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds.toFixed(0)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toPrecision(3)} ms`;
  return `${(microseconds / 1_000_000).toPrecision(3)} s`;
}

const ratio = (value: number | undefined): string => value?.toFixed(2) ?? '';
const latency = (milliseconds: number): string => String(Number(milliseconds.toPrecision(2)));

type Row = readonly string[];

function cpuTable(results: Results): Row[] {
  const [own, ...others] = results.figures as [PeerFigures, ...PeerFigures[]];
  return [
    ['request', own.name, ...others.map(({ name }) => `to ${name}`)],
    ...measuredShapes(results).map((shape) => {
      const cpu = cpuOf(own, shape);
      const ratios = others.map((other) => ratio(ratioOf(own, other, shape)));
      return [shape.name, cpu === undefined ? '' : time(cpu), ...ratios];
    }),
  ];
}

function latencyTables({ figures }: Results): Row[] {
  const rows: Row[] = [['request', 'proxy', 'load', 'requests/s', 'p50 ms', 'p99 ms', 'p99.9 ms']];
  for (const shape of shapes) {
    for (const { name, latency: all } of figures) {
      for (const { share, rate, p50, p99, p999 } of all[shape.key] ?? []) {
        if (share !== 0.5 && share !== 0.8) continue;
        const times = [p50, p99, p999].map(latency);
        rows.push([shape.name, name, `${share * 100} %`, String(Math.round(rate / 10) * 10), ...times]);
      }
    }
  }
  return rows;
}

function costTable({ figures }: Results): Row[] {
  return [
    ['proxy', 'peak memory MB', 'start ms', 'CPU of the start ms', 'memory after it MB'],
    ...figures.map(({ name, peakMegabytes, start }) => [
      name,
      ...[peakMegabytes, start.milliseconds, start.cpuMilliseconds, start.megabytes].map((value) => value.toFixed(0)),
    ]),
  ];
}

function etcdTable({ etcd }: Results): Row[] {
  if (etcd === undefined) return [];
  return [
    [`etcd ${etcd.version}`, 'by its own gateway', 'by photongate', 'ratio'],
    ...etcd.figures.map(({ name, gateway, photongate }) => [
      name,
      time(median(gateway)),
      time(median(photongate)),
      ratio(median(photongate.map((value, round) => value / gateway[round]!))),
    ]),
  ];
}

/** A table of Markdown; figures are to the right. */
function markdown([head, ...rows]: readonly Row[], texts: number): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  const rule = head!.map((_, index) => (index < texts ? '---' : '---:'));
  return [line(head!), line(rule), ...rows.map(line)].join('\n');
}

export function printTable(results: Results): void {
  for (const [head, ...rows] of [cpuTable(results), latencyTables(results), etcdTable(results), costTable(results)]) {
    if (rows.length > 0) {
      console.table(rows.map((row) => Object.fromEntries(head!.map((name, index) => [name, row[index]]))));
    }
  }
}

/** Writes the page's measured part, and the charts that it shows. */
export function writePage(results: Results): void {
  const { figures, workers, rounds, go, machine } = results;
  const page = readFileSync(docs('performance.md'), 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`docs/performance.md has no place for the figures: ${BEGIN} … ${END}`);
  const names = figures.map(({ name }) => name);
  const groups = measuredShapes(results).map((shape) => ({
    name: shape.name,
    values: figures.map((peer) => cpuOf(peer, shape)),
  }));
  const title = 'CPU time of the proxy for a request';
  writeFileSync(docs('performance-cpu.svg'), bars(title, names, groups, time));
  const charts = [`![${title}](performance-cpu.svg)`];
  for (const { key, name } of shapes.filter(({ hasLatency }) => hasLatency === true)) {
    const all = figures.flatMap(({ name: peer, latency: found }) => {
      const points = found[key]?.map(({ rate, p99 }) => [rate, p99] as const);
      return points === undefined ? [] : [{ name: peer, points }];
    });
    if (all.length === 0) continue;
    const heading = `Latency at open load: ${name}`;
    const file = `performance-latency-${key}.svg`;
    writeFileSync(docs(file), curves(heading, 'requests a second', 'p99, milliseconds', all));
    charts.push(`![${heading}](${file})`);
  }
  const [cpuChart, ...latencyCharts] = charts;
  const cores = workers === 1 ? 'one core for each proxy' : `${workers} processes or threads for each proxy`;
  const measured = [
    `Machine: ${machine}; ${cores}; ${rounds} rounds; the service and the load in ${go.replace('go', 'Go ')}.`,
    markdown(cpuTable(results), 1),
    cpuChart,
    ...(latencyCharts.length === 0 ? [] : [markdown(latencyTables(results), 3), ...latencyCharts]),
    ...(results.etcd === undefined
      ? []
      : [
          'etcd, as Debian has it, by its own gateway (in its process) and by photongate before it: CPU time of all processes for a request.',
          markdown(etcdTable(results), 1),
        ]),
    markdown(costTable(results), 1),
  ];
  writeFileSync(docs('performance.md'), `${before}${BEGIN}\n\n${measured.join('\n\n')}\n\n${END}${after}`);
}
