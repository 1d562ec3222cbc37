/** Which headers cross a reverse proxy, and what it adds to them (RFC 9110, section 7.6). */
import type { Caller, Exchange, ResponseHead } from '../exchange.js';
import {
  connectionHeaders,
  header,
  headerTokens,
  headerValues,
  type HeaderFields,
  isHeaderName,
  isHeaderValue,
  withoutFields,
} from '../headers.js';
import { isDerivedByProxy } from '../metadata/index.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';

/** Of one connection alone. */
const hopByHop = new Set([...connectionHeaders, 'proxy-authenticate', 'proxy-authorization']);

/** Answered or written anew here. */
const notForwarded = new Set(['expect', 'host', 'content-length', 'x-request-id']);

/** What is sent of a head, besides what the exchange tells. */
export interface RequestFields {
  readonly requestId: string;
  readonly caller: Caller;
  readonly headers: HeaderFields;
  readonly identity: HeaderFields;
  readonly change?: ((fields: HeaderFields) => HeaderFields) | undefined;
}

/** Each proxy that a request has passed, as far as it is one of ours. */
export function hopsOf(headers: HeaderFields): string[] {
  return headerValues(headers, 'via').flatMap((value) => value.match(/(?<=\s)photongate-[0-9a-f]+/g) ?? []);
}

/**
 * The headers of a request as its upstream gets them. What a client says of itself as a proxy would is left out.
 * @param hopName of this proxy, for `via`.
 */
export function requestFields(
  exchange: Exchange,
  { headers, identity, requestId, caller, change }: RequestFields,
  hopName: string,
): string[] {
  const named = headerTokens(headers, 'connection');
  const isOfConnection = (name: string): boolean => hopByHop.has(name) || named.includes(name);
  const passed = withoutFields(
    headers,
    (name) => isOfConnection(name) || notForwarded.has(name) || isDerivedByProxy(name),
  );
  const own = [...passed, ...caller.forwarded, 'x-request-id', requestId];
  // A route may say what a client may not, but neither has a say in how the message is framed.
  const fields =
    change === undefined
      ? own
      : withoutFields(change(own), (name) => hopByHop.has(name) || name === 'host' || name === 'content-length');
  const length = header(headers, 'content-length');
  return [
    ...fields,
    ...(exchange.hasBody && length !== undefined ? ['content-length', length] : []),
    'via',
    `${exchange.httpVersion} ${hopName}`,
    ...identity,
  ];
}

/** Headers or trailers of an upstream, as undici has parsed them. */
export type ParsedFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `headerTokens` of parsed fields. */
export function tokensOf(parsed: ParsedFields, name: string): string[] {
  return headerTokens(
    [parsed[name] ?? []].flat().flatMap((value) => [name, value]),
    name,
  );
}

/**
 * As our answer has them.
 * @throws StatusError 502 for what cannot stand in a header.
 */
export function responseFields(parsed: ParsedFields): string[] {
  const named = tokensOf(parsed, 'connection');
  const fields: string[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (hopByHop.has(name) || named.includes(name)) continue;
    for (const one of [value ?? []].flat()) {
      if (!isHeaderName(name) || !isHeaderValue(one)) throw badHeader(name, one);
      fields.push(name, one);
    }
  }
  return fields;
}

function badHeader(name: string, value: string): StatusError {
  return StatusError.http(
    502,
    `the fallback server sent the header ${quote(name)} with the value ${quote(value)}, which cannot be passed on`,
  );
}

/**
 * The head of an answer, as we send it on.
 * @throws StatusError 502 for a status or a phrase that HTTP does not have, and for what cannot stand in a header.
 */
export function responseHead(status: number, parsed: ParsedFields, phrase: string | undefined): ResponseHead {
  if (!(status >= 200 && status <= 599)) {
    throw StatusError.http(502, `the fallback server answered with the status ${status}, expected 200 to 599`);
  }
  // Other bytes are allowed but mean nothing without a charset, and neither HTTP/1 nor Fetch of Node sends them all.
  if (phrase !== undefined && /[^\t\x20-\x7e]/.test(phrase)) {
    throw StatusError.http(
      502,
      `the fallback server sent the reason phrase ${quote(phrase)}, expected printable ASCII`,
    );
  }
  const headers = responseFields(isBodiless(status) ? { ...parsed, 'content-length': undefined } : parsed);
  return { status, headers, reason: phrase || undefined };
}

/** True for statuses whose answers have no body, and so no length either (RFC 9110, section 8.6). */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 205;
}

/** What may not stand in trailers: it would change how the message is read. */
export function trailerFields(parsed: ParsedFields): HeaderFields {
  const { 'content-length': _length, 'content-type': _type, 'content-encoding': _encoding, ...rest } = parsed;
  return responseFields(rest);
}
