/** Which headers cross a reverse proxy, and what it adds to them (RFC 9110, section 7.6). */
import type { Exchange } from '../exchange.js';
import { connectionHeaders, header, headerTokens, headerValues, type HeaderFields } from '../headers.js';

/** Of one connection alone. */
const hopByHop = new Set([...connectionHeaders, 'proxy-authenticate', 'proxy-authorization']);

/** Answered or written anew here. */
const notForwarded = new Set(['expect', 'host', 'content-length', 'forwarded', 'x-request-id']);

/** What is sent of a head, besides what the exchange tells. */
export interface RequestFields {
  readonly requestId: string;
  readonly headers: HeaderFields;
  readonly identity: HeaderFields;
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
  { headers, identity, requestId }: RequestFields,
  hopName: string,
): string[] {
  const named = headerTokens(headers, 'connection');
  const fields: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const isDerived = name.startsWith('x-forwarded-') || name.startsWith('x-envoy-original-');
    if (hopByHop.has(name) || notForwarded.has(name) || isDerived || named.includes(name)) continue;
    fields.push(name, headers[index + 1]!);
  }
  const length = header(headers, 'content-length');
  if (exchange.hasBody && length !== undefined) fields.push('content-length', length);
  const host = header(headers, 'host');
  if (host !== undefined) fields.push('x-forwarded-host', host);
  fields.push('x-forwarded-for', exchange.peer.address, 'x-forwarded-proto', exchange.secure ? 'https' : 'http');
  fields.push('x-request-id', requestId, 'via', `${exchange.httpVersion} ${hopName}`, ...identity);
  return fields;
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

/** As our answer has them. */
export function responseFields(parsed: ParsedFields): string[] {
  const named = tokensOf(parsed, 'connection');
  const fields: string[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (hopByHop.has(name) || named.includes(name)) continue;
    for (const one of [value ?? []].flat()) fields.push(name, one);
  }
  return fields;
}

/** What may not stand in trailers: it would change how the message is read. */
export function trailerFields(parsed: ParsedFields): HeaderFields {
  const { 'content-length': _length, 'content-type': _type, 'content-encoding': _encoding, ...rest } = parsed;
  return responseFields(rest);
}
