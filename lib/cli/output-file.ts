/** Files that commands write with `--output`. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '../status.js';
import type { Terminal } from './terminal.js';

/**
 * Writes a text to a file, or to standard output if there is none.
 * @param what the subject of the message, such as `the document`
 * @throws ConfigError `output-file`
 */
export function writeOutput(text: string, output: string | undefined, what: string, terminal: Terminal): void {
  if (output === undefined) return terminal.output(text);
  try {
    writeFileSync(resolve(terminal.workingDirectory, output), text);
  } catch (error) {
    throw new ConfigError(
      {
        code: 'output-file',
        message: `${what} cannot be written: ${(error as Error).message}`,
        hint: 'give --output a path in a folder that exists',
      },
      { cause: error },
    );
  }
}
