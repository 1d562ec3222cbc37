/**
 * What options of a schema say for documents, as parts of an OpenAPI 3.1 document: those of grpc-gateway's two generators and of
 * gnostic's. Files are read when something of them is asked for, and only in schemas that define such options.
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
import { gnostic } from './gnostic.js';
import type { NoteFamily, NoteKind } from './note-family.js';
import { openapiv2 } from './openapiv2.js';
import { openapiv3 } from './openapiv3.js';

/** If several say something, the first counts. */
const families: readonly NoteFamily[] = [openapiv3, gnostic('openapi.v3'), gnostic('gnostic.openapi.v3'), openapiv2];

const noNotes: OperationNotes = Object.freeze({ parameters: [], responses: {}, extensions: {} });

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
    if (type === undefined || families.every((family) => !isDefined(family, schema))) return undefined;
    return new SchemaNotes(schema, new Codec(schema).writer(type));
  }

  document(file: FileDescriptor): JsonObject {
    const options = this.optionsOf(file).get('') ?? {};
    return mergedNotes(
      families.flatMap((family) => {
        const option = optionOf(options, family, 'document');
        return option === undefined ? [] : [family.document(option)];
      }),
    );
  }

  tag(service: ServiceDescriptor): JsonObject {
    return joinedNotes(this.all(service.fullName, 'tag', (family, option) => family.tag(option)));
  }

  operation(method: MethodDescriptor): OperationNotes {
    const found = this.all(method.fullName, 'operation', (family, option) => family.operation(option));
    return found.reduceRight<OperationNotes>(
      (rest, first) => ({
        ...rest,
        ...first,
        parameters: [...first.parameters, ...rest.parameters],
        responses: { ...rest.responses, ...first.responses },
        extensions: { ...rest.extensions, ...first.extensions },
      }),
      noNotes,
    );
  }

  message(message: MessageDescriptor): JsonObject {
    return joinedNotes(this.all(message.fullName, 'message', (family, option) => family.message(option, message)));
  }

  field(field: FieldDescriptor): FieldNotes {
    const found = this.all(field.fullName, 'field', (family, option) => family.field(option, field));
    return {
      schema: joinedNotes(found.map(({ schema }) => schema)),
      items: joinedNotes(found.map(({ items }) => items)),
      isRequired: found.some(({ isRequired }) => isRequired),
    };
  }

  enum(descriptor: EnumDescriptor): JsonObject {
    return joinedNotes(this.all(descriptor.fullName, 'enum', (family, option) => family.enum(option)));
  }

  /** The members of options in a file that documents do not follow: `openapiv2_operation.consumes`. */
  ignored(file: FileDescriptor): readonly string[] {
    const found = new Set<string>();
    for (const [, options] of this.optionsOf(file)) {
      for (const family of families) {
        for (const [kind, name] of Object.entries(family.names) as [NoteKind, string][]) {
          const option = optionOf(options, family, kind);
          if (option === undefined) continue;
          for (const member of family.ignored(kind, option)) found.add(`${shortName(name)}.${member}`);
        }
      }
    }
    return [...found];
  }

  typeOf(name: string): MessageDescriptor | EnumDescriptor | undefined {
    // Documents of gnostic have names without packages: `Book_Page`.
    const short = [...this.files.keys()].map((file) => joinName(file.package, name.replaceAll('_', '.')));
    for (const fullName of [name, ...short]) {
      const found = this.schema.message(fullName) ?? this.schema.enum(fullName);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What each family with such an option says. */
  private all<T>(fullName: string, kind: NoteKind, make: (family: NoteFamily, option: JsonObject) => T): T[] {
    const file = this.schema.fileOf(fullName);
    const options = file && this.optionsOf(file).get(fullName);
    if (options === undefined) return [];
    return families.flatMap((family) => {
      const option = optionOf(options, family, kind);
      return option === undefined ? [] : [make(family, option)];
    });
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

function isDefined({ names }: NoteFamily, schema: Schema): boolean {
  return names.document !== undefined && schema.fileOf(names.document) !== undefined;
}

function optionOf(options: JsonObject, { names }: NoteFamily, kind: NoteKind): JsonObject | undefined {
  const name = names[kind];
  return name === undefined ? undefined : (options[`[${name}]`] as JsonObject | undefined);
}

/** As people write and search it: `openapiv2_field`, `openapi.v3.property`. */
function shortName(option: string): string {
  return option.replace(/^grpc\.gateway\.\w+\.options\./, '');
}

/** Of each member the first. */
function joinedNotes(notes: readonly JsonObject[]): JsonObject {
  return Object.assign({}, ...[...notes].reverse()) as JsonObject;
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
