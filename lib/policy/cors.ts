/**
 * CORS: which pages of other origins may call, and read the answers. Made from the configuration once; `gateway` asks it
 * about each request and answers preflights, as it alone knows the routes.
 */
import { header, headerTokens, headerValues, isHeaderName, type HeaderFields } from '../headers.js';

/** `policies: { cors: … }` of a configuration. */
export interface CorsOptions {
  /** `https://console.example.com`, `https://*.example.com` for all below, or `*` for every origin. */
  readonly origins: readonly string[];
  /** Methods that preflights allow. Default: those that the routes of the path have. */
  readonly methods?: readonly string[] | undefined;
  /** Request headers that preflights allow, in lower case. Default: all that are asked for. */
  readonly headers?: readonly string[] | undefined;
  /** Response headers that pages may read, besides those that they always may. Default none. */
  readonly expose?: readonly string[] | undefined;
  /** Pages may send cookies and the like. Never together with the origin `*`. Default false. */
  readonly credentials?: boolean | undefined;
  /** How long browsers may keep what a preflight said. Default: as long as they like (5 s, by the standard). */
  readonly maxAgeMs?: number | undefined;
}

/** What is asked about one request. */
export interface Cors {
  /** True where pages of this origin may call; the value of an `Origin` header. */
  allows(origin: string): boolean;
  /** What goes with the answer to any request that is no preflight. */
  responseHeaders(headers: HeaderFields): string[];
  /** @param allowed the methods that the path's routes have. */
  preflightHeaders(headers: HeaderFields, allowed: readonly string[]): string[];
}

const originPattern = /^([a-z][a-z0-9+.-]*):\/\/((?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;

/** The origin as it is compared: lower case, without its scheme's own port; undefined where it is none. */
export function normalOrigin(text: string): string | undefined {
  const match = originPattern.exec(text.toLowerCase());
  if (match === null) return undefined;
  const [, scheme, host, port] = match;
  const isDefault = (scheme === 'http' && port === '80') || (scheme === 'https' && port === '443');
  return `${scheme!}://${host!}${port === undefined || isDefault ? '' : `:${port}`}`;
}

/** What an `Origin` header may match: exact origins, and all names below one. */
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

/** True where a browser asks what it may send; `Cors.preflightHeaders` is the answer. */
export function isPreflight(method: string, headers: HeaderFields): boolean {
  return (
    method === 'OPTIONS' &&
    header(headers, 'origin') !== undefined &&
    header(headers, 'access-control-request-method') !== undefined
  );
}

/** What CORS says of requests, by options that `config` has checked. */
export function compileCors(options: CorsOptions): Cors {
  const every = options.origins.includes('*');
  const matches = originMatcher(options.origins);
  const allows = (origin: string): boolean => (every ? normalOrigin(origin) !== undefined : matches(origin));
  const expose = options.expose ?? [];
  const maxAge = options.maxAgeMs === undefined ? [] : ['access-control-max-age', seconds(options.maxAgeMs)];

  /** Who may read the answer. Nothing for an origin that is not allowed, nor for a request without one. */
  const grant = (headers: HeaderFields): string[] => {
    if (every) return ['access-control-allow-origin', '*'];
    const origin = onlyOrigin(headers);
    if (origin === undefined || !allows(origin)) return [];
    return [
      'access-control-allow-origin',
      origin,
      ...(options.credentials === true ? ['access-control-allow-credentials', 'true'] : []),
    ];
  };

  return {
    allows,

    responseHeaders(headers) {
      const granted = grant(headers);
      return [
        ...granted,
        ...(granted.length > 0 && expose.length > 0 ? ['access-control-expose-headers', expose.join(', ')] : []),
        // Also where no origin is allowed: a cache must not give that answer to one that is.
        ...(every ? [] : ['vary', 'Origin']),
      ];
    },

    preflightHeaders(headers, allowed) {
      const granted = grant(headers);
      const names = options.headers ?? askedHeaders(headers);
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

function onlyOrigin(headers: HeaderFields): string | undefined {
  const origins = headerValues(headers, 'origin');
  return origins.length === 1 ? origins[0] : undefined;
}

function askedHeaders(headers: HeaderFields): string[] {
  return headerTokens(headers, 'access-control-request-headers').filter(isHeaderName);
}

function seconds(milliseconds: number): string {
  return String(Math.floor(milliseconds / 1000));
}
