/**
 * Metadata between the project's flat list and grpc-js's object. What grpc-js or HTTP/2 cannot carry is caught here:
 * grpc-js throws on some of it at once, and on the rest (a connection header, a single-valued one given twice) it drops
 * the connection that all other calls share.
 */
import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import type { Metadata, MetadataEntry } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';

/** Set by the transport itself, or forbidden in HTTP/2: never sent, whoever asks. */
const neverSent = new Set([
  'connection',
  'content-length',
  'content-type',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-message',
  'grpc-message-type',
  'grpc-status',
  'grpc-timeout',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** Node's http2 refuses these twice in one request. */
const singleValued = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'x-content-type-options',
]);

/**
 * Metadata for a call. A name that metadata cannot carry is dropped.
 * @throws StatusError INVALID_ARGUMENT for a value that it cannot carry.
 */
export function toGrpcMetadata(entries: Metadata): GrpcMetadata {
  const metadata = new GrpcMetadata();
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    if (!/^[0-9a-z_.-]+$/.test(name) || neverSent.has(name)) continue;
    checkValue(name, value);
    if (singleValued.has(name)) {
      if (seen.has(name)) throw invalid(name, 'is given more than once, expected one value');
      seen.add(name);
    }
    metadata.add(name, value);
  }
  return metadata;
}

function checkValue(name: string, value: string | Buffer): void {
  const binary = name.endsWith('-bin');
  if (typeof value !== 'string') {
    if (!binary) throw invalid(name, 'has bytes as its value, which only a name ending in -bin may have');
  } else if (binary) {
    throw invalid(name, 'has text as its value, expected bytes');
  } else if (!/^[ -~]*$/.test(value)) {
    throw invalid(name, `has the value ${quote(value)}, expected printable ASCII; use a name ending in -bin for more`);
  }
}

function invalid(name: string, problem: string): StatusError {
  return new StatusError(Code.INVALID_ARGUMENT, `metadata ${quote(name)} ${problem}`);
}

/** The service's metadata as a flat list, without what belongs to the transport. */
export function fromGrpcMetadata(metadata: GrpcMetadata): Metadata {
  const entries: MetadataEntry[] = [];
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    if (name === 'content-type' || name === 'date') continue;
    for (const value of values) entries.push([name, value]);
  }
  return entries;
}
