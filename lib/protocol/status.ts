/** gRPC statuses as the three protocols write them: trailers, a trailer frame, a JSON object. */
import type { CallStatus, Metadata } from '../exchange.js';
import { isDebugInfo, metadataBytes, parseStatusDetails, badRequestDetail, statusBytes } from '../metadata/index.js';
import { codeName, type StatusDetail, type StatusError } from '../status.js';

/** A `grpc-message`: percent-encoded where it is not printable ASCII. */
export function encodeGrpcMessage(message: string): string {
  const bytes = Buffer.from(message.toWellFormed(), 'utf8');
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** An error of the proxy's own as a call's end: field violations become details. */
export function statusOfError(error: StatusError): CallStatus {
  const own = error.violations.length > 0 ? [badRequestDetail(error.violations)] : [];
  const details = [...error.details, ...own];
  const headers = error.headers.filter(([name]) => name === 'retry-after' || name === 'www-authenticate');
  const trailers: (readonly [string, string | Buffer])[] = headers.map(([name, value]) => [name, value]);
  if (details.length > 0) {
    trailers.push(['grpc-status-details-bin', statusBytes(error.code, error.message, details)]);
  }
  return { code: error.code, message: error.message, trailers };
}

/** The details that a status carries, without those meant for developers unless the option shows them. */
function detailsOf(trailers: Metadata, debugInfo: boolean): readonly StatusDetail[] {
  const bytes = metadataBytes(trailers, 'grpc-status-details-bin');
  const details = bytes === undefined ? [] : parseStatusDetails(bytes);
  return debugInfo ? details : details.filter((detail) => !isDebugInfo(detail));
}

/** The trailers with DebugInfo taken out of their details; the same list where there is none. */
export function shownTrailers({ code, message, trailers }: CallStatus, debugInfo: boolean): Metadata {
  const bytes = debugInfo ? undefined : metadataBytes(trailers, 'grpc-status-details-bin');
  if (bytes === undefined || !parseStatusDetails(bytes).some(isDebugInfo)) return trailers;
  const rest = trailers.filter(([name]) => name !== 'grpc-status-details-bin');
  return [...rest, ['grpc-status-details-bin', statusBytes(code, message, detailsOf(trailers, false))]];
}

/** Connect's word for a code: `NOT_FOUND` → `not_found`; one L in `canceled`. */
function connectCodeName(code: number): string {
  return code === 1 ? 'canceled' : codeName(code).toLowerCase();
}

/** Connect's error object (https://connectrpc.com/docs/protocol#error-end-stream). */
export function connectError({ code, message, trailers }: CallStatus, debugInfo: boolean): object {
  const details = detailsOf(trailers, debugInfo).map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
    value: Buffer.from(value).toString('base64').replace(/=+$/, ''),
  }));
  return {
    code: connectCodeName(code),
    ...(message === '' ? {} : { message: message.toWellFormed() }),
    ...(details.length === 0 ? {} : { details }),
  };
}
