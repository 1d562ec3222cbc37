/** gRPC statuses in the form of each protocol: trailers, a trailer frame, a JSON object. */
import type { CallStatus, Metadata } from '../exchange.js';
import { isDebugInfo, metadataBytes, parseStatusDetails, badRequestDetail, statusBytes } from '../metadata/index.js';
import { codeName, type StatusDetail, type StatusError } from '../status.js';

/** An error of the proxy as the status of a call; field violations become details. */
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

/** The details of a status, without DebugInfo unless the option is on. */
function detailsOf(trailers: Metadata, debugInfo: boolean): readonly StatusDetail[] {
  const bytes = metadataBytes(trailers, 'grpc-status-details-bin');
  const details = bytes === undefined ? [] : parseStatusDetails(bytes);
  return debugInfo ? details : details.filter((detail) => !isDebugInfo(detail));
}

/** The trailers without DebugInfo in their details. */
export function shownTrailers({ code, message, trailers }: CallStatus, debugInfo: boolean): Metadata {
  const bytes = debugInfo ? undefined : metadataBytes(trailers, 'grpc-status-details-bin');
  if (bytes === undefined || !parseStatusDetails(bytes).some(isDebugInfo)) return trailers;
  const rest = trailers.filter(([name]) => name !== 'grpc-status-details-bin');
  return [...rest, ['grpc-status-details-bin', statusBytes(code, message, detailsOf(trailers, false))]];
}

/** Connect's name of a code: `NOT_FOUND` → `not_found`; one L in `canceled`. */
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
