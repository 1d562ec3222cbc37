/** What no log, trace or page may show: credentials in headers and in query parameters. */

export const REDACTED = '[redacted]';

const secretHeaders = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
  'x-api-key',
  'x-auth-token',
  'x-amz-security-token',
  'x-goog-api-key',
]);

/** The value of a header as it may be shown. */
export function shownHeader(name: string, value: string | undefined): string | undefined {
  return value !== undefined && secretHeaders.has(name) ? REDACTED : value;
}

/** Shows queries without the values of some parameters. */
export class QueryRedaction {
  private readonly names: ReadonlySet<string>;
  /** Finds what may be such a parameter; most queries have none, and are shown as they are. */
  private readonly suspect: RegExp;

  /** @param names the case of letters does not matter */
  constructor(names: readonly string[]) {
    this.names = new Set(names.map((name) => name.toLowerCase()));
    const escaped = names.map((name) => name.replace(/[^\w]/g, '\\$&'));
    this.suspect = new RegExp(['%', ...escaped].join('|'), 'i');
  }

  shown(query: string | undefined): string | undefined {
    if (query === undefined || this.names.size === 0 || !this.suspect.test(query)) return query;
    return query
      .split('&')
      .map((part) => shownParameter(part, this.names))
      .join('&');
  }
}

function shownParameter(part: string, names: ReadonlySet<string>): string {
  const end = part.indexOf('=');
  if (end < 0) return part;
  const name = plainName(part.slice(0, end)).toLowerCase();
  // `auth.token` and `auth[token]` are the field of that name, too.
  return names.has(name) || names.has(lastName(name)) ? `${part.slice(0, end)}=${REDACTED}` : part;
}

function lastName(name: string): string {
  return /[.[]/.test(name) ? name.replace(/\]+$/, '').split(/[.[]/).at(-1)! : name;
}

/** Also where an escape in the name would hide it. */
function plainName(raw: string): string {
  if (!raw.includes('%')) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}
