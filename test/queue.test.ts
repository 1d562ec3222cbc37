import fc from 'fast-check';
import t from 'tap';
import { Queue, Sequence } from '../lib/queue.js';
import { countMoves } from './support/moves.js';

void t.test('a queue does what an array does', (t) => {
  const step = fc.constantFrom(
    'push',
    'push',
    'push',
    'take',
    'take',
    'first',
    'last',
    'clear',
  ) as fc.Arbitrary<string>;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new Queue<number>();
      let array: number[] = [];
      let next = 0;
      for (const step of steps) {
        if (step === 'push') {
          queue.push(next);
          array.push(next++);
        } else if (step === 'take') {
          if (queue.take() !== array.shift()) return false;
        } else if (step === 'clear' && next % 50 === 0) {
          queue.clear();
          array = [];
        } else if (array.length > 0) {
          if (step === 'first') queue.replaceFirst((array[0] = next++));
          else queue.replaceLast((array[array.length - 1] = next++));
        }
        if (queue.length !== array.length || queue.first !== array[0] || queue.last !== array.at(-1)) return false;
        if (JSON.stringify([...queue]) !== JSON.stringify(array)) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.end();
});

void t.test('taking moves a constant number of elements, however long the queue is', async (t) => {
  for (const length of [1000, 100_000]) {
    const moves = await countMoves(() => {
      const queue = new Queue<number>();
      for (let item = 0; item < length; item++) queue.push(item);
      // It never gets empty, and is never shorter than half of its length.
      for (let item = 0; item < length; item++) {
        if (queue.take() !== item) t.fail(`item ${item} came out of order`);
        queue.push(item);
      }
    });
    t.ok(moves.elements <= 4 * length, `${moves.elements} moved for ${length}`);
  }
});

void t.test('what was taken is not held', (t) => {
  const queue = new Queue<object>();
  for (let count = 0; count < 20; count++) queue.push({});
  const taken = new Set(Array.from({ length: 19 }, () => queue.take()));
  t.equal(taken.size, 19);
  const { items } = queue as unknown as { items: unknown[] };
  t.notOk(items.some((item) => taken.has(item as object)));
  t.end();
});

void t.test('a sequence: in order, one at a time, past a failure', async (t) => {
  const changes = new Sequence();
  const seen: string[] = [];
  const step =
    (name: string, fail = false) =>
    async (): Promise<string> => {
      seen.push(`${name} starts`);
      await Promise.resolve();
      seen.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([
    changes.run(step('one')),
    changes.run(step('two', true)),
    changes.run(step('three')),
  ]);
  t.strictSame(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.strictSame(
    seen,
    ['one', 'two', 'three'].flatMap((name) => [`${name} starts`, `${name} ends`]),
  );
});
