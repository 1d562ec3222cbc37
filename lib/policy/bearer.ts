/**
 * Finds the token of a request, and writes refusals (RFC 6750). A browser cannot set headers of a WebSocket, but it can
 * name protocols: `new WebSocket(url, ['bearer', token])`. The handshake answers with the first of them.
 */
import { headerValues, type HeaderFields } from '../headers.js';
import { Code, StatusError } from '../status.js';
import { quote, UnescapeError, unescapeQuery } from '../uri.js';
import type { JwtOptions } from './jwt-options.js';

/** The parts of a request that may hold a token. */
export interface TokenRequest {
  readonly headers: HeaderFields;
  /** Without `?`. */
  readonly query: string | undefined;
  readonly isWebSocket: boolean;
}

/** Where a token was found. */
export type TokenPlace = 'header' | 'query' | 'protocol';

/** A token and where it was found. */
export interface FoundToken {
  readonly token: string;
  readonly place: TokenPlace;
}

type PlaceOptions = Pick<JwtOptions, 'header' | 'queryParameter' | 'realm' | 'maxTokenBytes'>;

/**
 * The token of a request.
 * @throws StatusError 401 if there is none, 400 if there are several.
 */
export function findToken(request: TokenRequest, options: PlaceOptions): FoundToken {
  const { header, queryParameter, maxTokenBytes } = options;
  const values = headerValues(request.headers, header);
  const found: FoundToken[] = [
    ...values.flatMap((value) => tokenInHeader(header, value)).map((token) => ({ token, place: 'header' as const })),
    ...(queryParameter === undefined ? [] : tokensInQuery(request.query, queryParameter)),
    ...(request.isWebSocket ? tokensInProtocols(request.headers) : []),
  ];
  if (found.length > 1 || values.length > 1) throw severalTokens(options);
  const [only] = found;
  if (only === undefined) throw missingToken(values[0], options);
  if (only.token.length > maxTokenBytes) {
    throw invalidToken(
      `the token is longer than the limit of ${maxTokenBytes} bytes (policies.jwt.max_token_bytes)`,
      options,
    );
  }
  return only;
}

/** The token of a header value. The scheme is case-insensitive. */
function tokenInHeader(name: string, value: string): string[] {
  const match = /^bearer(?: +(.*))?$/is.exec(value.trim());
  if (match !== null) return match[1] === undefined ? [] : [match[1]];
  return name === 'authorization' || value.trim() === '' ? [] : [value.trim()];
}

function tokensInQuery(query: string | undefined, parameter: string): FoundToken[] {
  if (query === undefined) return [];
  return query.split('&').flatMap((pair) => {
    const value = valueOf(pair, parameter);
    return value === undefined || value === '' ? [] : [{ token: value, place: 'query' as const }];
  });
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

/** The query without the token. */
export function withoutToken(query: string | undefined, parameter: string): string | undefined {
  if (query === undefined) return undefined;
  const pairs = query.split('&');
  const kept = pairs.filter((pair) => valueOf(pair, parameter) === undefined);
  if (kept.length === pairs.length) return query;
  return kept.length === 0 ? undefined : kept.join('&');
}

function tokensInProtocols(headers: HeaderFields): FoundToken[] {
  const names = headerValues(headers, 'sec-websocket-protocol')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim());
  const mark = names.findIndex((name) => name.toLowerCase() === 'bearer');
  const token = mark < 0 ? undefined : names[mark + 1];
  return token === undefined ? [] : [{ token, place: 'protocol' }];
}

function severalTokens(options: PlaceOptions): StatusError {
  const message = 'the request has more than one token, or header for it; send one';
  return new StatusError(Code.INVALID_ARGUMENT, message, {
    httpStatus: 400,
    headers: [challenge(options, 'invalid_request', message)],
  });
}

function missingToken(value: string | undefined, options: PlaceOptions): StatusError {
  const { header, queryParameter } = options;
  const [scheme = ''] = value?.trim().split(/\s/, 1) ?? [];
  const found = scheme === '' ? '' : `, and found ${quote(scheme, 20)} in it without one`;
  const how = header === 'authorization' ? 'the header "Authorization: Bearer TOKEN"' : `the header "${header}: TOKEN"`;
  const or = queryParameter === undefined ? '' : `, or ?${queryParameter}=TOKEN`;
  return StatusError.http(401, `this needs a token; expected ${how}${or}${found}`, { headers: [challenge(options)] });
}

/** 401: the token is not valid. */
export function invalidToken(message: string, options: Pick<JwtOptions, 'realm'>, cause?: unknown): StatusError {
  return StatusError.http(401, message, { headers: [challenge(options, 'invalid_token', message)], cause });
}

/** 403: the token is valid, but does not permit this call. */
export function insufficientClaims(message: string, options: Pick<JwtOptions, 'realm'>): StatusError {
  return StatusError.http(403, message, { headers: [challenge(options, 'insufficient_scope', message)] });
}

/** The header `www-authenticate`. If no token was sent, it has no error code (RFC 6750, section 3.1). */
function challenge({ realm }: Pick<JwtOptions, 'realm'>, error?: string, description = ''): [string, string] {
  const parameters = [`realm="${realm}"`];
  if (error !== undefined) parameters.push(`error="${error}"`, `error_description="${quotable(description)}"`);
  return ['www-authenticate', `Bearer ${parameters.join(', ')}`];
}

/** The characters that RFC 6750 permits in a description: printable ASCII without `"` and `\`. */
function quotable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\\', '/')
    .replace(/[^\x20-\x7e]/g, '?');
}
