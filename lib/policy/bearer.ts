/**
 * Finds the token of a request, and writes refusals (RFC 6750). A browser cannot set headers of a WebSocket, but it can
 * name protocols: `new WebSocket(url, ['bearer', token])`. The handshake answers with the first of them.
 */
import { headerValues, type HeaderFields } from '../headers.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { JwtOptions } from './jwt-options.js';
import { parameterValues } from './query-parameter.js';

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
  const { maxTokenBytes } = options;
  const { values, found } = tokensOf(request, options);
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

/** True if a request has something that is meant as a token, good or not. */
export function sendsToken(request: TokenRequest, options: PlaceOptions): boolean {
  return tokensOf(request, options).found.length > 0;
}

/** All tokens of a request, and the values of the header that may hold one. */
function tokensOf(
  request: TokenRequest,
  { header, queryParameter }: PlaceOptions,
): { readonly values: readonly string[]; readonly found: readonly FoundToken[] } {
  const values = headerValues(request.headers, header);
  const found: FoundToken[] = [
    ...values.flatMap((value) => tokenInHeader(header, value)).map((token) => ({ token, place: 'header' as const })),
    ...parameterValues(request.query, queryParameter).map((token) => ({ token, place: 'query' as const })),
    ...(request.isWebSocket ? tokensInProtocols(request.headers) : []),
  ];
  return { values, found };
}

/** The token of a header value. The scheme is case-insensitive. */
function tokenInHeader(name: string, value: string): string[] {
  const match = /^bearer(?: +(.*))?$/is.exec(value.trim());
  if (match !== null) return match[1] === undefined ? [] : [match[1]];
  return name === 'authorization' || value.trim() === '' ? [] : [value.trim()];
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
  const [scheme = ''] = value?.trim().split(/\s/, 1) ?? [];
  const found = scheme === '' ? '' : `, and found ${quote(scheme, 20)} in it without one`;
  return StatusError.http(401, `this needs a token; expected ${expectedToken(options)}${found}`, {
    headers: [challenge(options)],
  });
}

/** Where a token may stand, for messages. */
export function expectedToken({ header, queryParameter }: Pick<JwtOptions, 'header' | 'queryParameter'>): string {
  const how = header === 'authorization' ? 'the header "Authorization: Bearer TOKEN"' : `the header "${header}: TOKEN"`;
  return queryParameter === undefined ? how : `${how}, or ?${queryParameter}=TOKEN`;
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
export function challenge({ realm }: Pick<JwtOptions, 'realm'>, error?: string, description = ''): [string, string] {
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
