/** docs/semantics.md: the tests that its tables name exist, and say what the tables quote. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/semantics.md'), 'utf8');

/** `| rule | `test/x.test.ts` "words of it" |`; several tests are separated by `<br>`. */
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !/^\| (rule|---) /.test(line));

const rules = rows.map((row) => row.split(/(?<!\\)\|/)[1]!.trim());
t.strictSame(
  rules.filter((rule, index) => rules.indexOf(rule) !== index),
  [],
  'no rule stands twice',
);

for (const row of rows) {
  const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
  t.equal(cells.length, 4, `two cells: ${row}`);
  for (const reference of (cells[2] ?? '').split('<br>')) {
    const match = /^`(test\/[\w./-]+)` "(.+)"$/.exec(reference.trim());
    if (match === null) {
      t.fail(`no test is named: ${row}`);
      continue;
    }
    const path = join(root, match[1]!);
    if (!existsSync(path)) t.fail(`there is no ${match[1]}`);
    else t.ok(readFileSync(path, 'utf8').includes(match[2]!), `${match[1]} has "${match[2]}"`);
  }
}
t.end();
