/**
 * The configuration file: YAML → `Settings`; each problem has its line and column. Relative paths are resolved against
 * the file's folder.
 */
import { dirname, resolve } from 'node:path';
import { parseYaml, Reader } from '../options/index.js';
import type { Problem, ProblemList } from '../status.js';
import { readSettings, type Settings } from './settings.js';

/**
 * Reads a configuration.
 * @param file as the user named it, for messages. Relative paths in the file are resolved against its folder.
 */
export function parseConfigFile(file: string, text: string, workingDirectory: string, problems: ProblemList): Settings {
  const root = parseYaml({ file, text }, problems);
  if (root === undefined || (root.kind === 'scalar' && root.value === null)) return {};
  const before = problems.errors.length;
  const reader = new Reader(problems, { folder: dirname(resolve(workingDirectory, file)) });
  const [settings = {}] = reader.attempt('', root.place, () => readSettings(root, reader));
  problems.errors.push(...problems.errors.splice(before).sort(byPlace));
  return settings;
}

function byPlace({ place: a }: Problem, { place: b }: Problem): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
