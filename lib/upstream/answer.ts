/**
 * Reads the header lists of a response, for both clients: the service's metadata, and the status of the call
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Responses").
 */
import type { CallStatus, Metadata, MetadataEntry } from '../exchange.js';
import { header, type HeaderFields, isHeaderValue, withoutFields } from '../headers.js';
import { Code } from '../status.js';
import { isTransportHeader } from './metadata.js';
import { withTruncationNote, failures } from './outcome.js';

/** Kept of a list that exceeds its limit, because they determine the status of the call. */
export const essentialHeaders: ReadonlySet<string> = new Set([
  ':status',
  'content-type',
  'grpc-encoding',
  'grpc-status',
  'grpc-message',
]);

/** How much of a response body without messages is read to reach the status behind it. */
export const MAX_DISCARDED_BYTES = 64 * 1024;

/** Properties of a call that decide how its response is read. */
export interface AnswerFacts {
  readonly target: string;
  readonly maxHeaderBytes: number;
  /** As in `CallRequest`. */
  readonly passThrough: boolean;
}

/** The head of a response. */
export class AnswerHead {
  /** The HTTP status if it is not 200: the response is then no success, and its body has no messages. */
  readonly http: number | undefined;
  readonly contentType: string | undefined;

  constructor(
    status: number,
    readonly fields: HeaderFields,
    /** True if the list exceeded its limit and is incomplete. */
    readonly cut: boolean,
  ) {
    this.http = status === 200 ? undefined : status;
    this.contentType = header(fields, 'content-type');
  }

  /** False for a response that is not gRPC, such as an error page. */
  get isGrpc(): boolean {
    const { contentType } = this;
    return contentType === undefined ? this.http === undefined : /^application\/grpc/i.test(contentType);
  }
}

/** The status of a call whose response is not gRPC. */
export function notGrpc({ target }: AnswerFacts, { http, contentType, fields }: AnswerHead): CallStatus {
  // Clients only get authentication challenges and retry times; the rest is for operators.
  const forClient = withoutFields(
    fields,
    (name, value) => (name !== 'www-authenticate' && name !== 'retry-after') || !isHeaderValue(value),
  );
  return failures.notGrpc(target, http, contentType, forClient);
}

/**
 * The status of a call from the last header list of its response.
 * @param cut as in `AnswerHead`, for this list.
 */
export function endOf(facts: AnswerFacts, head: AnswerHead, fields: HeaderFields, cut: boolean): CallStatus {
  const { target, maxHeaderBytes } = facts;
  const status = statusIn(fields, facts);
  if (status === undefined) {
    if (head.http !== undefined || !head.isGrpc) return notGrpc(facts, head);
    return cut ? failures.headersTooLarge(target, maxHeaderBytes) : failures.noStatus(target);
  }
  if (status.code === Code.OK) {
    if (head.http !== undefined || !head.isGrpc) return notGrpc(facts, head);
    if (head.cut && head.fields !== fields) return failures.headersTooLarge(target, maxHeaderBytes);
  }
  return cut || head.cut ? withTruncationNote(status, target, maxHeaderBytes) : status;
}

/** The status in a list; undefined if there is none. */
function statusIn(fields: HeaderFields, { target, passThrough }: AnswerFacts): CallStatus | undefined {
  const text = header(fields, 'grpc-status');
  if (text === undefined) return undefined;
  const message = decodeMessage(header(fields, 'grpc-message') ?? '');
  const trailers = metadataOf(fields, passThrough);
  if (text === '0') return { code: 0, message, trailers };
  if (/^[1-9]\d{0,8}$/.test(text)) return { code: Number(text), message, trailers };
  return { ...failures.strangeStatus(target, text, message), trailers };
}

/** Percent-decodes a message. Malformed escapes stay unchanged, and unescaped bytes are read as UTF-8 too. */
function decodeMessage(text: string): string {
  if (!/[%\x80-\xff]/.test(text)) return text;
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The metadata in the head or trailers of a response. */
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

/** Commas separate the values of joined headers; padding is optional. */
function addBinary(entries: MetadataEntry[], name: string, value: string): void {
  for (const text of value.split(',')) entries.push([name, Buffer.from(text, 'base64')]);
}
