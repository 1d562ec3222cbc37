/**
 * grpc.reflection.v1 and v1alpha for the services that native gRPC can call here. It is a `Channel` like that of a server, so
 * that policies, tokens, limits and back-pressure apply as usual.
 * (https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto)
 */
import { gunzipSync } from 'node:zlib';
import type { Call, CallListener, CallRequest, CallStatus, Channel } from '../exchange.js';
import type { ProtocolTarget } from '../protocol/index.js';
import {
  type FileDescriptor,
  type MethodDescriptor,
  ReflectionRequest,
  ReflectionResponse,
  type Schema,
} from '../schema/index.js';
import { Queue } from '../queue.js';
import { Code, StatusError } from '../status.js';
import { MAX_TIMER_MS } from '../upstream/index.js';
import { quote } from '../uri.js';
import { type Decoded, type Frame, WireError } from '../wire/index.js';

/**
 * The reflection methods for some targets. If a target implements a version of reflection itself, that version is left to it.
 * @param targets the methods of `schema` that native gRPC can call
 * @param own the schema of the reflection services themselves
 * @param maxMessageBytes the largest request, once decoded
 */
export function reflectionTargets(
  schema: Schema,
  targets: readonly ProtocolTarget<Channel>[],
  own: Schema,
  maxMessageBytes: number,
): ProtocolTarget<Channel>[] {
  const reached = new Set(targets.map(({ method }) => method.service));
  const taken = new Set([...reached].map(({ fullName }) => fullName));
  const services = own.services.filter(({ fullName }) => !taken.has(fullName));
  const files = [...reached, ...services].map(({ file }) => file);
  const names = [...reached, ...services].map(({ fullName }) => fullName).sort();
  const visible = new VisibleFiles([schema, own], files, names);
  const channel = new ReflectionChannel(visible, maxMessageBytes);
  return services.flatMap(({ methods }) => methods.map((method: MethodDescriptor) => ({ method, channel })));
}

/**
 * The files that reflection shows: those of the reachable services with their imports, and files without services, because
 * their messages may be inside a google.protobuf.Any. Collected on the first request.
 */
class VisibleFiles {
  private known: ReadonlyMap<string, FileDescriptor> | undefined;

  /** @param schemas the first one that knows a name wins */
  constructor(
    private readonly schemas: readonly Schema[],
    private readonly reached: readonly FileDescriptor[],
    readonly services: readonly string[],
  ) {}

  file(name: string): FileDescriptor | undefined {
    return (this.known ??= this.collect()).get(name);
  }

  fileOf(symbol: string): FileDescriptor | undefined {
    return this.first((schema) => schema.fileOf(symbol));
  }

  fileOfExtension(message: string, number: number): FileDescriptor | undefined {
    return this.first((schema) => {
      const extensions = schema.message(message)?.extensions ?? [];
      const found = extensions.find((extension) => extension.number === number);
      return found && schema.fileOf(found.fullName);
    });
  }

  /** Undefined if there is no such message. */
  extensionNumbers(message: string): number[] | undefined {
    for (const schema of this.schemas) {
      const file = schema.fileOf(message);
      const found = schema.message(message);
      if (found === undefined || file === undefined || !this.has(file)) continue;
      return found.extensions
        .filter(({ fullName }) => this.has(schema.fileOf(fullName)))
        .map(({ number }) => number)
        .sort((a, b) => a - b);
    }
    return undefined;
  }

  private first(find: (schema: Schema) => FileDescriptor | undefined): FileDescriptor | undefined {
    for (const schema of this.schemas) {
      const file = find(schema);
      if (this.has(file)) return file;
    }
    return undefined;
  }

  private has(file: FileDescriptor | undefined): file is FileDescriptor {
    return file !== undefined && this.file(file.name) === file;
  }

  private collect(): ReadonlyMap<string, FileDescriptor> {
    const needed = closureOf(this.reached);
    const all = this.schemas.flatMap(({ files }) => files);
    const importers = new Map<FileDescriptor, FileDescriptor[]>(all.map((file) => [file, []]));
    for (const file of all) for (const imported of file.imports) importers.get(imported)!.push(file);
    const hidden = new Set(all.filter((file) => file.services.length > 0 && !needed.has(file)));
    // A file that imports a hidden one is hidden too; iteration includes what is added on the way.
    for (const file of hidden) {
      for (const importer of importers.get(file)!) if (!needed.has(importer)) hidden.add(importer);
    }
    const byName = new Map<string, FileDescriptor>();
    for (const file of all) if (!hidden.has(file) && !byName.has(file.name)) byName.set(file.name, file);
    return byName;
  }
}

/** Files and all that they import, a file before its imports. */
function closureOf(files: readonly FileDescriptor[]): Set<FileDescriptor> {
  const found = new Set(files);
  // Iteration includes what is added on the way.
  for (const file of found) for (const imported of file.imports) found.add(imported);
  return found;
}

class ReflectionChannel implements Channel {
  readonly target = 'photongate';

  constructor(
    private readonly visible: VisibleFiles,
    private readonly maxMessageBytes: number,
  ) {}

  start(request: CallRequest, listener: CallListener): Call {
    return new ReflectionCall(this.visible, this.maxMessageBytes, request, listener);
  }

  connect(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): void {
    // There is no connection.
  }
}

/** One call. Requests wait while the client does not read the answers. */
class ReflectionCall implements Call {
  private readonly waiting = new Queue<Frame>();
  private readonly sent = new Set<FileDescriptor>();
  private readonly encoding: string | undefined;
  private readonly timer: NodeJS.Timeout | undefined;
  private hasHeaders = false;
  private isHalfClosed = false;
  private isPaused = false;
  private isDone = false;

  constructor(
    private readonly visible: VisibleFiles,
    private readonly maxMessageBytes: number,
    { metadata, timeoutMs }: CallRequest,
    private readonly listener: CallListener,
  ) {
    this.encoding = metadata.find(([name]) => name === 'grpc-encoding')?.[1].toString();
    if (timeoutMs === undefined || timeoutMs > MAX_TIMER_MS) return;
    this.timer = setTimeout(() => this.end(Code.DEADLINE_EXCEEDED, 'the deadline passed'), timeoutMs);
  }

  send(frame: Frame): boolean {
    if (this.isDone) return true;
    this.waiting.push(frame);
    this.answerWaiting();
    return this.waiting.length === 0;
  }

  halfClose(): void {
    this.isHalfClosed = true;
    this.answerWaiting();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.answerWaiting();
    if (!this.isPaused && !this.isDone) this.listener.onDrain?.();
  }

  /** The end is reported later, as by a server, so that the caller can finish first. */
  cancel(): void {
    if (!this.stop()) return;
    queueMicrotask(() => this.listener.onEnd({ code: Code.CANCELLED, message: 'cancelled', trailers: [] }));
  }

  private answerWaiting(): void {
    try {
      while (!this.isPaused && !this.isDone && this.waiting.length > 0) {
        const answer = answerTo(this.payloadOf(this.waiting.take()!), this.visible, this.sent);
        if (!this.hasHeaders) this.listener.onHeaders([]);
        this.hasHeaders = true;
        this.listener.onMessage({ compressed: false, payload: answer });
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.end(error.code, error.message);
    }
    if (this.isHalfClosed && this.waiting.length === 0) this.end(Code.OK, '');
  }

  private payloadOf({ compressed, payload }: Frame): Buffer {
    if (!compressed) return payload;
    if (this.encoding !== 'gzip') {
      const found = this.encoding === undefined ? 'none' : quote(this.encoding);
      throw new StatusError(
        Code.UNIMPLEMENTED,
        `a message is compressed, and grpc-encoding is ${found}; expected gzip`,
      );
    }
    try {
      return gunzipSync(payload, { maxOutputLength: this.maxMessageBytes });
    } catch (error) {
      throw new StatusError(Code.INVALID_ARGUMENT, 'a message is no gzip, or too large', { cause: error });
    }
  }

  private end(code: CallStatus['code'], message: string): void {
    if (this.stop()) this.listener.onEnd({ code, message, trailers: [] });
  }

  /** False if the call has ended already. */
  private stop(): boolean {
    if (this.isDone) return false;
    this.isDone = true;
    clearTimeout(this.timer);
    this.waiting.clear();
    return true;
  }
}

// ------------------------------------------------------------------------------------------------------- messages

/** Clients accept 4 MiB by default. Imports that do not fit are left out; clients then ask for them by name. */
const MAX_FILES_BYTES = 2 * 1024 * 1024;

type Response = Partial<Decoded<typeof ReflectionResponse>>;

/**
 * The response to one request.
 * @param sent the files that this call has sent; those of the response are added
 * @throws StatusError INVALID_ARGUMENT if it is not a request.
 */
function answerTo(bytes: Buffer, visible: VisibleFiles, sent: Set<FileDescriptor>): Buffer {
  const request = decodeRequest(bytes);
  return ReflectionResponse.encode({
    validHost: request.host,
    originalRequest: bytes,
    ...resultOf(request, visible, sent),
  });
}

function resultOf(
  request: Decoded<typeof ReflectionRequest>,
  visible: VisibleFiles,
  sent: Set<FileDescriptor>,
): Response {
  const { fileByFilename, fileContainingSymbol, fileContainingExtension, allExtensionNumbersOfType } = request;
  const files = (file: FileDescriptor | undefined, what: string): Response =>
    file === undefined ? notFound(what) : { fileDescriptorResponse: { fileDescriptorProto: filesToSend(file, sent) } };
  if (fileByFilename !== undefined) return files(visible.file(fileByFilename), `the file ${quote(fileByFilename)}`);
  if (fileContainingSymbol !== undefined) {
    return files(visible.fileOf(withoutDot(fileContainingSymbol)), quote(fileContainingSymbol));
  }
  if (fileContainingExtension !== undefined) {
    const { containingType, extensionNumber } = fileContainingExtension;
    const file = visible.fileOfExtension(withoutDot(containingType), extensionNumber);
    return files(file, `extension ${extensionNumber} of ${quote(containingType)}`);
  }
  if (allExtensionNumbersOfType !== undefined) {
    const numbers = visible.extensionNumbers(withoutDot(allExtensionNumbersOfType));
    if (numbers === undefined) return notFound(`the message ${quote(allExtensionNumbersOfType)}`);
    return {
      allExtensionNumbersResponse: { baseTypeName: allExtensionNumbersOfType, extensionNumber: numbers },
    };
  }
  if (request.listServices !== undefined) {
    return { listServicesResponse: { service: visible.services.map((name) => ({ name })) } };
  }
  throw new StatusError(
    Code.INVALID_ARGUMENT,
    'a ServerReflectionRequest asks for nothing; set one of its message_request',
  );
}

function notFound(what: string): Response {
  return { errorResponse: { errorCode: Code.NOT_FOUND, errorMessage: `${what} is not known here` } };
}

/** A file, and those of its imports that this call has not sent yet. */
function filesToSend(file: FileDescriptor, sent: Set<FileDescriptor>): Buffer[] {
  const files: Buffer[] = [];
  let bytes = 0;
  for (const next of closureOf([file])) {
    if (next !== file && (sent.has(next) || bytes + next.encoded.length > MAX_FILES_BYTES)) continue;
    sent.add(next);
    files.push(next.encoded);
    bytes += next.encoded.length;
  }
  return files;
}

/** @throws StatusError INVALID_ARGUMENT */
function decodeRequest(bytes: Buffer): Decoded<typeof ReflectionRequest> {
  try {
    return ReflectionRequest.decode(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new StatusError(Code.INVALID_ARGUMENT, `not a ServerReflectionRequest: ${error.message}`);
  }
}

function withoutDot(name: string): string {
  return name.startsWith('.') ? name.slice(1) : name;
}
