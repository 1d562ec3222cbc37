/** Headers ↔ metadata for calls that stay gRPC: what `metadata` lets cross, and what belongs to compression besides. */
import type { Metadata, MetadataEntry } from '../exchange.js';
import { connectionHeaders, headerValues, isHeaderName, isHeaderValue, type HeaderFields } from '../headers.js';
import type { HeaderNames } from '../metadata/index.js';

/** `grpc-` headers that frames need to be understood, or that are meant for the service. */
const carried = ['grpc-encoding', 'grpc-accept-encoding', 'grpc-previous-rpc-attempts'];
const carriedBinary = ['grpc-trace-bin', 'grpc-tags-bin'];

/** The metadata of a call whose frames go through untouched. */
export function passedMetadata(names: HeaderNames, headers: HeaderFields, requestId: string): Metadata {
  const metadata: MetadataEntry[] = [...names.metadata(headers, requestId)];
  for (const name of carried) for (const value of headerValues(headers, name)) metadata.push([name, value]);
  for (const name of carriedBinary) {
    for (const value of headerValues(headers, name)) metadata.push([name, Buffer.from(value, 'base64')]);
  }
  return metadata;
}

const dropped = new Set([
  ...connectionHeaders,
  'content-length',
  'content-type',
  'date',
  'grpc-message',
  'grpc-status',
  'x-request-id',
]);

/** Adds the service's metadata as it is; `-bin` values without padding, as gRPC writes them. */
export function addPassed(fields: string[], metadata: Metadata): void {
  for (const [name, value] of metadata) {
    if (dropped.has(name) || !isHeaderName(name)) continue;
    const text = typeof value === 'string' ? value : value.toString('base64').replace(/=+$/, '');
    if (isHeaderValue(text)) fields.push(name, text);
  }
}
