/** The share of requests that is refused: by tables of delays, and over loads of every kind. */
import fc from 'fast-check';
import t from 'tap';
import { SheddingShare } from '../../lib/overload/index.js';

/** Numbers from 0 to 1 that lie evenly wherever one begins to count. */
function evenly(): () => number {
  let last = 0;
  return () => (last = (last + 0.6180339887498949) % 1);
}

interface Row {
  /** Delays of samples that are 100 ms apart, with the limit at 100 ms; `[delay, times]` is the same one several times. */
  readonly delays: readonly (number | readonly [number, number])[];
  readonly share: number;
}

const rows: Readonly<Record<string, Row>> = {
  idle: { delays: [[0, 50]], share: 0 },
  'at the limit': { delays: [[100, 50]], share: 0 },
  'one pause of a second': { delays: [[0, 6], 1000, [0, 6]], share: 0 },
  'three pauses in a row': { delays: [[0, 6], 1000, 1000, 1000, [0, 6]], share: 0 },
  'late for less than a window': { delays: [[500, 6]], share: 0 },
  'late for half of a window': {
    delays: [
      [0, 7],
      [200, 4],
    ],
    share: 0.1,
  },
  'twice the limit': {
    delays: [
      [0, 7],
      [200, 8],
    ],
    share: 0.5,
  },
  'twice the limit for long': { delays: [[200, 100]], share: 0.9 },
  'half above it': {
    delays: [
      [0, 7],
      [150, 8],
    ],
    share: 0.25,
  },
  'ten times the limit grows as three times': {
    delays: [
      [0, 7],
      [1000, 6],
    ],
    share: 0.6,
  },
  'it stays at the limit': {
    delays: [
      [0, 7],
      [200, 8],
      [100, 50],
    ],
    share: 0.8,
  },
  'it shrinks slowly': {
    delays: [
      [200, 100],
      // The first three do not change the median.
      [0, 11],
    ],
    share: 0.7,
  },
  'it ends': {
    delays: [
      [200, 100],
      [0, 60],
    ],
    share: 0,
  },
};

for (const [name, { delays, share: expected }] of Object.entries(rows)) {
  const share = new SheddingShare(100, evenly());
  for (const [delay, times] of delays.map((one) => (typeof one === 'number' ? ([one, 1] as const) : one))) {
    for (let time = 0; time < times; time++) share.sample(delay, 100);
  }
  t.equal(Number(share.value.toFixed(6)), expected, name);
  let refused = 0;
  for (let request = 0; request < 1000; request++) if (share.takes()) refused++;
  t.ok(Math.abs(refused - 1000 * expected) <= 3, `${name}: ${refused} of 1000 requests`);
}

void t.test('it is a share, whatever comes', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }))),
      fc.integer({ min: 1, max: 10_000 }),
      (samples, limit) => {
        const share = new SheddingShare(limit);
        for (const [delay, elapsed] of samples) {
          share.sample(delay, elapsed);
          if (!(share.value >= 0 && share.value <= 0.9)) return false;
        }
        return true;
      },
    ),
  );
  t.end();
});

/** A server whose event loop turns once for all its clients, each of which sends its next request after its answer. */
function settle(clients: number, costMs: number, refusalMs: number, limitMs: number, turns: number): number[] {
  const share = new SheddingShare(limitMs, evenly());
  const shares: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    let turnMs = 0;
    for (let client = 0; client < clients; client++) turnMs += share.takes() ? refusalMs : costMs;
    share.sample(Math.max(0, turnMs - 20), Math.max(20, turnMs));
    shares.push(share.value);
  }
  return shares;
}

void t.test('under a steady load it settles and serves on', (t) => {
  for (const [clients, costMs, refusalMs] of [
    [1000, 0.2, 0.06],
    [1000, 0.5, 0.05],
    [300, 1, 0.1],
    [5000, 0.1, 0.01],
  ] as const) {
    const name = `${clients} clients, ${costMs} ms`;
    const shares = settle(clients, costMs, refusalMs, 100, 2000).slice(1000);
    const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length;
    const wanted = (clients * costMs - 120) / (clients * (costMs - refusalMs));
    t.ok(Math.abs(mean - wanted) < 0.12, `${name}: ${mean.toFixed(2)} are refused, ${wanted.toFixed(2)} had to be`);
    t.ok(shares.at(-1)! < 0.9, `${name}: not as many as it could`);
  }
  const shares = settle(5000, 0.1, 0.09, 100, 500);
  t.equal(shares.at(-1), 0.9, 'if refusals alone keep it late, some are answered all the same');
  t.strictSame([...new Set(settle(100, 0.5, 0.05, 100, 1000))], [0], 'nothing is refused of a load that can be served');
  t.end();
});
t.end();
