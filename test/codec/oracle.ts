/**
 * An independent implementation of ProtoJSON to compare with: @bufbuild/protobuf, given the same messages by way of
 * descriptors made from ours.
 */
import {
  create,
  createFileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
  type DescFile,
  type DescMessage,
  type JsonValue,
  type MessageInitShape,
  type Registry,
} from '@bufbuild/protobuf';
import {
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  DescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import type { FieldDescriptor, MessageDescriptor, Schema } from '../../lib/schema/index.js';

/** What the files of these tests import. */
export const wellKnownFiles: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type MessageInit = MessageInitShape<typeof DescriptorProtoSchema>;

/** Reads and prints the messages of a registry. */
export class Oracle {
  constructor(private readonly registry: Registry) {}

  /** JSON text → wire. */
  wireOf(type: string, json: string): Buffer {
    const message = this.message(type);
    return Buffer.from(toBinary(message, fromJsonString(message, json, { registry: this.registry })));
  }

  /** Wire → JSON, parsed. */
  jsonOf(type: string, wire: Uint8Array): JsonValue {
    const message = this.message(type);
    return toJson(message, fromBinary(message, wire), { registry: this.registry });
  }

  private message(type: string): DescMessage {
    return this.registry.getMessage(type)!;
  }
}

/**
 * One file of messages and enums, as the other implementation sees it.
 * @param messages with `enums` the top-level types of one package
 */
export function registryOf(
  schema: Schema,
  syntax: 'proto2' | 'proto3',
  messages: readonly string[],
  enums: readonly string[],
): Registry {
  const packageName = messages[0]!.slice(0, messages[0]!.lastIndexOf('.'));
  const file = create(FileDescriptorProtoSchema, {
    name: 'oracle.proto',
    syntax,
    package: packageName,
    dependency: wellKnownFiles.map(({ proto }) => proto.name),
    messageType: messages.map((name) => messageProto(schema.message(name)!, syntax)),
    enumType: enums.map((name) => {
      const type = schema.enum(name)!;
      const allowAlias = new Set(type.values.map(({ number }) => number)).size < type.values.length;
      return create(EnumDescriptorProtoSchema, {
        name: type.name,
        value: type.values.map((value) => ({ name: value.name, number: value.number })),
        ...(allowAlias ? { options: { allowAlias } } : {}),
      });
    }),
  });
  return createFileRegistry(file, (name) => wellKnownFiles.find(({ proto }) => proto.name === name));
}

function messageProto(message: MessageDescriptor, syntax: string): MessageInit {
  const own = message.oneofs.map(({ name }) => ({ name }));
  const optional = message.fields.filter((field) => isOptional(field, syntax));
  const fields = message.fields.map((field): FieldInit => {
    const synthetic = optional.indexOf(field);
    if (synthetic >= 0) return { ...fieldProto(field), proto3Optional: true, oneofIndex: own.length + synthetic };
    const oneof = field.oneof === undefined ? -1 : message.oneofs.indexOf(field.oneof);
    return oneof < 0 ? fieldProto(field) : { ...fieldProto(field), oneofIndex: oneof };
  });
  const nested = message.fields
    .map((field) => field.message)
    .filter((type) => type?.fullName === `${message.fullName}.${type?.name}`) as MessageDescriptor[];
  return create(DescriptorProtoSchema, {
    name: message.name,
    field: fields.map((field) => create(FieldDescriptorProtoSchema, field)),
    oneofDecl: [...own, ...optional.map(({ name }) => ({ name: `_${name}` }))],
    nestedType: [
      ...[...new Set(nested)].map((type) => messageProto(type, syntax)),
      ...message.fields.filter((field) => field.map !== undefined).map(entryProto),
    ],
  });
}

/** proto3 `optional` of a scalar. */
function isOptional(field: FieldDescriptor, syntax: string): boolean {
  return syntax === 'proto3' && field.hasPresence && field.type !== 'message' && field.oneof === undefined;
}

function entryName(field: FieldDescriptor): string {
  return `${field.name.replace(/(^|_)([a-z])/g, (_match, _start, letter: string) => letter.toUpperCase())}Entry`;
}

function entryProto(field: FieldDescriptor): MessageInit {
  const { key, value } = field.map!;
  return create(DescriptorProtoSchema, {
    name: entryName(field),
    field: [create(FieldDescriptorProtoSchema, fieldProto(key)), create(FieldDescriptorProtoSchema, fieldProto(value))],
    options: { mapEntry: true },
  });
}

function fieldProto(field: FieldDescriptor): FieldInit {
  const isMap = field.map !== undefined;
  const typeName = isMap ? `${field.parent.fullName}.${entryName(field)}` : (field.message ?? field.enum)?.fullName;
  return {
    name: field.name,
    jsonName: field.jsonName,
    number: field.number,
    type: typeOf(field),
    label:
      field.repeated || isMap
        ? FieldDescriptorProto_Label.REPEATED
        : field.required
          ? FieldDescriptorProto_Label.REQUIRED
          : FieldDescriptorProto_Label.OPTIONAL,
    ...(typeName === undefined ? {} : { typeName: `.${typeName}` }),
    ...(field.repeated && isPackable(field) ? { options: { packed: field.packed } } : {}),
  };
}

function isPackable(field: FieldDescriptor): boolean {
  return field.type !== 'message' && field.type !== 'string' && field.type !== 'bytes';
}

function typeOf(field: FieldDescriptor): FieldDescriptorProto_Type {
  if (field.type === 'message' && field.delimited) return FieldDescriptorProto_Type.GROUP;
  return FieldDescriptorProto_Type[field.type.toUpperCase() as keyof typeof FieldDescriptorProto_Type];
}
