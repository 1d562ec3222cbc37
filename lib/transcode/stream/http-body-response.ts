/**
 * A stream of google.api.HttpBody as one raw body with the content type of the first message. Raw bytes cannot mark an
 * error, so a failure breaks the answer off.
 */
import type { CallStatus, Metadata, RequestHead, ResponseStream, StreamEnd, StreamHead } from '../../exchange.js';
import { withoutFields } from '../../headers.js';
import type { FieldDescriptor } from '../../schema/types.js';
import { Code, isBodyless, StatusError } from '../../status.js';
import { type Frame, WireError } from '../../wire/index.js';
import { metadataText } from '../../metadata/index.js';
import type { HeadWriter } from '../answer/answer-head.js';
import type { TranscodeContext } from '../context.js';
import { contentTypeOf, DEFAULT_CONTENT_TYPE, type HttpBody, readHttpBody } from '../http-body.js';
import { submessage } from '../submessage.js';

/** What the raw streams of one binding have in common. */
export interface HttpBodyPlan {
  readonly context: TranscodeContext;
  readonly writeHead: HeadWriter;
  /** Leads to the HttpBody in the message; empty if the message is one. */
  readonly path: readonly FieldDescriptor[];
  /** `package.Service.Method`, for messages. */
  readonly rpc: string;
}

/** Writes one answer. */
export class HttpBodyResponse implements ResponseStream {
  readonly headDelayMs: number;
  readonly keepAlive = undefined;
  readonly bareBody = undefined;
  private silent = false;
  /** Bytes that are still to come; undefined if the service did not announce a length. */
  private left: number | undefined;
  /** The bytes that complete the announced length. They are held back until the call has succeeded. */
  private last: Buffer | undefined;

  constructor(
    private readonly request: RequestHead,
    private readonly plan: HttpBodyPlan,
    /** See `FramedResponse`. */
    readonly linesErrors: boolean,
  ) {
    this.headDelayMs = plan.context.options.streamHeadDelayMs;
  }

  head(metadata: Metadata, first: Frame | undefined): StreamHead {
    const { status, headers: all } = this.plan.writeHead(this.request, metadata, first?.payload);
    // The length goes out as content-length.
    const headers = withoutFields(all, (name) => name === LENGTH);
    this.silent = isBodyless(status);
    if (this.silent) return { status, headers, chunk: undefined };
    headers.push(
      'content-type',
      first === undefined ? DEFAULT_CONTENT_TYPE : contentTypeOf(this.read(first), this.plan.rpc),
    );
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
      trailers: this.plan.context.names.streamTrailers(this.request, status.trailers),
      isBroken: false,
    };
  }

  fail(): StreamEnd {
    return { isBroken: true };
  }

  private read({ payload }: Frame): HttpBody {
    try {
      return readHttpBody(this.plan.path.reduce(submessage, payload));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      throw new StatusError(Code.INTERNAL, `the service sent a message that cannot be read: ${error.message}`);
    }
  }
}

function announcedLength(metadata: Metadata): number | undefined {
  const text = metadataText(metadata, LENGTH);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

const LENGTH = 'x-content-length';

function tooLong(): StatusError {
  return new StatusError(Code.INTERNAL, 'the service sent more bytes than its x-content-length announced');
}
