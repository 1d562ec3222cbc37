/**
 * Response message → HTTP answer: status, headers, body in the form that was asked for, envelope, entity tag.
 */
import { header } from '../../headers.js';
import type { Metadata, Reply, RequestHead } from '../../exchange.js';
import type { Binding } from '../../rule/index.js';
import { Code, type FieldViolation, isBodyless, StatusError } from '../../status.js';
import { WireError } from '../../wire/index.js';
import { compileFormats, finishJson, type AnswerFormat } from './answer-format.js';
import { compileFieldText } from './field-headers.js';
import { answerTagField, tagOfText } from '../conditional.js';
import { compileHead } from './answer-head.js';
import type { TranscodeContext } from '../context.js';
import { writeEnvelope } from './envelope.js';
import { entityTag, isExpected, matchingTag } from './etag.js';
import { contentTypeOf, endsInHttpBody, readHttpBody } from '../http-body.js';
import { submessage } from '../submessage.js';
import { refuseFields, type SystemParameters } from '../system-parameters.js';
import { invalidAnswer } from '../../codec/index.js';

/** Writes one answer. */
export type AnswerWriter = (head: RequestHead, message: Buffer, headers: Metadata, trailers: Metadata) => Reply;

/** A finished body and its entity tag. */
interface Body {
  readonly bytes: Buffer;
  readonly contentType: string;
  /** Undefined if no tag was asked for. */
  readonly tag: string | undefined;
}

type BodyWriter = (message: Buffer, head: RequestHead, wantsTag: boolean) => Body;

/** The answers of one binding. `open` reads the head of the request and adds what is wrong with it to `violations`. */
export interface ResponseCompiler {
  open(head: RequestHead, system: SystemParameters, violations: FieldViolation[]): AnswerWriter;
}

/** Compiles the answers of one binding. */
export function compileResponse(binding: Binding, context: TranscodeContext): ResponseCompiler {
  const { options, buffers, names } = context;
  const writeHead = compileHead(binding, context);
  const fieldTag = compileFieldTag(binding, context);

  const answerWith =
    (writeBody: BodyWriter): AnswerWriter =>
    (head, message, metadata, trailers) => {
      try {
        return answer(writeBody, head, message, metadata, trailers);
      } catch (error) {
        throw error instanceof WireError ? invalidAnswer(binding.method.output.fullName, error) : error;
      }
    };
  const answer = (
    writeBody: BodyWriter,
    head: RequestHead,
    message: Buffer,
    metadata: Metadata,
    trailers: Metadata,
  ): Reply => {
    const { status, headers } = writeHead(head, metadata, message);
    if (fieldTag !== undefined && status < 300 && status !== 206) addFieldTag(headers, fieldTag(message), head.method);
    if (isBodyless(status)) {
      names.addTrailers(headers, trailers);
      return { status, headers, body: undefined };
    }
    const isTagged = (options.etag || fieldTag !== undefined) && status < 300 && status !== 206 && isSafe(head.method);
    const givenTag = isTagged ? header(headers, 'etag') : undefined;
    const {
      bytes,
      contentType,
      tag = givenTag,
    } = writeBody(message, head, isTagged && options.etag && givenTag === undefined);
    if (tag !== undefined) {
      if (!isExpected(head.headers, tag)) throw notExpected(tag);
      const known = matchingTag(head.headers, tag);
      if (givenTag === undefined) headers.push('etag', known ?? tag);
      if (known !== undefined) {
        names.addTrailers(headers, trailers);
        return { status: 304, headers, body: undefined };
      }
    }
    const sentTrailers = names.splitTrailers(head, trailers, headers);
    if (options.grpcStatusHeaders) headers.push('grpc-status', '0');
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

  const rawBody = httpBodyWriter(binding);
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
        // The envelope holds the time, so the tag is made from its content.
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

/** Writes the bytes of a google.api.HttpBody as they are; undefined for routes that answer with anything else. */
function httpBodyWriter({ method, responseBody = [] }: Binding): BodyWriter | undefined {
  if (!endsInHttpBody(method.output, responseBody)) return undefined;
  return (message, _head, wantsTag) => {
    const body = readHttpBody(responseBody.reduce(submessage, message));
    const contentType = contentTypeOf(body, method.fullName);
    return { bytes: body.data, contentType, tag: wantsTag ? entityTag(body.data, contentType) : undefined };
  };
}

/** Reads the entity tag of an answer out of its field `etag`; undefined if that is not asked for, or if there is no such field. */
function compileFieldTag(
  binding: Binding,
  { codec, buffers, options }: TranscodeContext,
): ((message: Buffer) => string | undefined) | undefined {
  const { conditionalRequests: form } = options;
  const path = form === 'off' ? undefined : answerTagField(binding);
  if (form === 'off' || path === undefined) return undefined;
  const textOf = compileFieldText(path, codec, buffers.scratch);
  return (message) => tagOfText(textOf(message), form);
}

/** What is deleted has no tag any more, and one that the service set itself stays. */
function addFieldTag(headers: string[], tag: string | undefined, method: string): void {
  if (tag !== undefined && method !== 'DELETE' && header(headers, 'etag') === undefined) headers.push('etag', tag);
}

/** Only safe methods have entity tags made of their body: for others, If-Match would be checked after the service has acted. */
function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'QUERY';
}

function notExpected(tag: string): StatusError {
  return new StatusError(
    Code.FAILED_PRECONDITION,
    `the answer has the entity tag ${tag}, and If-Match does not name it; read it anew`,
    { httpStatus: 412, headers: [['etag', tag]] },
  );
}

function rawAnswers(write: AnswerWriter): ResponseCompiler {
  return {
    open(_head, system, violations) {
      refuseFields(system, violations);
      return write;
    },
  };
}
