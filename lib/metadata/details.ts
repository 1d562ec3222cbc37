/**
 * google.rpc.Status details: decoded from `grpc-status-details-bin`, created for the proxy's own validation errors, and
 * searched for those that affect the HTTP answer.
 */
import type { FieldViolation, StatusDetail } from '../status.js';
import {
  bytes,
  defineMessage,
  int64,
  list,
  type MessageType,
  optional,
  text,
  uint32,
  WireError,
} from '../wire/index.js';

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';

const Status = defineMessage({
  code: [1, uint32],
  message: [2, text],
  details: [3, list(defineMessage({ typeUrl: [1, text], value: [2, bytes] }))],
});

const BadRequest = defineMessage({
  fieldViolations: [1, list(defineMessage({ field: [1, text], description: [2, text], reason: [3, text] }))],
});

const QuotaFailure = defineMessage({
  violations: [1, list(defineMessage({ subject: [1, text], description: [2, text] }))],
});

const RetryInfo = defineMessage({
  retryDelay: [1, optional(defineMessage({ seconds: [1, int64], nanos: [2, int64] }))],
});

/** The details of a serialized google.rpc.Status; none if the bytes are malformed. */
export function parseStatusDetails(status: Buffer): StatusDetail[] {
  const details = decoded(Status, status)?.details ?? [];
  // Copies, because the bytes may be a view of a buffer that is reused.
  return details.map(({ typeUrl, value }) => ({ typeUrl, value: Buffer.from(value) }));
}

/** Field violations as a google.rpc.BadRequest. */
export function badRequestDetail(violations: readonly FieldViolation[]): StatusDetail {
  const fieldViolations = violations.map(({ reason = '', ...violation }) => ({ ...violation, reason }));
  return { typeUrl: `${TYPE_PREFIX}BadRequest`, value: BadRequest.encode({ fieldViolations }) };
}

/** Limits that a request exceeds, as a google.rpc.QuotaFailure. */
export function quotaFailureDetail(
  violations: readonly { readonly subject: string; readonly description: string }[],
): StatusDetail {
  return { typeUrl: `${TYPE_PREFIX}QuotaFailure`, value: QuotaFailure.encode({ violations: [...violations] }) };
}

/** When to try again, as a google.rpc.RetryInfo. */
export function retryInfoDetail(delayMs: number): StatusDetail {
  const milliseconds = Math.ceil(delayMs);
  const retryDelay = { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1_000_000 };
  return { typeUrl: `${TYPE_PREFIX}RetryInfo`, value: RetryInfo.encode({ retryDelay }) };
}

/** True for google.rpc.DebugInfo, which is meant for developers, not for clients. */
export function isDebugInfo(detail: StatusDetail): boolean {
  return detail.typeUrl === `${TYPE_PREFIX}DebugInfo`;
}

/** The delay of a google.rpc.RetryInfo among the details, rounded up to whole seconds; undefined if there is none. */
export function retryAfterSeconds(details: readonly StatusDetail[]): number | undefined {
  const info = details.find(({ typeUrl }) => typeUrl === `${TYPE_PREFIX}RetryInfo`);
  const delay = info && decoded(RetryInfo, info.value)?.retryDelay;
  if (delay === undefined) return undefined;
  const seconds = delay.seconds + delay.nanos / 1e9;
  return seconds < 0 ? undefined : Math.ceil(seconds);
}

/** An error as a serialized google.rpc.Status, the value of `grpc-status-details-bin`. */
export function statusBytes(code: number, message: string, details: readonly StatusDetail[]): Buffer {
  const values = details.map(({ typeUrl, value }) => ({ typeUrl, value: Buffer.from(value) }));
  return Status.encode({ code, message, details: values });
}

function decoded<M>(type: MessageType<M>, source: Uint8Array): M | undefined {
  try {
    return type.decode(source);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
