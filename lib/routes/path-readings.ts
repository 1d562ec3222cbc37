/** How a path may be read by the router and by the servers behind it, so that another spelling is no way past a rule. */
import { normalizeSegment, unescapedForms } from '../uri.js';

/** Nothing in it that anybody reads in two ways. */
const plainPath = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)+$/;

/**
 * The path as it came; as the router compares it; and as a server may read it that undoes escapes, joins slashes, resolves
 * dots, cuts off parameters (`;x`), or ignores a slash at the end. One reading for nearly all requests.
 */
export function pathReadings(path: string): readonly string[] {
  if (path === '/' || plainPath.test(path)) return [path];
  const forms = unescapedForms(path);
  const cut =
    path.includes(';') || /%3b/i.test(path) ? forms.map((form) => resolved(form.replace(/;[^/\\]*/g, ''))) : [];
  const readings = [path, routerForm(path), ...forms.map(resolved), ...cut];
  return [
    ...new Set(readings.flatMap((one) => (one.length > 1 && one.endsWith('/') ? [one, one.slice(0, -1)] : [one]))),
  ];
}

/** Escapes that mean nothing are undone; no other server reads this otherwise. */
export function routerForm(path: string): string {
  return path.split('/').map(normalizeSegment).join('/');
}

function resolved(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split(/[/\\]/)) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}${/[/\\]$/.test(path) && segments.length > 0 ? '/' : ''}`;
}
