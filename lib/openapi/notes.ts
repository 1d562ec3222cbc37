/**
 * What options of a schema say for documents: `grpc.gateway.protoc_gen_openapiv2.options.openapiv2_*`, as parts of an OpenAPI 3
 * document. Files are read when something of them is asked for, and only in schemas that define these options.
 */
import { Codec, type JsonWriter } from '../codec/index.js';
import type {
  EnumDescriptor,
  FieldDescriptor,
  FileDescriptor,
  MessageDescriptor,
  MethodDescriptor,
  Schema,
  ServiceDescriptor,
} from '../schema/types.js';
import { joinName } from '../schema/scopes.js';
import { Writer } from '../wire/index.js';
import {
  compact,
  type DocumentNotes,
  type FieldNotes,
  type Json,
  type JsonObject,
  objectsOf,
  type OperationNotes,
} from './options.js';
import { documentNotes, fieldNotes, ignoredMembers, operationNotes, schemaNotes, tagNotes } from './openapiv2.js';

const PREFIX = 'grpc.gateway.protoc_gen_openapiv2.options.openapiv2_';
const OPTION = /^\[grpc\.gateway\.protoc_gen_openapiv2\.options\.openapiv2_(\w+)\]$/;
/** Those of gnostic, and of grpc-gateway's generator for OpenAPI 3. */
const OTHER_OPTIONS = /^\[(?:openapi\.v3|gnostic\.openapi\.v3|grpc\.gateway\.protoc_gen_openapiv3\.options)\./;
/** Files that define options of documents. */
const DEFINITIONS = [
  `${PREFIX}swagger`,
  'openapi.v3.document',
  'gnostic.openapi.v3.document',
  'grpc.gateway.protoc_gen_openapiv3.options.openapiv3_document',
];

/** The options of one schema. */
export class SchemaNotes implements DocumentNotes {
  private readonly files = new Map<FileDescriptor, ReadonlyMap<string, JsonObject>>();

  private constructor(
    private readonly schema: Schema,
    private readonly print: JsonWriter,
  ) {}

  /** Undefined if the schema has no such options. */
  static of(schema: Schema): SchemaNotes | undefined {
    const type = schema.message('google.protobuf.FileDescriptorProto');
    if (type === undefined || DEFINITIONS.every((name) => schema.fileOf(name) === undefined)) return undefined;
    return new SchemaNotes(schema, new Codec(schema).writer(type));
  }

  document(file: FileDescriptor): JsonObject {
    return documentNotes(this.option(this.optionsOf(file).get(''), 'swagger'));
  }

  tag(service: ServiceDescriptor): JsonObject {
    return tagNotes(this.of(service.fullName, 'tag'));
  }

  operation(method: MethodDescriptor): OperationNotes {
    return operationNotes(this.of(method.fullName, 'operation'));
  }

  message(message: MessageDescriptor): JsonObject {
    const { jsonSchema, ...outer } = this.of(message.fullName, 'schema');
    return schemaNotes({ ...(jsonSchema as JsonObject | undefined), ...outer }, message);
  }

  field(field: FieldDescriptor): FieldNotes {
    return fieldNotes(this.of(field.fullName, 'field'), field);
  }

  enum(descriptor: EnumDescriptor): JsonObject {
    return schemaNotes(this.of(descriptor.fullName, 'enum'), undefined);
  }

  /** The members of options in a file that documents do not follow: `openapiv2_operation.consumes`. */
  ignored(file: FileDescriptor): readonly string[] {
    const found = new Set<string>();
    for (const [, options] of this.optionsOf(file)) {
      for (const [name, option] of Object.entries(options)) {
        const [, kind] = OPTION.exec(name) ?? [];
        if (kind !== undefined)
          for (const member of ignoredMembers(kind, option as JsonObject)) found.add(`openapiv2_${kind}.${member}`);
        else if (OTHER_OPTIONS.test(name)) found.add(name.slice(1, -1));
      }
    }
    return [...found];
  }

  typeOf(fullName: string): MessageDescriptor | EnumDescriptor | undefined {
    return this.schema.message(fullName) ?? this.schema.enum(fullName);
  }

  private of(fullName: string, kind: string): JsonObject {
    const file = this.schema.fileOf(fullName);
    return file === undefined ? {} : this.option(this.optionsOf(file).get(fullName), kind);
  }

  private option(options: JsonObject | undefined, kind: string): JsonObject {
    return (options?.[`[${PREFIX}${kind}]`] ?? {}) as JsonObject;
  }

  /** By full name; those of the file by ''. */
  private optionsOf(file: FileDescriptor): ReadonlyMap<string, JsonObject> {
    let found = this.files.get(file);
    if (found === undefined) this.files.set(file, (found = this.read(file)));
    return found;
  }

  private read(file: FileDescriptor): ReadonlyMap<string, JsonObject> {
    const found = new Map<string, JsonObject>();
    const out = new Writer();
    try {
      this.print(file.encoded, out);
    } catch {
      // Options that are malformed say nothing.
      return found;
    }
    const { options, ...declarations } = JSON.parse(out.take().toString('utf8')) as JsonObject;
    if (options !== undefined) found.set('', options as JsonObject);
    collect(declarations, file.package, found);
    return found;
  }
}

/** The members of FileDescriptorProto, DescriptorProto and ServiceDescriptorProto that have options. */
const DECLARATIONS = ['messageType', 'nestedType', 'enumType', 'service', 'method', 'field'];

function collect(parent: JsonObject, scope: string, found: Map<string, JsonObject>): void {
  for (const member of DECLARATIONS) {
    for (const { name, options, ...declarations } of objectsOf(parent[member])) {
      const fullName = joinName(scope, name as string);
      if (options !== undefined) found.set(fullName, options as JsonObject);
      collect(declarations, fullName, found);
    }
  }
}

/** One document of those of several files: of each member the first that has it; lists and maps are joined. */
export function mergedNotes(notes: readonly JsonObject[]): JsonObject {
  const merged: Record<string, Json> = {};
  for (const [name, value] of notes.flatMap((one) => Object.entries(one))) {
    const known = merged[name];
    if (known === undefined) merged[name] = value;
    else if (name === 'tags') merged[name] = [...objectsOf(known), ...objectsOf(value)];
    else if (isPlain(known) && isPlain(value)) merged[name] = { ...value, ...known };
  }
  return compact(merged);
}

function isPlain(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
