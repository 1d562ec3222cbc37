/**
 * Errors as HTTP answers, in the configured shape. The one place where a StatusError becomes a status line, headers and a
 * body: for bad requests, for failed calls, and for requests that no route matches.
 */
import { STATUS_CODES } from 'node:http';
import { indentJson, type Codec } from '../../codec/index.js';
import type { ErrorWriter, Reply, RequestHead } from '../../exchange.js';
import { header, reasonPhrase, withoutFields } from '../../headers.js';
import { codeText, httpStatusOf, type StatusDetail, StatusError } from '../../status.js';
import { Writer } from '../../wire/index.js';
import { badRequestDetail, encodeGrpcMessage, isDebugInfo, retryAfterSeconds } from '../../metadata/index.js';
import { TEXT_TYPE } from './accept.js';
import { templateShape } from './error-template.js';
import type { ErrorShape } from './error-shape.js';
import { metaJson } from './envelope.js';
import type { ErrorFormat, TranscodeOptions } from '../options.js';

/** Makes the writer of errors inside a stream: one line, which its member `error` distinguishes from messages. */
export function createErrorFrameWriter(codec: Codec, options: TranscodeOptions): ErrorFrameWriter {
  const errorFormat = options.errorFormat === 'text' ? 'status' : options.errorFormat;
  const writeError = createErrorWriter(codec, {
    ...options,
    errorFormat,
    convertGrpcStatus: true,
    addWhitespace: false,
  });
  const isMarked = marksErrors(options);
  return (error, head) => {
    const { body } = writeError(error, { ...head, method: 'GET', httpVersion: '1.1' });
    return isMarked ? body! : Buffer.from(`{"error":${body!.toString('utf8')}}`);
  };
}

/** True for shapes that have a member `error` already, which no message has. */
function marksErrors({ errorFormat, errorTemplate }: TranscodeOptions): boolean {
  if (errorTemplate !== undefined) return Object.hasOwn(errorTemplate, 'error');
  return errorFormat === 'aip193' || errorFormat === 'photon';
}

/** Writes an error inside a stream: `{"error": …}` on one line, in the configured shape. */
export type ErrorFrameWriter = (error: StatusError, head: Pick<RequestHead, 'requestId'>) => Buffer;

/**
 * Makes the writer of errors that come before the first message of a stream in grpc-gateway's format: `{"error": …}` and a
 * line feed, with the error's HTTP status.
 */
export function createErrorLineWriter(codec: Codec, options: TranscodeOptions): ErrorWriter {
  const writeError = createErrorWriter(codec, options);
  const writeFrame = createErrorFrameWriter(codec, options);
  return (error, head) => {
    const reply = writeError(error, head);
    const body = Buffer.concat([writeFrame(error, head), LINE_FEED]);
    const headers = withoutFields(reply.headers, (name) => name === 'content-type' || name === 'content-length');
    headers.push('content-type', 'application/json', 'content-length', String(body.length));
    return { ...reply, headers, body: head.method === 'HEAD' ? undefined : body };
  };
}

const LINE_FEED = Buffer.from('\n');

/** Makes the writer of error answers for one set of options. */
export function createErrorWriter(codec: Codec, options: TranscodeOptions): ErrorWriter {
  const writeDetail = detailWriter(codec);
  const { errorFormat, errorTemplate } = options;
  const ownShape = errorTemplate === undefined ? shapes[errorFormat] : templateShape(errorTemplate, options);
  // A converted status is always JSON.
  const callShape = errorFormat === 'text' && errorTemplate === undefined ? shapes.status : ownShape;
  const noDetails = options.wholeErrors && errorFormat === 'status' ? ',"details":[]' : '';
  return (error, head) => {
    const details = detailsOf(error, options);
    const { contentType, write } = error.isOfCall ? callShape : ownShape;
    const status = error.httpStatus ?? options.statusMap.get(error.code) ?? httpStatusOf(error.code);
    if (error.isOfCall && !options.convertGrpcStatus) return bareStatus(status, error, head);
    const printed = details.map(writeDetail);
    const text = Buffer.from(write({ error, status, printed, details: detailsMember(printed, noDetails), head }));
    const body = options.addWhitespace && contentType !== TEXT_TYPE ? indentJson(text) : text;
    const headers = [
      'content-type',
      contentType,
      'content-length',
      String(body.length),
      'x-request-id',
      head.requestId,
    ];
    for (const [name, value] of error.headers) headers.push(name, value);
    const retryAfter = retryAfterSeconds(details);
    if (retryAfter !== undefined && header(headers, 'retry-after') === undefined)
      headers.push('retry-after', String(retryAfter));
    return {
      status,
      headers,
      // BusyBox wget shows the reason phrase and nothing else of an error.
      reason: options.reasonPhrase && head.httpVersion !== '2' ? reasonPhrase(error.message) || undefined : undefined,
      body: head.method === 'HEAD' ? undefined : body,
    } satisfies Reply;
  };
}

/** A failed call by its headers alone. */
function bareStatus(status: number, error: StatusError, { requestId }: Pick<RequestHead, 'requestId'>): Reply {
  const headers = ['x-request-id', requestId, 'grpc-status', String(error.code)];
  if (error.message !== '') headers.push('grpc-message', encodeGrpcMessage(error.message));
  for (const [name, value] of error.headers) headers.push(name, value);
  return { status, headers: [...headers, 'content-length', '0'], body: Buffer.alloc(0) };
}

function detailsOf(error: StatusError, options: TranscodeOptions): readonly StatusDetail[] {
  const own = error.violations.length > 0 ? [badRequestDetail(error.violations)] : [];
  const given = options.debugInfo ? error.details : error.details.filter((detail) => !isDebugInfo(detail));
  return [...given, ...own];
}

function detailWriter(codec: Codec): (detail: StatusDetail) => string {
  const out = new Writer();
  return ({ typeUrl, value }) => {
    const bytes = Buffer.from(value);
    out.reset();
    try {
      codec.writeAny(typeUrl, bytes, out);
      return out.peek().toString('utf8');
    } catch (error) {
      // The error is more important than a detail that cannot be decoded: send that as it came.
      if (!(error instanceof StatusError)) throw error;
      return JSON.stringify({ '@type': typeUrl, value: bytes.toString('base64') });
    }
  };
}

const shapes: Readonly<Record<ErrorFormat, ErrorShape>> = {
  /** google.rpc.Status. */
  status: {
    contentType: 'application/json',
    write: ({ error, details }) => `{"code":${error.code},"message":${jsonString(error.message)}${details}}`,
  },

  /** https://google.aip.dev/193: `code` is the HTTP status. */
  aip193: {
    contentType: 'application/json',
    write: ({ error, status, details }) =>
      `{"error":{"code":${status},"message":${jsonString(error.message)},"status":"${codeText(error.code)}"${details}}}`,
  },

  /** https://www.rfc-editor.org/rfc/rfc9457 */
  problem: {
    contentType: 'application/problem+json',
    write: ({ error, status, details }) =>
      `{"type":"about:blank","title":${jsonString(STATUS_CODES[status] ?? 'Error')},"status":${status},` +
      `"detail":${jsonString(error.message)},"code":"${codeText(error.code)}"${details}}`,
  },

  text: { contentType: TEXT_TYPE, write: ({ error }) => error.message },

  /** PhotonCloud's envelope. */
  photon: {
    contentType: 'application/json',
    write: ({ error, details, head: { requestId } }) =>
      `{"error":{"code":"${codeText(error.code)}","message":${jsonString(error.message)}${details}},` +
      `"meta":${metaJson(requestId)}}`,
  },
};

function detailsMember(details: readonly string[], none: string): string {
  return details.length === 0 ? none : `,"details":[${details.join(',')}]`;
}

function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed());
}
