/** Paths that routes rewrite, and the places that redirects name. */
import { compilePattern, substitutionOf } from '../pattern.js';
import type { MatchSettings } from './match-options.js';
import type { RedirectSettings } from './options.js';
import { type RoutedRequest, schemeOf, targetOf } from './request.js';

/** A new path for a path; neither has a query. */
export type PathRewrite = (path: string) => string;

type Rewrites = Pick<RedirectSettings, 'prefixRewrite' | 'regexRewrite'>;

/** Undefined if the path stays. */
export function compileRewrite(
  { prefixRewrite, regexRewrite }: Rewrites,
  match: MatchSettings,
): PathRewrite | undefined {
  if (regexRewrite !== undefined) {
    const pattern = compilePattern(regexRewrite.pattern);
    const substitution = substitutionOf(pattern, regexRewrite.substitution);
    return (path) => pattern.matcher(path).replaceAll(substitution);
  }
  if (prefixRewrite === undefined) return undefined;
  const prefix = match.prefix ?? match.pathSeparatedPrefix;
  // Of an exact path or a pattern all is replaced.
  return prefix === undefined ? () => prefixRewrite : (path) => prefixRewrite + path.slice(prefix.length);
}

const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** The `location` of a redirect. */
export function compileLocation(settings: RedirectSettings, match: MatchSettings): (request: RoutedRequest) => string {
  const { scheme, host, port, path, stripQuery = false } = settings;
  const rewrite = compileRewrite(settings, match);
  return (request) => {
    const oldScheme = schemeOf(request);
    const newScheme = scheme ?? oldScheme;
    const authority =
      host ?? (scheme === undefined ? request.host : withoutPort(request.host, defaultPorts[oldScheme]!));
    const bare = port === undefined ? authority : `${authority.replace(/:\d+$/, '')}:${port}`;
    return `${newScheme}://${bare}${newTarget(request)}`;
  };

  function newTarget(request: RoutedRequest): string {
    if (path !== undefined) return path.includes('?') || stripQuery ? path : targetOf({ path, query: request.query });
    const query = stripQuery ? undefined : request.query;
    return targetOf({ path: rewrite?.(request.path) ?? request.path, query });
  }
}

/** The default port of the old scheme means nothing in the new one. */
function withoutPort(host: string, port: string): string {
  return host.endsWith(`:${port}`) ? host.slice(0, -port.length - 1) : host;
}
