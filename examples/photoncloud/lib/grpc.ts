/**
 * The gRPC server of a reference service, on grpc-js: decodes a request, calls the handler, encodes what it answers, and
 * turns what it throws into a status. A `ServiceError` reaches the caller as it is; anything else is logged and reaches
 * the caller as "internal error". Health and reflection are served beside the service. There is no TLS: the proxy stands in front.
 */
import { setImmediate } from 'node:timers/promises';
import {
  Metadata,
  Server,
  ServerCredentials,
  status as Status,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { ServiceError } from './errors.js';
import { Health } from './health.js';
import { reflectionServices } from './reflection.js';
import type { MethodSchema } from './schema.js';
import type {
  BidiHandler,
  Call,
  Handler,
  Log,
  ReplyStream,
  RunningService,
  ServiceImplementation,
  StreamHandler,
  UnaryHandler,
  UploadHandler,
} from './service.js';

/** How to serve; see `StartOptions` for the members of the same name. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly services: readonly ServiceImplementation[];
  readonly log?: Log;
}

/** How long `close` waits for calls that still run. */
const drainMs = 2000;

/** The largest request message taken; a larger one is RESOURCE_EXHAUSTED. The same is the usual limit of clients. */
export const maxMessageBytes = 4 * 1024 * 1024;

/** A watcher that has vanished without a word is noticed after this time, and 20 s more. */
const keepaliveMs = 60_000;

/** Starts a server; resolves when it listens. Throws if a handler is missing or is of no RPC, or the port is taken. */
export async function serve(options: ServeOptions): Promise<RunningService> {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.enable_channelz': 0,
  });
  const health = new Health(options.services.map((service) => service.name));
  const streams = new Set<AbortController>();
  const log = options.log ?? logToStderr;
  const served = [...options.services, health.implementation];
  for (const service of [...served, ...reflectionServices(served)]) addService(server, service, streams, log);
  const port = await bind(server, options.host, options.port);
  let closed: Promise<void> | undefined;
  return { port, close: () => (closed ??= close(server, health, streams)) };
}

/** Where faults go if nobody asked for them. */
export function logToStderr(what: string, error: unknown): void {
  console.error(what, error);
}

function addService(server: Server, service: ServiceImplementation, streams: Set<AbortController>, log: Log): void {
  const methods = service.schema.methods(service.name);
  const stray = Object.keys(service.handlers).find((name) => !methods.some((method) => method.name === name));
  if (stray !== undefined) throw new Error(`${service.name} has no RPC ${stray}`);
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const method of methods) {
    const handler = service.handlers[method.name];
    if (handler === undefined) throw new Error(`${service.name} has no handler for its RPC ${method.name}`);
    definition[method.name] = passThrough(method);
    implementation[method.name] = callHandler(method, handler, streams, log);
  }
  server.addService(definition, implementation);
}

function callHandler(
  method: MethodSchema,
  handler: Handler,
  streams: Set<AbortController>,
  log: Log,
): UntypedHandleCall {
  if (method.clientStream && method.serverStream) {
    return bidi(method, handler as BidiHandler<unknown, unknown>, streams, log);
  }
  if (method.clientStream) return upload(method, handler as UploadHandler<unknown, unknown>, streams, log);
  if (method.serverStream) return streaming(method, handler as StreamHandler<unknown, unknown>, streams, log);
  return unary(method, handler as UnaryHandler<unknown, unknown>, log);
}

/**
 * Bytes in, bytes out: the codecs run inside the handler, because grpc-js answers INTERNAL to a request that does not
 * decode, and that is the caller's mistake.
 */
function passThrough(method: MethodSchema): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: method.path,
    requestStream: method.clientStream,
    responseStream: method.serverStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function unary(
  method: MethodSchema,
  handler: UnaryHandler<unknown, unknown>,
  log: Log,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    const answer = async (): Promise<Buffer> =>
      method.reply.encode(await handler(decode(method, call.request), callOf(call, gone.signal)));
    answer().then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(statusOf(error, method, log)),
    );
  };
}

function streaming(
  method: MethodSchema,
  handler: StreamHandler<unknown, unknown>,
  streams: Set<AbortController>,
  log: Log,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    runStream(method, call, streams, log, (replies) => handler(decode(method, call.request), replies));
  };
}

function bidi(
  method: MethodSchema,
  handler: BidiHandler<unknown, unknown>,
  streams: Set<AbortController>,
  log: Log,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    runStream(method, call, streams, log, (replies) => handler(requestsOf(method, call, replies.signal), replies));
  };
}

function runStream(
  method: MethodSchema,
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  streams: Set<AbortController>,
  log: Log,
  handle: (replies: ReplyStream<unknown>) => Promise<void>,
): void {
  const stream = new AbortController();
  streams.add(stream);
  call.on('cancelled', () => stream.abort());
  const run = async (): Promise<void> => handle(replyStream(method, call, stream.signal));
  run()
    .then(() => {
      if (stream.signal.aborted) throw brokenOff();
      call.end();
    })
    // Where the caller has gone, this reaches nobody.
    .catch((error: unknown) => call.emit('error', statusOf(error, method, log)))
    .finally(() => streams.delete(stream));
}

function upload(
  method: MethodSchema,
  handler: UploadHandler<unknown, unknown>,
  streams: Set<AbortController>,
  log: Log,
): handleClientStreamingCall<Buffer, Buffer> {
  return (call, callback) => {
    const stream = new AbortController();
    streams.add(stream);
    call.on('cancelled', () => stream.abort());
    const answer = async (): Promise<Buffer> => {
      const { signal } = stream;
      return method.reply.encode(await handler(requestsOf(method, call, signal), callOf(call, signal)));
    };
    answer()
      .then(
        (reply) => callback(null, reply),
        (error: unknown) => callback(statusOf(error, method, log)),
      )
      .finally(() => streams.delete(stream));
  };
}

/** Whoever has gone does not hear it; so what is said is for those whom a closing server turns away. */
function brokenOff(): ServiceError {
  return new ServiceError(Status.UNAVAILABLE, 'the server is closing; call again');
}

/** The requests of a stream, each read when it is asked for; throws where the stream broke off. */
async function* requestsOf(
  method: MethodSchema,
  call: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
): AsyncGenerator {
  let wake: () => void = () => undefined;
  let ended = false;
  const onEnd = (): void => {
    ended = true;
    wake();
  };
  const onChange = (): void => wake();
  call.on('end', onEnd).on('readable', onChange);
  signal.addEventListener('abort', onChange);
  try {
    for (;;) {
      if (signal.aborted) throw brokenOff();
      const bytes = call.read() as Buffer | null;
      if (bytes !== null) yield decode(method, bytes);
      else if (ended) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onChange);
    call.off('end', onEnd).off('readable', onChange);
  }
  // grpc-js tells of a stream that was reset as if it had ended, and of the reset right after.
  await setImmediate();
  if (signal.aborted) throw brokenOff();
}

interface ServerCall {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
}

function callOf(call: ServerCall, signal: AbortSignal): Call {
  let sent = false;
  return {
    signal,
    header: (name) => call.metadata.get(name)[0]?.toString(),
    sendHeaders: (headers) => {
      if (sent || signal.aborted) return;
      sent = true;
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      call.sendMetadata(metadata);
    },
  };
}

function replyStream(
  method: MethodSchema,
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
): ReplyStream<unknown> {
  const base = callOf(call, signal);
  return {
    ...base,
    accept: () => base.sendHeaders({}),
    write: (reply) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const done = (): void => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        // Flow control may hold a message back for ever where the caller has gone: then the abort ends the wait.
        signal.addEventListener('abort', done);
        call.write(method.reply.encode(reply), done);
      }),
  };
}

function decode(method: MethodSchema, request: Buffer): unknown {
  try {
    return method.request.decode(request);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new ServiceError(Status.INVALID_ARGUMENT, `the request of ${method.path} does not decode: ${reason}`);
  }
}

function statusOf(
  error: unknown,
  method: MethodSchema,
  log: Log,
): { code: Status; details: string; metadata: Metadata } {
  if (error instanceof ServiceError) {
    return { code: error.code, details: error.message, metadata: error.trailers() };
  }
  log(`${method.path} failed`, error);
  return { code: Status.INTERNAL, details: 'internal error', metadata: new Metadata() };
}

/** As an address is written: an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = hostAndPort(host, port);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) return resolve(bound);
      const why = error.message.includes('EADDRINUSE')
        ? 'another program listens there; is PhotonCloud running already?'
        : error.message;
      reject(new Error(`cannot listen on ${address}: ${why}`, { cause: error }));
    });
  });
}

async function close(server: Server, health: Health, streams: ReadonlySet<AbortController>): Promise<void> {
  health.stop();
  await setImmediate(); // lets those who watch the health be told
  for (const stream of streams) stream.abort();
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, drainMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
