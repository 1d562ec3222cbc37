/**
 * HTTP headers ↔ gRPC metadata for every protocol that the proxy speaks: which of them are forwarded, the deadline of a
 * call, the details of a status. `transcode` and `protocol` write whole answers.
 */
export { callOptions, type CallOptions } from './options.js';
export { addressTest, CallerRules, isTrustedProxy, plainAddress } from './caller.js';
export { deadlineOf, type DeadlineOptions } from './deadline.js';
export {
  badRequestDetail,
  isDebugInfo,
  parseStatusDetails,
  quotaFailureDetail,
  retryAfterSeconds,
  retryInfoDetail,
  statusBytes,
} from './details.js';
export {
  type HeaderNameOptions,
  HeaderNames,
  isDerivedByProxy,
  metadataBytes,
  metadataText,
  takesTrailers,
} from './headers.js';
export { encodeGrpcMessage } from './grpc-message.js';
