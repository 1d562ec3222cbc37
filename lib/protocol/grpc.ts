/**
 * Native gRPC and gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md): frames go through as they are,
 * both ways, for all four kinds of methods. They differ in where the status stands (HTTP trailers, or a last frame) and in
 * base64 round everything (gRPC-Web text).
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
import { deadlineOf } from '../metadata/index.js';
import { Code, StatusError } from '../status.js';
import { encodeFrame, FRAME_HEAD_BYTES, FrameReader, type Frame } from '../wire/index.js';
import type { Detected } from './detect.js';
import { addPassed, passedMetadata } from './fields.js';
import type { ProtocolSettings } from './options.js';
import { encodeGrpcMessage, shownTrailers, statusOfError } from './status.js';

/** The trailer frame of gRPC-Web. */
const TRAILER_FLAG = 0x80;

const contentTypes = {
  grpc: 'application/grpc',
  'grpc-web': 'application/grpc-web',
  'grpc-web-text': 'application/grpc-web-text',
} as const;

export type GrpcName = keyof typeof contentTypes;

/** Opens a call. @throws StatusError on headers that metadata cannot carry. */
export function openGrpc(name: GrpcName, head: RequestHead, options: ProtocolSettings): BidiExchange {
  return {
    kind: 'bidi',
    metadata: passedMetadata(options.names, head.headers, head.requestId),
    timeoutMs: deadlineOf(head.headers, options),
    passThrough: true,
    requests: name === 'grpc-web-text' ? new TextFrames(options.maxBodyBytes) : new Frames(options.maxBodyBytes),
    response: new GrpcResponse(name, head, options),
    fail: (status, headers) => failReply(name, status, headers, head, options),
  };
}

/** An error of the proxy's own, as a call that failed. */
export function grpcError(name: GrpcName, error: StatusError, head: RequestHead, options: ProtocolSettings): Reply {
  return failReply(name, statusOfError(error), [], head, options);
}

/**
 * What a client may send and be understood.
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

/** The same in base64; pieces may be padded each for itself. */
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
  /** With the headers of the call: a client may wait for them. */
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

/** A call that brought no message: its status stands in the head, in gRPC-Web in a frame. */
function failReply(
  name: GrpcName,
  status: CallStatus,
  headers: Metadata,
  { requestId }: RequestHead,
  options: ProtocolSettings,
): Reply {
  const fields = ['content-type', contentTypes[name], 'x-request-id', requestId];
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

/** `name: value` lines, lower case, in a frame of their own. */
function trailerFrame(status: CallStatus, options: ProtocolSettings): Buffer {
  const fields = statusFields(status, options);
  let text = '';
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`;
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + Buffer.byteLength(text, 'latin1'));
  frame[0] = TRAILER_FLAG;
  frame.writeUInt32BE(frame.length - FRAME_HEAD_BYTES, 1);
  frame.write(text, FRAME_HEAD_BYTES, 'latin1');
  return frame;
}

function written(name: GrpcName, bytes: Buffer): Buffer {
  return name === 'grpc-web-text' ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes;
}
