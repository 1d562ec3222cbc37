/** Messages of the same words: each kind is written once in a while. */
import t from 'tap';
import { Repeats } from '../../lib/cli/repeats.js';

function repeats(): {
  add: (words: string) => void;
  flush: () => void;
  written: () => string[];
  wait: (ms: number) => void;
} {
  const lines: string[] = [];
  let now = 5000;
  const log = new Repeats(() => now);
  return {
    add: (words) => log.add(words, (leftOut) => lines.push(`${words} ${leftOut}`)),
    flush: () => log.flush(),
    written: () => lines.splice(0),
    wait: (ms) => (now += ms),
  };
}

void t.test('the same words are written once in ten seconds, with the number of the others', (t) => {
  const { add, written, wait } = repeats();
  add('a');
  t.strictSame(written(), ['a 0']);
  for (let count = 0; count < 3; count++) add('a');
  add('b');
  t.strictSame(written(), ['b 0']);
  wait(9999);
  add('a');
  t.strictSame(written(), []);
  wait(1);
  add('a');
  t.strictSame(written(), ['a 4']);
  wait(10_000);
  add('a');
  t.strictSame(written(), ['a 0']);
  t.end();
});

void t.test('what was left out last is written at the end', (t) => {
  const { add, flush, written } = repeats();
  for (let count = 0; count < 4; count++) add('a');
  add('b');
  t.strictSame(written(), ['a 0', 'b 0']);
  flush();
  t.strictSame(written(), ['a 2'], 'the third, and two others');
  flush();
  t.strictSame(written(), []);
  t.end();
});

void t.test('what is remembered is bounded', (t) => {
  const { add, written } = repeats();
  for (let count = 0; count < 1000; count++) add(`reason ${count}`);
  t.equal(written().length, 1000);
  for (let count = 900; count < 1000; count++) add(`reason ${count}`);
  t.equal(written().length, 0);
  add('reason 899');
  t.strictSame(written(), ['reason 900 0', 'reason 899 0'], 'the oldest gave way, and what of it was left out');
  t.end();
});
