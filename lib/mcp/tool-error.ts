/** A failed call as an agent reads it: the code, the message, and which arguments are wrong. */
import type { Codec } from '../codec/index.js';
import type { CallStatus } from '../exchange.js';
import { badRequestDetail, isDebugInfo, metadataBytes, parseStatusDetails } from '../metadata/index.js';
import { codeText, type FieldViolation, type StatusDetail, StatusError } from '../status.js';
import { Writer } from '../wire/index.js';

/** What a tool says of its failure. */
export interface ToolError {
  /** `NOT_FOUND: there is no book 9`, a line for each bad argument, and the details of the service as JSON. */
  readonly text: string;
  /** `{"code":5,"status":"NOT_FOUND","message":…,"details":[…]}` */
  readonly status: string;
}

/** What decides how errors are written. */
export interface ErrorSettings {
  readonly codec: Codec;
  readonly debugInfo: boolean;
}

/** The status of a call that failed. */
export function errorOfCall({ code, message, trailers }: CallStatus, settings: ErrorSettings): ToolError {
  const bytes = metadataBytes(trailers, 'grpc-status-details-bin');
  return toolError({ code, message, details: bytes === undefined ? [] : parseStatusDetails(bytes) }, settings);
}

/** An error of the proxy itself. */
export function errorOf(error: StatusError, settings: ErrorSettings): ToolError {
  return toolError(error, settings);
}

/** What is known of a failure. */
interface Failure {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly StatusDetail[];
  readonly violations?: readonly FieldViolation[];
}

function toolError({ code, message, details = [], violations = [] }: Failure, settings: ErrorSettings): ToolError {
  const shown = details
    .filter((detail) => settings.debugInfo || !isDebugInfo(detail))
    .map((detail) => detailJson(detail, settings.codec));
  const own = violations.length === 0 ? [] : [detailJson(badRequestDetail(violations), settings.codec)];
  const lines = violations.map(({ field, description }) => `- ${field === '' ? '' : `${field}: `}${description}`);
  const { text, status } = plainError(code, message);
  const all = [...shown, ...own];
  return {
    text: [text, ...lines, ...shown].join('\n'),
    status: all.length === 0 ? status : `${status.slice(0, -1)},"details":[${all.join(',')}]}`,
  };
}

/** An error without details. */
export function plainError(code: number, message: string): ToolError {
  const text = message.toWellFormed();
  return {
    text: `${codeText(code)}: ${text}`,
    status: `{"code":${code},"status":"${codeText(code)}","message":${JSON.stringify(text)}}`,
  };
}

function detailJson({ typeUrl, value }: StatusDetail, codec: Codec): string {
  const out = new Writer();
  const bytes = Buffer.from(value);
  try {
    codec.writeAny(typeUrl, bytes, out);
    return out.take().toString('utf8');
  } catch (error) {
    // The error is more important than a detail that cannot be decoded: it goes as it came.
    if (!(error instanceof StatusError)) throw error;
    return JSON.stringify({ '@type': typeUrl, value: bytes.toString('base64') });
  }
}
