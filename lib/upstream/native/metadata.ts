/** Calls as HTTP/2 header lists (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
import type { CallRequest } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { entrySize } from '../../http2/index.js';
import { addSendable } from '../metadata.js';
import { MAX_TIMER_MS } from '../options.js';

/** Common to all calls of a channel. */
export interface CallDefaults {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** For calls whose metadata has none. */
  readonly userAgent: string;
}

/**
 * The header list of a call.
 * @throws StatusError as `addSendable`.
 */
export function requestFields(
  { path, metadata, timeoutMs, passThrough = false, authority }: CallRequest,
  { scheme, authority: usual, userAgent }: CallDefaults,
): string[] {
  const fields = [
    ':method',
    'POST',
    ':scheme',
    scheme,
    ':path',
    path,
    ':authority',
    authority ?? usual,
    'te',
    'trailers',
    'content-type',
    'application/grpc',
  ];
  const at = fields.push('user-agent', userAgent) - 1;
  if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) fields.push('grpc-timeout', timeoutText(timeoutMs));
  if (!passThrough) fields.push('grpc-accept-encoding', 'identity,deflate,gzip');
  let ownAgent = false;
  addSendable(metadata, passThrough, (name, value) => {
    if (name === 'user-agent') {
      if (!ownAgent) fields[at] = value as string;
      ownAgent = true;
    } else {
      fields.push(name, typeof value === 'string' ? value : value.toString('base64').replace(/=+$/, ''));
    }
  });
  return fields;
}

/** Updates the time-out in the header list of a call that waited. */
export function setTimeLeft(fields: string[], timeoutMs: number): void {
  const at = fields.indexOf('grpc-timeout');
  if (at > 0) fields[at + 1] = timeoutText(Math.max(1, timeoutMs));
}

/** The size of a header list by HTTP/2 (RFC 9113, section 6.5.2), and its largest header. */
export function measureFields(fields: HeaderFields): { bytes: number; largest: { name: string; bytes: number } } {
  let bytes = 0;
  let largest = { name: '', bytes: 0 };
  for (let index = 0; index < fields.length; index += 2) {
    const size = entrySize(fields[index]!, fields[index + 1]!);
    bytes += size;
    if (size > largest.bytes) largest = { name: fields[index]!, bytes: size };
  }
  return { bytes, largest };
}

/** At most eight digits and a unit; rounded up. */
function timeoutText(timeoutMs: number): string {
  const whole = Math.ceil(timeoutMs);
  return whole < 1e8 ? `${whole}m` : `${Math.ceil(timeoutMs / 1000)}S`;
}
