/**
 * Answer message → HTTP answer: status, headers, body in the form that was asked for, envelope, entity tag.
 */
import { header, isHeaderValue } from '../headers.js';
import type { Metadata, Reply, RequestHead } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import { Code, type FieldViolation, StatusError } from '../status.js';
import { quote } from '../uri.js';
import { WireError } from '../wire/index.js';
import { compileFormats, finishJson, type AnswerFormat } from './answer-format.js';
import { compileFieldHeaders } from './bound-headers.js';
import type { TranscodeContext } from './context.js';
import { ignoredStatusChannel, type IgnoredStatus } from './diagnostics.js';
import { writeEnvelope } from './envelope.js';
import { entityTag, matchingTag } from './etag.js';
import { metadataText } from '../metadata/index.js';
import { DEFAULT_CONTENT_TYPE, isHttpBody, readHttpBody } from './http-body.js';
import { submessage } from './submessage.js';
import type { SystemParameters } from './system-parameters.js';

/** Writes one answer. */
export type AnswerWriter = (head: RequestHead, message: Buffer, headers: Metadata, trailers: Metadata) => Reply;

/** A body that is ready, and what its entity tag is made from. */
interface Body {
  readonly bytes: Buffer;
  readonly contentType: string;
  /** Undefined where no tag is wanted. */
  readonly tag: string | undefined;
}

type BodyWriter = (message: Buffer, head: RequestHead, wantsTag: boolean) => Body;

/** The answers of one binding: `open` decides all that the head decides; what is wrong in it goes to `violations`. */
export interface ResponseCompiler {
  open(head: RequestHead, system: SystemParameters, violations: FieldViolation[]): AnswerWriter;
}

/** Compiles the answers of one binding. */
export function compileResponse(binding: Binding, context: TranscodeContext): ResponseCompiler {
  const { codec, options, buffers, names } = context;
  const addFieldHeaders = compileFieldHeaders(binding, codec, buffers.scratch);
  const usualStatus = binding.options.successStatus ?? 200;
  const rpc = binding.method.fullName;

  const answerWith =
    (writeBody: BodyWriter): AnswerWriter =>
    (head, message, metadata, trailers) => {
      try {
        return answer(writeBody, head, message, metadata, trailers);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const text = `the service's answer is no valid ${binding.method.output.fullName}: ${error.message}`;
        throw new StatusError(Code.INTERNAL, text, { cause: error });
      }
    };
  const answer = (
    writeBody: BodyWriter,
    head: RequestHead,
    message: Buffer,
    metadata: Metadata,
    trailers: Metadata,
  ): Reply => {
    const status = httpStatusOf(metadata, rpc, head) ?? usualStatus;
    const headers = ['x-request-id', head.requestId];
    names.addHeaders(headers, metadata);
    addFieldHeaders?.(message, headers);
    if (status === 204 || status === 304) {
      names.addTrailers(headers, trailers);
      return { status, headers, body: undefined };
    }
    const isTagged =
      options.etag && status < 300 && status !== 206 && (head.method === 'GET' || head.method === 'HEAD');
    const givenTag = isTagged ? header(headers, 'etag') : undefined;
    const { bytes, contentType, tag = givenTag } = writeBody(message, head, isTagged && givenTag === undefined);
    if (tag !== undefined) {
      const known = matchingTag(head.headers, tag);
      if (givenTag === undefined) headers.push('etag', known ?? tag);
      if (known !== undefined) {
        names.addTrailers(headers, trailers);
        return { status: 304, headers, body: undefined };
      }
    }
    const sentTrailers = names.splitTrailers(head, trailers, headers);
    headers.push('content-type', contentType);
    if (sentTrailers.length === 0) headers.push('content-length', String(bytes.length));
    return {
      status,
      headers,
      body: bytes,
      trailers: sentTrailers,
      ownEtag: tag !== undefined && givenTag === undefined,
    };
  };

  const rawBody = httpBodyWriter(binding, rpc);
  if (rawBody !== undefined) return rawAnswers(answerWith(rawBody));
  const formats = compileFormats(binding, context);
  const enveloped = options.envelope === 'photon';
  const out = buffers.json;
  const formatted =
    (format: AnswerFormat): BodyWriter =>
    (message, head, wantsTag) => {
      const { contentType, isJson, pretty } = format;
      let tag: string | undefined;
      out.reset();
      const write = (): void => {
        const start = out.pos;
        format.write(message, out);
        // The envelope tells the time: the tag is that of what is in it.
        if (wantsTag) tag = entityTag(out.buf.subarray(start, out.pos), pretty ? `${contentType} pretty` : contentType);
      };
      if (enveloped && isJson) writeEnvelope(out, head.requestId, write);
      else write();
      return { bytes: finishJson(out.take(), pretty), contentType, tag };
    };
  const writers = new WeakMap<AnswerFormat, AnswerWriter>();
  return {
    open(head, system, violations) {
      const format = formats.choose(head.headers, system, violations);
      let writer = writers.get(format);
      if (writer === undefined) {
        writer = answerWith(formatted(format));
        writers.set(format, writer);
      }
      return writer;
    },
  };
}

/** The body of a route that answers with a google.api.HttpBody: bytes as they are. Undefined for all other routes. */
function httpBodyWriter({ method, responseBody }: Binding, rpc: string): BodyWriter | undefined {
  const field = responseBody?.[responseBody.length - 1];
  const isRaw = field === undefined ? isHttpBody(method.output) : !field.repeated && isHttpBody(field.message);
  if (!isRaw) return undefined;
  const steps = responseBody ?? [];
  return (message, _head, wantsTag) => {
    const { contentType, data } = readHttpBody(steps.reduce(submessage, message));
    if (!isHeaderValue(contentType)) throw badContentType(rpc, contentType);
    const type = contentType.trim() === '' ? DEFAULT_CONTENT_TYPE : contentType;
    return { bytes: data, contentType: type, tag: wantsTag ? entityTag(data, type) : undefined };
  };
}

function badContentType(rpc: string, contentType: string): StatusError {
  return new StatusError(
    Code.INTERNAL,
    `the content_type that ${rpc} gave, ${quote(contentType.slice(0, 100))}, cannot be sent as a header`,
  );
}

function rawAnswers(write: AnswerWriter): ResponseCompiler {
  return {
    open(_head, { fields }, violations) {
      if (fields !== undefined) {
        violations.push({
          field: '$fields',
          description: 'the answer of this route is raw bytes, which have no fields',
        });
      }
      return write;
    },
  };
}

/** The service's own choice of a success status: `x-http-code` in its headers, where it makes sense. */
export function httpStatusOf(metadata: Metadata, rpc: string, { requestId }: RequestHead): number | undefined {
  const text = metadataText(metadata, 'x-http-code');
  if (text === undefined) return undefined;
  const status = /^[23]\d\d$/.test(text) ? Number(text) : undefined;
  const needsRange = status === 206 && metadataText(metadata, 'content-range') === undefined;
  if (status !== undefined && !needsRange) return status;
  if (ignoredStatusChannel.hasSubscribers) {
    const reason = needsRange ? 'expected content-range beside 206' : 'expected 200 to 399';
    ignoredStatusChannel.publish({ rpc, requestId, found: text, reason } satisfies IgnoredStatus);
  }
  return undefined;
}
