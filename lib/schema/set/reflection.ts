/**
 * Schema of a gRPC server by reflection (grpc.reflection.v1, else v1alpha) → files for `loadSchema`. This module writes the
 * requests and reads the responses; the caller provides the network.
 * (https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto)
 */
import type { ReflectionOptions } from './reflection-options.js';
import { Code, ConfigError, StatusError } from '../../status.js';
import { bytes, type Decoded, defineMessage, list, WireError } from '../../wire/index.js';
import { FileOutline, ReflectionRequest, ReflectionResponse } from './reflection-messages.js';

/** One ServerReflectionInfo call: one response for each request. */
export interface ReflectionSession {
  /** Rejects with the StatusError of the call. */
  ask(request: Buffer): Promise<Buffer>;
  close(): void;
}

/** Starts the call with this path. */
export type OpenReflection = (path: string) => ReflectionSession;

/** The schema that one server reported. */
export interface ReflectedSet {
  /** The server in messages. */
  readonly name: string;
  /** The services to serve, by full name. */
  readonly services: readonly string[];
  /** FileDescriptorProtos by name, in the order of arrival. */
  readonly files: ReadonlyMap<string, Buffer>;
}

const paths = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

type Request = Partial<Decoded<typeof ReflectionRequest>>;
type Response = Decoded<typeof ReflectionResponse>;

/**
 * Asks for the services and then, file by file, for everything that they need. A file that the server does not have is left
 * out: it may be one that the package brings.
 * @param wants whether a service is to be served; no file is requested for others.
 * @throws ConfigError `reflection-unavailable` if no server answered, `reflection-unsupported`, or `reflection-failed`.
 */
export async function reflectSchema(
  name: string,
  open: OpenReflection,
  wants: (service: string) => boolean,
  limits: Pick<ReflectionOptions, 'maxReflectionBytes' | 'maxReflectionFiles'>,
): Promise<ReflectedSet> {
  const set = await inFirstVersion(open, (session) => new Reflected(name, session, limits).load(wants)).catch(
    (error: unknown) => {
      throw asConfigError(name, error);
    },
  );
  if (set !== undefined) return set;
  throw new ConfigError({
    code: 'reflection-unsupported',
    message: `${name} has no grpc.reflection.v1 and no grpc.reflection.v1alpha`,
    hint: 'register the reflection service in that server, or give its files with --proto or --descriptor-set',
  });
}

/**
 * The services of a server, by full name; undefined if it has no reflection.
 * @throws StatusError or WireError if it does not answer as it should.
 */
export function listServices(open: OpenReflection): Promise<readonly string[] | undefined> {
  return inFirstVersion(open, async (session) => {
    const { listServicesResponse } = ReflectionResponse.decode(
      await session.ask(ReflectionRequest.encode({ listServices: '*' })),
    );
    return listServicesResponse?.service.map(({ name }) => name);
  });
}

/** Does it in a call of the first version that the server has; undefined if it has none. */
async function inFirstVersion<Result>(
  open: OpenReflection,
  act: (session: ReflectionSession) => Promise<Result>,
): Promise<Result | undefined> {
  for (const path of paths) {
    const session = open(path);
    try {
      return await act(session);
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== Code.UNIMPLEMENTED) throw error;
    } finally {
      session.close();
    }
  }
  return undefined;
}

/** The server does not know the file or symbol. */
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
    const { listServicesResponse: listed } = await this.ask({ listServices: '*' }, '*');
    const names = (listed?.service ?? []).map((service) => service.name);
    // The reflection service itself is not served.
    const services = [...new Set(names)].filter((service) => !service.startsWith('grpc.reflection.') && wants(service));
    services.sort();
    if (services.length > this.limits.maxReflectionFiles) throw this.tooMany();
    for (const service of services) {
      if (this.declared.has(service)) continue;
      await this.add({ fileContainingSymbol: service }, service).catch((error: unknown) => {
        throw error instanceof NotFoundError
          ? failed(`${this.name} lists the service ${service}, but has no file that declares it: ${error.message}`)
          : error;
      });
    }
    // `wanted` grows during the loop.
    for (const file of this.wanted) {
      if (this.files.has(file) || this.missing.has(file)) continue;
      await this.add({ fileByFilename: file }, file).catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
      });
      // Also if the response contains only files with other names, so that it is not requested again.
      if (!this.files.has(file)) this.missing.add(file);
      if (this.missing.size > this.limits.maxReflectionFiles) throw this.tooMany();
    }
    return { name: this.name, services, files: this.files };
  }

  /** @param what the requested thing, for messages */
  private async add(request: Request, what: string): Promise<void> {
    const { fileDescriptorResponse } = await this.ask(request, what);
    for (const file of fileDescriptorResponse?.fileDescriptorProto ?? []) {
      const outline = FileOutline.decode(file);
      const { name } = outline;
      if (name === '') throw failed(`${this.name} gives a file without a name for ${JSON.stringify(what)}`);
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
      for (const service of outline.service) {
        this.declared.add(outline.package === '' ? service.name : `${outline.package}.${service.name}`);
      }
      this.wanted.push(...outline.dependency, ...outline.optionDependency);
    }
  }

  private tooMany(): ConfigError {
    return failed(
      `${this.name} has more than ${this.limits.maxReflectionFiles} files or services`,
      'allow more with --max-reflection-files',
    );
  }

  private async ask(request: Request, what: string): Promise<Response> {
    const response = ReflectionResponse.decode(await this.session.ask(ReflectionRequest.encode(request)));
    const { errorResponse: error } = response;
    if (error === undefined) return response;
    const message = error.errorMessage.slice(0, 500);
    if (error.errorCode === Code.NOT_FOUND) throw new NotFoundError(message);
    throw failed(`${this.name} does not answer what ${JSON.stringify(what)} is: ${message} (code ${error.errorCode})`);
  }
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

const FileDescriptorSet = defineMessage({ file: [1, list(bytes)] });

/** The files as one FileDescriptorSet. */
export function descriptorSetOf({ files }: ReflectedSet): Buffer {
  return FileDescriptorSet.encode({ file: [...files.values()] });
}
