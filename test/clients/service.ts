/**
 * A gRPC server that knows the services of published clients from the JSON descriptors in their packages, by protobufjs alone. It
 * answers by a script and keeps what it was asked.
 */
import {
  Metadata,
  Server,
  ServerCredentials,
  status as Status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import protobuf from 'protobufjs';

/** What a service answers: one message, the messages of a stream, or a failure (with messages before it). */
export interface Reply {
  readonly messages?: readonly object[];
  readonly error?: {
    readonly code: keyof typeof Status;
    readonly message: string;
    readonly details?: readonly Detail[];
  };
}

/** A detail of an error: type name and message. */
export type Detail = readonly [type: string, message: object];

/** One call as the service saw it. */
export interface Seen {
  readonly path: string;
  /** As ProtoJSON-like plain objects: 64-bit numbers and bytes are text, enums numbers. */
  readonly request: unknown;
  readonly routing: readonly string[];
  readonly apiClient: boolean;
}

export interface ScriptedService {
  readonly port: number;
  /** Path of an rpc → the replies to its calls, in order; the last is repeated. */
  script: Readonly<Record<string, readonly Reply[]>>;
  /** Takes the calls since the last time. */
  taken(): Seen[];
  close(): void;
}

const plain: protobuf.IConversionOptions = { longs: String, enums: Number, bytes: String };

/** @param details the root that has the types of error details. */
export async function startScriptedService(
  roots: readonly protobuf.Root[],
  details: protobuf.Root,
): Promise<ScriptedService> {
  const server = new Server();
  let seen: Seen[] = [];
  let counts = new Map<string, number>();
  const service: ScriptedService = {
    port: 0,
    script: {},
    taken() {
      const calls = seen;
      seen = [];
      counts = new Map();
      return calls;
    },
    close: () => server.forceShutdown(),
  };

  const replyTo = (path: string, method: protobuf.Method, request: protobuf.Message, metadata: Metadata): Reply => {
    seen.push({
      path,
      request: method.resolvedRequestType!.toObject(request, plain),
      routing: metadata.get('x-goog-request-params').map(String),
      apiClient: metadata.get('x-goog-api-client').some((value) => String(value).includes('gapic/')),
    });
    const replies = service.script[path] ?? [];
    const count = counts.get(path) ?? 0;
    counts.set(path, count + 1);
    const reply = replies[Math.min(count, replies.length - 1)];
    return reply ?? { error: { code: 'UNIMPLEMENTED', message: `no script for ${path}` } };
  };
  const encoded = (method: protobuf.Method, message: object): Buffer => {
    const type = method.resolvedResponseType!;
    return Buffer.from(type.encode(type.fromObject(packed(type, message))).finish());
  };
  const failure = ({ code, message, details: given = [] }: NonNullable<Reply['error']>): object => {
    const metadata = new Metadata();
    if (given.length > 0) {
      const status = details.lookupType('google.rpc.Status');
      const value = { code: Status[code], message, details: given.map(([type, detail]) => any(details, type, detail)) };
      metadata.set('grpc-status-details-bin', Buffer.from(status.encode(status.fromObject(value)).finish()));
    }
    return { code: Status[code], details: message, metadata };
  };

  const methods = new Map(roots.flatMap(methodsOf).map((method) => [pathOf(method), method]));
  for (const [path, method] of methods) {
    const definition = {
      path,
      requestStream: method.requestStream ?? false,
      responseStream: method.responseStream ?? false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => method.resolvedRequestType!.decode(bytes),
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    const unary = (call: ServerUnaryCall<protobuf.Message, Buffer>, done: sendUnaryData<Buffer>): void => {
      const { messages = [{}], error } = replyTo(path, method, call.request, call.metadata);
      if (error === undefined) done(null, encoded(method, messages[0]!));
      else done(failure(error));
    };
    const stream = (call: ServerWritableStream<protobuf.Message, Buffer>): void => {
      const { messages = [], error } = replyTo(path, method, call.request, call.metadata);
      for (const message of messages) call.write(encoded(method, message));
      if (error === undefined) call.end();
      else call.emit('error', failure(error));
    };
    if (definition.requestStream) continue;
    server.addService({ [method.name]: definition }, { [method.name]: definition.responseStream ? stream : unary });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return Object.assign(service, { port });
}

/** Of `[type, message]` for an Any. */
function any(root: protobuf.Root, type: string, message: object): object {
  const resolved = root.lookupType(type);
  const value = resolved.encode(resolved.fromObject(message)).finish();
  return { type_url: `type.googleapis.com/${type}`, value };
}

/** Members `response` and `metadata` of an operation are written as `[type, message]`. */
function packed(type: protobuf.Type, message: object): object {
  if (type.name !== 'Operation') return message;
  return Object.fromEntries(
    Object.entries(message).map(([name, value]: [string, unknown]) => [
      name,
      Array.isArray(value) ? any(type.root, value[0] as string, value[1] as object) : value,
    ]),
  );
}

function pathOf(method: protobuf.Method): string {
  return `/${method.parent!.fullName.slice(1)}/${method.name}`;
}

function methodsOf(namespace: protobuf.NamespaceBase): protobuf.Method[] {
  return namespace.nestedArray.flatMap((nested) => {
    if (nested instanceof protobuf.Service)
      return nested.methodsArray.map((method) => method.resolve() as protobuf.Method);
    return nested instanceof protobuf.Namespace ? methodsOf(nested) : [];
  });
}
