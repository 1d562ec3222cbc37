/**
 * How a call ended, in words for whoever reads the answer. grpc-js reports the service's own status and the troubles of
 * the transport alike; here the troubles get a plain sentence that names the target, and a code that is a failure whatever
 * the reset said (UNAVAILABLE or INTERNAL). The service's own status passes untouched.
 * Not seen, as grpc-js does not tell: a last frame that was cut short before an OK.
 */
import type { StatusObject } from '@grpc/grpc-js';
import type { CallStatus } from '../exchange.js';
import { Code } from '../status.js';
import { fromGrpcMetadata } from './metadata.js';
import { alertReason } from './tls.js';

/** What of a call decides how its status is read. */
export interface CallFacts {
  readonly target: string;
  readonly timeoutMs: number | undefined;
  readonly maxReceiveBytes: number;
  /** True where the connection is one of TLS. */
  readonly tls: boolean;
  /** Given up by us. */
  cancelled: boolean;
  /** The answer's content type; undefined before its headers. */
  contentType: string | undefined;
}

/** True unless the content type says that this answer is something else, such as an error page. */
export function isGrpcType(contentType: string | undefined): boolean {
  return contentType === undefined || contentType.startsWith('application/grpc');
}

/** Reads what grpc-js reports at the end of a call. */
export function callStatus(status: StatusObject, facts: CallFacts): CallStatus {
  if (facts.cancelled) return failure(Code.CANCELLED, 'the call was cancelled');
  const onlyHead = textValue(status, 'content-type');
  const contentType = facts.contentType ?? onlyHead;
  if (!isGrpcType(contentType)) return notGrpc(status, facts.target, contentType);
  const trailers = fromGrpcMetadata(status.metadata);
  const code: number = status.code;
  if (code === 0) return { code, message: status.details, trailers };
  // A status that grpc-js made up itself has no metadata; the trailers of a service may have none either.
  const mayBeTrouble =
    onlyHead === undefined ? trailers.length === 0 || contentType === undefined : status.details === noStatusInHead;
  const trouble = mayBeTrouble ? transportTrouble(status, facts) : undefined;
  return trouble ?? { code: knownCode(code), message: status.details, trailers };
}

/** A failure of the transport, or of ours. */
export function failure(code: number, message: string): CallStatus {
  return { code, message, trailers: [] };
}

function textValue(status: StatusObject, name: string): string | undefined {
  const value = status.metadata.get(name)[0];
  return typeof value === 'string' ? value : undefined;
}

/** A `grpc-status` that is not a whole number is UNKNOWN, as gRPC reads it. */
function knownCode(code: number): number {
  return Number.isInteger(code) && code > 0 ? code : Code.UNKNOWN;
}

/** What grpc-js says of an answer that ends with its head and has no `grpc-status` in it. */
const noStatusInHead = 'Received HTTP status code 200';

const httpStatusText = /^Received HTTP status code (\d+)$/;
const unavailableHttp = new Set(['429', '502', '503', '504']);

function notGrpc(status: StatusObject, target: string, contentType: string | undefined): CallStatus {
  const http = httpStatusText.exec(status.details)?.[1];
  const code = http !== undefined && unavailableHttp.has(http) ? Code.UNAVAILABLE : Code.INTERNAL;
  const answer = [http && `HTTP ${http}`, contentType].filter((part) => part !== undefined).join(', ');
  return failure(code, `${target} did not answer as a gRPC server (${answer.slice(0, 100)})`);
}

/** One kind of trouble as grpc-js words it (subchannel-call.ts, load-balancing-call.ts, resolving-call.ts of 1.14). */
interface Trouble {
  readonly code: number;
  readonly pattern: RegExp;
  readonly read: (match: RegExpExecArray, facts: CallFacts) => CallStatus | undefined;
}

const troubles: readonly Trouble[] = [
  {
    code: Code.UNAVAILABLE,
    pattern: /^No connection established\. Last error: (.*?)\.? Resolution note: /s,
    read: ([, reason], { target, tls }) =>
      failure(Code.UNAVAILABLE, `cannot connect to ${target}: ${connectReason(reason!, tls)}`),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^Name resolution failed/,
    read: (_, { target }) => failure(Code.UNAVAILABLE, `cannot connect to ${target}: the host name cannot be resolved`),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Connection dropped|read E[A-Z]+|write E[A-Z]+|Write error: .*|Write failed .*)$/s,
    read: (_, { target }) => failure(Code.UNAVAILABLE, `the connection to ${target} broke before the call ended`),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Stream refused by server|Channel closed before call started)$/,
    read: ([text], { target }) =>
      failure(
        Code.UNAVAILABLE,
        text.startsWith('Stream') ? `${target} refused the call` : `the channel to ${target} is closed`,
      ),
  },
  {
    code: Code.INTERNAL,
    pattern: /^Failed to start HTTP\/2 stream/,
    read: (_, { target }) => failure(Code.UNAVAILABLE, `the connection to ${target} closed before the call started`),
  },
  { code: Code.CANCELLED, pattern: /^Call cancelled$/, read: (_, facts) => reset(facts, Code.UNAVAILABLE, 8) },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Bandwidth exhausted or memory limit exceeded$/,
    read: (_, facts) => reset(facts, Code.UNAVAILABLE, 11),
  },
  {
    code: Code.PERMISSION_DENIED,
    pattern: /^Protocol not secure enough$/,
    read: (_, facts) => reset(facts, Code.INTERNAL, 12),
  },
  {
    code: Code.INTERNAL,
    pattern: /^Received RST_STREAM with code (\d+)/,
    read: ([, code], facts) => (code === '0' ? noStatus(facts) : reset(facts, Code.INTERNAL, Number(code))),
  },
  { code: Code.UNKNOWN, pattern: /^No status information received$/, read: (_, facts) => noStatus(facts) },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Received message (?:larger than max \((\d+) vs (\d+)\)|that decompresses to a size larger than (\d+))$/,
    read: ([, size, limit, inflatedLimit], facts) =>
      // With another limit in it, these are the words of a service that is itself built on grpc-js.
      Number(limit ?? inflatedLimit) === facts.maxReceiveBytes ? tooLarge(facts, size) : undefined,
  },
  {
    code: Code.DEADLINE_EXCEEDED,
    pattern: /^Deadline exceeded( after .*)?$/s,
    read: (_, { timeoutMs }) =>
      timeoutMs === undefined
        ? undefined
        : failure(Code.DEADLINE_EXCEEDED, `deadline of ${timeoutMs / 1000}s exceeded`),
  },
];

function transportTrouble(status: StatusObject, facts: CallFacts): CallStatus | undefined {
  const found: unknown = status.code;
  // grpc-js fails without code and text where a message's compression is not the announced one.
  if (typeof found !== 'number') {
    return failure(Code.INTERNAL, `${facts.target} sent a message in a compression that is not known`);
  }
  if (status.details === noStatusInHead) return noStatus(facts);
  if (httpStatusText.test(status.details) && facts.contentType === undefined) {
    return notGrpc(status, facts.target, textValue(status, 'content-type'));
  }
  for (const { code, pattern, read } of troubles) {
    if (code !== found) continue;
    const match = pattern.exec(status.details);
    if (match !== null) return read(match, facts);
  }
  return undefined;
}

function noStatus({ target }: CallFacts): CallStatus {
  return failure(Code.INTERNAL, `${target} ended the call without a status`);
}

function tooLarge({ target, maxReceiveBytes }: CallFacts, size: string | undefined): CallStatus {
  const found = size === undefined ? 'a compressed message' : `a message of ${size} bytes`;
  return failure(
    Code.INTERNAL,
    `${found} from ${target} is larger than the limit of ${maxReceiveBytes} bytes (option max_receive_bytes)`,
  );
}

/** Error codes of HTTP/2 (RFC 9113, section 7) by number. */
const http2Errors = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

function reset({ target }: CallFacts, code: number, http2Error: number): CallStatus {
  return failure(code, `${target} reset the call (HTTP/2 ${http2Errors[http2Error] ?? `error ${http2Error}`})`);
}

const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOENT/, 'there is no such socket'],
  [/EACCES|EPERM/, 'permission denied'],
  [/ETIMEDOUT/, 'no answer in time'],
  [/EHOSTUNREACH|ENETUNREACH/, 'the host cannot be reached'],
  [/Protocol error/, 'it does not speak gRPC without TLS (HTTP/2 in cleartext)'],
];

const closedPattern = /ECONNRESET|EPIPE|Socket closed|Failed to connect|Connection closed/;

/** A connection that stood and was closed before a word of gRPC: what it was mostly about. */
function closedReason(tls: boolean): string {
  return tls
    ? 'it closed the connection after the TLS handshake; it may want another client certificate (option upstream_cert)'
    : 'it closed the connection; it may want TLS (option upstream_tls)';
}

/** Why no connection stands, without the words of a library or a time stamp. */
function connectReason(text: string, tls: boolean): string {
  const known = alertReason(text) ?? reasons.find(([pattern]) => pattern.test(text))?.[1];
  if (known !== undefined) return known;
  return closedPattern.test(text) ? closedReason(tls) : text.replace(/^Error: /, '').replace(/ \(\d{4}-[^)]*\)$/, '');
}
