/**
 * HTTP headers ↔ gRPC metadata. What belongs to the connection, to the encoding of a body or to gRPC itself never
 * crosses; what the proxy derives about a client is never taken from the client.
 */
import { randomUUID } from 'node:crypto';
import type { Metadata, MetadataEntry, RequestHead } from '../exchange.js';
import {
  connectionHeaders,
  header,
  headerTokens,
  headerValues,
  isHeaderName,
  isHeaderValue,
  type HeaderFields,
} from '../headers.js';
import { StatusError } from '../status.js';

const hopByHop = [...connectionHeaders, 'proxy-authenticate', 'proxy-authorization'];

/** Request headers that never become metadata. */
const notMetadata = new Set([
  ...hopByHop,
  'content-length',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'expect',
  'host',
  // Of the handshake of a WebSocket.
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  // Written anew below.
  'x-request-id',
  'traceparent',
  'tracestate',
]);

/** Metadata that never becomes a response header. */
const notHeader = new Set([
  ...hopByHop,
  'content-length',
  'content-type',
  'content-encoding',
  'date',
  'x-http-code',
  'x-request-id',
]);

/** What decides about names. */
export interface HeaderNameOptions {
  readonly grpcGatewayNames: boolean;
  readonly identityHeaders: readonly string[];
}

/** Headers → metadata and back, for one set of options. */
export class HeaderNames {
  private readonly identities: ReadonlySet<string>;
  private readonly identityPrefixes: readonly string[];
  private readonly isGateway: boolean;

  constructor({ grpcGatewayNames, identityHeaders }: HeaderNameOptions) {
    const names = identityHeaders.map((name) => plainName(name.toLowerCase()));
    this.identities = new Set(names.filter((name) => !name.endsWith('*')));
    this.identityPrefixes = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
    this.isGateway = grpcGatewayNames;
  }

  /**
   * The metadata of a call. `-bin` values are decoded from base64, names that metadata cannot carry are dropped.
   * @throws StatusError 400 for a value that metadata cannot carry.
   */
  metadata(headers: HeaderFields, requestId: string): Metadata {
    const metadata: MetadataEntry[] = [];
    const connection = new Set(headerTokens(headers, 'connection'));
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index]!;
      if (connection.size > 0 && connection.has(name)) continue;
      if (this.isGateway) this.addGatewayMetadata(metadata, name, headers[index + 1]!);
      else if (!this.isDropped(name)) addMetadata(metadata, name, headers[index + 1]!);
    }
    metadata.push(['x-request-id', requestId]);
    addTrace(metadata, headers);
    return metadata;
  }

  /** True for what a client may not say, or what does not belong to a call. */
  isDropped(name: string): boolean {
    return isNeverMetadata(name) || this.isIdentity(name);
  }

  /** True for what the proxy says of a client, and a client may not say of itself. */
  isDerived(name: string): boolean {
    return isDerivedByProxy(name) || this.isIdentity(name);
  }

  /** True for a configured name, and for what some servers take for it: `x_user_id` for `x-user-id`. */
  isIdentity(name: string): boolean {
    if (this.identities.size === 0 && this.identityPrefixes.length === 0) return false;
    const plain = plainName(name);
    return this.identities.has(plain) || this.identityPrefixes.some((prefix) => plain.startsWith(prefix));
  }

  /** grpc-gateway's rules: its prefix is taken off, well-known headers get another, the rest stays behind. */
  private addGatewayMetadata(metadata: MetadataEntry[], name: string, value: string): void {
    if (name.startsWith(METADATA_PREFIX)) {
      const plain = name.slice(METADATA_PREFIX.length);
      if (plain !== '' && !this.isDropped(plain)) addMetadata(metadata, plain, value);
    } else if (permanentHeaders.has(name) && !this.isIdentity(name)) {
      // What metadata cannot carry is left out there, and so it is here.
      if (isMetadataText(value)) metadata.push([`${PERMANENT_PREFIX}${name}`, value]);
      if (name === 'authorization') addMetadata(metadata, name, value);
    }
  }

  /** Adds the metadata of an answer to `headers`, as HTTP headers. What HTTP cannot carry is left out. */
  addHeaders(headers: string[], metadata: Metadata): void {
    this.add(headers, metadata, METADATA_PREFIX);
  }

  /** The same for trailers, also where they go out among the headers. */
  addTrailers(headers: string[], trailers: Metadata): void {
    this.add(headers, trailers, TRAILER_PREFIX);
  }

  private add(headers: string[], metadata: Metadata, gatewayPrefix: string): void {
    for (const [name, value] of metadata) {
      if (notHeader.has(name) || name.startsWith('grpc-') || !isHeaderName(name)) continue;
      const text = typeof value === 'string' ? value : value.toString('base64');
      if (isHeaderValue(text)) headers.push(this.isGateway ? gatewayPrefix + name : name, text);
    }
  }

  /** The trailers of a stream, whose headers are gone: sent as such where the client takes them, else dropped. */
  streamTrailers(head: Pick<RequestHead, 'headers' | 'httpVersion'>, trailers: Metadata): string[] | undefined {
    if (trailers.length === 0 || head.httpVersion === '1.0' || !takesTrailers(head.headers)) return undefined;
    const sent: string[] = [];
    this.addTrailers(sent, trailers);
    return sent.length === 0 ? undefined : sent;
  }

  /** Trailers go out as such where the client takes them (they are returned); else they join the headers. */
  splitTrailers(
    head: Pick<RequestHead, 'headers' | 'httpVersion' | 'method'>,
    trailers: Metadata,
    headers: string[],
  ): string[] {
    if (trailers.length === 0) return [];
    const sent: string[] = [];
    // An answer to HEAD has no place for them.
    const canTrail = head.httpVersion !== '1.0' && head.method !== 'HEAD' && takesTrailers(head.headers);
    this.addTrailers(canTrail ? sent : headers, trailers);
    return sent;
  }
}

/** CGI and its heirs write both as `_`. */
function plainName(name: string): string {
  return name.replaceAll('_', '-');
}

function isNeverMetadata(name: string): boolean {
  return notMetadata.has(name) || name.startsWith('grpc-') || isDerivedByProxy(name) || !/^[0-9a-z_.-]+$/.test(name);
}

function isDerivedByProxy(name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded-') || name.startsWith('x-envoy-original-');
}

function isMetadataText(value: string): boolean {
  return /^[\x20-\x7e]*$/.test(value);
}

/** The names that grpc-gateway gives: metadata and trailers of an answer, metadata of a request, and its well-known headers. */
const METADATA_PREFIX = 'grpc-metadata-';
const TRAILER_PREFIX = 'grpc-trailer-';
const PERMANENT_PREFIX = 'grpcgateway-';

/** The headers that grpc-gateway takes for well-known, but those of the connection. */
const permanentHeaders = new Set([
  'accept',
  'accept-charset',
  'accept-language',
  'accept-ranges',
  'authorization',
  'cache-control',
  'content-type',
  'cookie',
  'date',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-schedule-tag-match',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'warning',
]);

function addMetadata(metadata: MetadataEntry[], name: string, value: string): void {
  if (name.endsWith('-bin')) {
    // Commas stand between the values of several headers that somebody joined into one (gRPC over HTTP/2, "Requests").
    for (const text of value.split(',')) metadata.push([name, decodeBase64(name, text)]);
    return;
  }
  if (!isMetadataText(value)) {
    throw StatusError.badField(
      `header ${name}`,
      `gRPC metadata carries printable ASCII alone; percent-encode the value, or send its base64 as ${name}-bin`,
    );
  }
  if (listsOfOne.has(name)) {
    const first = metadata.findIndex(([other]) => other === name);
    if (first >= 0) {
      metadata[first] = [name, `${String(metadata[first]![1])}, ${value}`];
      return;
    }
  }
  metadata.push([name, value]);
}

/** Lists that a client may spread over several lines, and HTTP/2 towards the service takes in one alone. */
const listsOfOne = new Set(['if-match', 'if-none-match']);

function decodeBase64(name: string, value: string): Buffer {
  const text = value.trim();
  const match = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(text);
  const isPadded = match?.[2] !== '';
  if (match === null || match[1]!.length % 4 === 1 || (isPadded && text.length % 4 !== 0)) {
    throw StatusError.badField(`header ${name}`, 'expected base64, as the name ends in -bin');
  }
  return Buffer.from(text, 'base64');
}

/**
 * The client's trace context if it sent exactly one that is valid (https://www.w3.org/TR/trace-context/), else a new one.
 * `tracestate` belongs to the context that it came with.
 */
function addTrace(metadata: MetadataEntry[], headers: HeaderFields): void {
  const sent = headerValues(headers, 'traceparent');
  if (sent.length !== 1 || !isTraceparent(sent[0]!)) {
    metadata.push(['traceparent', newTraceparent()]);
    return;
  }
  metadata.push(['traceparent', sent[0]!]);
  for (const state of headerValues(headers, 'tracestate')) addMetadata(metadata, 'tracestate', state);
}

function newTraceparent(): string {
  // Random UUIDs come from a pool: a tenth of the cost of randomBytes (bench: unary).
  const traceId = randomUUID().replaceAll('-', '');
  return `00-${traceId}-${randomUUID().replaceAll('-', '').slice(16)}-00`;
}

function isTraceparent(text: string): boolean {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(text);
  if (match === null || match[1] === 'ff' || (match[1] === '00' && match[4] !== undefined)) return false;
  return !/^0+$/.test(match[2]!) && !/^0+$/.test(match[3]!);
}

/** True where the client takes HTTP trailers. */
function takesTrailers(headers: HeaderFields): boolean {
  return header(headers, 'te') !== undefined && headerTokens(headers, 'te').some((token) => /^trailers\b/.test(token));
}

/** The first value of a metadata entry, if it is text. */
export function metadataText(metadata: Metadata, name: string): string | undefined {
  for (const [key, value] of metadata) {
    if (key === name && typeof value === 'string') return value;
  }
  return undefined;
}

/** The first value of a `-bin` entry. */
export function metadataBytes(metadata: Metadata, name: string): Buffer | undefined {
  for (const [key, value] of metadata) {
    if (key === name && typeof value !== 'string') return value;
  }
  return undefined;
}
