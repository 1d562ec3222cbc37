/**
 * Errors as HTTP answers, in the configured shape. The one place where a StatusError becomes a status line, headers
 * and a body; used for the routes' own errors, for failed calls and for what no route answers.
 */
import { STATUS_CODES } from 'node:http';
import { indentJson, type Codec } from '../codec/index.js';
import type { ErrorWriter, Reply, RequestHead } from '../exchange.js';
import { header } from '../headers.js';
import { codeName, httpStatusOf, type StatusDetail, StatusError } from '../status.js';
import { Writer } from '../wire/index.js';
import { badRequestDetail, isDebugInfo, retryAfterSeconds } from '../metadata/index.js';
import { metaJson } from './envelope.js';
import type { ErrorFormat, TranscodeOptions } from './options.js';

/** Makes the writer of errors that stand inside a stream: one line, told apart from messages by its member `error`. */
export function createErrorFrameWriter(codec: Codec, options: TranscodeOptions): ErrorFrameWriter {
  const writeError = createErrorWriter(codec, { ...options, addWhitespace: false });
  return (error, { requestId }) => {
    const { body } = writeError(error, { method: 'GET', httpVersion: '1.1', requestId });
    // Half of the shapes have that member already.
    const isMarked = options.errorFormat === 'aip193' || options.errorFormat === 'photon';
    return isMarked ? body! : Buffer.from(`{"error":${body!.toString('utf8')}}`);
  };
}

/** Writes an error inside a stream: `{"error": …}` on one line, in the configured shape. */
export type ErrorFrameWriter = (error: StatusError, head: Pick<RequestHead, 'requestId'>) => Buffer;

/** Makes the writer of error answers for one set of options. */
export function createErrorWriter(codec: Codec, options: TranscodeOptions): ErrorWriter {
  const writeDetail = detailWriter(codec);
  const { contentType, write } = shapes[options.errorFormat];
  return (error, head) => {
    const details = detailsOf(error, options);
    const status = error.httpStatus ?? options.statusMap.get(error.code) ?? httpStatusOf(error.code);
    const json = Buffer.from(
      write({ error, status, details: detailsMember(details.map(writeDetail)), requestId: head.requestId }),
    );
    const body = options.addWhitespace ? indentJson(json) : json;
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
      reason: options.reasonPhrase && head.httpVersion !== '2' ? reasonPhrase(error.message) : undefined,
      body: head.method === 'HEAD' ? undefined : body,
    } satisfies Reply;
  };
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
      // A detail that its own type cannot read must not cost the error: it is shown as it came.
      if (!(error instanceof StatusError)) throw error;
      return JSON.stringify({ '@type': typeUrl, value: bytes.toString('base64') });
    }
  };
}

/** What the shapes are made from. */
interface ErrorParts {
  readonly error: StatusError;
  /** HTTP status. */
  readonly status: number;
  /** `,"details":[…]`, or nothing where there are none. */
  readonly details: string;
  readonly requestId: string;
}

interface Shape {
  readonly contentType: string;
  readonly write: (parts: ErrorParts) => string;
}

const shapes: Readonly<Record<ErrorFormat, Shape>> = {
  /** google.rpc.Status. */
  status: {
    contentType: 'application/json',
    write: ({ error, details }) => `{"code":${error.code},"message":${jsonString(error.message)}${details}}`,
  },

  /** https://google.aip.dev/193: `code` is the HTTP status. */
  aip193: {
    contentType: 'application/json',
    write: ({ error, status, details }) =>
      `{"error":{"code":${status},"message":${jsonString(error.message)},"status":"${codeName(error.code)}"${details}}}`,
  },

  /** https://www.rfc-editor.org/rfc/rfc9457 */
  problem: {
    contentType: 'application/problem+json',
    write: ({ error, status, details }) =>
      `{"type":"about:blank","title":${jsonString(STATUS_CODES[status] ?? 'Error')},"status":${status},` +
      `"detail":${jsonString(error.message)},"code":"${codeName(error.code)}"${details}}`,
  },

  /** PhotonCloud's envelope. */
  photon: {
    contentType: 'application/json',
    write: ({ error, details, requestId }) =>
      `{"error":{"code":"${codeName(error.code)}","message":${jsonString(error.message)}${details}},` +
      `"meta":${metaJson(requestId)}}`,
  },
};

function detailsMember(details: readonly string[]): string {
  return details.length === 0 ? '' : `,"details":[${details.join(',')}]`;
}

function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** BusyBox wget shows the reason phrase and nothing else: the message, printable ASCII, at most 120 characters. */
function reasonPhrase(message: string): string | undefined {
  const text = message
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .trim()
    .slice(0, 120);
  return text === '' ? undefined : text;
}
