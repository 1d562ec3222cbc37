/** Headers that a command is given: `-H 'name: value'`. */
import { isHeaderName } from '../headers.js';
import { ConfigError } from '../status.js';

/**
 * The name in lower case, and the value.
 * @param refused names that the command itself writes
 * @throws ConfigError `bad-header`
 */
export function headerPair(text: string, refused: readonly string[]): readonly [string, string] {
  const [, given = '', value = ''] = /^([^:]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? [];
  const name = given.toLowerCase();
  if (refused.includes(name)) {
    throw new ConfigError({
      code: 'bad-header',
      message: `-H ${JSON.stringify(text)}: the command itself writes the length of the body`,
      hint: `leave ${name} out, and give the body by -d`,
    });
  }
  if (isHeaderName(name)) return [name, value];
  throw new ConfigError({
    code: 'bad-header',
    message: `found ${JSON.stringify(text)}, expected a header`,
    hint: "write -H 'name: value'",
  });
}
