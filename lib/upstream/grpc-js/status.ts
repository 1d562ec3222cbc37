/**
 * How a call on grpc-js ended if the service sent no status: failures of the transport, recognised by grpc-js's texts. One
 * case cannot be recognised: a truncated last frame before an OK.
 */
import type { StatusObject } from '@grpc/grpc-js';
import type { CallStatus } from '../../exchange.js';
import { ErrorCode } from '../../http2/index.js';
import { Code } from '../../status.js';
import type { AnswerFacts } from '../answer.js';
import { connectReason, failures, unknownFailure, unresolved } from '../outcome.js';
import type { Reason } from '../reason.js';

/** Properties of a call that decide how its failure is read. */
export interface CallFacts extends AnswerFacts {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly timeoutMs: number | undefined;
  readonly maxReceiveBytes: number;
  /** True if the connection uses TLS. */
  readonly tls: boolean;
  /** The control plane that tells the addresses of the target, if there is one. */
  readonly xdsServer: string | undefined;
  /** Why the last TLS handshake failed. */
  readonly tlsProblem: () => Reason | undefined;
}

/** A kind of failure in the wording of grpc-js (subchannel-call.ts, load-balancing-call.ts, resolving-call.ts of 1.14). */
interface FailurePattern {
  readonly code: number;
  readonly pattern: RegExp;
  readonly read: (match: RegExpExecArray, facts: CallFacts) => CallStatus;
}

/** The call was never sent: the connection takes none any more. Node tells it by an exception, since version 26 by a reset. */
const UNUSABLE_CONNECTION =
  /^(?:Failed to start HTTP\/2 stream|Received RST_STREAM with code \d+ triggered by internal client error: (?:New streams cannot be created after receiving a GOAWAY|The session has been destroyed)$)/;

const failurePatterns: readonly FailurePattern[] = [
  {
    code: Code.UNAVAILABLE,
    // After the names of balancing policies; round robin repeats it around that of its servers.
    pattern: /^(?:.*: )?No connection established\. Last error: (.*?)\.? Resolution note: (.*)$/s,
    read: ([, reason, note], facts) =>
      reason === 'null' && facts.xdsServer !== undefined
        ? failures.noXdsServer(facts.target, facts.xdsServer, note!)
        : failures.cannotConnect(facts.target, reasonOf(reason!, facts)),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^Name resolution failed/,
    read: (_, { target }) => failures.cannotConnect(target, unresolved),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Connection dropped|read E[A-Z]+|write E[A-Z]+|Write error: .*|Write failed .*)$/s,
    read: (_, { target }) => failures.broken(target),
  },
  {
    code: Code.UNAVAILABLE,
    pattern: /^(Stream refused by server|Channel closed before call started)$/,
    read: ([text], { target }) =>
      text.startsWith('Stream') ? failures.refused(target) : failures.channelClosed(target),
  },
  {
    code: Code.INTERNAL,
    pattern: UNUSABLE_CONNECTION,
    read: (_, { target }) => failures.closedBefore(target),
  },
  {
    code: Code.CANCELLED,
    pattern: /^Call cancelled$/,
    read: (_, { target }) => failures.reset(target, ErrorCode.CANCEL),
  },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Bandwidth exhausted or memory limit exceeded$/,
    read: (_, { target }) => failures.reset(target, ErrorCode.ENHANCE_YOUR_CALM),
  },
  {
    code: Code.PERMISSION_DENIED,
    pattern: /^Protocol not secure enough$/,
    read: (_, { target }) => failures.reset(target, ErrorCode.INADEQUATE_SECURITY),
  },
  {
    code: Code.INTERNAL,
    pattern: /^Received RST_STREAM with code (\d+)/,
    read: ([, code], { target }) => failures.reset(target, Number(code)),
  },
  {
    code: Code.UNKNOWN,
    pattern: /^No status information received$/,
    read: (_, { target }) => failures.noStatus(target),
  },
  {
    code: Code.RESOURCE_EXHAUSTED,
    pattern: /^Received message (?:larger than max \((\d+) vs \d+\)|that decompresses to a size larger than \d+)$/,
    read: ([, size], { target, maxReceiveBytes }) =>
      failures.tooLarge(target, maxReceiveBytes, size === undefined ? undefined : Number(size)),
  },
  {
    code: Code.DEADLINE_EXCEEDED,
    pattern: /^Deadline exceeded( after .*)?$/s,
    read: (_, { timeoutMs = 0, xdsServer }) =>
      xdsServer === undefined ? failures.deadline(timeoutMs) : failures.xdsDeadline(timeoutMs),
  },
];

/** What the control plane tells leads to no server, in the wording of grpc-js-xds. */
const noServerPattern =
  /^(Cluster|Listener|RouteConfiguration|LB policy|xDS|Failed to route call|priority policy|weighted_target|round_robin|pick_first|ring_hash|weighted_round_robin)\b/;

function reasonOf(text: string, { tls, tlsProblem }: CallFacts): Reason {
  const problem = tlsProblem();
  return problem !== undefined && text.includes(problem.detail) ? problem : connectReason(text, tls);
}

/** True if the connection of a call took it no more. */
export function isUnusable({ details }: StatusObject): boolean {
  return UNUSABLE_CONNECTION.test(details);
}

/** Reads a status that grpc-js created itself. */
export function failureOf({ code, details }: StatusObject, facts: CallFacts): CallStatus {
  const found: unknown = code;
  // grpc-js fails without code and text if the compression of a message differs from the announced one.
  if (typeof found !== 'number') return failures.unknownCompression(facts.target);
  for (const trouble of failurePatterns) {
    const match = trouble.code === found ? trouble.pattern.exec(details) : null;
    if (match !== null) return trouble.read(match, facts);
  }
  const { target, xdsServer } = facts;
  if (xdsServer !== undefined && found === Code.UNAVAILABLE && noServerPattern.test(details)) {
    return failures.noXdsServer(target, xdsServer, details);
  }
  return unknownFailure(target, found, details);
}
