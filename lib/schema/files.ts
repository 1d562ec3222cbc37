/**
 * The files of a schema, behind an interface of two functions: the disk by default, memory for tests and for programs that
 * embed the proxy. `load` decides what is read; this module does not know protobuf.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** An entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly folder: boolean;
}

/** Reads files. Paths are absolute. */
export interface FileReader {
  /** The content; undefined if there is no such file. Throws if the file exists and cannot be read. */
  read(path: string): Buffer | undefined;
  /** The entries of a folder, in any order; undefined if there is no such folder. */
  list(path: string): readonly FolderEntry[] | undefined;
}

/** The file system. Listings omit symbolic links to an enclosing folder. */
export const diskFiles: FileReader = {
  read(path) {
    return orAbsent(() => (statSync(path).isDirectory() ? undefined : readFileSync(path)));
  },
  list(path) {
    return orAbsent(() => {
      if (!statSync(path).isDirectory()) return undefined;
      return readdirSync(path, { withFileTypes: true }).flatMap((entry): FolderEntry[] => {
        if (!entry.isSymbolicLink()) return [{ name: entry.name, folder: entry.isDirectory() }];
        return linkedEntry(path, entry.name);
      });
    });
  },
};

function linkedEntry(folder: string, name: string): FolderEntry[] {
  const target = orAbsent(() => realpathSync(join(folder, name)));
  if (target === undefined) return [];
  if (!statSync(target).isDirectory()) return [{ name, folder: false }];
  const here = realpathSync(folder);
  return here === target || here.startsWith(target.endsWith(sep) ? target : target + sep)
    ? []
    : [{ name, folder: true }];
}

function orAbsent<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}

/**
 * Files in memory by path; others are read from `behind`, if it is given.
 * @param root base of relative paths.
 */
export function memoryFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  root = '/',
  behind?: FileReader,
): FileReader {
  const contents = new Map<string, Buffer>();
  const folders = new Map<string, Map<string, FolderEntry>>();
  for (const [name, content] of Object.entries(files)) {
    const path = resolve(root, name);
    contents.set(path, Buffer.from(content as string));
    for (let child = path, folder = false; child !== dirname(child); child = dirname(child), folder = true) {
      const parent = dirname(child);
      const entries = folders.get(parent) ?? new Map<string, FolderEntry>();
      const entry = child.slice(parent.endsWith(sep) ? parent.length : parent.length + 1);
      entries.set(entry, { name: entry, folder });
      folders.set(parent, entries);
    }
  }
  return {
    read: (path) => contents.get(resolve(path)) ?? behind?.read(path),
    list(path) {
      const entries = folders.get(resolve(path));
      return entries === undefined ? behind?.list(path) : [...entries.values()];
    },
  };
}
