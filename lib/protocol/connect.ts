/**
 * Connect (https://connectrpc.com/docs/protocol): unary calls as plain POST or, of methods without side effects, as GET;
 * streams in frames that end with a JSON object. Messages are JSON or protobuf as the client chooses; gzip is read, and
 * answers are sent plain.
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
import { FRAME_HEAD_BYTES, FrameReader, type Frame, Writer } from '../wire/index.js';
import type { ProtocolSettings } from './options.js';
import { connectError, statusOfError } from './status.js';

/** How messages of one method are written. */
export interface MessageFormat {
  readonly name: 'json' | 'proto';
  read(bytes: Buffer): Buffer;
  write(message: Buffer): Buffer;
}

/** @throws StatusError for another subtype than json and proto. */
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

/** @throws StatusError on what the head has wrong. */
export function openUnaryConnect(format: MessageFormat, head: RequestHead, options: ProtocolSettings): UnaryExchange {
  const compressed = isGzip(header(head.headers, 'content-encoding'), 'content-encoding');
  return unaryExchange(format, head, options, compressed ? ['gzip'] : [], (body) => body);
}

/** A GET holds its message in the query. @throws StatusError on what is wrong there. */
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
  // There was no call that they could trail: `www-authenticate` and its like are headers.
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
  fields.push('content-length', String(body.length));
  return { status: httpStatusOf(status.code), headers: fields, body };
}

/** Trailers stand among the headers, marked by a prefix. */
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

/** @throws StatusError on what the head has wrong. */
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
  /** Messages are compressed one by one. */
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
    return envelope(0, this.format.write(payload));
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

/** Errors of streams have status 200: the end frame tells. */
function failStream(
  subtype: string,
  status: CallStatus,
  headers: Metadata,
  head: RequestHead,
  options: ProtocolSettings,
): Reply {
  const body = endFrame(status, options);
  const fields = streamFields(options, subtype, head, headers);
  return { status: 200, headers: [...fields, 'content-length', String(body.length)], body };
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
  return envelope(END_FLAG, Buffer.from(JSON.stringify(end)));
}

function envelope(flags: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame[0] = flags;
  frame.writeUInt32BE(payload.length, 1);
  payload.copy(frame, FRAME_HEAD_BYTES);
  return frame;
}

// --------------------------------------------------------------------------------------------------------- shared

/** Of Connect itself, and not for the service. */
const own = new Set([
  'connect-protocol-version',
  'connect-timeout-ms',
  'connect-content-encoding',
  'connect-accept-encoding',
]);

function connectMetadata({ names }: ProtocolSettings, { headers, requestId }: RequestHead): Metadata {
  return names.metadata(headers, requestId).filter(([name]) => !own.has(name));
}

/** `connect-timeout-ms`, beside the headers that every route takes. */
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

/** Within the limit of the decoded size. */
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

/** In Connect details stand in the error itself. */
function withoutDetails(trailers: Metadata): Metadata {
  return trailers.filter(([name]) => name !== 'grpc-status-details-bin');
}
