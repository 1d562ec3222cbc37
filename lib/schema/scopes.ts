/** Dotted names and the scopes that enclose them. */

/** `a.b.c` → `a.b.c`, `a.b`, `a`. */
export function enclosingScopes(name: string): string[] {
  return name === '' ? [] : [name, ...enclosingScopes(parentScope(name))];
}

/** `a.b` + `c` → `a.b.c`; the scope '' is the root. */
export function joinName(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}

/** `a.b.c` → `a.b`; `a` → ''. */
export function parentScope(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}
