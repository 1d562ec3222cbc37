/**
 * What metadata may hold, whichever client sends it. A value that gRPC or HTTP/2 cannot carry, or that would cost the
 * connection which all other calls share, fails its own call alone.
 */
import type { Metadata } from '../exchange.js';
import { connectionHeaders, singleValuedHeaders } from '../headers.js';
import { Code, StatusError } from '../status.js';
import { quote } from '../uri.js';

/** Set by the transport itself, or forbidden in HTTP/2: never sent, whoever asks. */
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

/** Of the client's own making, unless it sends messages as they are. */
const compression = new Set(['grpc-accept-encoding', 'grpc-encoding']);

/**
 * The entries that can be sent, `add`ed in order; a name that metadata cannot carry is dropped.
 * @param passThrough as in `CallRequest`.
 * @throws StatusError INVALID_ARGUMENT for a value that it cannot carry.
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
    // Servers on Node's http2 refuse these twice in one request.
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

/** Of an answer: what belongs to the transport, and is no metadata. */
export function isTransportHeader(name: string): boolean {
  return name === 'content-type' || name === 'date';
}
