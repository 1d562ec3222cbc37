/**
 * A real gRPC server (grpc-js) for any schema: each unary method answers with the bytes that it got, or with what the
 * test says. Calls are kept for the test to look at.
 */
import { Metadata, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type { MethodDescriptor, Schema } from '../../lib/schema/index.js';

/** What the service saw of one call. */
export interface SeenCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly message: Buffer;
  readonly deadline: Date | number;
}

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
    const unary = methods.filter((method) => !method.clientStreaming && !method.serverStreaming);
    server.addService(
      Object.fromEntries(unary.map((method) => [method.name, definition(method)])) as never,
      Object.fromEntries(unary.map((method) => [method.name, handler(method, service)])),
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return Object.assign(service, { target: `127.0.0.1:${port}` });
}

function definition({ path }: MethodDescriptor): object {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function handler({ path }: MethodDescriptor, service: EchoService) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const seen = { path, metadata: call.metadata, message: call.request, deadline: call.getDeadline() };
    service.calls.push(seen);
    call.on('cancelled', () => service.cancelled++);
    const answer = service.answer(seen);
    const respond = (): void => {
      if (answer.headers !== undefined) call.sendMetadata(metadataOf(answer.headers));
      const trailers = metadataOf(answer.trailers ?? {});
      if (answer.code !== undefined) callback({ code: answer.code, details: answer.details ?? '', metadata: trailers });
      else callback(null, answer.message ?? call.request, trailers);
    };
    if (answer.delayMs === undefined) respond();
    else setTimeout(respond, answer.delayMs);
  };
}

function metadataOf(entries: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.add(name, value);
  return metadata;
}
