/** Errors in a shape of the program's own. If its formatter fails, the client still gets an answer, in the usual shape. */
import { STATUS_CODES } from 'node:http';
import type { ErrorWriter, Reply, RequestHead } from '../../exchange.js';
import { header, type HeaderFields, isHeaderName, isHeaderValue, withoutFields } from '../../headers.js';
import { isBodyless, type StatusError } from '../../status.js';
import type { ErrorFrameWriter } from './error-body.js';

/** The request that an error answers. */
export interface ErrorRequest {
  readonly method: string;
  /** Undefined if the request could not be parsed. */
  readonly path: string | undefined;
  readonly headers: HeaderFields;
  readonly requestId: string;
}

/** What a program answers to an error. */
export interface ErrorAnswer {
  /** From 200 to 599. Default: the status that the error has without a formatter. */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Strings and bytes are sent as they are, other values as JSON. Default: no body. */
  readonly body?: unknown;
}

/**
 * Gives an error the shape that the program wants.
 * @param error `code` is the gRPC code, `message` is for clients; `httpStatus` is set if it does not follow from the code
 */
export type ErrorFormatter = (error: StatusError, request: ErrorRequest) => ErrorAnswer;

/** A program's own shape of errors. */
export interface CustomErrors {
  readonly format: ErrorFormatter;
  /** Called with what `format` threw, or with a TypeError if its answer cannot be sent. */
  readonly report: (cause: unknown, head: Pick<RequestHead, 'method' | 'requestId'>) => void;
}

/** Writes errors by the program's formatter; if that fails, by `usual`. */
export function customErrorWriter({ format, report }: CustomErrors, usual: ErrorWriter): ErrorWriter {
  return (error, head) => {
    const reply = usual(error, head);
    try {
      const { path, headers = [] } = head as Partial<RequestHead>;
      return replyOf(
        format(error, { method: head.method, path, headers, requestId: head.requestId }),
        reply,
        head.method,
      );
    } catch (cause) {
      report(cause, head);
      return reply;
    }
  };
}

/** @throws TypeError if the answer cannot be sent. */
function replyOf({ status, headers = {}, body }: ErrorAnswer, usual: Reply, method: string): Reply {
  const code = status ?? usual.status;
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    throw new TypeError(`errorFormat answered with the status ${String(code)}, expected 200 to 599`);
  }
  const fields = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => [name.toLowerCase(), String(value)]),
  );
  for (let index = 0; index < fields.length; index += 2) {
    if (isHeaderName(fields[index]!) && isHeaderValue(fields[index + 1]!)) continue;
    throw new TypeError(`errorFormat answered with the header ${JSON.stringify(fields.slice(index, index + 2))}`);
  }
  const { bytes, type } = bytesOf(body);
  if (header(fields, 'content-type') === undefined && type !== undefined) fields.push('content-type', type);
  const isGiven = (name: string): boolean => header(fields, name) !== undefined;
  const kept = withoutFields(usual.headers, (name) => name === 'content-type' || isGiven(name));
  const rest = withoutFields([...fields, ...kept], (name) => name === 'content-length');
  const hasBody = bytes !== undefined && !isBodyless(code);
  if (hasBody) rest.push('content-length', String(bytes.length));
  const reason = code === usual.status ? usual.reason : STATUS_CODES[code];
  return { status: code, headers: rest, reason, body: hasBody && method !== 'HEAD' ? bytes : undefined };
}

function bytesOf(body: unknown): { readonly bytes: Buffer | undefined; readonly type: string | undefined } {
  if (body === undefined || body === null) return { bytes: undefined, type: undefined };
  if (typeof body === 'string') return { bytes: Buffer.from(body), type: 'text/plain; charset=utf-8' };
  if (body instanceof Uint8Array) return { bytes: Buffer.from(body), type: 'application/octet-stream' };
  return { bytes: Buffer.from(JSON.stringify(body)), type: 'application/json' };
}

/** Errors inside streams: in the program's shape if that is JSON, else in the usual one. */
export function customFrameWriter(write: ErrorWriter, usual: ErrorFrameWriter): ErrorFrameWriter {
  return (error, head) => {
    const { body } = write(error, { method: 'GET', httpVersion: '1.1', requestId: head.requestId });
    try {
      const value = JSON.parse(String(body)) as unknown;
      const isMarked = typeof value === 'object' && value !== null && 'error' in value;
      return Buffer.from(JSON.stringify(isMarked ? value : { error: value }));
    } catch {
      return usual(error, head);
    }
  };
}
