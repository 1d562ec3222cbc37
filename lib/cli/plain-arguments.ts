/**
 * Arguments that need no parser: flags with their values and switches, as services are started with. yargs takes a third of the
 * CPU of a small start and 7 MB (bench: start), and is loaded only for everything else: other commands, help, mistakes, short forms.
 */
import type { Options as YargsOptions } from 'yargs';
import type { FlagValues } from './flag-values.js';

/** How yargs reads arguments. */
export const parserConfiguration = {
  'camel-case-expansion': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'strip-aliased': true,
  'greedy-arrays': false,
};

/**
 * The values of flags, as yargs gives them; undefined if one argument is not plain.
 * @param options every flag
 */
export function plainArguments(
  args: readonly string[],
  options: Readonly<Record<string, YargsOptions>>,
): FlagValues | undefined {
  const values = new Map<string, string | string[] | true>();
  for (let index = args[0] === 'serve' ? 1 : 0; index < args.length; index++) {
    const match = /^--([a-z][a-z-]*)(?:=(.+))?$/s.exec(args[index]!);
    const [, name = '', given] = match ?? [];
    if (!Object.hasOwn(options, name) || options[name]?.choices !== undefined) return undefined;
    if (options[name]?.type !== 'string') {
      // A value could follow that is not one.
      if (given !== undefined || values.has(name) || args[index + 1]?.startsWith('--') === false) return undefined;
      values.set(name, true);
      continue;
    }
    const value = given ?? (name === 'reflection' ? 'true' : args[++index]);
    // yargs takes quotes away.
    if (value === undefined || value === '' || /^[-'"]/.test(value)) return undefined;
    const before = values.get(name);
    values.set(name, before === undefined ? value : ([before, value].flat() as string[]));
  }
  return Object.fromEntries(values);
}
