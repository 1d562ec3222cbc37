/**
 * gRPC server reflection, by which tools (and photongate itself) learn a server's services without having its .proto
 * files: grpc.reflection.v1, and under the name of v1alpha the same for older ones.
 */
import { status as Status } from '@grpc/grpc-js';
import type { DescribedFile } from './descriptors.js';
import { quoted } from './errors.js';
import { Schema } from './schema.js';
import type { ReplyStream, ServiceImplementation } from './service.js';

interface ReflectionRequest {
  readonly host: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
  readonly file_containing_extension?: { readonly containing_type: string; readonly extension_number: number } | null;
  readonly all_extension_numbers_of_type?: string;
  readonly list_services?: string;
}

/** Reflection of the given services, and of itself. */
export function reflectionServices(services: readonly ServiceImplementation[]): ServiceImplementation[] {
  const own = ['v1', 'v1alpha'].map((version) => ({
    schema: Schema.load([`grpc/reflection/${version}/reflection.proto`]),
    name: `grpc.reflection.${version}.ServerReflection`,
  }));
  const all = [...services, ...own];
  // Made at the first question: most servers are never asked.
  let index: ReflectionIndex | undefined;
  const answers = (): ReflectionIndex => (index ??= new ReflectionIndex(all));
  return own.map((service) => ({
    ...service,
    handlers: {
      async ServerReflectionInfo(
        requests: AsyncIterable<ReflectionRequest>,
        replies: ReplyStream<object>,
      ): Promise<void> {
        for await (const request of requests) await replies.write(answers().answer(request));
      },
    },
  }));
}

class ReflectionIndex {
  readonly #names: readonly string[];
  readonly #files = new Map<string, DescribedFile>();

  constructor(services: readonly Pick<ServiceImplementation, 'name' | 'schema'>[]) {
    this.#names = services.map(({ name }) => name).sort();
    for (const { schema } of services) {
      for (const file of schema.files()) this.#files.set(file.name, file);
    }
  }

  answer(request: ReflectionRequest): object {
    return { valid_host: request.host, original_request: request, ...this.#reply(request) };
  }

  #reply(request: ReflectionRequest): object {
    const files = [...this.#files.values()];
    if (request.list_services !== undefined) {
      return { list_services_response: { service: this.#names.map((name) => ({ name })) } };
    }
    if (request.file_by_filename !== undefined) {
      return this.#withImports(this.#files.get(request.file_by_filename), `file ${quoted(request.file_by_filename)}`);
    }
    if (request.file_containing_symbol !== undefined) {
      const symbol = request.file_containing_symbol.replace(/^\./, '');
      return this.#withImports(
        files.find((file) => file.symbols.includes(symbol)),
        `symbol ${quoted(symbol)}`,
      );
    }
    if (request.file_containing_extension) {
      const { containing_type: type, extension_number: number } = request.file_containing_extension;
      return this.#withImports(
        files.find((file) => file.extensions.some((each) => each.extendee === type && each.number === number)),
        `extension ${number} of ${quoted(type)}`,
      );
    }
    if (request.all_extension_numbers_of_type !== undefined) {
      return this.#extensionNumbers(request.all_extension_numbers_of_type, files);
    }
    return refusal(Status.INVALID_ARGUMENT, 'the request asks for nothing');
  }

  #extensionNumbers(type: string, files: readonly DescribedFile[]): object {
    if (!files.some((file) => file.symbols.includes(type))) return refusal(Status.NOT_FOUND, `no type ${quoted(type)}`);
    const extensions = files.flatMap((file) => file.extensions).filter((each) => each.extendee === type);
    const numbers = extensions.map((each) => each.number).sort((a, b) => a - b);
    return { all_extension_numbers_response: { base_type_name: type, extension_number: numbers } };
  }

  /** The file and, after it, whatever it imports, so that one question is enough. */
  #withImports(file: DescribedFile | undefined, what: string): object {
    if (file === undefined) return refusal(Status.NOT_FOUND, `no ${what} on this server`);
    const taken = new Set([file]);
    for (const each of taken) {
      for (const name of each.imports) taken.add(this.#files.get(name)!);
    }
    return { file_descriptor_response: { file_descriptor_proto: [...taken].map(({ bytes }) => bytes) } };
  }
}

function refusal(code: Status, message: string): object {
  return { error_response: { error_code: code, error_message: message } };
}
