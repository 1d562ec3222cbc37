/**
 * Connect (https://connectrpc.com/docs/protocol): unary calls are a POST or, for methods without side effects, a GET; streams
 * are frames, the last of which is a JSON object. The client chooses between JSON and protobuf. Requests may be compressed
 * with gzip; answers are not compressed.
 */
import { gunzipSync } from 'node:zlib';
import type {
  BidiExchange,
  CallStatus,
  ContentCoding,
  Metadata,
  Reply,
  RequestHead,
  RequestStream,
  ResponseStream,
  StreamEnd,
  StreamHead,
  UnaryExchange,
} from '../exchange.js';
import type { Codec } from '../codec/index.js';
import { header, type HeaderFields } from '../headers.js';
import { type DeadlineOptions, deadlineOf } from '../metadata/index.js';
import type { MethodDescriptor } from '../schema/types.js';
import { Code, httpStatusOf, StatusError } from '../status.js';
import { quote } from '../uri.js';
import { encodeFlagged, encodeFrame, FrameReader, type Frame, Writer } from '../wire/index.js';
import type { ProtocolSettings } from './options.js';
import { connectError, statusOfError } from './status.js';

/** The encoding of the messages of one method. */
export interface MessageFormat {
  readonly name: 'json' | 'proto';
  read(bytes: Buffer): Buffer;
  write(message: Buffer): Buffer;
}

/** @throws StatusError if the subtype is neither json nor proto. */
export function formatOf(subtype: string, method: MethodDescriptor, codec: Codec): MessageFormat {
  if (subtype === 'proto') return { name: 'proto', read: (bytes) => bytes, write: (message) => message };
  if (subtype !== 'json') {
    throw new StatusError(Code.UNIMPLEMENTED, `messages as ${quote(subtype)} are not read here; send json or proto`);
  }
  const out = new Writer();
  return {
    name: 'json',
    read(bytes) {
      out.reset();
      // An empty body is the empty message.
      if (bytes.length > 0) codec.reader(method.input)(bytes, out);
      return out.take();
    },
    write(message) {
      out.reset();
      codec.writer(method.output)(message, out);
      return out.take();
    },
  };
}

// ---------------------------------------------------------------------------------------------------------- unary

/** Opens a POST. @throws StatusError if a header is wrong */
export function openUnaryConnect(format: MessageFormat, head: RequestHead, options: ProtocolSettings): UnaryExchange {
  const compressed = isGzip(header(head.headers, 'content-encoding'), 'content-encoding');
  return unaryExchange(format, head, options, compressed ? ['gzip'] : [], (body) => body);
}

/** Opens a GET, whose message is in the query. @throws StatusError if a parameter is missing or wrong */
export function openConnectGet(
  query: URLSearchParams,
  formatFor: (encoding: string) => MessageFormat,
  head: RequestHead,
  options: ProtocolSettings,
): UnaryExchange {
  const encoding = query.get('encoding');
  const text = query.get('message');
  if (encoding === null || text === null) {
    throw new StatusError(Code.INVALID_ARGUMENT, 'a Connect GET needs the query parameters encoding and message');
  }
  const compressed = isGzip(query.get('compression') ?? undefined, 'compression');
  const bytes = query.get('base64') === '1' ? Buffer.from(text, 'base64url') : Buffer.from(text, 'utf8');
  const message = inflated(bytes, compressed, options.maxBodyBytes);
  return unaryExchange(formatFor(encoding), head, options, [], () => message);
}

function unaryExchange(
  format: MessageFormat,
  head: RequestHead,
  options: ProtocolSettings,
  contentCodings: readonly ContentCoding[],
  bodyOf: (body: Buffer) => Buffer,
): UnaryExchange {
  return {
    metadata: connectMetadata(options, head),
    timeoutMs: connectDeadline(head.headers, options),
    maxBodyBytes: options.maxBodyBytes,
    contentCodings,
    request: (body) => format.read(bodyOf(body)),
    reply: (message, headers, trailers) => {
      const body = format.write(message);
      const fields = unaryFields(options, head, `application/${format.name}`, headers, trailers);
      fields.push('content-length', String(body.length));
      return { status: 200, headers: fields, body };
    },
    fail: (status, headers) => failUnary(status, headers, head, options),
  };
}

/** An error of the proxy's own, as a unary call that failed. */
export function connectUnaryError(error: StatusError, head: RequestHead, options: ProtocolSettings): Reply {
  const status = statusOfError(error);
  // There was no call, so `www-authenticate` and the like are headers instead of trailers.
  const headers = withoutDetails(status.trailers);
  return failUnary(
    { ...status, trailers: status.trailers.filter((entry) => !headers.includes(entry)) },
    headers,
    head,
    options,
  );
}

function failUnary(status: CallStatus, headers: Metadata, head: RequestHead, options: ProtocolSettings): Reply {
  const body = Buffer.from(JSON.stringify(connectError(status, options.debugInfo)));
  const fields = unaryFields(options, head, 'application/json', headers, withoutDetails(status.trailers));
  fields.push(...(status.httpHeaders ?? []), 'content-length', String(body.length));
  return { status: httpStatusOf(status.code), headers: fields, body };
}

/** The headers of a unary answer; trailers are headers with a prefix. */
function unaryFields(
  { names }: ProtocolSettings,
  head: RequestHead,
  contentType: string,
  headers: Metadata,
  trailers: Metadata,
): string[] {
  const fields = ['content-type', contentType, 'x-request-id', head.requestId];
  names.addHeaders(fields, headers);
  const marked: string[] = [];
  names.addHeaders(marked, trailers);
  for (let index = 0; index < marked.length; index += 2) fields.push(`trailer-${marked[index]}`, marked[index + 1]!);
  return fields;
}

// -------------------------------------------------------------------------------------------------------- streams

const END_FLAG = 0x02;

/** Opens a stream. @throws StatusError if a header is wrong */
export function openConnectStream(format: MessageFormat, head: RequestHead, options: ProtocolSettings): BidiExchange {
  const compressed = isGzip(header(head.headers, 'connect-content-encoding'), 'connect-content-encoding');
  return {
    kind: 'bidi',
    metadata: connectMetadata(options, head),
    timeoutMs: connectDeadline(head.headers, options),
    requests: new ConnectFrames(format, compressed, options.maxBodyBytes),
    response: new ConnectResponse(format, head, options),
    fail: (status, headers) => failStream(format.name, status, headers, head, options),
  };
}

/** An error of the proxy's own, as a stream that ends with it. */
export function connectStreamError(
  subtype: string,
  error: StatusError,
  head: RequestHead,
  options: ProtocolSettings,
): Reply {
  return failStream(subtype, statusOfError(error), [], head, options);
}

class ConnectFrames implements RequestStream {
  /** Single messages are compressed, not the body. */
  readonly contentCodings = [];
  private readonly reader: FrameReader;

  constructor(
    private readonly format: MessageFormat,
    private readonly compressed: boolean,
    private readonly maxBodyBytes: number,
  ) {
    this.reader = new FrameReader(maxBodyBytes);
  }

  push(chunk: Buffer, send: (message: Frame) => void): void {
    for (const frame of this.reader.push(chunk)) {
      if (frame.compressed && !this.compressed) {
        throw new StatusError(Code.INVALID_ARGUMENT, 'a compressed message came without connect-content-encoding');
      }
      const bytes = inflated(frame.payload, frame.compressed, this.maxBodyBytes);
      send({ compressed: false, payload: this.format.read(bytes) });
    }
  }

  finish(): void {
    if (this.reader.pending > 0) {
      throw new StatusError(Code.INVALID_ARGUMENT, `the request ends ${this.reader.pending} bytes into a message`);
    }
  }
}

class ConnectResponse implements ResponseStream {
  readonly headDelayMs = 0;
  readonly keepAlive = undefined;

  constructor(
    private readonly format: MessageFormat,
    private readonly request: RequestHead,
    private readonly options: ProtocolSettings,
  ) {}

  head(headers: Metadata): StreamHead {
    return {
      status: 200,
      headers: streamFields(this.options, this.format.name, this.request, headers),
      chunk: undefined,
    };
  }

  message({ payload }: Frame): Buffer {
    return encodeFrame(this.format.write(payload));
  }

  end(status: CallStatus): StreamEnd {
    return { chunk: endFrame(status, this.options), isBroken: false };
  }

  fail(error: StatusError): StreamEnd {
    return this.end(statusOfError(error));
  }
}

function streamFields({ names }: ProtocolSettings, subtype: string, head: RequestHead, headers: Metadata): string[] {
  const fields = ['content-type', `application/connect+${subtype}`, 'x-request-id', head.requestId];
  names.addHeaders(fields, headers);
  return fields;
}

/** A stream that fails has status 200; its last frame holds the error. */
function failStream(
  subtype: string,
  status: CallStatus,
  headers: Metadata,
  head: RequestHead,
  options: ProtocolSettings,
): Reply {
  const body = endFrame(status, options);
  const fields = streamFields(options, subtype, head, headers);
  fields.push(...(status.httpHeaders ?? []), 'content-length', String(body.length));
  return { status: 200, headers: fields, body };
}

/** `{"error": …, "metadata": {"name": ["value"]}}`. */
function endFrame(status: CallStatus, options: ProtocolSettings): Buffer {
  const fields: string[] = [];
  options.names.addHeaders(fields, withoutDetails(status.trailers));
  const metadata = new Map<string, string[]>();
  for (let index = 0; index < fields.length; index += 2) {
    const values = metadata.get(fields[index]!) ?? [];
    metadata.set(fields[index]!, [...values, fields[index + 1]!]);
  }
  const end = {
    ...(status.code === Code.OK ? {} : { error: connectError(status, options.debugInfo) }),
    ...(metadata.size === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
  };
  return encodeFlagged(Buffer.from(JSON.stringify(end)), END_FLAG);
}

// --------------------------------------------------------------------------------------------------------- shared

/** Headers of the protocol that are not sent to the service. */
const connectHeaders = new Set([
  'connect-protocol-version',
  'connect-timeout-ms',
  'connect-content-encoding',
  'connect-accept-encoding',
]);

function connectMetadata({ names }: ProtocolSettings, head: RequestHead): Metadata {
  return names.metadata(head).filter(([name]) => !connectHeaders.has(name));
}

/** The smaller one of `connect-timeout-ms` and the time-out headers of all routes. */
function connectDeadline(headers: HeaderFields, options: DeadlineOptions): number | undefined {
  const text = header(headers, 'connect-timeout-ms');
  if (text === undefined) return deadlineOf(headers, options);
  if (!/^\d{1,10}$/.test(text)) {
    throw StatusError.badField('connect-timeout-ms', `found ${quote(text)}, expected 1 to 10 digits`);
  }
  const others = deadlineOf(headers, { ...options, defaultDeadlineMs: undefined });
  return Math.min(Number(text), others ?? Infinity);
}

function isGzip(coding: string | undefined, name: string): boolean {
  const known = coding?.trim().toLowerCase() ?? 'identity';
  if (known === 'identity' || known === '') return false;
  if (known === 'gzip') return true;
  throw new StatusError(Code.UNIMPLEMENTED, `${name} ${quote(known)} is not read here; send gzip or identity`);
}

/** The decoded bytes; `maxBytes` limits their number. */
function inflated(bytes: Buffer, compressed: boolean, maxBytes: number): Buffer {
  if (!compressed || bytes.length === 0) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new StatusError(Code.RESOURCE_EXHAUSTED, `the message is larger than the limit of ${maxBytes} bytes`);
    }
    throw new StatusError(Code.INVALID_ARGUMENT, 'the message is not valid gzip', { cause: error });
  }
}

/** Connect sends details in the error object instead of a trailer. */
function withoutDetails(trailers: Metadata): Metadata {
  return trailers.filter(([name]) => name !== 'grpc-status-details-bin');
}
