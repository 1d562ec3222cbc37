/**
 * The .proto files of a schema as FileDescriptorProtos, the form in which reflection tells of them: everything but
 * comments. Options are kept, custom ones too, so whoever asks learns of the HTTP rules as well.
 */
import protobuf from 'protobufjs';

/** One .proto file as it was read. */
export interface ProtoFile {
  readonly name: string;
  readonly package: string;
  readonly syntax: string;
  readonly imports: readonly string[];
}

/** A file in binary form, with the names of the files that it imports. */
export interface DescribedFile {
  readonly name: string;
  readonly imports: readonly string[];
  readonly bytes: Buffer;
  /** Full names of its messages, enums, services, RPCs and extensions. */
  readonly symbols: readonly string[];
  /** The extensions in it: the message that each extends, and its number. */
  readonly extensions: readonly { readonly extendee: string; readonly number: number }[];
}

type Proto = Record<string, unknown>;

const scalarTypes = [
  ...['double', 'float', 'int64', 'uint64', 'int32', 'fixed64', 'fixed32', 'bool', 'string', 'group', 'message'],
  ...['bytes', 'uint32', 'enum', 'sfixed32', 'sfixed64', 'sint32', 'sint64'],
];

/** Describes files of one root; `descriptorRoot` has google/protobuf/descriptor.proto in it. */
export function describeFiles(
  root: protobuf.Root,
  files: readonly ProtoFile[],
  descriptorRoot: protobuf.Root,
): DescribedFile[] {
  return files.map((file) => new Describer(root, file, descriptorRoot).describe());
}

class Describer {
  readonly #symbols: string[] = [];
  readonly #extensions: { extendee: string; number: number }[] = [];

  constructor(
    readonly root: protobuf.Root,
    readonly file: ProtoFile,
    readonly descriptorRoot: protobuf.Root,
  ) {}

  describe(): DescribedFile {
    const { name, imports, syntax } = this.file;
    const scope = (this.file.package === '' ? this.root : this.root.lookup(this.file.package)) as protobuf.Namespace;
    const own = scope.nestedArray.filter((object) => object.filename === name);
    const type = this.descriptorRoot.lookupType('google.protobuf.FileDescriptorProto');
    const message = type.fromObject({
      name,
      ...(this.file.package !== '' && { package: this.file.package }),
      dependency: imports,
      ...this.#members(own),
      syntax,
    });
    const bytes = Buffer.from(type.encode(message).finish());
    return { name, imports, bytes, symbols: this.#symbols, extensions: this.#extensions };
  }

  #members(objects: readonly protobuf.ReflectionObject[], inMessage = false): Proto {
    const of = <T>(kind: new (...args: never[]) => T): T[] => objects.filter((each) => each instanceof kind) as T[];
    return {
      [inMessage ? 'nested_type' : 'message_type']: of<protobuf.Type>(protobuf.Type).map((type) => this.#type(type)),
      enum_type: of<protobuf.Enum>(protobuf.Enum).map((each) => this.#enum(each)),
      extension: of<protobuf.Field>(protobuf.Field).map((field) => this.#extension(field)),
      ...(!inMessage && { service: of<protobuf.Service>(protobuf.Service).map((service) => this.#service(service)) }),
    };
  }

  #type(type: protobuf.Type): Proto {
    this.#symbols.push(nameOf(type));
    const members = this.#members(type.nestedArray, true);
    // protobufjs puts the extensions of a message among its fields, too.
    const fields = type.fieldsArray.filter((field) => !field.declaringField);
    const maps = fields.filter((field) => field instanceof protobuf.MapField);
    // A oneof made for the presence of one field comes after the written ones.
    const oneofs = type.oneofsArray.sort((a, b) => Number(isSynthetic(a)) - Number(isSynthetic(b)));
    return {
      name: type.name,
      field: fields.map((field) => this.#field(field, oneofs)),
      ...members,
      nested_type: [...(members['nested_type'] as Proto[]), ...maps.map((map) => this.#entry(map))],
      oneof_decl: oneofs.map(({ name }) => ({ name })),
      extension_range: (type.extensions ?? []).map((range) => ({ start: range[0], end: range[1]! + 1 })),
      ...this.#options(type, 'MessageOptions'),
    };
  }

  #field(field: protobuf.Field, oneofs: readonly protobuf.OneOf[]): Proto {
    const oneof = field.partOf === null ? -1 : oneofs.indexOf(field.partOf);
    const isMap = field instanceof protobuf.MapField;
    const {
      json_name: jsonName = camelCase(field.name),
      proto3_optional: optional,
      default: byDefault,
    } = field.options ?? {};
    return {
      name: field.name,
      number: field.id,
      label: field.repeated || isMap ? 'LABEL_REPEATED' : field.required ? 'LABEL_REQUIRED' : 'LABEL_OPTIONAL',
      ...(isMap ? { type: 'TYPE_MESSAGE', type_name: `${field.parent!.fullName}.${entryName(field)}` } : typeOf(field)),
      json_name: jsonName as string,
      ...(byDefault !== undefined && { default_value: String(byDefault) }),
      ...(oneof >= 0 && { oneof_index: oneof }),
      ...(optional === true && { proto3_optional: true }),
      ...this.#options(field, 'FieldOptions'),
    };
  }

  #extension(field: protobuf.Field): Proto {
    const extended = field.parent!.lookupType(field.extend!);
    this.#symbols.push(nameOf(field));
    this.#extensions.push({ extendee: nameOf(extended), number: field.id });
    return { ...this.#field(field, []), extendee: extended.fullName };
  }

  #entry(field: protobuf.MapField): Proto {
    const part = (name: string, number: number, type: Proto): Proto => ({
      name,
      number,
      label: 'LABEL_OPTIONAL',
      ...type,
      json_name: name,
    });
    return {
      name: entryName(field),
      field: [part('key', 1, { type: scalarType(field.keyType) }), part('value', 2, typeOf(field))],
      options: { map_entry: true },
    };
  }

  #enum(each: protobuf.Enum): Proto {
    this.#symbols.push(nameOf(each));
    const value = Object.entries(each.values).map(([name, number]) => ({ name, number }));
    return { name: each.name, value, ...this.#options(each, 'EnumOptions') };
  }

  #service(service: protobuf.Service): Proto {
    this.#symbols.push(nameOf(service));
    const method = service.methodsArray.map((each) => {
      this.#symbols.push(nameOf(each));
      return {
        name: each.name,
        input_type: each.resolvedRequestType!.fullName,
        output_type: each.resolvedResponseType!.fullName,
        ...(each.requestStream === true && { client_streaming: true }),
        ...(each.responseStream === true && { server_streaming: true }),
        ...this.#options(each, 'MethodOptions'),
      };
    });
    return { name: service.name, method, ...this.#options(service, 'ServiceOptions') };
  }

  /** `{options: …}` where any are set. Those of Google's own files say nothing that a reader needs. */
  #options(object: protobuf.ReflectionObject, typeName: string): Proto {
    if (this.file.name.startsWith('google/protobuf/')) return {};
    const type = this.descriptorRoot.lookupType(`google.protobuf.${typeName}`);
    const options: Proto = {};
    for (const [key, value] of ((object.parsedOptions ?? []) as Proto[]).flatMap(Object.entries)) {
      const name = optionName(object, key);
      const field = type.fields[name];
      if (field === undefined) continue; // `json_name` and `default`, which are no options but are written like them
      const normal = optionValue(field.resolve(), value);
      options[name] = field.repeated
        ? [...((options[name] as unknown[] | undefined) ?? []), ...(normal as [])]
        : normal;
    }
    return Object.keys(options).length === 0 ? {} : { options };
  }
}

/** The name of an option's field: an extension is, with protobufjs, a field named by its full name. */
function optionName(object: protobuf.ReflectionObject, key: string): string {
  const extension = /^\((.*)\)$/.exec(key)?.[1];
  if (extension === undefined) return key;
  return (object.parent!.lookup(extension) ?? object.root.lookup(extension))?.fullName ?? key;
}

/** A repeated field may be written once and without brackets; protobufjs wants an array. */
function optionValue(field: protobuf.Field, value: unknown): unknown {
  if (field.repeated) return [value].flat().map((each) => optionScalar(field, each));
  return optionScalar(field, value);
}

function optionScalar(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (!(type instanceof protobuf.Type)) return value;
  const entries = Object.entries(value as object).map(([name, each]) => {
    const member = type.fields[name];
    return [name, member === undefined ? (each as unknown) : optionValue(member.resolve(), each)] as const;
  });
  return Object.fromEntries(entries);
}

function typeOf(field: protobuf.FieldBase): Proto {
  const type = field.resolvedType;
  if (type === null) return { type: scalarType(field.type) };
  return { type: type instanceof protobuf.Enum ? 'TYPE_ENUM' : 'TYPE_MESSAGE', type_name: type.fullName };
}

function scalarType(name: string): string {
  if (!scalarTypes.includes(name)) throw new TypeError(`no scalar type ${name}`);
  return `TYPE_${name.toUpperCase()}`;
}

function isSynthetic(oneof: protobuf.OneOf): boolean {
  return oneof.fieldsArray.length === 1 && oneof.fieldsArray[0]!.options?.['proto3_optional'] === true;
}

/** `selector_labels` → `SelectorLabelsEntry`, as protoc names it. */
function entryName(field: protobuf.FieldBase): string {
  const camel = camelCase(field.name);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function nameOf(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '');
}
