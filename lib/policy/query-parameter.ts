/** Credentials in the query: read by name, and removed before a route sees them. */
import { UnescapeError, unescapeQuery } from '../uri.js';

/** The values of a parameter that are not empty, decoded. */
export function parameterValues(query: string | undefined, name: string | undefined): string[] {
  if (query === undefined || name === undefined) return [];
  return query.split('&').flatMap((pair) => {
    const value = valueOf(pair, name);
    return value === undefined || value === '' ? [] : [value];
  });
}

/** The query without a parameter. */
export function withoutParameter(query: string | undefined, name: string | undefined): string | undefined {
  if (query === undefined || name === undefined) return query;
  const pairs = query.split('&');
  const kept = pairs.filter((pair) => valueOf(pair, name) === undefined);
  if (kept.length === pairs.length) return query;
  return kept.length === 0 ? undefined : kept.join('&');
}

/** The value that a pair of a query gives the parameter; undefined if the pair has another name. */
function valueOf(pair: string, parameter: string): string | undefined {
  const equals = pair.indexOf('=');
  const name = equals < 0 ? pair : pair.slice(0, equals);
  if (decoded(name) !== parameter) return undefined;
  return equals < 0 ? '' : decoded(pair.slice(equals + 1));
}

/** A malformed text is compared undecoded, and matches nothing. */
function decoded(text: string): string {
  try {
    return unescapeQuery(text, false);
  } catch (error) {
    if (!(error instanceof UnescapeError)) throw error;
    return text;
  }
}
