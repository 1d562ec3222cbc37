/** A failed call → the error that the client gets. */
import type { CallStatus } from '../../exchange.js';
import { headerPairs } from '../../headers.js';
import { StatusError } from '../../status.js';
import { parseStatusDetails } from '../../metadata/index.js';
import { metadataBytes } from '../../metadata/index.js';

/** @param headers sent in addition to those of the status */
export function callError(status: CallStatus, headers: readonly (readonly [string, string])[] = []): StatusError {
  const details = metadataBytes(status.trailers, 'grpc-status-details-bin');
  return new StatusError(status.code, status.message, {
    headers: [...headers, ...headerPairs(status.httpHeaders ?? [])],
    ...(status.httpStatus === undefined ? {} : { httpStatus: status.httpStatus }),
    // What no service has said is an answer of the proxy, as in Envoy.
    isOfCall: status.failure === undefined || status.failure === 'answer',
    details: details === undefined ? [] : parseStatusDetails(details),
  });
}
