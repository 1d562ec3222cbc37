/** Curl lines as `photongate routes --curl` prints them → the requests that curl would send. */
import type { MemoryRequest } from './exchange.js';

/** The words of a line, as a POSIX shell cuts it. */
export function words(line: string): string[] {
  return [...line.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(
    (match) => match[1]?.replaceAll("'\\''", "'") ?? match[2]!,
  );
}

/** The request of a line, without what curl adds of its own but the type of a body. */
export function requestOf(line: string): MemoryRequest & { readonly method: string; readonly target: string } {
  const [, ...args] = words(line);
  const value = (flag: string): string | undefined => (args.includes(flag) ? args[args.indexOf(flag) + 1]! : undefined);
  const body = value('-d');
  const method = value('-X') ?? (args.includes('-I') ? 'HEAD' : body === undefined ? 'GET' : 'POST');
  const target = args.find((arg) => /^https?:/.test(arg))!.replace(/^https?:\/\/[^/]+/, '');
  if (body === undefined) return { method, target };
  const headers = ['host', 'localhost', 'content-type', 'application/x-www-form-urlencoded'];
  return { method, target, body, headers };
}
