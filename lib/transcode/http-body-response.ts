/**
 * A stream of google.api.HttpBody as one raw body: bytes as they come, with the content type of the first message. Nothing
 * in such a body can say that it is not whole, so every failure breaks it off.
 */
import type { CallStatus, Metadata, RequestHead, ResponseStream, StreamEnd, StreamHead } from '../exchange.js';
import { isHeaderValue } from '../headers.js';
import type { FieldDescriptor } from '../schema/types.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';
import { type Frame, WireError } from '../wire/index.js';
import { metadataText } from '../metadata/index.js';
import { DEFAULT_CONTENT_TYPE, type HttpBody, readHttpBody } from './http-body.js';
import { headOf, isBodyless, type StreamShared } from './stream-head.js';
import { submessage } from './submessage.js';

export class HttpBodyResponse implements ResponseStream {
  readonly headDelayMs: number;
  readonly keepAlive = undefined;
  private silent = false;
  /** Bytes that the head announced, less those that were sent; undefined where it did not. */
  private left: number | undefined;
  /** The bytes that would make an announced length full: only the end of the call tells whether it is true. */
  private last: Buffer | undefined;

  constructor(
    private readonly request: RequestHead,
    /** Of the HttpBody in the message; empty where it is the message. */
    private readonly path: readonly FieldDescriptor[],
    private readonly shared: StreamShared,
  ) {
    this.headDelayMs = shared.context.options.streamHeadDelayMs;
  }

  head(metadata: Metadata, first: Frame | undefined): StreamHead {
    const { status, headers: all } = headOf(this.shared, this.request, metadata, first);
    const headers = withoutLength(all);
    this.silent = isBodyless(status);
    if (this.silent) return { status, headers, chunk: undefined };
    headers.push('content-type', first === undefined ? DEFAULT_CONTENT_TYPE : contentTypeOf(this.read(first)));
    this.left = announcedLength(metadata);
    if (this.left !== undefined) headers.push('content-length', String(this.left));
    return { status, headers, chunk: undefined };
  }

  message(frame: Frame): Buffer | undefined {
    if (this.silent) return undefined;
    const { data } = this.read(frame);
    if (this.left === undefined || data.length === 0) return data;
    if (this.last !== undefined || data.length > this.left) throw tooLong();
    if (data.length === this.left) {
      this.last = data;
      return undefined;
    }
    this.left -= data.length;
    return data;
  }

  end(status: CallStatus): StreamEnd {
    const isShort = this.left !== undefined && this.left > 0 && this.last === undefined;
    if (status.code !== Code.OK || isShort) return { isBroken: true };
    return {
      chunk: this.last,
      trailers: this.shared.context.names.streamTrailers(this.request, status.trailers),
      isBroken: false,
    };
  }

  fail(): StreamEnd {
    return { isBroken: true };
  }

  private read({ payload }: Frame): HttpBody {
    try {
      return readHttpBody(this.path.reduce(submessage, payload));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      throw new StatusError(Code.INTERNAL, `the service sent a message that cannot be read: ${error.message}`);
    }
  }
}

function contentTypeOf({ contentType }: HttpBody): string {
  if (contentType === '') return DEFAULT_CONTENT_TYPE;
  if (isHeaderValue(contentType)) return contentType;
  throw new StatusError(
    Code.INTERNAL,
    `the service sent the content type ${quote(contentType)}, which cannot stand in a header`,
  );
}

function announcedLength(metadata: Metadata): number | undefined {
  const text = metadataText(metadata, LENGTH);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const LENGTH = 'x-content-length';

/** It goes out under its true name. */
function withoutLength(headers: readonly string[]): string[] {
  return headers.filter((_, index) => headers[index & ~1] !== LENGTH);
}

function tooLong(): StatusError {
  return new StatusError(Code.INTERNAL, 'the service sent more bytes than its x-content-length announced');
}
