/** The table of streams beside a Map, with streams that stay open while thousands come and go. */
import fc from 'fast-check';
import t from 'tap';
import { StreamTable } from '../../lib/http2/stream-table.js';

interface Open {
  readonly id: number;
}

void t.test('as a Map', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 700 })), { maxLength: 60 }), (steps) => {
      const table = new StreamTable<Open>();
      const map = new Map<number, Open>();
      let id = 1;
      for (const [kept, count] of steps) {
        // Of each run all but some are closed again, the oldest first.
        const opened = Array.from({ length: count }, () => {
          const stream = { id };
          table.add(stream);
          map.set(id, stream);
          id += 2;
          return stream;
        });
        for (const stream of opened.slice(kept)) {
          table.delete(stream);
          table.delete(stream);
          map.delete(stream.id);
        }
        if (table.size !== map.size) return false;
      }
      const ids = Array.from({ length: id }, (_, each) => each);
      const all = table.all();
      return (
        ids.every((each) => table.get(each) === map.get(each)) &&
        all.every((stream, at) => stream === [...map.values()][at])
      );
    }),
    { numRuns: 60 },
  );
  t.end();
});

void t.test('a stream that is open for long gives way to none', (t) => {
  const table = new StreamTable<Open>();
  const long = { id: 1 };
  table.add(long);
  for (let id = 3; id < 10_000; id += 2) {
    const stream = { id };
    table.add(stream);
    if (table.get(id) !== stream || table.get(1) !== long) t.fail(`at ${id}`);
    table.delete(stream);
    if (table.get(id) !== undefined) t.fail(`still there: ${id}`);
  }
  t.equal(table.size, 1);
  table.delete({ id: 3 });
  t.equal(table.size, 1, 'what is not there is not removed');
  table.delete(long);
  t.strictSame(table.all(), []);
  t.end();
});
