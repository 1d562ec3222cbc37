/**
 * How a call ended, in words for whoever reads the answer: one vocabulary for both clients. A trouble of the transport gets a
 * plain sentence that names the target, and a code that is a failure whatever the reset said (UNAVAILABLE or INTERNAL). The
 * service's own status passes untouched and is none of this module's business.
 */
import type { CallStatus } from '../exchange.js';
import { ErrorCode, errorCodeName } from '../http2/index.js';
import { Code } from '../status.js';
import { quote } from '../uri.js';
import { alertReason } from './tls.js';

/** A failure of the transport, or of ours. */
export function failure(code: number, message: string): CallStatus {
  return { code, message, trailers: [] };
}

/** True unless the content type says that this answer is something else, such as an error page. */
export function isGrpcType(contentType: string | undefined): boolean {
  return contentType === undefined || contentType.startsWith('application/grpc');
}

/** The code of a `grpc-status`: what is not a whole number is UNKNOWN, as gRPC reads it. */
export function knownCode(code: number): number {
  return Number.isInteger(code) && code > 0 ? code : Code.UNKNOWN;
}

const unavailableHttp = new Set([429, 502, 503, 504]);

/** Each way to end without a status of the service, and its sentence. */
export const ended = {
  cancelled: (): CallStatus => failure(Code.CANCELLED, 'the call was cancelled'),

  deadline: (timeoutMs: number): CallStatus =>
    failure(Code.DEADLINE_EXCEEDED, `deadline of ${timeoutMs / 1000}s exceeded`),

  channelClosed: (target: string): CallStatus => failure(Code.UNAVAILABLE, `the channel to ${target} is closed`),

  /** @param reason completes "cannot connect to TARGET: …". */
  cannotConnect: (target: string, reason: string): CallStatus =>
    failure(Code.UNAVAILABLE, `cannot connect to ${target}: ${reason}`),

  noConnection: (target: string, connectTimeoutMs: number): CallStatus =>
    failure(Code.UNAVAILABLE, `no connection to ${target} within ${connectTimeoutMs / 1000}s`),

  closedBefore: (target: string): CallStatus =>
    failure(Code.UNAVAILABLE, `the connection to ${target} closed before the call started`),

  /** @param reason where the service broke a rule of HTTP/2; completes "it …". */
  broken: (target: string, reason?: string): CallStatus =>
    failure(
      Code.UNAVAILABLE,
      `the connection to ${target} broke before the call ended${reason === undefined ? '' : `: it ${reason}`}`,
    ),

  headersTooLarge: (
    target: string,
    bytes: number,
    limit: number,
    largest: { name: string; bytes: number },
  ): CallStatus => ({
    ...failure(
      Code.RESOURCE_EXHAUSTED,
      `the headers of the call are ${bytes} bytes, and ${target} takes ${limit} at most; ` +
        `the largest is ${quote(largest.name)} of ${largest.bytes} bytes`,
    ),
    httpStatus: 431,
  }),

  refused: (target: string): CallStatus => failure(Code.UNAVAILABLE, `${target} refused the call`),

  reset: (target: string, http2Error: number): CallStatus => {
    if (http2Error === ErrorCode.NO_ERROR) return ended.noStatus(target);
    if (http2Error === ErrorCode.REFUSED_STREAM) return ended.refused(target);
    const passing = http2Error === ErrorCode.CANCEL || http2Error === ErrorCode.ENHANCE_YOUR_CALM;
    const message = `${target} reset the call (HTTP/2 ${errorCodeName(http2Error)})`;
    return failure(passing ? Code.UNAVAILABLE : Code.INTERNAL, message);
  },

  noStatus: (target: string): CallStatus => failure(Code.INTERNAL, `${target} ended the call without a status`),

  /** @param http the status where it says something, which 200 does not. */
  notGrpc: (target: string, http: number | undefined, contentType: string | undefined): CallStatus => {
    const code = http !== undefined && unavailableHttp.has(http) ? Code.UNAVAILABLE : Code.INTERNAL;
    const answer = [http && `HTTP ${http}`, contentType].filter((part) => part !== undefined).join(', ');
    return failure(code, `${target} did not answer as a gRPC server (${answer.slice(0, 100)})`);
  },

  /** @param reason completes "it …". */
  malformed: (target: string, reason: string): CallStatus =>
    failure(Code.INTERNAL, `${target} did not answer as a gRPC server (it ${reason})`),

  cutShort: (target: string): CallStatus =>
    failure(Code.INTERNAL, `${target} ended the call in the middle of a message`),

  /** @param size where it is known: a compressed message is not decoded beyond the limit. */
  tooLarge: (target: string, maxReceiveBytes: number, size: number | undefined): CallStatus => {
    const found = size === undefined ? 'a compressed message' : `a message of ${size} bytes`;
    return failure(
      Code.INTERNAL,
      `${found} from ${target} is larger than the limit of ${maxReceiveBytes} bytes (option max_receive_bytes)`,
    );
  },

  unknownCompression: (target: string): CallStatus =>
    failure(Code.INTERNAL, `${target} sent a message in a compression that is not known`),

  damagedCompression: (target: string, encoding: string): CallStatus =>
    failure(Code.INTERNAL, `${target} sent a message that is not the ${encoding} that it should be`),

  damagedFrame: (target: string): CallStatus =>
    failure(Code.INTERNAL, `${target} sent bytes that are not a gRPC message (its first byte is neither 0 nor 1)`),
} as const;

const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOENT/, 'there is no such socket'],
  [/EACCES|EPERM/, 'permission denied'],
  [/ETIMEDOUT/, 'no answer in time'],
  [/EHOSTUNREACH|ENETUNREACH/, 'the host cannot be reached'],
  [/Protocol error/, 'it does not speak gRPC without TLS (HTTP/2 in cleartext)'],
];

const closedPattern = /ECONNRESET|EPIPE|Socket closed|Failed to connect|Connection closed/;

export const unresolved = 'the host name cannot be resolved';

/** A connection that stood and was closed before a word of gRPC: what it was mostly about. */
export function closedReason(tls: boolean): string {
  return tls
    ? 'it closed the connection after the TLS handshake; it may want another client certificate (option upstream_cert)'
    : 'it closed the connection; it may want TLS (option upstream_tls)';
}

/** Why no connection stands, without the words of a library or a time stamp. */
export function connectReason(text: string, tls: boolean): string {
  const known = alertReason(text) ?? reasons.find(([pattern]) => pattern.test(text))?.[1];
  if (known !== undefined) return known;
  return closedPattern.test(text) ? closedReason(tls) : text.replace(/^Error: /, '').replace(/ \(\d{4}-[^)]*\)$/, '');
}
