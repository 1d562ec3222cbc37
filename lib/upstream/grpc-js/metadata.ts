/** Converts metadata to grpc-js's class. */
import type { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import type { Metadata } from '../../exchange.js';
import { grpcJs } from '../../packages.js';
import { addSendable } from '../metadata.js';

/**
 * Metadata for a call, without `user-agent`, which grpc-js would replace.
 * @throws StatusError as `addSendable`.
 */
export function toGrpcMetadata(entries: Metadata): GrpcMetadata {
  const metadata = new (grpcJs().Metadata)();
  addSendable(entries, false, (name, value) => {
    if (name !== 'user-agent') metadata.add(name, value);
  });
  return metadata;
}
