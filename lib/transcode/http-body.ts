/**
 * google.api.HttpBody: a content type and raw bytes, sent as such and not as JSON. Read and written by field numbers, so that
 * a large body is copied only once.
 */
import { isHeaderValue } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';
import { makeTag, Reader, WireType, type Writer } from '../wire/index.js';
import { isHttpBody } from '../codec/index.js';

/** The content type of a body that has none. */
export const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

const CONTENT_TYPE_TAG = makeTag(1, WireType.BYTES);
const DATA_TAG = makeTag(2, WireType.BYTES);

const nothing = Buffer.alloc(0);

/** The fields of an HttpBody that HTTP can carry. */
export interface HttpBody {
  /** '' if the message has none. */
  readonly contentType: string;
  readonly data: Buffer;
}

/** True if a field path leads from the message to one HttpBody; the empty path leads to the message itself. */
export function endsInHttpBody(message: MessageDescriptor, path: readonly FieldDescriptor[]): boolean {
  const field = path.at(-1);
  return field === undefined ? isHttpBody(message) : !field.repeated && isHttpBody(field.message);
}

/** True if the bytes of request and answer are JSON, or another text, and not those of an HttpBody. */
export function isTranscoded({ method: { input, output }, body, responseBody = [] }: Binding): boolean {
  if (endsInHttpBody(output, responseBody)) return false;
  return body.kind === 'none' || !endsInHttpBody(input, body.kind === 'field' ? body.path : []);
}

/**
 * Reads an HttpBody in wire form; if a field occurs twice, the last one wins. `extensions` are ignored.
 * @throws WireError if the bytes are not a message.
 */
export function readHttpBody(message: Buffer): HttpBody {
  const reader = new Reader(message);
  let contentType = '';
  let data: Buffer = nothing;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === CONTENT_TYPE_TAG) contentType = reader.bytes().toString('utf8');
    else if (tag === DATA_TAG) data = reader.bytes();
    else reader.skip(tag);
  }
  return { contentType, data };
}

/**
 * The content type that an HttpBody is sent with.
 * @throws StatusError INTERNAL if the service gave one that cannot be a header.
 */
export function contentTypeOf({ contentType }: HttpBody, rpc: string): string {
  if (contentType.trim() === '') return DEFAULT_CONTENT_TYPE;
  if (isHeaderValue(contentType)) return contentType;
  const found = quote(contentType.slice(0, 100));
  throw new StatusError(Code.INTERNAL, `the content_type that ${rpc} gave, ${found}, cannot be sent as a header`);
}

/** Appends the fields of an HttpBody; empty parts are left out. */
export function writeHttpBody(out: Writer, { contentType, data }: HttpBody): void {
  if (contentType !== '') {
    out.uint32(CONTENT_TYPE_TAG);
    out.string(contentType);
  }
  if (data.length === 0) return;
  out.uint32(DATA_TAG);
  out.bytes(data);
}
