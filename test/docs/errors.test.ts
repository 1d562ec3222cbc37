/** docs/errors.md and the source name the same codes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const source = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'lib', name), 'utf8'))
  .join('\n');

const code = /'([a-z]+(?:-[a-z]+)*)'/.source;
/** Where a code stands: as a member, or as an argument of what makes a problem. */
const patterns = [
  new RegExp(`\\bcode: ${code}`, 'g'),
  new RegExp(`\\b(?:error|warn|problem|proto|report)\\(\\s*(?:[\\w.! ?]+,\\s*)?${code},`, 'g'),
];
const used = new Set(patterns.flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1]!)));
const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
const documented = new Set([...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]!));

t.ok(used.size > 40, 'the patterns find them');
const tables = [...page.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => table.trim().split('\n'));
t.same(
  tables.map(([head, line, ...rows]) => [
    head,
    line,
    rows.filter((row, index) => columns(row) !== columns(head!) || (index > 0 && row <= rows[index - 1]!)),
  ]),
  [
    ['| code | what it means | how to solve it |', '| --- | --- | --- |', []],
    ['| code | what it means |', '| --- | --- |', []],
  ],
  'errors, then warnings, each in a table of its own, sorted, none twice',
);
t.strictSame([...used].filter((name) => !documented.has(name)).sort(), [], 'every code of the source is documented');
const literals = new Set([...source.matchAll(new RegExp(code, 'g'))].map((match) => match[1]!));
t.strictSame(
  [...documented].filter((name) => !literals.has(name)).sort(),
  [],
  'every documented code is in the source',
);

// Plans are compiled by their first request: what they refuse, `checkPlan` has to refuse at the start.
const transcode = readdirSync(join(root, 'lib/transcode'), { recursive: true, encoding: 'utf8' }).filter(
  (name) =>
    name.endsWith('.ts') && readFileSync(join(root, 'lib/transcode', name), 'utf8').includes('new ConfigError('),
);
t.strictSame(
  transcode.sort(),
  ['request/bound-headers.ts', 'request/path.ts', 'request/resume.ts'],
  'plans are refused by parts that checkPlan makes',
);

function columns(row: string): number {
  return row.split(/(?<!\\)\|/).length;
}
