/**
 * Checks metadata for both clients. A value that gRPC or HTTP/2 cannot carry, or that would break the shared connection,
 * fails only its own call.
 */
import type { Metadata } from '../exchange.js';
import { connectionHeaders, singleValuedHeaders } from '../headers.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';

/** Set by the transport, or forbidden in HTTP/2: never sent. */
const neverSent = new Set([
  ...connectionHeaders,
  'content-length',
  'content-type',
  'grpc-message',
  'grpc-message-type',
  'grpc-status',
  'grpc-timeout',
  'host',
]);

/** Set by the client itself, unless it passes messages through. */
const compression = new Set(['grpc-accept-encoding', 'grpc-encoding']);

/**
 * Adds the entries that can be sent, in order; entries whose name is no metadata key are dropped.
 * @param passThrough as in `CallRequest`.
 * @throws StatusError INVALID_ARGUMENT if metadata cannot carry a value.
 */
export function addSendable(
  entries: Metadata,
  passThrough: boolean,
  add: (name: string, value: string | Buffer) => void,
): void {
  let seen: Set<string> | undefined;
  for (const [name, value] of entries) {
    if (!/^[0-9a-z_.-]+$/.test(name) || neverSent.has(name) || (!passThrough && compression.has(name))) continue;
    checkValue(name, value);
    // Servers on Node's http2 refuse repetitions of these.
    if (singleValuedHeaders.has(name)) {
      if (seen?.has(name) === true) throw invalid(name, 'is given more than once, expected one value');
      (seen ??= new Set()).add(name);
    }
    add(name, value);
  }
}

function checkValue(name: string, value: string | Buffer): void {
  const binary = name.endsWith('-bin');
  if (typeof value !== 'string') {
    if (!binary) throw invalid(name, 'has bytes as its value, which only a name ending in -bin may have');
  } else if (binary) {
    throw invalid(name, 'has text as its value, expected bytes');
  } else if (!/^[ -~]*$/.test(value)) {
    throw invalid(name, `has the value ${quote(value)}, expected printable ASCII; use a name ending in -bin for more`);
  }
}

function invalid(name: string, problem: string): StatusError {
  return new StatusError(Code.INVALID_ARGUMENT, `metadata ${quote(name)} ${problem}`);
}

/** True for response headers of the transport, which are not metadata. */
export function isTransportHeader(name: string): boolean {
  return name === 'content-type' || name === 'date';
}
