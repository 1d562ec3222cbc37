/** Durations are measured by a clock that nobody sets, and nothing in lib/ has another. */
import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { atDate, monotonicMs, wallClock } from '../lib/clock.js';
import { setWallClock } from './support/wall-clock.js';

void t.test('the wall clock is set back: dates follow, durations do not', (t) => {
  const [date, before] = [wallClock().getTime(), monotonicMs()];
  const restore = setWallClock(-3_600_000);
  try {
    t.ok(wallClock().getTime() < date - 3_000_000);
    t.ok(monotonicMs() >= before && monotonicMs() < before + 3_000_000);
  } finally {
    restore();
  }
  t.end();
});

void t.test('a moment of the wall clock comes', async (t) => {
  const came: string[] = [];
  const start = wallClock().getTime();
  // These timers keep no process alive.
  const alive = setInterval(() => undefined, 1000);
  const cancel = atDate(start + 20, () => came.push('cancelled'));
  cancel();
  atDate(start - 1000, () => came.push('past'));
  // Node takes waits of more than 24 days for none.
  const cancelFar = atDate(start + 2 ** 41, () => came.push('far'));
  await new Promise<void>((resolve) => void atDate(start + 60, resolve));
  cancelFar();
  clearInterval(alive);
  t.ok(wallClock().getTime() >= start + 60);
  t.strictSame(came, ['past']);
});

void t.test('lint keeps lib/ from asking another clock, and from queues that move all their elements', async (t) => {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  // With CI=true the parser takes the file on the disk at its first look, not the text that it is given.
  const eslint = new ESLint({
    cwd: folder,
    overrideConfig: { languageOptions: { parserOptions: { disallowAutomaticSingleRunInference: true } } },
  });
  const cases: readonly (readonly [code: string, isRefused: boolean])[] = [
    ['export const at = Date.now();', true],
    ['export const at = new Date();', true],
    ['export const at = new Date(5).getTime();', false],
    ['export const at = performance.now();', true],
    ['export const at = process.hrtime();', true],
    ['export const first = [1, 2].shift();', true],
    ['export const last = [1, 2].pop();', false],
  ];
  for (const file of ['lib/http2/stream.ts', 'lib/cli/main.ts']) {
    for (const [code, isRefused] of cases) {
      const [result] = await eslint.lintText(`${code}\n`, { filePath: file });
      const rules = result!.messages
        .map(({ ruleId }) => ruleId ?? '')
        .filter((rule) => rule.startsWith('no-restricted'));
      t.equal(rules.length > 0, isRefused, `${file}: ${code}`);
    }
  }
});
