/**
 * docs/options.md, made from the option table. `npm run docs` writes it; a test fails where the two differ.
 */
import { flagName, optionSpecs } from '../../lib/config/index.js';

export function optionsPage(): string {
  const lines = [
    '# Options',
    '',
    'Made from the option table by `npm run docs`; do not edit.',
    '',
    'An option has one name: snake_case in the configuration file, the same in kebab-case as a flag, the same in camelCase in the library, and in upper case behind `PHOTONGATE_` in the environment. A flag wins over the environment, the environment over the file. A switch that is on by default is turned off by `--no-NAME`. Lists repeat or take commas. Sizes are bytes or take `KiB`, `MiB`, `GiB` (and `kB`, `MB`, `GB`); times take `ms`, `s`, `m`, `h`.',
    '',
    'In a file an option stands at the top, for all listeners, or on one listener or mount, for that alone; those marked ¹ are the same for all mounts of a listener.',
  ];
  for (const group of new Set(optionSpecs.map((spec) => spec.group))) {
    lines.push(
      '',
      `## ${group}`,
      '',
      '| name | flag | values | default | what it does |',
      '| --- | --- | --- | --- | --- |',
    );
    for (const spec of optionSpecs.filter((candidate) => candidate.group === group)) {
      const cells = [
        `\`${spec.name}\`${spec.listenerOnly ? ' ¹' : ''}`,
        `\`--${flagName(spec.name)}\``,
        spec.kind.description,
        spec.defaultText,
        spec.text,
      ];
      lines.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
