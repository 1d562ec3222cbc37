/**
 * google.protobuf.FieldMask: `paths` in snake_case ↔ one text of lowerCamelCase paths with commas in between. Some names have
 * no such text: `address_1` would come back as `address1`. Where snake_case is read they can be given, but JSON cannot print them.
 */

const example = 'with commas between them and no spaces, such as "name,spec.cpuCount"';

/** Of JSON. */
export const fieldMaskExpected = `field paths in lowerCamelCase, ${example}`;

/** Where snake_case is read too. */
export const snakeCaseMaskExpected = `field paths in lowerCamelCase or snake_case, ${example}`;

/**
 * `name,spec.cpuCount` → `['name', 'spec.cpu_count']`; undefined where that is no mask.
 * @param allowSnakeCase a name with an underscore is taken as it is; else there is none
 */
export function parseFieldMask(text: string, allowSnakeCase: boolean): string[] | undefined {
  if (text === '') return [];
  if (/^,|,,|,$|\s/.test(text) || (!allowSnakeCase && text.includes('_'))) return undefined;
  return text.replace(/[^.,]+/g, (name) => (name.includes('_') ? name : snakeCase(name))).split(',');
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `['name', 'spec.cpu_count']` → `name,spec.cpuCount`; undefined where capitals or underscores would not be read back. */
export function printFieldPaths(paths: readonly string[]): string | undefined {
  const text = paths.join(',');
  if (/[A-Z]|_(?![a-z])/.test(text)) return undefined;
  return text.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
