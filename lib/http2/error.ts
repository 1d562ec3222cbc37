/** What goes wrong in HTTP/2 and its numbers (RFC 9113, section 7). */

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

const names: readonly string[] = Object.keys(ErrorCode);

/** `8` → `CANCEL`; a number that the RFC does not define → `error 99`. */
export function errorCodeName(code: number): string {
  return names[code] ?? `error ${code}`;
}

/** The other side broke a rule that all streams of the connection depend on. The message completes "the server …". */
export class ConnectionError extends Error {
  constructor(
    /** What our GOAWAY tells. */
    readonly code: number,
    message: string,
    /** What the server said itself, as far as it can be printed. */
    readonly said = '',
  ) {
    super(message);
    this.name = 'ConnectionError';
  }
}

/** The server has broken the protocol: the connection is closed with PROTOCOL_ERROR. */
export function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}
