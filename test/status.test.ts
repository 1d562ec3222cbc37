import t from 'tap';
import { nearestName } from '../lib/status.js';

void t.test('the nearest known name', (t) => {
  const known = ['n', 'id', 'name', 'page_size'];
  const rows: readonly [string, string | undefined][] = [
    ['nmae', 'name'],
    ['nam', 'name'],
    ['NAME', 'name'],
    ['pagesize', 'page_size'],
    ['N', 'n'],
    ['is', 'id'],
    ['address', undefined],
    // Of so little nothing is left that could be meant.
    ['x', undefined],
    ['', undefined],
  ];
  for (const [name, expected] of rows) t.equal(nearestName(name, known), expected, JSON.stringify(name));
  t.end();
});
