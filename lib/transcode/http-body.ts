/**
 * google.api.HttpBody, whose JSON form is no JSON: a content type and raw bytes. Read from and written to the wire here, by
 * field numbers alone, so that large bodies are not copied more than once.
 */
import type { MessageDescriptor } from '../schema/types.js';
import { Reader, type Writer } from '../wire/index.js';

/** The content type of a body that has none. */
export const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

const CONTENT_TYPE_TAG = (1 << 3) | 2;
const DATA_TAG = (2 << 3) | 2;

const nothing = Buffer.alloc(0);

export interface HttpBody {
  /** Empty where the message has none. */
  readonly contentType: string;
  readonly data: Buffer;
}

/** True for the message type that is sent and read as raw bytes. */
export function isHttpBody(message: MessageDescriptor | undefined): boolean {
  return message?.fullName === 'google.api.HttpBody';
}

/**
 * The parts of an HttpBody in wire form; of a part given twice the last. `extensions` are left out.
 * @throws WireError where the bytes are no message.
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
