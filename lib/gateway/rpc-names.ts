/** Which RPCs a raw path may name, however a server reads it. */
import { unescapedForms } from '../uri.js';

/**
 * The full names that the end of a path may stand for: gRPC servers take it literally, but one behind another proxy may undo
 * escapes, join slashes or resolve dots first. `/echo.v1.Echo/Get` is `echo.v1.Echo.Get`.
 */
export function rpcNamesOf(path: string): string[] {
  const names = unescapedForms(path).flatMap((form) => {
    const segments = plainSegments(form);
    return segments.length < 2 ? [] : [segments.slice(-2).join('.')];
  });
  return [...new Set(names)];
}

/** `/package.Service/Method` */
export function rpcPath(name: string): string {
  const dot = name.lastIndexOf('.');
  return `/${name.slice(0, dot)}/${name.slice(dot + 1)}`;
}

function plainSegments(path: string): string[] {
  const segments: string[] = [];
  for (const segment of path.split(/[/\\?#]/)) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}
