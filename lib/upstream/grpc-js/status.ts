/**
 * How a call on grpc-js ended. It reports the service's own status and the troubles of the transport alike, so the latter
 * are told by their texts. Not seen, as grpc-js does not tell: a last frame that was cut short before an OK.
 */
import type { StatusObject } from '@grpc/grpc-js';
import type { CallStatus } from '../../exchange.js';
import { ErrorCode } from '../../http2/index.js';
import { Code } from '../../status.js';
import { connectReason, ended, isGrpcType, knownCode, unresolved } from '../outcome.js';
import { fromGrpcMetadata } from './metadata.js';

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

/** Reads what grpc-js reports at the end of a call. */
export function callStatus(status: StatusObject, facts: CallFacts): CallStatus {
  if (facts.cancelled) return ended.cancelled();
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

function textValue(status: StatusObject, name: string): string | undefined {
  const value = status.metadata.get(name)[0];
  return typeof value === 'string' ? value : undefined;
}

/** What grpc-js says of an answer that ends with its head and has no `grpc-status` in it. */
const noStatusInHead = 'Received HTTP status code 200';

const httpStatusText = /^Received HTTP status code (\d+)$/;

function notGrpc(status: StatusObject, target: string, contentType: string | undefined): CallStatus {
  const http = httpStatusText.exec(status.details)?.[1];
  return ended.notGrpc(target, http === undefined ? undefined : Number(http), contentType);
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
    read: ([, reason], { target, tls }) => ended.cannotConnect(target, connectReason(reason!, tls)),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^Name resolution failed/,
    read: (_, { target }) => ended.cannotConnect(target, unresolved),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Connection dropped|read E[A-Z]+|write E[A-Z]+|Write error: .*|Write failed .*)$/s,
    read: (_, { target }) => ended.broken(target),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Stream refused by server|Channel closed before call started)$/,
    read: ([text], { target }) => (text.startsWith('Stream') ? ended.refused(target) : ended.channelClosed(target)),
  },
  {
    code: Code.INTERNAL,
    pattern: /^Failed to start HTTP\/2 stream/,
    read: (_, { target }) => ended.closedBefore(target),
  },
  { code: Code.CANCELLED, pattern: /^Call cancelled$/, read: (_, { target }) => ended.reset(target, ErrorCode.CANCEL) },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Bandwidth exhausted or memory limit exceeded$/,
    read: (_, { target }) => ended.reset(target, ErrorCode.ENHANCE_YOUR_CALM),
  },
  {
    code: Code.PERMISSION_DENIED,
    pattern: /^Protocol not secure enough$/,
    read: (_, { target }) => ended.reset(target, ErrorCode.INADEQUATE_SECURITY),
  },
  {
    code: Code.INTERNAL,
    pattern: /^Received RST_STREAM with code (\d+)/,
    read: ([, code], { target }) => ended.reset(target, Number(code)),
  },
  { code: Code.UNKNOWN, pattern: /^No status information received$/, read: (_, { target }) => ended.noStatus(target) },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Received message (?:larger than max \((\d+) vs (\d+)\)|that decompresses to a size larger than (\d+))$/,
    read: ([, size, limit, inflatedLimit], { target, maxReceiveBytes }) =>
      // With another limit in it, these are the words of a service that is itself built on grpc-js.
      Number(limit ?? inflatedLimit) === maxReceiveBytes
        ? ended.tooLarge(target, maxReceiveBytes, size === undefined ? undefined : Number(size))
        : undefined,
  },
  {
    code: Code.DEADLINE_EXCEEDED,
    pattern: /^Deadline exceeded( after .*)?$/s,
    read: (_, { timeoutMs }) => (timeoutMs === undefined ? undefined : ended.deadline(timeoutMs)),
  },
];

function transportTrouble(status: StatusObject, facts: CallFacts): CallStatus | undefined {
  const found: unknown = status.code;
  // grpc-js fails without code and text where a message's compression is not the announced one.
  if (typeof found !== 'number') return ended.unknownCompression(facts.target);
  if (status.details === noStatusInHead) return ended.noStatus(facts.target);
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
