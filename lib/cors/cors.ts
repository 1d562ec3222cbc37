/**
 * CORS: which web pages of other origins may call and read responses. Compiled once from the configuration. `gateway`
 * applies it to each response and answers preflights, because only it knows the routes.
 */
import { header, headerTokens, headerValues, isHeaderName, type HeaderFields } from '../headers.js';
import { type CorsOptions, normalOrigin } from './options.js';

/** CORS of one configuration. */
export interface Cors {
  /** True if pages of this origin (the value of an `Origin` header) may call. */
  allows(origin: string): boolean;
  /**
   * Headers for the response to any request except a preflight.
   * @param ownFields that pages may read besides. Default: none.
   */
  responseHeaders(headers: HeaderFields, ownFields?: readonly string[]): string[];
  /**
   * Headers for the response to a preflight.
   * @param allowed methods of the routes of the path.
   */
  preflightHeaders(headers: HeaderFields, allowed: readonly string[]): string[];
}

/** Matches `Origin` headers: exact origins, and wildcards for all names below one. */
function originMatcher(origins: readonly string[]): (origin: string) => boolean {
  const known = origins.flatMap((origin) => normalOrigin(origin) ?? []);
  const exact = new Set(known.filter((origin) => !origin.includes('*')));
  const wild = known.filter((origin) => origin.includes('*')).map((origin) => origin.split('*') as [string, string]);
  return (text) => {
    const origin = normalOrigin(text);
    if (origin === undefined || origin.includes('*')) return false;
    if (exact.has(origin)) return true;
    return wild.some(
      ([start, end]) => origin.length > start.length + end.length && origin.startsWith(start) && origin.endsWith(end),
    );
  };
}

/** True for a preflight, which `Cors.preflightHeaders` answers. */
export function isPreflight(method: string, headers: HeaderFields): boolean {
  return (
    method === 'OPTIONS' &&
    header(headers, 'origin') !== undefined &&
    header(headers, 'access-control-request-method') !== undefined
  );
}

/** Compiles checked options. */
export function compileCors(options: CorsOptions): Cors {
  const every = options.origins.includes('*');
  const matches = originMatcher(options.origins);
  const allows = (origin: string): boolean => (every ? normalOrigin(origin) !== undefined : matches(origin));
  const expose = options.expose ?? [];
  const maxAge =
    options.maxAgeMs === undefined ? [] : ['access-control-max-age', String(Math.floor(options.maxAgeMs / 1000))];

  /** Lets the origin read the response. Empty for an origin that is not allowed, and for a request without one. */
  const grant = (headers: HeaderFields): string[] => {
    if (every) return ['access-control-allow-origin', '*'];
    const [origin, ...others] = headerValues(headers, 'origin');
    if (origin === undefined || others.length > 0 || !allows(origin)) return [];
    return [
      'access-control-allow-origin',
      origin,
      ...(options.credentials === true ? ['access-control-allow-credentials', 'true'] : []),
    ];
  };

  return {
    allows,

    responseHeaders(headers, ownFields = []) {
      const granted = grant(headers);
      const exposed = [...new Set([...expose, ...ownFields])];
      return [
        ...granted,
        ...(granted.length > 0 && exposed.length > 0 ? ['access-control-expose-headers', exposed.join(', ')] : []),
        // Also sent if the origin is not allowed, so that a cache does not serve that response to an allowed one.
        ...(every ? [] : ['vary', 'Origin']),
      ];
    },

    preflightHeaders(headers, allowed) {
      const granted = grant(headers);
      const names = options.headers ?? headerTokens(headers, 'access-control-request-headers').filter(isHeaderName);
      const vary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';
      if (granted.length === 0) return ['vary', vary];
      return [
        ...granted,
        'access-control-allow-methods',
        (options.methods ?? allowed).join(', '),
        ...(names.length === 0 ? [] : ['access-control-allow-headers', names.join(', ')]),
        ...maxAge,
        'vary',
        vary,
      ];
    },
  };
}
