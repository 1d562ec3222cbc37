/** What a process held over time, as a picture. */

/** What the process held after a round. */
export interface Sample {
  /** Bytes. */
  readonly rss: number;
  readonly heap: number;
  readonly buffers: number;
  readonly descriptors: number;
  readonly timers: number;
}

const WIDTH = 900;
const HEIGHT = 90;
const LEFT = 150;

const rows: readonly (readonly [name: string, value: (sample: Sample) => number, unit: string])[] = [
  ['resident memory', ({ rss }) => rss / 1024 ** 2, 'MiB'],
  ['heap', ({ heap }) => heap / 1024 ** 2, 'MiB'],
  ['buffers', ({ buffers }) => buffers / 1024 ** 2, 'MiB'],
  ['descriptors', ({ descriptors }) => descriptors, ''],
  ['timers', ({ timers }) => timers, ''],
];

/** An SVG with a curve for each measure, from zero to the most that there was. */
export function plotOf(samples: readonly Sample[], requestsPerSample: number): string {
  const x = (index: number): number => LEFT + (index / Math.max(1, samples.length - 1)) * (WIDTH - LEFT - 10);
  const curves = rows.map(([name, value, unit], row) => {
    const most = Math.max(1, ...samples.map(value));
    const bottom = (row + 1) * HEIGHT;
    const points = samples.map((sample, index) => {
      const y = bottom - (value(sample) / most) * (HEIGHT - 20);
      return `${x(index).toFixed(1)},${y.toFixed(1)}`;
    });
    return `<text x="4" y="${bottom - 30}">${name}</text><text x="4" y="${bottom - 14}">up to ${most.toFixed(1)} ${unit}</text>
<path d="M${LEFT} ${bottom}H${WIDTH - 10}" stroke="#ccc"/><polyline points="${points.join(' ')}" fill="none" stroke="#06c"/>`;
  });
  const height = rows.length * HEIGHT + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
${curves.join('\n')}
<text x="${LEFT}" y="${height - 8}">${samples.length * requestsPerSample} requests</text>
</svg>
`;
}
