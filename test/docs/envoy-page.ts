/** docs/envoy-keys.md: every key of a bootstrap, out of the tables that read it. */
import type { Key, Keys } from '../../lib/envoy/describe.js';
import { bootstrap } from '../../lib/envoy/keys/bootstrap.js';

const uses: Readonly<Record<Key['use'], string>> = {
  honoured: 'works',
  'no-effect': 'no effect',
  warned: 'warning',
  refused: 'refused',
};

export function envoyKeysPage(): string {
  const rows = (bootstrap.inside ?? []).flatMap(({ keys }) => rowsOf(keys, ''));
  return `# Keys of an Envoy bootstrap

<!-- Written by \`npm run docs\`. -->

What \`photongate --envoy FILE\` makes of each key ([envoy.md](envoy.md)). *works*: it is honoured. *no effect*: it changes nothing here, for the reason that is given. *warning*: it has no effect here, and the start says so. *refused*: it cannot be honoured, and the note says what to do instead; Envoy's own default may be written. Whatever is not listed is refused.

| key | here | note |
| --- | --- | --- |
${rows.join('\n')}
`;
}

function rowsOf(keys: Keys, path: string): string[] {
  return Object.entries(keys).flatMap(([name, key]) => {
    const own = `${path}${name}`;
    const row = `| \`${own}\` | ${uses[key.use]} | ${key.text.replaceAll('|', '\\|')} |`;
    if (key.use !== 'honoured') return [row];
    const inside = key.kind.inside ?? [];
    return [row, ...inside.flatMap(({ suffix, keys: inner }) => rowsOf(inner, `${own}${suffix}.`))];
  });
}
