/** What is in the frames of native gRPC, which pass the proxy as they came, compressed or not. */
import { gunzipSync } from 'node:zlib';
import type { Metadata } from '../exchange.js';
import { Code, StatusError } from '../status.js';
import type { Frame } from '../wire/index.js';

/**
 * The message of a frame from a client.
 * @param metadata names the coding
 * @throws StatusError if it is compressed otherwise than with gzip, or larger than `maxBytes`
 */
export function contentOf({ compressed, payload }: Frame, metadata: Metadata, maxBytes: number): Buffer {
  if (!compressed) return payload;
  const coding = metadata.find(([name]) => name === 'grpc-encoding')?.[1];
  if (coding !== 'gzip') {
    const text = `the message is compressed as ${JSON.stringify(String(coding))}, and cannot be checked; send gzip or identity`;
    throw new StatusError(Code.UNIMPLEMENTED, text);
  }
  try {
    return gunzipSync(payload, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw StatusError.tooLarge(maxBytes, 'the message');
    throw new StatusError(Code.INVALID_ARGUMENT, 'the message is not valid gzip', { cause: error });
  }
}
