/**
 * What HTTP headers and gRPC metadata mean to each other, for every protocol that the proxy speaks: which cross, the deadline
 * of a call, the details of a status. Whole answers are written by `transcode` and `protocol`.
 */
export { deadlineOf, type DeadlineOptions } from './deadline.js';
export { badRequestDetail, isDebugInfo, parseStatusDetails, retryAfterSeconds, statusBytes } from './details.js';
export { type HeaderNameOptions, HeaderNames, metadataBytes, metadataText } from './headers.js';
