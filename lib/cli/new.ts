/** `photongate new NAME`: a gRPC service with rules, to start from. It is examples/starter under another name. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { annotationsFolder, starterFolder } from '../installation.js';
import { ConfigError } from '../status.js';
import { ExitCode } from './exit-code.js';
import type { Terminal } from './terminal.js';

/** What the proto imports and protoc does not bring: the new folder is to be complete for every other tool, too. */
const imports = ['annotations', 'http', 'field_behavior'].map((name) => `google/api/${name}.proto`);

/**
 * Writes the folder NAME.
 * @throws ConfigError `new-service` if the name cannot be that of a proto package, or the folder exists or cannot be written
 */
export function newService(name: string, terminal: Terminal): number {
  const folder = resolve(terminal.workingDirectory, name);
  // The proto imports google/….
  if (name === 'google' || !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(name)) {
    const hint =
      'use lower-case letters, digits and _, as in bookshop: it names the folder, the proto package and the service';
    throw failed(`${JSON.stringify(name)} cannot be the name of a proto package`, hint);
  }
  if (existsSync(folder)) throw failed(`${name} exists already`, 'choose another name, or remove it first');
  const written = [...filesOf(name)];
  try {
    for (const { path, text } of written) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
  } catch (error) {
    throw failed(
      `${name} cannot be written: ${(error as Error).message}`,
      'choose a folder that you may write to',
      error,
    );
  }
  terminal.output(
    `${written.map(({ path }) => `${join(name, path)}\n`).join('')}\nNext: cd ${name}, and see README.md.\n`,
  );
  return ExitCode.OK;
}

/** Those of the example in the words of the new service, and the imports of its proto. */
function* filesOf(name: string): Iterable<{ readonly path: string; readonly text: string }> {
  const pascal = name.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const renamed = (text: string): string => text.replaceAll('starter', name).replaceAll('Starter', pascal);
  const entries = readdirSync(starterFolder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => relative(starterFolder, join(entry.parentPath, entry.name))).sort();
  for (const path of paths) {
    yield { path: renamed(path), text: renamed(readFileSync(join(starterFolder, path), 'utf8')) };
  }
  for (const path of imports) {
    yield { path: join('proto', path), text: readFileSync(join(annotationsFolder, path), 'utf8') };
  }
}

function failed(message: string, hint: string, cause?: unknown): ConfigError {
  return new ConfigError({ code: 'new-service', message, hint }, { cause });
}
