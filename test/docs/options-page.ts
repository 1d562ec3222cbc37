/**
 * docs/options.md and the table of docs/presets.md, made from the option table. `npm run docs` writes them; tests fail if a page
 * and the table differ.
 */
import { readFileSync } from 'node:fs';
import { flagName, optionAliases, optionSpecs, optionTable } from '../../lib/config/index.js';
import { groups, type OptionTable, presetNames } from '../../lib/options/index.js';

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

export function optionsPage(): string {
  const lines = [
    '# Options',
    '',
    'Made from the option table by `npm run docs`; do not edit.',
    '',
    'Each option has one name, spelled as its place requires:',
    '',
    row('place', 'example'),
    row('---', '---'),
    row('flag', '`--max-body-bytes 8MiB`'),
    row('environment', '`PHOTONGATE_MAX_BODY_BYTES=8MiB`'),
    row('configuration file', '`max_body_bytes: 8MiB`'),
    row('library', "`createGateway({ maxBodyBytes: '8MiB' })`"),
    '',
    'Flags override the environment, and the environment overrides the file. `--no-NAME` turns off a switch that is on by default. For a list, repeat the flag or separate the values by commas. A size is a number of bytes, or has a unit: `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`. A time has a unit: `ms`, `s`, `m`, `h`.',
    '',
    'In a file, an option at the top applies to all listeners; on a listener or mount, it applies only there. Options marked ¹ cannot be set on a mount, because all mounts of a listener share them. Options marked ² can be set only at the top, because the whole process shares them. The names in parentheses are those of Envoy and grpc-gateway.',
  ];
  for (const group of Object.values(groups)) {
    lines.push('', `## ${group}`, '', row('name', 'flag', 'values', 'default', 'what it does'));
    lines.push('| --- | --- | --- | --- | --- |');
    for (const spec of optionSpecs.filter((candidate) => candidate.group === group)) {
      const { name, key, kind, listenerOnly, processOnly, defaultText, text, peers } = spec;
      const like = peers === undefined ? '' : ` (${peers})`;
      lines.push(
        row(
          `\`${name}\`${listenerOnly ? ' ¹' : processOnly ? ' ²' : ''}`,
          `\`--${flagName(name)}\``,
          kind.description,
          defaultText,
          `${text}${like}`,
        ),
      );
      for (const alias of optionAliases.filter(({ option }) => option === key)) {
        lines.push(
          row(`\`${alias.name}\``, `\`--${flagName(alias.name)}\``, 'true or false', `as ${name}`, alias.text),
        );
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

const presetsFile = new URL('../../docs/presets.md', import.meta.url);
const [begin, end] = ['<!-- made by npm run docs -->', '<!-- end -->'];

/** docs/presets.md, whose prose is written by hand. */
export function presetsPage(): string {
  const page = readFileSync(presetsFile, 'utf8');
  const columns = presetNames.filter((preset) => preset !== 'none');
  const table: OptionTable = optionTable;
  const rows = Object.entries(table).flatMap(([name, { kind, presets, why = '', ...rest }]) => {
    if (presets === undefined) return [];
    const cells = columns.map((preset) => {
      if (!(preset in presets)) return '';
      const printed = kind.print(presets[preset]);
      return `\`${typeof printed === 'object' ? JSON.stringify(printed).replace(/[[\]"]/g, '') : printed}\``;
    });
    return [row(`\`${name}\`${'presetOnly' in rest ? ' *' : ''}`, ...cells, why)];
  });
  const made = [row('option', ...columns, 'why'), row(...['---', ...columns.map(() => '---'), '---']), ...rows];
  const [before, after] = [page.slice(0, page.indexOf(begin)), page.slice(page.indexOf(end))];
  return `${before}${begin}\n\n${made.join('\n')}\n\n${after}`;
}
