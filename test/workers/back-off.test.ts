/** Each death makes the next wait longer, within a bound, until a worker has lived for a minute. */
import t from 'tap';
import { BackOff } from '../../lib/workers/back-off.js';

void t.test('delays', (t) => {
  let now = 0;
  const backOff = new BackOff(() => now);
  const delays = Array.from({ length: 12 }, () => backOff.died(now));
  t.strictSame(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
  now = 59_999;
  t.equal(backOff.died(0), 30_000);
  now = 60_000;
  t.equal(backOff.died(0), 100);
  t.equal(backOff.died(now), 200);
  for (let times = 0; times < 2000; times++) backOff.died(now);
  t.equal(backOff.died(now), 30_000);
  t.end();
});
