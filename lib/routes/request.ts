/** A request as routes see it: of a call that was transcoded, as the service gets it. */
import { header, type HeaderFields } from '../headers.js';
import { UnescapeError, unescapeQuery } from '../uri.js';

/** A request, or the call that it becomes. */
export interface RoutedRequest {
  readonly method: string;
  /** Raw, without the query. */
  readonly path: string;
  readonly query: string | undefined;
  readonly headers: HeaderFields;
  /** Of the header `host`, in lower case; '' if there is none. */
  readonly host: string;
  readonly secure: boolean;
}

/** Path and query. */
export function targetOf({ path, query }: Pick<RoutedRequest, 'path' | 'query'>): string {
  return query === undefined ? path : `${path}?${query}`;
}

/** By which the client came. */
export function schemeOf({ secure }: Pick<RoutedRequest, 'secure'>): 'http' | 'https' {
  return secure ? 'https' : 'http';
}

/** Undefined for what is none. */
export function pseudoHeader(request: RoutedRequest, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method;
    case ':path':
      return targetOf(request);
    case ':authority':
      return request.host;
    case ':scheme':
      return schemeOf(request);
    default:
      return undefined;
  }
}

/** True for what is gRPC already. */
export function isGrpc({ headers }: Pick<RoutedRequest, 'headers'>): boolean {
  return /^application\/grpc(?:\+|$)/.test(header(headers, 'content-type') ?? '');
}

/** The name of a pair of a query, decoded. */
export function nameOfPair(pair: string): string {
  return decodedText(pair.split('=', 1)[0] ?? '');
}

/** A part of a query, decoded. A malformed text stays as it is. */
export function decodedText(text: string): string {
  try {
    return unescapeQuery(text, false);
  } catch (error) {
    if (!(error instanceof UnescapeError)) throw error;
    return text;
  }
}
