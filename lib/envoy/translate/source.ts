/** Texts and bytes of a bootstrap that stand elsewhere: in files, or in variables of the environment. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type EnvoyReader, fault, type ValueOf } from '../describe.js';
import type { dataSource } from '../keys/common.js';

export type DataSource = ValueOf<typeof dataSource>;

/** What a source says; undefined after a problem. */
export function textOf(source: DataSource, reader: EnvoyReader): string | undefined {
  const { filename, inline_string: text, inline_bytes: bytes, environment_variable: variable, at } = source;
  const given = [filename, text, bytes, variable].filter((one) => one !== undefined);
  if (given.length !== 1) {
    const message = `it has ${given.length} of filename, inline_string, inline_bytes and environment_variable, expected one`;
    fault(reader, at, message);
    return undefined;
  }
  if (text !== undefined) return text;
  if (bytes !== undefined) return bytes.toString('utf8');
  if (variable !== undefined) return variableOf(variable, source, reader);
  try {
    return readFileSync(resolve(reader.folder, filename!), 'utf8');
  } catch (error) {
    fault(reader, at, `${JSON.stringify(filename)} cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

function variableOf(name: string, { at }: DataSource, reader: EnvoyReader): string | undefined {
  const value = Object.hasOwn(reader.environment, name) ? reader.environment[name] : undefined;
  if (value === undefined) fault(reader, at, `the environment has no variable ${JSON.stringify(name)}`);
  return value;
}

/** A file in PEM by its path, or what it holds as a `data:` URL; undefined after a problem. */
export function pemOf(source: DataSource | undefined, reader: EnvoyReader): string | undefined {
  if (source === undefined) return undefined;
  const { filename, inline_string: text, inline_bytes: bytes, environment_variable: variable } = source;
  if (filename !== undefined && text === undefined && bytes === undefined && variable === undefined) return filename;
  const held = textOf(source, reader);
  return held === undefined ? undefined : `data:application/x-pem-file;base64,${Buffer.from(held).toString('base64')}`;
}
