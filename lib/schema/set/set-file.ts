/** Unpacks a descriptor set that may be gzipped. `descriptor-set` reads the result. */
import { gunzipSync } from 'node:zlib';
import { ConfigError, messageOf } from '../../status.js';

/** The largest set, unpacked. */
const MAX_SET_BYTES = 512 * 1024 * 1024;

const TOO_LARGE = 'is larger than 512 MiB';

/**
 * The bytes of the set in a file.
 * @param maxBytes largest size after unpacking; tests use a smaller one.
 * @throws ConfigError if the set is larger, or is compressed in an unsupported way.
 */
export function unpackSet(name: string, bytes: Buffer, maxBytes = MAX_SET_BYTES): Buffer {
  if (bytes.length > maxBytes) throw fault(name, TOO_LARGE);
  if (startsWith(bytes, [0x1f, 0x8b])) return gunzip(name, bytes, maxBytes);
  if (startsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd])) {
    throw fault(name, 'is packed by zstd, expected gzip or nothing', 'unzstd it, or write it with gzip');
  }
  return bytes;
}

function gunzip(name: string, bytes: Buffer, maxBytes: number): Buffer {
  let unpacked: Unzipped;
  try {
    unpacked = gunzipSync(bytes, { maxOutputLength: maxBytes, info: true }) as unknown as Unzipped;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw fault(name, `${TOO_LARGE} unpacked`);
    const reason = messageOf(error);
    throw fault(name, `starts as gzip does and cannot be unpacked: ${reason}`, 'it may have been cut: write it again');
  }
  const rest = bytes.length - unpacked.engine.bytesWritten;
  if (rest > 0) throw fault(name, `has ${rest} bytes behind its gzip data`, 'write it again');
  return unpacked.buffer;
}

/** The result for `info: true`, which Node's types lack. */
interface Unzipped {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function startsWith(bytes: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

function fault(name: string, what: string, hint?: string): ConfigError {
  return new ConfigError({
    code: 'descriptor-set',
    message: `"${name}" ${what}`,
    place: { file: name },
    ...(hint !== undefined && { hint }),
  });
}
