/** Metadata between the project's flat list and grpc-js's object. */
import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import type { Metadata, MetadataEntry } from '../../exchange.js';
import { addSendable, isTransportHeader } from '../metadata.js';

/**
 * Metadata for a call. `user-agent` is left to grpc-js, which would replace it.
 * @throws StatusError as `addSendable`.
 */
export function toGrpcMetadata(entries: Metadata): GrpcMetadata {
  const metadata = new GrpcMetadata();
  addSendable(entries, false, (name, value) => {
    if (name !== 'user-agent') metadata.add(name, value);
  });
  return metadata;
}

/** The service's metadata as a flat list, without what belongs to the transport. */
export function fromGrpcMetadata(metadata: GrpcMetadata): Metadata {
  const entries: MetadataEntry[] = [];
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    if (isTransportHeader(name)) continue;
    for (const value of values) entries.push([name, value]);
  }
  return entries;
}
