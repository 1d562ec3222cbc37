/** Calls as HTTP/2 header lists and back (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
import type { CallRequest, CallStatus, Metadata, MetadataEntry } from '../../exchange.js';
import type { HeaderFields } from '../../headers.js';
import { entrySize } from '../../http2/index.js';
import { addSendable, isTransportHeader } from '../metadata.js';
import { MAX_TIMER_MS } from '../options.js';
import { knownCode } from '../outcome.js';

/** What all calls of a channel say. */
export interface CallDefaults {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** Where the metadata has none. */
  readonly userAgent: string;
}

/**
 * The header list of a call.
 * @throws StatusError as `addSendable`.
 */
export function requestFields(
  { path, metadata, timeoutMs, passThrough = false }: CallRequest,
  { scheme, authority, userAgent }: CallDefaults,
): string[] {
  const fields = [
    ':method',
    'POST',
    ':scheme',
    scheme,
    ':path',
    path,
    ':authority',
    authority,
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

/** Says in the header list of a call that less time is left for it than when it was made. */
export function setTimeLeft(fields: string[], timeoutMs: number): void {
  const at = fields.indexOf('grpc-timeout');
  if (at > 0) fields[at + 1] = timeoutText(Math.max(1, timeoutMs));
}

/** What a server counts of a header list (RFC 9113, section 6.5.2), and its largest header. */
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

/** At most eight digits and a unit; never shorter than asked for. */
function timeoutText(timeoutMs: number): string {
  const whole = Math.ceil(timeoutMs);
  return whole < 1e8 ? `${whole}m` : `${Math.ceil(timeoutMs / 1000)}S`;
}

/** The entries of an answer's head or trailers that are metadata. */
export function metadataOf(fields: HeaderFields, passThrough: boolean): Metadata {
  const entries: MetadataEntry[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (isProtocol(name, passThrough)) continue;
    const value = fields[index + 1]!;
    if (name.endsWith('-bin')) addBinary(entries, name, value);
    else entries.push([name, value]);
  }
  return entries;
}

function isProtocol(name: string, passThrough: boolean): boolean {
  switch (name) {
    case ':status':
    case 'grpc-status':
    case 'grpc-message':
      return true;
    case 'grpc-encoding':
    case 'grpc-accept-encoding':
      return !passThrough;
    default:
      return isTransportHeader(name);
  }
}

/** Commas stand between the values of headers that somebody joined; padding is optional. */
function addBinary(entries: MetadataEntry[], name: string, value: string): void {
  for (const text of value.split(',')) entries.push([name, Buffer.from(text, 'base64')]);
}

/** The status in trailers; undefined where there is none. */
export function statusOf(fields: HeaderFields, passThrough: boolean): CallStatus | undefined {
  let code: string | undefined;
  let message = '';
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === 'grpc-status') code ??= fields[index + 1]!;
    else if (fields[index] === 'grpc-message') message = fields[index + 1]!;
  }
  if (code === undefined) return undefined;
  const trailers = metadataOf(fields, passThrough);
  return { code: code === '0' ? 0 : codeOf(code), message: decodeMessage(message), trailers };
}

function codeOf(text: string): number {
  const code = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return code === 0 ? 0 : knownCode(code);
}

/** Undoes percent-encoding; what is none stays, and bytes that were not encoded are UTF-8 too. */
function decodeMessage(text: string): string {
  if (!/[%\x80-\xff]/.test(text)) return text;
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
