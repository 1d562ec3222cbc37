/** google.protobuf.FieldMask: `paths` in snake_case ↔ one text of lowerCamelCase paths with commas in between. */

export const fieldMaskExpected =
  'field paths in lowerCamelCase, with commas between them and no spaces, such as "name,spec.cpuCount"';

/** `name,spec.cpuCount` → `['name', 'spec.cpu_count']`; undefined where a path is empty or has characters that no path has. */
export function parseFieldMask(text: string, allowSnakeCase: boolean): string[] | undefined {
  if (text === '') return [];
  const paths = text.split(',');
  for (const path of paths) {
    if (path === '' || /\s/.test(path) || (!allowSnakeCase && path.includes('_'))) return undefined;
  }
  return paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** `spec.cpu_count` → `spec.cpuCount`; undefined where that could not be read back. */
export function printFieldPath(path: string): string | undefined {
  if (/[A-Z]|_(?![a-z])/.test(path)) return undefined;
  return path.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
