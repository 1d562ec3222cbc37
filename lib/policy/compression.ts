/**
 * Content codings of answers: gzip, br, and zstd where this Node has it, by `Accept-Encoding`. Runs in Node's thread pool, so
 * that a large answer does not keep others waiting. Streams are not its matter.
 */
import Negotiator from 'negotiator';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Reply } from '../exchange.js';
import { header, headerValues, parseMediaType, type HeaderFields } from '../headers.js';

export type ContentCoding = 'gzip' | 'br' | 'zstd';

/** Encodes a reply for a client; undefined where it goes out as it is, at once. Never rejects. */
export type ReplyEncoder = (headers: HeaderFields, reply: Reply) => Promise<Reply> | Reply | undefined;

/** Smaller bodies gain nothing but work. */
const MIN_BYTES = 128;

type Encode = (body: Buffer) => Promise<Buffer>;

const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
const brotli = promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);
type Compress = (body: Buffer, done: (error: Error | null, result: Buffer) => void) => void;

const { zstdCompress } = zlib as { readonly zstdCompress?: Compress };

/** Levels for answers made on the fly: brotli's default is for files that are encoded once. */
const encoders: Readonly<Record<ContentCoding, Encode | undefined>> = {
  gzip: (body) => gzip(body, { level: 6 }),
  br: (body) =>
    brotli(body, {
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }),
  // Since Node 22.15.
  zstd: zstdCompress === undefined ? undefined : promisify(zstdCompress),
};

/** @param codings what may be used, the best first; what Node lacks is left out. Undefined where that leaves none. */
export function compileEncoder(codings: readonly ContentCoding[]): ReplyEncoder | undefined {
  const available = [...new Set(codings)].filter((coding) => encoders[coding] !== undefined);
  if (available.length === 0) return undefined;
  const offered = [...available, 'identity'];
  return (headers, reply) => {
    const { body } = reply;
    if (!canBeEncoded(reply)) return undefined;
    const varying: Reply = { ...reply, headers: [...reply.headers, 'vary', 'accept-encoding'] };
    const accept = headerValues(headers, 'accept-encoding').join(',');
    if (accept === '' || body === undefined) return varying;
    const accepted = acceptedOf(accept, offered, available);
    const coding = accepted[0];
    if (coding === undefined || coding === 'identity') return varying;
    if (body.length < MIN_BYTES && accepted.includes('identity')) return varying;
    return encoders[coding as ContentCoding]!(body).then(
      (encoded) =>
        encoded.length < body.length || !accepted.includes('identity') ? withBody(varying, encoded, coding) : varying,
      () => varying,
    );
  };
}

/** The codings that a client takes, the best first; at equal weight ours decide. */
function acceptedOf(accept: string, offered: readonly string[], preferred: readonly string[]): readonly string[] {
  // The second argument is of negotiator 1, whose types are those of 0.6.
  const negotiator = new Negotiator({ headers: { 'accept-encoding': accept } }) as unknown as {
    encodings(available: readonly string[], options: { readonly preferred: readonly string[] }): string[];
  };
  return negotiator.encodings(offered, { preferred });
}

/** True for text of some kind that is whole, not encoded yet, and not bound to its bytes by a tag of the service's own. */
function canBeEncoded({ status, headers, ownEtag }: Reply): boolean {
  if (status === 204 || status === 206) return false;
  if (status === 304) return true;
  if (header(headers, 'content-encoding') !== undefined) return false;
  const tag = header(headers, 'etag');
  if (tag !== undefined && ownEtag !== true && !tag.startsWith('W/')) return false;
  if (/\bno-transform\b/i.test(headerValues(headers, 'cache-control').join(','))) return false;
  return isCompressible(header(headers, 'content-type') ?? '');
}

const compressible = new Set([
  'application/json',
  'application/x-ndjson',
  'application/jsonl',
  'application/x-protobuf',
  'application/xml',
  'application/javascript',
  'application/wasm',
  'application/yaml',
  'image/svg+xml',
]);

function isCompressible(contentType: string): boolean {
  const { type } = parseMediaType(contentType);
  return (
    (type.startsWith('text/') && type !== 'text/event-stream') || compressible.has(type) || /\+(?:json|xml)$/.test(type)
  );
}

/** The same answer with an encoded body: its length and its entity tag are others. */
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
