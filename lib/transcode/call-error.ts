/** How a call that failed becomes an error to answer. */
import type { CallStatus } from '../exchange.js';
import { StatusError } from '../status.js';
import { parseStatusDetails } from '../metadata/index.js';
import { metadataBytes } from '../metadata/index.js';

/** A failed call as an error, with its details. @param headers what goes out besides the error's own */
export function callError(status: CallStatus, headers: readonly (readonly [string, string])[] = []): StatusError {
  const details = metadataBytes(status.trailers, 'grpc-status-details-bin');
  return new StatusError(status.code, status.message, {
    headers,
    ...(status.httpStatus === undefined ? {} : { httpStatus: status.httpStatus }),
    details: details === undefined ? [] : parseStatusDetails(details),
  });
}
