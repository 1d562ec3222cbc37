/**
 * HTTP headers ↔ gRPC metadata. Headers of the connection, of the encoding of a body and of gRPC itself are never
 * forwarded. Fields that the proxy derives about a client are never taken from the client.
 */
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
  // Handshake of a WebSocket.
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  // `HeaderNames.metadata` writes these itself.
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

/** Options that decide which names are forwarded, and as what. */
export interface HeaderNameOptions {
  readonly grpcGatewayNames: boolean;
  readonly identityHeaders: readonly string[];
}

/** Converts headers to metadata and back, for one set of options. */
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
   * The metadata of a call. `-bin` values are decoded from base64; headers whose name is no metadata key are dropped.
   * @throws StatusError 400 if metadata cannot carry a value.
   */
  metadata({ headers, requestId, caller }: Pick<RequestHead, 'headers' | 'requestId' | 'caller'>): Metadata {
    const metadata: MetadataEntry[] = [];
    const connection = new Set(headerTokens(headers, 'connection'));
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index]!;
      if (connection.size > 0 && connection.has(name)) continue;
      if (this.isGateway) this.addGatewayMetadata(metadata, name, headers[index + 1]!);
      else if (!this.isDropped(name)) addMetadata(metadata, name, headers[index + 1]!);
    }
    const { forwarded } = caller;
    for (let index = 0; index < forwarded.length; index += 2) metadata.push([forwarded[index]!, forwarded[index + 1]!]);
    metadata.push(['x-request-id', requestId]);
    addTrace(metadata, headers);
    return metadata;
  }

  /** True for headers that a client must not set, and for those that do not belong to a call. */
  isDropped(name: string): boolean {
    return isNeverMetadata(name) || this.isIdentity(name);
  }

  /** True for headers that the proxy sets about a client, which a client must not set itself. */
  isDerived(name: string): boolean {
    return isDerivedByProxy(name) || this.isIdentity(name);
  }

  /**
   * True for a configured identity header, also in the spelling that some servers treat alike: `x_user_id` for `x-user-id`.
   */
  isIdentity(name: string): boolean {
    if (this.identities.size === 0 && this.identityPrefixes.length === 0) return false;
    const plain = plainName(name);
    return this.identities.has(plain) || this.identityPrefixes.some((prefix) => plain.startsWith(prefix));
  }

  /**
   * grpc-gateway's rules: its own prefix is removed, well-known headers get another prefix, and all other headers are
   * dropped.
   */
  private addGatewayMetadata(metadata: MetadataEntry[], name: string, value: string): void {
    if (name.startsWith(METADATA_PREFIX)) {
      const plain = name.slice(METADATA_PREFIX.length);
      // A client must not set the prefixed form of well-known headers.
      if (plain === '' || plain.startsWith(PERMANENT_PREFIX) || this.isDropped(plain)) return;
      addMetadata(metadata, plain, value);
    } else if (permanentHeaders.has(name) && !this.isIdentity(name)) {
      // grpc-gateway drops values that metadata cannot carry, so this does too.
      if (isMetadataText(value)) metadata.push([`${PERMANENT_PREFIX}${name}`, value]);
      if (name === 'authorization') addMetadata(metadata, name, value);
    }
  }

  /** Appends response metadata to `headers`, as HTTP headers. Entries that HTTP cannot carry are left out. */
  addHeaders(headers: string[], metadata: Metadata): void {
    this.add(headers, metadata, METADATA_PREFIX);
  }

  /** Appends trailers, which have their own prefix in grpc-gateway's naming, even among the headers. */
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

  /**
   * The trailers of a stream whose headers are already sent; undefined if there are none, or if the client does not
   * accept trailers.
   */
  streamTrailers(head: Pick<RequestHead, 'headers' | 'httpVersion'>, trailers: Metadata): string[] | undefined {
    if (trailers.length === 0 || head.httpVersion === '1.0' || !takesTrailers(head.headers)) return undefined;
    const sent: string[] = [];
    this.addTrailers(sent, trailers);
    return sent.length === 0 ? undefined : sent;
  }

  /**
   * Returns the trailers to send as such, which `trailer` then announces, if the client accepts trailers. Otherwise
   * they are appended to `headers`.
   */
  splitTrailers(
    head: Pick<RequestHead, 'headers' | 'httpVersion' | 'method'>,
    trailers: Metadata,
    headers: string[],
  ): string[] {
    if (trailers.length === 0) return [];
    const sent: string[] = [];
    // A response to HEAD has no body, and so no trailers.
    const canTrail = head.httpVersion !== '1.0' && head.method !== 'HEAD' && takesTrailers(head.headers);
    this.addTrailers(canTrail ? sent : headers, trailers);
    if (sent.length > 0) headers.push('trailer', namesOf(sent));
    return sent;
  }
}

/** CGI and its successors write both `-` and `_` as `_`. */
function plainName(name: string): string {
  return name.replaceAll('_', '-');
}

function isNeverMetadata(name: string): boolean {
  return notMetadata.has(name) || name.startsWith('grpc-') || isDerivedByProxy(name) || !/^[0-9a-z_.-]+$/.test(name);
}

/** True for headers in which proxies describe a client and which a client could forge, also in the spelling of CGI. */
export function isDerivedByProxy(name: string): boolean {
  const plain = name.includes('_') ? plainName(name) : name;
  return plain.startsWith('x-') ? derivedPattern.test(plain) : plain === 'forwarded' || plain === 'true-client-ip';
}

const derivedPattern = /^x-(?:forwarded-|real-ip$|client-ip$|envoy-(?:external-address$|original-))/;

function isMetadataText(value: string): boolean {
  return /^[\x20-\x7e]*$/.test(value);
}

/**
 * Prefixes of grpc-gateway's names: for metadata and trailers of a response, for metadata of a request, and for
 * well-known headers.
 */
const METADATA_PREFIX = 'grpc-metadata-';
const TRAILER_PREFIX = 'grpc-trailer-';
const PERMANENT_PREFIX = 'grpcgateway-';

/** The headers that grpc-gateway treats as well-known, except those of the connection. */
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
    // Commas separate the values of several headers that were joined into one (gRPC over HTTP/2, "Requests").
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

/** Lists that a client may spread over several lines, but that HTTP/2 towards the service accepts only as one. */
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
 * The client's trace context, if it sent exactly one that is valid (https://www.w3.org/TR/trace-context/); `tracestate`
 * is only forwarded together with it. The proxy never creates a context: a service would take its flags as a decision
 * whether to record.
 */
function addTrace(metadata: MetadataEntry[], headers: HeaderFields): void {
  const [context, ...others] = headerValues(headers, 'traceparent');
  if (context === undefined || others.length > 0 || !isTraceparent(context)) return;
  metadata.push(['traceparent', context]);
  for (const state of headerValues(headers, 'tracestate')) addMetadata(metadata, 'tracestate', state);
}

function isTraceparent(text: string): boolean {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(text);
  if (match === null || match[1] === 'ff' || (match[1] === '00' && match[4] !== undefined)) return false;
  return !/^0+$/.test(match[2]!) && !/^0+$/.test(match[3]!);
}

/** The distinct names of a list, as `trailer` announces them. */
function namesOf(fields: HeaderFields): string {
  return [...new Set(fields.filter((_, index) => index % 2 === 0))].join(', ');
}

/** True if the client accepts HTTP trailers. */
export function takesTrailers(headers: HeaderFields): boolean {
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
