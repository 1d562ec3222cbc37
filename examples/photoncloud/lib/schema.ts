/**
 * The services' .proto files, read once at start, and the codecs that follow from them: bytes ↔ plain objects.
 *
 * A plain object has the proto's own field names (snake_case), 64-bit integers as `bigint`, enums by name and `bytes` as
 * Buffer. A message read has every field but the unset ones with presence: such a message is `null`, such a scalar is
 * not there. A message written may leave out what is unset.
 *
 * protobufjs is used directly and not through the proto-loader of grpc-js, which brings an older protobufjs that cannot
 * read every form of an HTTP rule. The rules themselves are not looked at: reading them is the proxy's work.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { describeFiles, type DescribedFile, type ProtoFile } from './descriptors.js';

/** Turns messages of one type into bytes and back. */
export interface Codec<T> {
  /** Throws if a field is not in the schema or does not take such a value: that is a mistake of the service. */
  encode(message: T): Buffer;
  /** Throws if the bytes are no such message. */
  decode(bytes: Uint8Array): T;
}

/** One RPC, as its file declares it. */
export interface MethodSchema {
  readonly name: string;
  /** `/chainfire.v1.ChainFireService/Get` */
  readonly path: string;
  readonly clientStream: boolean;
  readonly serverStream: boolean;
  readonly request: Codec<unknown>;
  readonly reply: Codec<unknown>;
}

/** The import roots of this project: the services, and the annotations that they use. */
const projectRoots = ['../../../protos', '../../../annotations'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** The messages and services of a set of .proto files. */
export class Schema {
  readonly #root: protobuf.Root;
  readonly #files: readonly ProtoFile[];

  private constructor(root: protobuf.Root, files: readonly ProtoFile[]) {
    root.resolveAll();
    this.#root = root;
    this.#files = files;
  }

  /** Reads files by the names that an `import` would use (`chainfire/v1/chainfire.proto`), and what they import. */
  static load(files: readonly string[], roots: readonly string[] = projectRoots): Schema {
    const root = new protobuf.Root();
    const read = new Map<string, ProtoFile>();
    const wanted = [...files];
    for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
      if (read.has(name)) continue;
      const file = parseFile(root, name, readText(name, roots));
      read.set(name, file);
      wanted.push(...file.imports);
    }
    return new Schema(root, [...read.values()]);
  }

  /** Reads the text of one file without imports, for small schemas that stand in the source. */
  static parse(text: string, name = 'inline.proto'): Schema {
    const root = new protobuf.Root();
    return new Schema(root, [parseFile(root, name, text)]);
  }

  /** The files read, as reflection tells of them. */
  files(): DescribedFile[] {
    const hasDescriptor = this.#root.lookup('google.protobuf.FileDescriptorProto') !== null;
    const descriptors = hasDescriptor ? this.#root : Schema.load(['google/protobuf/descriptor.proto']).#root;
    return describeFiles(this.#root, this.#files, descriptors);
  }

  /** The codec of a message type, by its full name. `T` is the caller's word for what the plain objects look like. */
  codec<T>(typeName: string): Codec<T> {
    return codecOf<T>(this.#root.lookupType(typeName));
  }

  /** The RPCs of a service, by its full name. */
  methods(serviceName: string): MethodSchema[] {
    return this.#root.lookupService(serviceName).methodsArray.map((method) => ({
      name: method.name,
      path: `/${serviceName}/${method.name}`,
      clientStream: method.requestStream === true,
      serverStream: method.responseStream === true,
      request: codecOf(method.resolvedRequestType!),
      reply: codecOf(method.resolvedResponseType!),
    }));
  }
}

function readText(name: string, roots: readonly string[]): string {
  const found = roots.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is in none of ${roots.join(', ')}`);
  return readFileSync(found, 'utf8');
}

function parseFile(root: protobuf.Root, name: string, text: string): ProtoFile {
  // The parser puts it into every object that it makes; its types leave it out.
  (protobuf.parse as { filename?: string | null }).filename = name;
  const { package: packageName = '', imports = [] } = protobuf.parse(text, root, { keepCase: true });
  const syntax = /^\s*syntax\s*=\s*["'](proto[23])["']/m.exec(text)?.[1] ?? 'proto2';
  return { name, package: packageName, syntax, imports };
}

const plainObjects: protobuf.IConversionOptions = { longs: BigInt, enums: String, defaults: true };

function codecOf<T>(type: protobuf.Type): Codec<T> {
  return {
    encode: (message) => {
      const bytes = type.encode(type.fromObject(checked(type, message))).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    decode: (bytes) => type.toObject(type.decode(bytes), plainObjects) as T,
  };
}

/**
 * The object as protobufjs wants it: 64-bit integers as decimal text, nothing unset. It would skip an unknown field or
 * enum name and cut a number short without a word; here all of these throw.
 */
function checked(type: protobuf.Type, message: unknown): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message as object)) {
    if (value === undefined || value === null) continue;
    const field = type.fields[name];
    if (field === undefined) throw new TypeError(`${type.fullName} has no field ${name}`);
    object[name] = checkedField(field, value);
  }
  return object;
}

function checkedField(field: protobuf.Field, value: unknown): unknown {
  if (field instanceof protobuf.MapField) {
    const entries = Object.entries(value as object).map(([key, each]) => [key, checkedValue(field, each)] as const);
    return Object.fromEntries(entries);
  }
  if (field.repeated) return (value as readonly unknown[]).map((each) => checkedValue(field, each));
  return checkedValue(field, value);
}

function checkedValue(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return checked(type, value);
  const fits =
    type instanceof protobuf.Enum ? type.values[value as string] !== undefined : fitsScalar(field.type, value);
  if (!fits) throw new TypeError(`${field.fullName} does not take ${typeof value} ${String(value)}`);
  return typeof value === 'bigint' ? value.toString() : value;
}

function fitsScalar(type: string, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'bool':
      return typeof value === 'boolean';
    case 'float':
    case 'double':
      return typeof value === 'number';
    case 'uint32':
    case 'fixed32':
      return typeof value === 'number' && value >>> 0 === value;
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return typeof value === 'number' && (value | 0) === value;
    case 'uint64':
    case 'fixed64':
      return typeof value === 'bigint' && BigInt.asUintN(64, value) === value;
    default: // int64, sint64, sfixed64
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
  }
}
