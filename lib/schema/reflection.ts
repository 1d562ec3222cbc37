/**
 * A gRPC server's own account of its services (grpc.reflection.v1, else v1alpha) → files for `loadSchema`. Says what to ask
 * and reads the answers; who calls is told by the function that it is given, as nothing here knows of a network.
 * (https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto)
 */
import { Code, ConfigError, StatusError } from '../status.js';
import { Reader, WireError, WireType, Writer } from '../wire/index.js';

/** One ServerReflectionInfo call: each request has one answer. */
export interface ReflectionSession {
  /** Rejects with the StatusError that the call ended with. */
  ask(request: Buffer): Promise<Buffer>;
  close(): void;
}

/** Starts the call of that path. */
export type OpenReflection = (path: string) => ReflectionSession;

export interface ReflectionOptions {
  /** Time between two looks for another schema, in milliseconds; undefined: none after the first. Default 10 s. */
  readonly reflectionIntervalMs: number | undefined;
  /** How long one look may take, in milliseconds. Default 5 s. */
  readonly reflectionTimeoutMs: number;
  /** The most bytes that the files of one server may have together. Default 64 MiB. */
  readonly maxReflectionBytes: number;
  /** The most files of one server. Default 10 000. */
  readonly maxReflectionFiles: number;
}

export const defaultReflectionOptions: ReflectionOptions = Object.freeze({
  reflectionIntervalMs: 10_000,
  reflectionTimeoutMs: 5000,
  maxReflectionBytes: 64 * 1024 ** 2,
  maxReflectionFiles: 10_000,
});

/** What one server said. */
export interface ReflectedSet {
  /** The server, for messages. */
  readonly name: string;
  /** The services to serve, by full name. */
  readonly services: readonly string[];
  /** FileDescriptorProtos by name, in the order in which they came. */
  readonly files: ReadonlyMap<string, Buffer>;
}

const paths = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

/** Fields of ServerReflectionRequest. */
const Ask = { FILE_BY_NAME: 3, FILE_OF_SYMBOL: 4, LIST_SERVICES: 7 } as const;
/** Fields of ServerReflectionResponse. */
const Answer = { FILES: 4, SERVICES: 6, ERROR: 7 } as const;

/**
 * Asks for the services and, from file to file, for all that they need. A file that the server has not is left out: it may
 * be among those that the package brings.
 * @param wants whether a service is to be served; of others no file is asked for.
 * @throws ConfigError `reflection-unavailable` where nobody answered, `reflection-unsupported`, or `reflection-failed`.
 */
export async function reflectSchema(
  name: string,
  open: OpenReflection,
  wants: (service: string) => boolean,
  limits: Pick<ReflectionOptions, 'maxReflectionBytes' | 'maxReflectionFiles'>,
): Promise<ReflectedSet> {
  try {
    for (const path of paths) {
      const session = open(path);
      try {
        return await new Reflected(name, session, limits).load(wants);
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== Code.UNIMPLEMENTED) throw error;
      } finally {
        session.close();
      }
    }
  } catch (error) {
    throw asConfigError(name, error);
  }
  throw new ConfigError({
    code: 'reflection-unsupported',
    message: `${name} has no grpc.reflection.v1 and no grpc.reflection.v1alpha`,
    hint: 'register the reflection service in that server, or give its files with --proto or --descriptor-set',
  });
}

/** The server knows no such file or symbol. */
class NotFoundError extends Error {}

class Reflected {
  private readonly files = new Map<string, Buffer>();
  private readonly declared = new Set<string>();
  private readonly missing = new Set<string>();
  private readonly wanted: string[] = [];
  private bytes = 0;

  constructor(
    private readonly name: string,
    private readonly session: ReflectionSession,
    private readonly limits: Pick<ReflectionOptions, 'maxReflectionBytes' | 'maxReflectionFiles'>,
  ) {}

  async load(wants: (service: string) => boolean): Promise<ReflectedSet> {
    const listed = await this.ask(Ask.LIST_SERVICES, '*', Answer.SERVICES);
    const names = listed.map((service) => fieldsOf(service, 1)[0]?.toString('utf8') ?? '');
    // That the server reflects is no part of what it is for.
    const services = [...new Set(names)].filter((service) => !service.startsWith('grpc.reflection.') && wants(service));
    services.sort();
    if (services.length > this.limits.maxReflectionFiles) throw this.tooMany();
    for (const service of services) {
      if (this.declared.has(service)) continue;
      await this.add(Ask.FILE_OF_SYMBOL, service).catch((error: unknown) => {
        throw error instanceof NotFoundError
          ? failed(`${this.name} lists the service ${service}, but has no file that declares it: ${error.message}`)
          : error;
      });
    }
    // `wanted` grows while it is walked.
    for (const file of this.wanted) {
      if (this.files.has(file) || this.missing.has(file)) continue;
      await this.add(Ask.FILE_BY_NAME, file).catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
      });
      // Also where the answer holds files of other names alone: it is not asked for again.
      if (!this.files.has(file)) this.missing.add(file);
      if (this.missing.size > this.limits.maxReflectionFiles) throw this.tooMany();
    }
    return { name: this.name, services, files: this.files };
  }

  private async add(field: number, text: string): Promise<void> {
    for (const file of await this.ask(field, text, Answer.FILES)) {
      const name = fieldsOf(file, 1).at(-1)?.toString('utf8') ?? '';
      if (name === '') throw failed(`${this.name} gives a file without a name for ${JSON.stringify(text)}`);
      if (this.files.has(name)) continue;
      this.bytes += file.length;
      if (this.bytes > this.limits.maxReflectionBytes) {
        throw failed(
          `the files of ${this.name} have more than ${this.limits.maxReflectionBytes} bytes together`,
          'allow more with --max-reflection-bytes',
        );
      }
      this.files.set(name, file);
      if (this.files.size > this.limits.maxReflectionFiles) throw this.tooMany();
      const inPackage = fieldsOf(file, 2).at(-1)?.toString('utf8') ?? '';
      for (const service of fieldsOf(file, 6)) {
        const own = fieldsOf(service, 1).at(-1)?.toString('utf8') ?? '';
        this.declared.add(inPackage === '' ? own : `${inPackage}.${own}`);
      }
      // 15: files whose options are used, and nothing else of them.
      for (const number of [3, 15]) this.wanted.push(...fieldsOf(file, number).map((bytes) => bytes.toString('utf8')));
    }
  }

  private tooMany(): ConfigError {
    return failed(
      `${this.name} has more than ${this.limits.maxReflectionFiles} files or services`,
      'allow more with --max-reflection-files',
    );
  }

  /** The elements of the answer's list, which is field 1 of the member that was asked for. */
  private async ask(field: number, text: string, member: number): Promise<Buffer[]> {
    const out = new Writer(64);
    out.uint32(field * 8 + WireType.BYTES);
    out.string(text);
    const answer = await this.session.ask(out.take());
    const error = fieldsOf(answer, Answer.ERROR).at(-1);
    if (error !== undefined) throw this.refusal(error, text);
    return fieldsOf(answer, member).flatMap((list) => fieldsOf(list, 1));
  }

  /** ErrorResponse { int32 error_code = 1; string error_message = 2; } */
  private refusal(error: Buffer, text: string): Error {
    const reader = new Reader(error);
    let code: number = Code.UNKNOWN;
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === 8) code = reader.uint32();
      else reader.skip(tag);
    }
    const message = (fieldsOf(error, 2).at(-1)?.toString('utf8') ?? '').slice(0, 500);
    if (code === Code.NOT_FOUND) return new NotFoundError(message);
    return failed(`${this.name} does not answer what ${JSON.stringify(text)} is: ${message} (code ${code})`);
  }
}

/** The values of a length-delimited field. */
function fieldsOf(message: Buffer, number: number): Buffer[] {
  const reader = new Reader(message);
  const values: Buffer[] = [];
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === number * 8 + WireType.BYTES) values.push(reader.bytes());
    else reader.skip(tag);
  }
  return values;
}

const transient: ReadonlySet<number> = new Set([Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED]);

function asConfigError(name: string, error: unknown): unknown {
  if (error instanceof NotFoundError) return failed(`${name} does not list its services: ${error.message}`);
  if (error instanceof WireError) return failed(`what ${name} answers is no grpc.reflection: ${error.message}`);
  if (!(error instanceof StatusError)) return error;
  if (!transient.has(error.code)) return failed(`${name} refuses grpc.reflection: ${error.message}`, undefined, error);
  return new ConfigError(
    { code: 'reflection-unavailable', message: `the schema of ${name} cannot be loaded: ${error.message}` },
    { cause: error },
  );
}

function failed(message: string, hint?: string, cause?: unknown): ConfigError {
  return new ConfigError({ code: 'reflection-failed', message, ...(hint === undefined ? {} : { hint }) }, { cause });
}

/** The files as one FileDescriptorSet. */
export function descriptorSetOf({ files }: ReflectedSet): Buffer {
  const out = new Writer(64 * 1024);
  for (const file of files.values()) {
    out.uint32(8 + WireType.BYTES);
    out.bytes(file);
  }
  return out.take();
}
