/** How an overload begins and ends by the clock, and who hears of it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import t, { type Test } from 'tap';
import { type Overload, Shedder, type ShedderClock } from '../../lib/overload/index.js';

interface Simulated extends ShedderClock {
  /** The timer that is set fires, so many milliseconds late. */
  readonly late: (ms: number, times?: number) => void;
  readonly isSet: () => boolean;
}

function simulated(): Simulated {
  let now = 1000;
  let timer: { readonly at: number; readonly run: () => void } | undefined;
  return {
    now: () => now,
    after(ms, run) {
      timer = { at: now + ms, run };
      return () => (timer = undefined);
    },
    late(ms, times = 1) {
      for (let time = 0; time < times; time++) {
        const { at, run } = timer!;
        now = at + ms;
        run();
      }
    },
    isSet: () => timer !== undefined,
  };
}

function heard(t: Test): Overload[] {
  const events: Overload[] = [];
  const listener = (event: unknown): void => void events.push(event as Overload);
  subscribe('photongate:overload', listener);
  t.teardown(() => unsubscribe('photongate:overload', listener));
  return events;
}

void t.test('it begins, lasts and ends once', (t) => {
  const events = heard(t);
  const clock = simulated();
  const shedder = new Shedder(100, clock);
  clock.late(0, 100);
  t.equal(shedder.refuses(), false);
  clock.late(200, 30);
  t.strictSame(events, [{ state: 'begins', maxDelayMs: 100, delayMs: 200, refused: 0 }]);
  let refused = 0;
  for (let request = 0; request < 100; request++) if (shedder.refuses()) refused++;
  t.ok(refused > 50 && refused < 100, `nine of ten are: ${refused} of 100`);
  // 20 ms apart: 3.6 seconds until nothing is refused, and four more. Then it is late again.
  clock.late(0, 3600 / 20 + 3 + 200);
  t.equal(shedder.refuses(), false);
  clock.late(200, 30);
  t.equal(events.length, 1, 'what comes within five seconds is the same overload');
  for (let request = 0; request < 50; request++) if (shedder.refuses()) refused++;
  clock.late(0, 3600 / 20 + 3 + 252);
  t.strictSame(events.slice(1), [{ state: 'ends', maxDelayMs: 100, delayMs: 0, refused }]);
  clock.late(200, 30);
  t.match(events.slice(2), [{ state: 'begins', refused: 0 }], 'a new one counts from 0');
  t.end();
});

void t.test('a machine that slept is not overloaded', (t) => {
  const events = heard(t);
  const clock = simulated();
  const shedder = new Shedder(100, clock);
  clock.late(0, 10);
  clock.late(3_600_000);
  clock.late(0, 10);
  t.equal(shedder.refuses(), false);
  t.strictSame(events, []);
  t.end();
});

void t.test('closed, it asks no more', (t) => {
  const clock = simulated();
  const shedder = new Shedder(100, clock);
  clock.late(0, 3);
  t.ok(clock.isSet());
  shedder.close();
  t.notOk(clock.isSet());
  t.end();
});
