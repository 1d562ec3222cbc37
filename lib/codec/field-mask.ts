/** google.protobuf.FieldMask: `paths` in snake_case ↔ one text of lowerCamelCase paths with commas in between. */

export const fieldMaskExpected =
  'field paths in lowerCamelCase, with commas between them and no spaces, such as "name,spec.cpuCount"';

/** `name,spec.cpuCount` → `['name', 'spec.cpu_count']`; undefined where a path is empty or has characters that no path has. */
export function parseFieldMask(text: string, allowSnakeCase: boolean): string[] | undefined {
  if (text === '') return [];
  if (/^,|,,|,$|\s/.test(text) || (!allowSnakeCase && text.includes('_'))) return undefined;
  return text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).split(',');
}

/** `['name', 'spec.cpu_count']` → `name,spec.cpuCount`; undefined where that could not be read back. */
export function printFieldPaths(paths: readonly string[]): string | undefined {
  const text = paths.join(',');
  if (/[A-Z]|_(?![a-z])/.test(text)) return undefined;
  return text.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
