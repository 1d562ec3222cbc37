/** The table of what differs from grpc-gateway in docs/presets.md, and the requests that show it. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { everywhere, requests } from '../grpc-gateway/requests.js';

const page = readFileSync(new URL('../../docs/presets.md', import.meta.url), 'utf8');
const [, section = ''] = page.split('## What differs from grpc-gateway\n');
const rows = section.split('\n## ')[0]!.match(/^\| .*\|$/gm) ?? [];
const documented = rows.slice(2).map((row) => row.split(' | ')[0]!.slice(2));
const shown = new Set([...everywhere, ...requests.flatMap(({ differs }) => differs ?? [])]);

t.ok(documented.length > 20);
t.strictSame(
  documented.filter((what) => !shown.has(what)),
  [],
  'every row has a request',
);
t.strictSame(
  [...shown].filter((what) => !documented.includes(what)),
  [],
  'every difference has a row',
);
