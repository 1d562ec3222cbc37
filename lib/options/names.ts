/** The spellings of an option's name: `max_age` in files, `max-age` as a flag, `maxAge` in programs. */

/** `max_age` → `maxAge`, as a type. */
export type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;

/** `max_age` → `maxAge`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** `maxAge` → `max_age`; an abbreviation is one word: `VPCPeer` → `vpc_peer`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** `max_age` → `max-age`. */
export function flagName(name: string): string {
  return name.replaceAll('_', '-');
}
