/**
 * How a call ends if the service sent no status: the same vocabulary for both clients. Each failure of the transport has a
 * plain sentence and a code that is not OK. Clients read "the service"; its address and its own words are only for operators
 * (`diagnosis`).
 */
import type { CallFailure, CallStatus } from '../exchange.js';
import type { HeaderFields } from '../headers.js';
import { ErrorCode, errorCodeName } from '../http2/index.js';
import { Code } from '../status.js';
import { quote } from '../uri.js';
import type { Overload } from './balance/hosts.js';
import { alertReason } from './tls.js';
import { sameForAll, type Reason } from './reason.js';

/** A failure that the proxy causes itself. */
export function localFailure(code: number, message: string): CallStatus {
  return { code, message, trailers: [] };
}

/** A failure of the transport, or of the service as a gRPC server. */
function upstreamFailure(
  code: number,
  target: string,
  sentence: (service: string, pick: (words: Reason) => string) => string,
  failure?: CallFailure,
): CallStatus {
  return {
    ...(failure !== undefined && { failure }),
    ...localFailure(
      code,
      sentence('the service', ({ publicText }) => publicText),
    ),
    diagnosis: sentence(target, ({ detail }) => detail),
  };
}

/**
 * gRPC's own mapping for responses without a `grpc-status`
 * (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
 */
function codeOfHttp(status: number | undefined): number {
  switch (status) {
    case 400:
      return Code.INTERNAL;
    case 401:
      return Code.UNAUTHENTICATED;
    case 403:
      return Code.PERMISSION_DENIED;
    case 404:
      return Code.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.UNAVAILABLE;
    default:
      return Code.UNKNOWN;
  }
}

function controlPlane(server: string): Reason {
  const publicText = 'the xDS control plane';
  return { publicText, detail: `${publicText} ${server}` };
}

/** Servers of a cluster that a message lists, as there may be hundreds. */
const MAX_REASONS = 5;

const LIMIT_OPTION = 'option max_upstream_header_bytes';

/** Each way to end without a status of the service, and its message. */
export const failures = {
  cancelled: (): CallStatus => localFailure(Code.CANCELLED, 'the call was cancelled'),

  deadline: (timeoutMs: number): CallStatus =>
    localFailure(Code.DEADLINE_EXCEEDED, `deadline of ${timeoutMs / 1000}s exceeded`),

  /**
   * A control plane may limit the time of calls, too.
   * @param timeoutMs 0: the call itself has no limit
   */
  xdsDeadline: (timeoutMs: number): CallStatus => {
    const route = 'limit of the xDS control plane';
    const limit = timeoutMs === 0 ? `the ${route}` : `deadline of ${timeoutMs / 1000}s or a shorter ${route}`;
    return localFailure(Code.DEADLINE_EXCEEDED, `${limit} exceeded`);
  },

  channelClosed: (target: string): CallStatus =>
    upstreamFailure(Code.UNAVAILABLE, target, (service) => `the channel to ${service} is closed`, 'local'),

  /** @param reason completes "cannot connect to TARGET: …". */
  cannotConnect: (target: string, reason: Reason): CallStatus =>
    upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) => `cannot connect to ${service}: ${pick(reason)}`,
      'unconnected',
    ),

  /** @param xdsServer the control plane that tells the addresses of the target, if there is one */
  noConnection: (target: string, connectTimeoutMs: number, xdsServer?: string): CallStatus =>
    upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) =>
        `no connection to ${service} within ${connectTimeoutMs / 1000}s` +
        (xdsServer === undefined ? '' : `; its addresses come from ${pick(controlPlane(xdsServer))}`),
      'unconnected',
    ),

  /**
   * What the control plane tells, or its silence, leads to no server.
   * @param problem in its words, or those of grpc-js; may be empty
   */
  noXdsServer: (target: string, xdsServer: string, problem: string): CallStatus =>
    upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) =>
        `${pick(controlPlane(xdsServer))} leads to no server of ${service}${pick({ publicText: '', detail: problem && `: ${problem}` })}`,
      'unconnected',
    ),

  /** @param servers all of the cluster, and why each gets no calls */
  noHealthyServer: (
    target: string,
    servers: readonly { target: string; problem?: string | undefined }[],
  ): CallStatus => {
    const reasons = servers
      .slice(0, MAX_REASONS)
      .map(({ target: name, problem }) => `${name}: ${problem ?? 'unknown'}`);
    const more = servers.length > MAX_REASONS ? '; …' : '';
    return upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) =>
        `no server of ${service} is healthy${pick({ publicText: '', detail: ` (${reasons.join('; ')}${more})` })}`,
    );
  },

  /** @param reason the limit that is reached: `1000 calls are under way (max_calls)` */
  overloaded: (target: string, { reason, headers }: Overload): CallStatus => ({
    ...upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) => `${service} is overloaded${pick({ publicText: '', detail: `: ${reason}` })}`,
      'local',
    ),
    ...(headers.length > 0 && { httpHeaders: headers }),
  }),

  closedBefore: (target: string): CallStatus =>
    upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service) => `the connection to ${service} closed before the call started`,
      'unconnected',
    ),

  /** @param reason if the service violated HTTP/2; completes "it …". */
  broken: (target: string, reason?: Reason): CallStatus =>
    upstreamFailure(
      Code.UNAVAILABLE,
      target,
      (service, pick) =>
        `the connection to ${service} broke before the call ended${reason === undefined ? '' : `: it ${pick(reason)}`}`,
      'reset',
    ),

  /** The request headers of the client. */
  requestTooLarge: (bytes: number, limit: number, largest: { name: string; bytes: number }): CallStatus => ({
    failure: 'local',
    ...localFailure(
      Code.RESOURCE_EXHAUSTED,
      `the headers of the call are ${bytes} bytes, and the service takes ${limit} at most; ` +
        `the largest is ${quote(largest.name)} of ${largest.bytes} bytes`,
    ),
    httpStatus: 431,
  }),

  refused: (target: string): CallStatus =>
    upstreamFailure(Code.UNAVAILABLE, target, (service) => `${service} refused the call`, 'refused'),

  reset: (target: string, http2Error: number): CallStatus => {
    if (http2Error === ErrorCode.NO_ERROR) return failures.noStatus(target);
    if (http2Error === ErrorCode.REFUSED_STREAM) return failures.refused(target);
    const passing = http2Error === ErrorCode.CANCEL || http2Error === ErrorCode.ENHANCE_YOUR_CALM;
    return upstreamFailure(
      passing ? Code.UNAVAILABLE : Code.INTERNAL,
      target,
      (service) => `${service} reset the call (HTTP/2 ${errorCodeName(http2Error)})`,
      'reset',
    );
  },

  noStatus: (target: string): CallStatus =>
    upstreamFailure(Code.INTERNAL, target, (service) => `${service} ended the call without a status`),

  /**
   * A `grpc-status` that is no number, which gRPC treats as UNKNOWN.
   * @param message of the service.
   */
  strangeStatus: (target: string, found: string, message: string): CallStatus => {
    const what = `grpc-status ${quote(found.slice(0, 100))} is no number`;
    const status = upstreamFailure(
      Code.UNKNOWN,
      target,
      (service) => `${service} ended the call with a status that is none: ${what}`,
    );
    return message === '' ? status : { ...status, message: `${message} (${what})` };
  },

  /**
   * @param http the status, unless it is 200, which carries no information.
   * @param httpHeaders headers of the response for the client.
   */
  notGrpc: (
    target: string,
    http: number | undefined,
    contentType: string | undefined,
    httpHeaders: HeaderFields = [],
  ): CallStatus => {
    const answer = [http && `HTTP ${http}`, contentType].filter((part) => part !== undefined).join(', ');
    return {
      ...upstreamFailure(
        codeOfHttp(http),
        target,
        (service) => `${service} did not answer as a gRPC server (${answer.slice(0, 100)})`,
        'answer',
      ),
      answeredStatus: http ?? 200,
      httpHeaders,
    };
  },

  /** @param reason completes "it …". */
  malformed: (target: string, reason: string): CallStatus =>
    upstreamFailure(Code.INTERNAL, target, (service) => `${service} did not answer as a gRPC server (it ${reason})`),

  /** The head of a response, or trailers without a status in them. */
  headersTooLarge: (target: string, limit: number): CallStatus =>
    upstreamFailure(
      Code.INTERNAL,
      target,
      (service) =>
        `the headers of the answer of ${service} are larger than the limit of ${limit} bytes (${LIMIT_OPTION})`,
    ),

  cutShort: (target: string): CallStatus =>
    upstreamFailure(Code.INTERNAL, target, (service) => `${service} ended the call in the middle of a message`),

  /** @param size if known: a compressed message is not decompressed beyond the limit. */
  tooLarge: (target: string, maxReceiveBytes: number, size: number | undefined): CallStatus => {
    const found = size === undefined ? 'a compressed message' : `a message of ${size} bytes`;
    return upstreamFailure(
      Code.INTERNAL,
      target,
      (service) =>
        `${found} from ${service} is larger than the limit of ${maxReceiveBytes} bytes (option max_receive_bytes)`,
    );
  },

  unknownCompression: (target: string): CallStatus =>
    upstreamFailure(Code.INTERNAL, target, (service) => `${service} sent a message in a compression that is not known`),

  damagedCompression: (target: string, encoding: string): CallStatus =>
    upstreamFailure(
      Code.INTERNAL,
      target,
      (service) => `${service} sent a message that is not the ${encoding} that it should be`,
    ),

  damagedFrame: (target: string): CallStatus =>
    upstreamFailure(
      Code.INTERNAL,
      target,
      (service) => `${service} sent bytes that are not a gRPC message (its first byte is neither 0 nor 1)`,
    ),
} as const;

/** An unknown failure. OK counts as one, because it did not come from the service. */
export function unknownFailure(target: string, code: number, text: string): CallStatus {
  return upstreamFailure(code === Code.OK ? Code.UNKNOWN : code, target, (service, pick) => {
    return `the call to ${service} failed${pick({ publicText: '', detail: `: ${text}` })}`;
  });
}

/** A status of the service whose header list exceeded the limit. The status is kept, with a note about the missing rest. */
export function withTruncationNote(status: CallStatus, target: string, limit: number): CallStatus {
  const { code, message } = status;
  const diagnosis = `the headers of ${target} are larger than the limit of ${limit} bytes (${LIMIT_OPTION}), and a part of them is left out`;
  if (code === Code.OK) return { ...status, diagnosis };
  const what = message === '' ? 'the service sent no message' : message;
  const note = `details are left out: its headers are larger than the limit of ${limit} bytes, ${LIMIT_OPTION}`;
  return { ...status, message: `${what} (${note})`, diagnosis };
}

const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOENT/, 'there is no such socket'],
  [/EACCES|EPERM/, 'permission denied'],
  [/ETIMEDOUT/, 'no answer in time'],
  [/EHOSTUNREACH|ENETUNREACH/, 'the host cannot be reached'],
];

/** The error text of Node's HTTP/2 client for a peer that does not speak HTTP/2. */
export const PROTOCOL_ERROR = 'Protocol error';

const closedPattern = /ECONNRESET|EPIPE|Socket closed|Failed to connect|Connection closed/;

/** The host name of a target does not resolve. */
export const unresolved = sameForAll('the host name cannot be resolved');

/** The peer answers, but not in HTTP/2 frames. */
export function notHttp2(tls: boolean): string {
  return tls ? 'it does not speak gRPC (HTTP/2)' : 'it does not speak gRPC without TLS (HTTP/2 in cleartext)';
}

/** The most likely cause if a connection is closed before the first gRPC response. */
export function closedReason(tls: boolean): string {
  return tls
    ? 'it closed the connection after the TLS handshake; it may want another client certificate (option upstream_cert)'
    : 'it closed the connection; it may want TLS (option upstream_tls)';
}

/** Why there is no connection, without time stamps and wording of libraries. */
export function connectReason(text: string, tls: boolean): Reason {
  const known = alertReason(text) ?? reasons.find(([pattern]) => pattern.test(text))?.[1];
  if (known !== undefined) return sameForAll(known);
  if (text.includes(PROTOCOL_ERROR)) return sameForAll(notHttp2(tls));
  if (closedPattern.test(text)) return sameForAll(closedReason(tls));
  return { publicText: 'the connection failed', detail: text.replace(/^Error: /, '').replace(/ \(\d{4}-[^)]*\)$/, '') };
}
