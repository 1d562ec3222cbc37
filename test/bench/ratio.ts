/** Compares two functions in interleaved rounds, so that a busy machine slows both alike. */
import { once } from './once.js';

const ROUNDS = once ? 1 : 41;
const WARM_UPS = once ? 0 : 10;

/** The median of our time over theirs, and the median of our time in microseconds. */
export function medianRatio(
  ours: () => unknown,
  theirs: () => unknown,
  callsPerRound: number,
): { ratio: number; micros: number } {
  // Enough calls for the optimising compiler to have settled.
  for (let round = 0; round < WARM_UPS; round++) {
    timeOf(ours, callsPerRound);
    timeOf(theirs, callsPerRound);
  }
  const ratios: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const own = timeOf(ours, callsPerRound);
    ratios.push(own / timeOf(theirs, callsPerRound));
    times.push((own / callsPerRound) * 1000);
  }
  return { ratio: median(ratios), micros: median(times) };
}

/** Milliseconds of so many calls. */
function timeOf(run: () => unknown, calls: number): number {
  const start = performance.now();
  for (let call = 0; call < calls; call++) run();
  return performance.now() - start;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1]!;
}
