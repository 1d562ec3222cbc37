/**
 * HTTP headers ↔ gRPC metadata. What belongs to the connection, to the encoding of a body or to gRPC itself never
 * crosses; what the proxy derives about a client is never taken from the client.
 */
import { randomUUID } from 'node:crypto';
import type { Metadata, MetadataEntry } from '../exchange.js';
import { header, headerTokens, headerValues, isHeaderName, isHeaderValue, type HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';

const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

/** Request headers that never become metadata. */
const notMetadata = new Set([
  ...hopByHop,
  'content-length',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'expect',
  'host',
  // Written anew below.
  'x-request-id',
  'traceparent',
  'tracestate',
  // What a proxy says of a client; a client may not say it of itself.
  'forwarded',
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

/**
 * The metadata of a call. `-bin` values are decoded from base64, names that metadata cannot carry are dropped.
 * @throws StatusError 400 for a value that metadata cannot carry.
 */
export function requestMetadata(headers: HeaderFields, requestId: string): Metadata {
  const metadata: MetadataEntry[] = [];
  const connection = headerTokens(headers, 'connection');
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    if (isDropped(name) || (connection.length > 0 && connection.includes(name))) continue;
    addMetadata(metadata, name, headers[index + 1]!);
  }
  metadata.push(['x-request-id', requestId]);
  addTrace(metadata, headers);
  return metadata;
}

function isDropped(name: string): boolean {
  return (
    notMetadata.has(name) ||
    name.startsWith('grpc-') ||
    name.startsWith('x-forwarded-') ||
    name.startsWith('x-envoy-original-') ||
    !/^[0-9a-z_.-]+$/.test(name)
  );
}

function addMetadata(metadata: MetadataEntry[], name: string, value: string): void {
  if (name.endsWith('-bin')) {
    // Commas stand between the values of several headers that somebody joined into one (gRPC over HTTP/2, "Requests").
    for (const text of value.split(',')) metadata.push([name, decodeBase64(name, text)]);
    return;
  }
  if (!/^[\x20-\x7e]*$/.test(value)) {
    throw StatusError.badField(
      `header ${name}`,
      `gRPC metadata carries printable ASCII alone; percent-encode the value, or send its base64 as ${name}-bin`,
    );
  }
  metadata.push([name, value]);
}

function decodeBase64(name: string, value: string): Buffer {
  const text = value.trim();
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
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

/** Adds the metadata of an answer to `headers`, as HTTP headers. What HTTP cannot carry is left out. */
export function addResponseHeaders(headers: string[], metadata: Metadata): void {
  for (const [name, value] of metadata) {
    if (notHeader.has(name) || name.startsWith('grpc-') || !isHeaderName(name)) continue;
    const text = typeof value === 'string' ? value : value.toString('base64');
    if (isHeaderValue(text)) headers.push(name, text);
  }
}

/** True where the client takes HTTP trailers. */
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
