/** Headers ↔ metadata for calls whose frames are passed on unchanged: as in `metadata`, plus the headers of compression. */
import type { Metadata, MetadataEntry, RequestHead } from '../exchange.js';
import { connectionHeaders, headerValues, isHeaderName, isHeaderValue } from '../headers.js';
import type { HeaderNames } from '../metadata/index.js';

/** `grpc-` headers that describe the frames or are meant for the service. */
const passedHeaders = ['grpc-encoding', 'grpc-accept-encoding', 'grpc-previous-rpc-attempts'];
const passedBinaryHeaders = ['grpc-trace-bin', 'grpc-tags-bin'];

/** The metadata of a call whose frames are passed on unchanged. */
export function passedMetadata(names: HeaderNames, head: RequestHead): Metadata {
  const { headers } = head;
  const metadata: MetadataEntry[] = [...names.metadata(head)];
  for (const name of passedHeaders) for (const value of headerValues(headers, name)) metadata.push([name, value]);
  for (const name of passedBinaryHeaders) {
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

/** Adds the metadata of the service unchanged; `-bin` values have no padding, as in gRPC. */
export function addPassed(fields: string[], metadata: Metadata): void {
  for (const [name, value] of metadata) {
    if (dropped.has(name) || !isHeaderName(name)) continue;
    const text = typeof value === 'string' ? value : value.toString('base64').replace(/=+$/, '');
    if (isHeaderValue(text)) fields.push(name, text);
  }
}
