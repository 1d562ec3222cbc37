/**
 * grpc.reflection.v1 and v1alpha, answered by the proxy itself: which services native gRPC reaches here, and the files that
 * they are made of. A `Channel` like that of any server, so that policies, tokens, limits and back-pressure are the same.
 * (https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto)
 */
import { gunzipSync } from 'node:zlib';
import type { Call, CallListener, CallRequest, CallStatus, Channel } from '../exchange.js';
import type { ProtocolTarget } from '../protocol/index.js';
import type { FileDescriptor, MethodDescriptor, Schema } from '../schema/index.js';
import { Code, StatusError } from '../status.js';
import { MAX_TIMER_MS } from '../upstream/index.js';
import { quote } from '../uri.js';
import { type Frame, Reader, WireError, WireType, Writer } from '../wire/index.js';

/**
 * The methods by which clients learn of these targets; a version that the targets have themselves is left to them.
 * @param targets what native gRPC reaches, of `schema`
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
  const told = new ToldFiles([schema, own], files, names);
  const channel = new ReflectionChannel(told, maxMessageBytes);
  return services.flatMap(({ methods }) => methods.map((method: MethodDescriptor) => ({ method, channel })));
}

/**
 * What may be told: the files of the services that are reached with all that they import, and files without a service, such
 * as those of messages that travel in a google.protobuf.Any. Looked through when somebody first asks.
 */
class ToldFiles {
  private known: ReadonlyMap<string, FileDescriptor> | undefined;

  /** @param schemas the first one that knows a name counts */
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

  /** Undefined where there is no such message. */
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
    // Who imports a file that is not told is not told either; a set that grows is walked to its end.
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
  // A set that grows is walked to its end.
  for (const file of found) for (const imported of file.imports) found.add(imported);
  return found;
}

class ReflectionChannel implements Channel {
  readonly target = 'photongate';

  constructor(
    private readonly told: ToldFiles,
    private readonly maxMessageBytes: number,
  ) {}

  start(request: CallRequest, listener: CallListener): Call {
    return new ReflectionCall(this.told, this.maxMessageBytes, request, listener);
  }

  connect(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): void {
    // There is no connection.
  }
}

/** A client that is behind leaves requests waiting: each is answered when it can take the answer. */
class ReflectionCall implements Call {
  private readonly waiting: Frame[] = [];
  private readonly sent = new Set<FileDescriptor>();
  private readonly encoding: string | undefined;
  private readonly timer: NodeJS.Timeout | undefined;
  private hasHeaders = false;
  private isHalfClosed = false;
  private isPaused = false;
  private isDone = false;

  constructor(
    private readonly told: ToldFiles,
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

  /** As with any server, the end comes later: who cancels has something to say first. */
  cancel(): void {
    if (!this.stop()) return;
    queueMicrotask(() => this.listener.onEnd({ code: Code.CANCELLED, message: 'cancelled', trailers: [] }));
  }

  private answerWaiting(): void {
    try {
      while (!this.isPaused && !this.isDone && this.waiting.length > 0) {
        const answer = answerTo(this.payloadOf(this.waiting.shift()!), this.told, this.sent);
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

  /** False where the call has ended already. */
  private stop(): boolean {
    if (this.isDone) return false;
    this.isDone = true;
    clearTimeout(this.timer);
    this.waiting.length = 0;
    return true;
  }
}

// ------------------------------------------------------------------------------------------------------- messages

/** Fields of ServerReflectionRequest. */
const Ask = { HOST: 1, FILE_BY_NAME: 3, FILE_OF_SYMBOL: 4, FILE_OF_EXTENSION: 5, EXTENSIONS: 6, SERVICES: 7 } as const;
/** Fields of ServerReflectionResponse. */
const Answer = { HOST: 1, REQUEST: 2, FILES: 4, EXTENSIONS: 5, SERVICES: 6, ERROR: 7 } as const;

/** Clients take 4 MiB by default; imports that would make an answer larger than this they ask for by name. */
const MAX_FILES_BYTES = 2 * 1024 * 1024;

/**
 * The response to one request.
 * @param sent files that this call has told already; those of the answer are added
 * @throws StatusError INVALID_ARGUMENT where it is no request.
 */
function answerTo(request: Buffer, told: ToldFiles, sent: Set<FileDescriptor>): Buffer {
  const { host, kind, value } = readRequest(request);
  const out = new Writer(4096);
  if (host.length > 0) member(out, Answer.HOST, () => out.raw(host));
  member(out, Answer.REQUEST, () => out.raw(request));
  const text = value.toString('utf8');
  const writeFiles = (file: FileDescriptor | undefined, what: string): void => {
    if (file === undefined) writeError(out, `${what} is not known here`);
    else member(out, Answer.FILES, () => writeList(out, filesToSend(file, sent)));
  };
  switch (kind) {
    case Ask.FILE_BY_NAME:
      writeFiles(told.file(text), `the file ${quote(text)}`);
      break;
    case Ask.FILE_OF_SYMBOL:
      writeFiles(told.fileOf(withoutDot(text)), quote(text));
      break;
    case Ask.FILE_OF_EXTENSION: {
      const { type, number } = readExtension(value);
      writeFiles(told.fileOfExtension(withoutDot(type), number), `extension ${number} of ${quote(type)}`);
      break;
    }
    case Ask.EXTENSIONS: {
      const numbers = told.extensionNumbers(withoutDot(text));
      if (numbers === undefined) writeError(out, `the message ${quote(text)} is not known here`);
      else member(out, Answer.EXTENSIONS, () => writeNumbers(out, value, numbers));
      break;
    }
    case Ask.SERVICES:
      member(out, Answer.SERVICES, () => {
        for (const service of told.services) member(out, 1, () => writeList(out, [Buffer.from(service)]));
      });
      break;
    default:
      throw new StatusError(
        Code.INVALID_ARGUMENT,
        'a ServerReflectionRequest asks for nothing; set one of its message_request',
      );
  }
  return out.take();
}

/** A file, and of what it imports, what this call has not told yet. */
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

interface ReflectionRequest {
  readonly host: Buffer;
  /** A field of the request; of several the last one counts, as they are a oneof. */
  readonly kind: number | undefined;
  readonly value: Buffer;
}

function readRequest(bytes: Buffer): ReflectionRequest {
  let request: ReflectionRequest = { host: Buffer.alloc(0), kind: undefined, value: Buffer.alloc(0) };
  readFields(bytes, (number, value) => {
    if (typeof value === 'number') return;
    if (number === Ask.HOST) request = { ...request, host: value };
    else if (number >= Ask.FILE_BY_NAME && number <= Ask.SERVICES) request = { ...request, kind: number, value };
  });
  return request;
}

function readExtension(bytes: Buffer): { type: string; number: number } {
  const found = { type: '', number: 0 };
  readFields(bytes, (field, value) => {
    if (field === 1 && typeof value !== 'number') found.type = value.toString('utf8');
    if (field === 2 && typeof value === 'number') found.number = value;
  });
  return found;
}

/** @throws StatusError INVALID_ARGUMENT */
function readFields(bytes: Buffer, take: (number: number, value: Buffer | number) => void): void {
  try {
    const reader = new Reader(bytes);
    while (!reader.done) {
      const tag = reader.tag();
      const wireType = tag & 7;
      if (wireType === WireType.BYTES) take(tag >>> 3, reader.bytes());
      else if (wireType === WireType.VARINT) take(tag >>> 3, reader.uint32());
      else reader.skip(tag);
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new StatusError(Code.INVALID_ARGUMENT, `not a ServerReflectionRequest: ${error.message}`);
  }
}

function member(out: Writer, number: number, write: () => void): void {
  out.uint32(number * 8 + WireType.BYTES);
  const mark = out.begin();
  write();
  out.finish(mark);
}

/** Field 1 of a message, for each element. */
function writeList(out: Writer, elements: readonly Buffer[]): void {
  for (const element of elements) {
    out.uint32(8 + WireType.BYTES);
    out.bytes(element);
  }
}

function writeNumbers(out: Writer, type: Buffer, numbers: readonly number[]): void {
  writeList(out, [type]);
  member(out, 2, () => {
    for (const number of numbers) out.uint32(number);
  });
}

function writeError(out: Writer, message: string): void {
  member(out, Answer.ERROR, () => {
    out.uint32(8 + WireType.VARINT);
    out.uint32(Code.NOT_FOUND);
    member(out, 2, () => out.utf8(message));
  });
}

function withoutDot(name: string): string {
  return name.startsWith('.') ? name.slice(1) : name;
}
