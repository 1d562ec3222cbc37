/** docs/dependencies.md gives a reason for every package that package.json brings, and for no other at run time. */
import { readFileSync } from 'node:fs';
import t from 'tap';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/dependencies.md');
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>;

void t.test('the table has a row for each dependency', (test) => {
  const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  test.same(rows.sort(), Object.keys(dependencies).sort());
  test.end();
});

void t.test('the text names each package for development', (test) => {
  for (const name of Object.keys(devDependencies).filter((each) => !each.startsWith('@types/'))) {
    const scope = name.replace(/\/.*/, '/*');
    test.ok(page.includes(`\`${name}\``) || page.includes(`\`${scope}\``), name);
  }
  test.end();
});
