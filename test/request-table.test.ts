/** The table of requests under way against a list, by random steps. */
import t from 'tap';
import { RequestTable, type Slotted } from '../lib/request-table.js';
import { Random } from './support/random.js';

void t.test('keeps order and size, whatever leaves', (t) => {
  const table = new RequestTable<Slotted>();
  const list: Slotted[] = [];
  const random = new Random(1);
  for (let step = 0; step < 20_000; step++) {
    // Grows for a while, then shrinks, so that it is compacted.
    if (random.below(10) < (step % 1000 < 500 ? 7 : 3) || list.length === 0) {
      const request = { slot: 0 };
      if (table.has(request)) t.fail(`step ${step}: it is not there yet`);
      table.add(request);
      list.push(request);
    } else {
      const [request] = list.splice(random.below(list.length), 1);
      if (request === undefined) continue;
      if (!table.delete(request) || table.delete(request)) t.fail(`step ${step}: it is there once`);
    }
    if (table.size !== list.length) t.fail(`step ${step}: ${table.size} requests, expected ${list.length}`);
    if (step % 100 === 0) t.ok(isSame(table, list), `step ${step}`);
  }
  t.ok(isSame(table, list));
  for (const request of list) t.ok(table.delete(request));
  t.strictSame([...table], []);
  t.end();
});

function isSame(table: RequestTable<Slotted>, list: readonly Slotted[]): boolean {
  const all = [...table];
  return all.length === list.length && all.every((request, index) => request === list[index]);
}
