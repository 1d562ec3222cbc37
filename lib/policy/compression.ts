/**
 * Content codings of responses by `Accept-Encoding`: gzip, br, and zstd if this Node has it. Encoding runs in Node's
 * thread pool, so that a large response does not delay others. Streams are not encoded.
 */
import Negotiator from 'negotiator';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Reply } from '../exchange.js';
import { header, headerValues, parseMediaType, type HeaderFields } from '../headers.js';

/** A content coding that the proxy can apply. */
export type ContentCoding = 'gzip' | 'br' | 'zstd';

/** Encodes a reply for a client; undefined if the reply is sent unchanged. Never rejects. */
export type ReplyEncoder = (headers: HeaderFields, reply: Reply) => Promise<Reply> | Reply | undefined;

type Encode = (body: Buffer) => Promise<Buffer>;

const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
const brotli = promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);
type Compress = (body: Buffer, done: (error: Error | null, result: Buffer) => void) => void;

const { zstdCompress } = zlib as { readonly zstdCompress?: Compress };

/** Levels for responses that are encoded on the fly: brotli's default suits files that are encoded once. */
const encoders: Readonly<Record<ContentCoding, Encode | undefined>> = {
  gzip: (body) => gzip(body, { level: 6 }),
  br: (body) =>
    brotli(body, {
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }),
  // Available from Node 22.15 on.
  zstd: zstdCompress === undefined ? undefined : promisify(zstdCompress),
};

/** Which answers are encoded, and how. */
export interface CompressionOptions {
  /** Allowed codings, the preferred first; those that this Node lacks are left out. */
  readonly compression: readonly ContentCoding[];
  /** Smaller bodies are not worth the work. */
  readonly compressionMinBytes: number;
  /** Media types; none: all that are texts. */
  readonly compressionTypes: readonly string[];
}

/** Makes the encoder; undefined if none of the codings is available. */
export function compileEncoder({
  compression: codings,
  compressionMinBytes: minBytes,
  compressionTypes,
}: CompressionOptions): ReplyEncoder | undefined {
  const types = compressionTypes.length === 0 ? undefined : new Set(compressionTypes);
  const available = [...new Set(codings)].filter((coding) => encoders[coding] !== undefined);
  if (available.length === 0) return undefined;
  const offered = [...available, 'identity'];
  return (headers, reply) => {
    const { body } = reply;
    if (!canBeEncoded(reply, types)) return undefined;
    const varying: Reply = { ...reply, headers: [...reply.headers, 'vary', 'accept-encoding'] };
    const accept = headerValues(headers, 'accept-encoding').join(',');
    if (accept === '' || body === undefined) return varying;
    const accepted = acceptedOf(accept, offered, available);
    const coding = accepted[0];
    if (coding === undefined || coding === 'identity') return varying;
    if (body.length < minBytes && accepted.includes('identity')) return varying;
    return encoders[coding as ContentCoding]!(body).then(
      (encoded) =>
        encoded.length < body.length || !accepted.includes('identity') ? withBody(varying, encoded, coding) : varying,
      () => varying,
    );
  };
}

/** The codings that a client accepts, the best first. Among equal weights, the order of the server decides. */
function acceptedOf(accept: string, offered: readonly string[], preferred: readonly string[]): readonly string[] {
  // The second argument exists in negotiator 1; the types are those of 0.6.
  const negotiator = new Negotiator({ headers: { 'accept-encoding': accept } }) as unknown as {
    encodings(available: readonly string[], options: { readonly preferred: readonly string[] }): string[];
  };
  return negotiator.encodings(offered, { preferred });
}

/**
 * True for a whole text that is not encoded yet, and whose entity tag is not a strong one of the service, which
 * identifies the bytes.
 */
function canBeEncoded({ status, headers, ownEtag }: Reply, types: ReadonlySet<string> | undefined): boolean {
  if (status === 204 || status === 206) return false;
  if (status === 304) return true;
  if (header(headers, 'content-encoding') !== undefined) return false;
  const tag = header(headers, 'etag');
  if (tag !== undefined && ownEtag !== true && !tag.startsWith('W/')) return false;
  if (/\bno-transform\b/i.test(headerValues(headers, 'cache-control').join(','))) return false;
  const { type } = parseMediaType(header(headers, 'content-type') ?? '');
  return types === undefined ? isCompressible(type) : types.has(type);
}

const compressible = new Set([
  'application/json',
  'application/x-ndjson',
  'application/json-seq',
  'application/jsonl',
  'application/x-protobuf',
  'application/xml',
  'application/javascript',
  'application/wasm',
  'application/yaml',
  'image/svg+xml',
]);

function isCompressible(type: string): boolean {
  return (
    (type.startsWith('text/') && type !== 'text/event-stream') || compressible.has(type) || /\+(?:json|xml)$/.test(type)
  );
}

/** The reply with an encoded body, and with the length and entity tag of that. */
function withBody(reply: Reply, body: Buffer, coding: string): Reply {
  const headers: string[] = [];
  for (let index = 0; index < reply.headers.length; index += 2) {
    const name = reply.headers[index]!;
    const value = reply.headers[index + 1]!;
    if (name === 'content-length') headers.push(name, String(body.length));
    else if (name === 'etag' && reply.ownEtag === true) headers.push(name, value.replace(/"$/, `-${coding}"`));
    else headers.push(name, value);
  }
  headers.push('content-encoding', coding);
  return { ...reply, headers, body };
}
