/**
 * File name patterns: `*` and `?` within a name, `**` for any folders, `[a-z]`, `{a,b}`. Needed for shells that do not expand
 * them, and for configuration files.
 */
import { join, parse } from 'node:path';
import type { FileReader } from './files.js';

/** Deeper folders are not searched. */
const MAX_FOLDER_DEPTH = 64;
/** Limit of alternatives, because `{a,b}{a,b}…` doubles with each pair. */
const MAX_ALTERNATIVES = 1000;

/** True if the name contains a pattern. */
export function isGlob(name: string): boolean {
  return /[*?[{]/.test(name);
}

/** The absolute paths of the files that match an absolute pattern, sorted. */
export function findByGlob(pattern: string, files: FileReader): string[] {
  const found = new Set<string>();
  for (const alternative of expandBraces(pattern)) {
    const { root } = parse(alternative);
    const parts = alternative
      .slice(root.length)
      .split(/[/\\]/)
      .filter((part) => part !== '' && part !== '.');
    match(root, parts, 0, 0, files, found);
  }
  return [...found].sort();
}

function match(
  folder: string,
  parts: readonly string[],
  at: number,
  depth: number,
  files: FileReader,
  found: Set<string>,
): void {
  const part = parts[at];
  if (part === undefined || depth > MAX_FOLDER_DEPTH) return;
  const last = at === parts.length - 1;
  if (!isGlob(part) && !last) return match(join(folder, part), parts, at + 1, depth + 1, files, found);
  if (part === '**' && !last) match(folder, parts, at + 1, depth + 1, files, found);
  const test = part === '**' ? undefined : namePattern(part);
  for (const entry of files.list(folder) ?? []) {
    const path = join(folder, entry.name);
    if (part === '**') {
      if (isHidden(entry.name)) continue;
      if (entry.folder) match(path, parts, at, depth + 1, files, found);
      else if (last) found.add(path);
    } else if (test!.test(entry.name) && (part.startsWith('.') || !isHidden(entry.name))) {
      if (last && !entry.folder) found.add(path);
      else if (!last && entry.folder) match(path, parts, at + 1, depth + 1, files, found);
    }
  }
}

/** All files below a folder, sorted by path, without hidden ones and `node_modules`. */
export function filesBelow(folder: string, files: FileReader): string[] {
  const found: string[] = [];
  collect(folder, files, 0, found);
  return found.sort();
}

function collect(folder: string, files: FileReader, depth: number, found: string[]): void {
  if (depth > MAX_FOLDER_DEPTH) return;
  for (const { name, folder: isFolder } of files.list(folder) ?? []) {
    if (isHidden(name)) continue;
    const path = join(folder, name);
    if (isFolder) collect(path, files, depth + 1, found);
    else found.push(path);
  }
}

/** True for entries of a folder that are not searched. */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

/** A pattern of one name. An invalid range, `[z-a]`, matches itself literally. */
function namePattern(part: string): RegExp {
  const source = part.replace(
    /\*+|\?|\[(!?)((?:\\.|[^\]\\])+)\]|[\\^$.|+()[\]{}]/g,
    (token, not: string | undefined, set: string | undefined) => {
      if (token.startsWith('*')) return '[^/]*';
      if (token === '?') return '[^/]';
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\\][^]/g, '\\$&')}]`;
      return `\\${token}`;
    },
  );
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    return new RegExp(`^${part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`, 'u');
  }
}

function expandBraces(pattern: string): string[] {
  let open = [pattern];
  const done: string[] = [];
  while (open.length > 0 && open.length + done.length <= MAX_ALTERNATIVES) {
    open = open.flatMap((text) => {
      const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(text);
      if (match === null) {
        done.push(text);
        return [];
      }
      return match[2]!.split(',').map((choice) => `${match[1]}${choice}${match[3]}`);
    });
  }
  return done;
}
