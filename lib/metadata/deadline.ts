/**
 * The deadline of a call: the smaller of the client's `grpc-timeout` and `x-request-timeout`, within the limits of the
 * options. Times are milliseconds from now.
 */
import { header, type HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';

/** The limits of deadlines. */
export interface DeadlineOptions {
  /** Infinity: no deadline, not even the maximum. */
  readonly defaultDeadlineMs: number | undefined;
  readonly maxDeadlineMs: number | undefined;
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The time that the call may take in milliseconds; undefined: no limit.
 * @throws StatusError 400 if a header is malformed.
 */
export function deadlineOf(headers: HeaderFields, options: DeadlineOptions): number | undefined {
  const asked = smaller(grpcTimeout(headers), requestTimeout(headers)) ?? options.defaultDeadlineMs;
  // Infinity comes from the options of a method, which may exceed the maximum of the listener.
  if (asked === Infinity) return undefined;
  return smaller(asked, options.maxDeadlineMs);
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

/** `grpc-timeout`: at most eight digits and a unit. */
function grpcTimeout(headers: HeaderFields): number | undefined {
  const text = header(headers, 'grpc-timeout');
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (match === null) {
    throw StatusError.badField(
      'grpc-timeout',
      `found ${quote(text)}, expected 1 to 8 digits and a unit of H, M, S, m, u or n, such as 1500m`,
    );
  }
  // Timers have a resolution of one millisecond.
  return Math.ceil(Number(match[1]) * unitMs[match[2]!]!);
}

/** `x-request-timeout`, the readable form: `1.5s`, `200ms`. */
function requestTimeout(headers: HeaderFields): number | undefined {
  const text = header(headers, 'x-request-timeout');
  if (text === undefined) return undefined;
  const match = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s)$/.exec(text);
  if (match === null) {
    throw StatusError.badField('x-request-timeout', `found ${quote(text)}, expected a time such as 1.5s or 200ms`);
  }
  return Math.ceil(Number(match[1]) * (match[2] === 's' ? 1000 : 1));
}
