/**
 * Native gRPC and gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): frames are passed on unchanged in
 * both directions, for all four kinds of methods. gRPC sends the status in HTTP trailers, gRPC-Web in a last frame, and
 * gRPC-Web text encodes everything in base64.
 */
import type {
  BidiExchange,
  CallStatus,
  Metadata,
  Reply,
  RequestHead,
  RequestStream,
  ResponseStream,
  StreamEnd,
  StreamHead,
} from '../exchange.js';
import { encodeGrpcMessage, deadlineOf } from '../metadata/index.js';
import { Code, StatusError } from '../status.js';
import { encodeFlagged, encodeFrame, FrameReader, type Frame } from '../wire/index.js';
import type { Detected } from './detect.js';
import { addPassed, passedMetadata } from './fields.js';
import type { ProtocolSettings } from './options.js';
import { shownTrailers, statusOfError } from './status.js';

/** The trailer frame of gRPC-Web. */
const TRAILER_FLAG = 0x80;

const contentTypes = {
  grpc: 'application/grpc',
  'grpc-web': 'application/grpc-web',
  'grpc-web-text': 'application/grpc-web-text',
} as const;

/** The protocols that this module serves. */
export type GrpcName = keyof typeof contentTypes;

/** Opens a call. @throws StatusError if a header cannot become metadata */
export function openGrpc(name: GrpcName, head: RequestHead, options: ProtocolSettings): BidiExchange {
  return {
    kind: 'bidi',
    metadata: passedMetadata(options.names, head),
    timeoutMs: deadlineOf(head.headers, options),
    passThrough: true,
    requests: name === 'grpc-web-text' ? new TextFrames(options.maxBodyBytes) : new Frames(options.maxBodyBytes),
    response: new GrpcResponse(name, head, options),
    fail: (status, headers) => failReply(name, status, headers, head, options),
  };
}

/** An error of the proxy as a failed call. */
export function grpcError(name: GrpcName, error: StatusError, head: RequestHead, options: ProtocolSettings): Reply {
  return failReply(name, statusOfError(error), [], head, options);
}

/**
 * Checks the encoding and the HTTP version.
 * @throws StatusError UNIMPLEMENTED for another subtype, or native gRPC without HTTP/2.
 */
export function checkGrpc({ name, subtype }: Detected, head: RequestHead): void {
  if (subtype !== 'proto') {
    throw new StatusError(
      Code.UNIMPLEMENTED,
      `messages as "${subtype}" are not read here; send content-type ${contentTypes[name as GrpcName]}`,
    );
  }
  if (name === 'grpc' && head.httpVersion !== '2') {
    throw new StatusError(Code.UNIMPLEMENTED, 'gRPC needs HTTP/2; over HTTP/1.1 speak gRPC-Web, Connect or REST');
  }
}

/** Body bytes → frames, as they are. */
class Frames implements RequestStream {
  readonly contentCodings = [];
  private readonly reader: FrameReader;

  constructor(maxBodyBytes: number) {
    this.reader = new FrameReader(maxBodyBytes);
  }

  push(chunk: Buffer, send: (message: Frame) => void): void {
    for (const frame of this.reader.push(chunk)) send(frame);
  }

  finish(): void {
    if (this.reader.pending > 0) {
      throw new StatusError(Code.INTERNAL, `the request ends ${this.reader.pending} bytes into a message`);
    }
  }
}

/** The same in base64; every piece may have its own padding. */
class TextFrames implements RequestStream {
  readonly contentCodings = [];
  private readonly frames: Frames;
  private rest = '';

  constructor(maxBodyBytes: number) {
    this.frames = new Frames(maxBodyBytes);
  }

  push(chunk: Buffer, send: (message: Frame) => void): void {
    const text = this.rest + chunk.toString('latin1').replace(/[\r\n]/g, '');
    const whole = text.length - (text.length % 4);
    this.rest = text.slice(whole);
    this.decode(text.slice(0, whole), send);
  }

  finish(send: (message: Frame) => void): void {
    if (this.rest !== '') this.decode(this.rest, send);
    this.frames.finish();
  }

  private decode(text: string, send: (message: Frame) => void): void {
    for (const [piece] of text.matchAll(/[^=]+=*/g)) {
      if (!/^[A-Za-z0-9+/]+={0,2}$/.test(piece)) {
        throw new StatusError(Code.INVALID_ARGUMENT, 'the body is not base64, which gRPC-Web text is made of');
      }
      this.frames.push(Buffer.from(piece, 'base64'), send);
    }
  }
}

class GrpcResponse implements ResponseStream {
  /** The head is sent as soon as the service's headers arrive, because a client may wait for it. */
  readonly headDelayMs = 0;
  readonly keepAlive = undefined;

  constructor(
    private readonly name: GrpcName,
    private readonly request: RequestHead,
    private readonly options: ProtocolSettings,
  ) {}

  head(headers: Metadata): StreamHead {
    const fields = ['content-type', contentTypes[this.name], 'x-request-id', this.request.requestId];
    addPassed(fields, headers);
    return { status: 200, headers: fields, chunk: undefined };
  }

  message(frame: Frame): Buffer {
    return written(this.name, encodeFrame(frame.payload, frame.compressed));
  }

  end(status: CallStatus): StreamEnd {
    if (this.name === 'grpc') return { trailers: statusFields(status, this.options), isBroken: false };
    return { chunk: written(this.name, trailerFrame(status, this.options)), isBroken: false };
  }

  fail(error: StatusError): StreamEnd {
    return this.end(statusOfError(error));
  }
}

/** A call without messages: gRPC sends its status in the head, gRPC-Web in a frame. */
function failReply(
  name: GrpcName,
  status: CallStatus,
  headers: Metadata,
  { requestId }: RequestHead,
  options: ProtocolSettings,
): Reply {
  const fields = ['content-type', contentTypes[name], 'x-request-id', requestId, ...(status.httpHeaders ?? [])];
  addPassed(fields, headers);
  if (name === 'grpc') {
    return { status: 200, headers: [...fields, ...statusFields(status, options)], body: undefined };
  }
  const body = written(name, trailerFrame(status, options));
  return { status: 200, headers: [...fields, 'content-length', String(body.length)], body };
}

function statusFields(status: CallStatus, options: ProtocolSettings): string[] {
  const fields = ['grpc-status', String(status.code)];
  if (status.message !== '') fields.push('grpc-message', encodeGrpcMessage(status.message));
  addPassed(fields, shownTrailers(status, options.debugInfo));
  return fields;
}

/** The trailers as `name: value` lines in a frame. */
function trailerFrame(status: CallStatus, options: ProtocolSettings): Buffer {
  const fields = statusFields(status, options);
  let text = '';
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`;
  return encodeFlagged(Buffer.from(text, 'latin1'), TRAILER_FLAG);
}

function written(name: GrpcName, bytes: Buffer): Buffer {
  return name === 'grpc-web-text' ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes;
}
