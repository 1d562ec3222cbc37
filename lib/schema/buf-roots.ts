/** Import folders that Buf's own files name: whoever has a buf.yaml has written them down already. */
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { yaml } from '../packages.js';
import type { FileReader } from './files.js';

/** A folder is looked at with this many of those above it. */
const MAX_PARENTS = 64;
const MAX_BYTES = 256 * 1024;

/**
 * The folders that imports start from, by buf.work.yaml or buf.yaml of a folder or of the nearest one above it that has one.
 * A file that is no valid YAML names none: `buf` reports that better.
 */
export function bufRoots(start: string, files: FileReader): string[] {
  let folder = start;
  /** Of a module of version 1, which may be one of several in a workspace above it. */
  let module: string[] | undefined;
  for (let count = 0; count < MAX_PARENTS; count++) {
    const workspace = read(join(folder, 'buf.work.yaml'), files);
    if (workspace !== undefined) return below(folder, texts(workspace['directories']));
    const config = module === undefined ? read(join(folder, 'buf.yaml'), files) : undefined;
    if (config !== undefined) {
      const modules = config['modules'];
      if (Array.isArray(modules)) return below(folder, modules.map(pathOf));
      if (config['version'] === 'v2') return [folder];
      const roots = texts((config['build'] as Fields | undefined)?.['roots']);
      module = roots.length === 0 ? [folder] : below(folder, roots);
    }
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  return module ?? [];
}

type Fields = Readonly<Record<string, unknown>>;

function read(path: string, files: FileReader): Fields | undefined {
  try {
    const bytes = files.read(path);
    if (bytes === undefined || bytes.length > MAX_BYTES) return undefined;
    const parsed: unknown = yaml().parse(bytes.toString('utf8'), { maxAliasCount: 10, logLevel: 'silent' });
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Fields) : {};
  } catch {
    return undefined;
  }
}

function pathOf(module: unknown): unknown {
  return (module as Fields | null)?.['path'] ?? '.';
}

function texts(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** Without those that lead out of the folder. */
function below(folder: string, paths: readonly unknown[]): string[] {
  return paths.flatMap((path) => {
    if (typeof path !== 'string' || isAbsolute(path)) return [];
    const plain = normalize(path);
    return plain.startsWith('..') ? [] : [join(folder, plain)];
  });
}
