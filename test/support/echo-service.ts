/**
 * A real gRPC server (grpc-js) for any schema: each method answers with the bytes that it got, or with what the test
 * says. A client stream is answered with all its messages behind each other, which is their merge. Calls are kept for the
 * test to look at.
 */
import type { EventEmitter } from 'node:events';
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import type { MethodDescriptor, Schema } from '../../lib/schema/index.js';

/** What the service saw of one call. */
export interface SeenCall {
  readonly path: string;
  readonly metadata: Metadata;
  /** The request; of a client stream the first message, once it is there. */
  message: Buffer;
  /** All messages so far. */
  readonly messages: Buffer[];
  /** True once the client has half-closed. */
  halfClosed: boolean;
  /** True once the call was given up. */
  cancelled: boolean;
  readonly deadline: Date | number;
  /** The address of the client: one for each connection. */
  readonly peer: string;
}

/** A streaming call for a test to drive: events and methods are those of grpc-js. */
export type StreamCall = ServerDuplexStream<Buffer, Buffer>;

/** What it answers. Default: the request's bytes. */
export interface Answer {
  readonly message?: Buffer;
  readonly code?: number;
  readonly details?: string;
  /** Set as they are; Buffers for `-bin`. */
  readonly headers?: Readonly<Record<string, string | Buffer>>;
  readonly trailers?: Readonly<Record<string, string | Buffer>>;
  /** Milliseconds to wait first. */
  readonly delayMs?: number;
  /** What a unary call waits for. */
  readonly after?: Promise<void>;
  /** Of a server stream; default: the request alone. */
  readonly messages?: readonly Buffer[];
  /** Takes over the answer of a server stream or a bidi call. */
  readonly drive?: (call: StreamCall, seen: SeenCall) => void;
  /** Takes over the reading of a client stream or a bidi call too. */
  readonly reads?: boolean;
}

export interface EchoService {
  readonly target: string;
  readonly calls: SeenCall[];
  /** What the next calls are answered with. */
  answer: (call: SeenCall) => Answer;
  /** Calls that their client gave up. */
  cancelled: number;
  close(): void;
}

const same = (bytes: Buffer): Buffer => bytes;

export async function startEchoService(
  schema: Schema,
  credentials = ServerCredentials.createInsecure(),
  port = 0,
): Promise<EchoService> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const service: EchoService = {
    target: '',
    calls: [],
    answer: () => ({}),
    cancelled: 0,
    close: () => server.forceShutdown(),
  };
  for (const { methods } of schema.services) {
    server.addService(
      Object.fromEntries(methods.map((method) => [method.name, definition(method)])) as never,
      Object.fromEntries(methods.map((method) => [method.name, handlerOf(method, service)])),
    );
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  return Object.assign(service, { target: `127.0.0.1:${bound}` });
}

function definition({ path, clientStreaming, serverStreaming }: MethodDescriptor): object {
  return {
    path,
    requestStream: clientStreaming,
    responseStream: serverStreaming,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function handlerOf(method: MethodDescriptor, service: EchoService): never {
  const { clientStreaming, serverStreaming } = method;
  if (!clientStreaming && !serverStreaming) return unary(method, service) as never;
  if (!clientStreaming) return serverStream(method, service) as never;
  return (serverStreaming ? bidi(method, service) : clientStream(method, service)) as never;
}

function watch(
  { path }: MethodDescriptor,
  service: EchoService,
  call: EventEmitter & Pick<ServerUnaryCall<Buffer, Buffer>, 'metadata' | 'getDeadline' | 'getPeer'>,
  message?: Buffer,
): SeenCall {
  const seen: SeenCall = {
    path,
    metadata: call.metadata,
    message: message ?? Buffer.alloc(0),
    messages: message === undefined ? [] : [message],
    halfClosed: message !== undefined,
    cancelled: false,
    deadline: call.getDeadline(),
    peer: call.getPeer(),
  };
  service.calls.push(seen);
  call.on('cancelled', () => {
    seen.cancelled = true;
    service.cancelled++;
  });
  return seen;
}

function serverStream(method: MethodDescriptor, service: EchoService) {
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    const seen = watch(method, service, call, call.request);
    const answer = service.answer(seen);
    const respond = (): void => {
      begin(call, answer);
      if (answer.drive !== undefined) return answer.drive(call as unknown as StreamCall, seen);
      for (const message of answer.messages ?? [answer.message ?? call.request]) call.write(message);
      finish(call, answer);
    };
    if (answer.delayMs === undefined) respond();
    else setTimeout(respond, answer.delayMs);
  };
}

function bidi(method: MethodDescriptor, service: EchoService) {
  return (call: StreamCall): void => {
    const seen = watch(method, service, call);
    const answer = service.answer(seen);
    begin(call, answer);
    if (answer.reads !== true)
      read(call, seen, answer.drive === undefined ? (message) => call.write(message) : undefined);
    if (answer.drive !== undefined) answer.drive(call, seen);
    else call.on('end', () => finish(call, answer));
  };
}

function clientStream(method: MethodDescriptor, service: EchoService) {
  return (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const seen = watch(method, service, call);
    const answer = service.answer(seen);
    if (answer.reads !== true) read(call, seen);
    if (answer.drive !== undefined) answer.drive(call as unknown as StreamCall, seen);
    const respond = (): void => {
      if (answer.headers !== undefined) call.sendMetadata(metadataOf(answer.headers));
      const trailers = metadataOf(answer.trailers ?? {});
      if (answer.code !== undefined) callback({ code: answer.code, details: answer.details ?? '', metadata: trailers });
      else callback(null, answer.message ?? Buffer.concat(seen.messages), trailers);
    };
    if (answer.delayMs === undefined) call.on('end', respond);
    else setTimeout(respond, answer.delayMs);
  };
}

function begin(call: { sendMetadata(metadata: Metadata): void }, answer: Answer): void {
  if (answer.headers !== undefined) call.sendMetadata(metadataOf(answer.headers));
}

function read(
  call: ServerReadableStream<Buffer, Buffer> | StreamCall,
  seen: SeenCall,
  onMessage?: (message: Buffer) => void,
): void {
  call.on('data', (message: Buffer) => {
    if (seen.messages.length === 0) seen.message = message;
    seen.messages.push(message);
    onMessage?.(message);
  });
  call.on('end', () => (seen.halfClosed = true));
  call.on('error', () => undefined);
}

/** Ends with the status of the answer. */
export function finish(call: ServerWritableStream<Buffer, Buffer> | StreamCall, answer: Answer): void {
  const trailers = metadataOf(answer.trailers ?? {});
  if (answer.code === undefined) call.end(trailers);
  else call.emit('error', { code: answer.code, details: answer.details ?? '', metadata: trailers });
}

function unary(method: MethodDescriptor, service: EchoService) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const seen = watch(method, service, call, call.request);
    const answer = service.answer(seen);
    const respond = (): void => {
      if (answer.headers !== undefined) call.sendMetadata(metadataOf(answer.headers));
      const trailers = metadataOf(answer.trailers ?? {});
      if (answer.code !== undefined) callback({ code: answer.code, details: answer.details ?? '', metadata: trailers });
      else callback(null, answer.message ?? call.request, trailers);
    };
    if (answer.after !== undefined) void answer.after.then(respond);
    else if (answer.delayMs === undefined) respond();
    else setTimeout(respond, answer.delayMs);
  };
}

function metadataOf(entries: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.add(name, value);
  return metadata;
}
