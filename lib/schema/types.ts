/**
 * The schema as the rest of the proxy sees it: immutable descriptors, whatever they were read from (`.proto` text,
 * descriptor set, reflection). Nothing above this module sees a protobufjs object.
 */
import type { SourcePlace } from '../status.js';

export type ScalarType =
  | 'double'
  | 'float'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'sint32'
  | 'sint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed32'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes';

/** What every descriptor has. */
export interface Described {
  /** `package.Outer.Name`, no leading dot. */
  readonly fullName: string;
  readonly name: string;
  /** Where it is declared; without a line where the source does not say. */
  readonly place: SourcePlace;
  /** The leading comment, else the trailing one; markers and one leading space removed, indentation kept; '' where none. */
  readonly comment: string;
  readonly deprecated: boolean;
}

export interface FieldDescriptor extends Described {
  /** As declared (snake_case by habit). An extension's is its full name. */
  readonly name: string;
  /** ProtoJSON name: `json_name` or lowerCamelCase; an extension's is `[full.name]`. */
  readonly jsonName: string;
  readonly number: number;
  readonly parent: MessageDescriptor;
  /** Of the elements where repeated; 'message' for maps and groups too. */
  readonly type: ScalarType | 'enum' | 'message';
  /** True for lists, not for maps. */
  readonly repeated: boolean;
  /** Set for maps alone: the fields 1 and 2 of the entry. `message` is then undefined. */
  readonly map: MapFields | undefined;
  /** The message type, where `type` is 'message' and it is no map. Resolved when first read. */
  readonly message: MessageDescriptor | undefined;
  /** The enum type, where `type` is 'enum'. */
  readonly enum: EnumDescriptor | undefined;
  /** True where "set to its default" and "not set" differ: messages, oneof members, `optional`, proto2. Never for lists and maps. */
  readonly hasPresence: boolean;
  /** proto2 `required`, editions LEGACY_REQUIRED. */
  readonly required: boolean;
  /** How a list of numbers is written; both forms must be read. */
  readonly packed: boolean;
  /** Written as a group. */
  readonly delimited: boolean;
  /** Strings: invalid UTF-8 is an error on the wire (proto3, editions VERIFY). */
  readonly validateUtf8: boolean;
  /** The oneof it is a member of; synthetic ones (proto3 `optional`) do not count. */
  readonly oneof: OneofDescriptor | undefined;
  readonly isExtension: boolean;
  /** google.api.field_behavior, as enum names: `REQUIRED`, `OUTPUT_ONLY` … */
  readonly behaviors: readonly string[];
}

export interface MapFields {
  readonly key: FieldDescriptor;
  readonly value: FieldDescriptor;
}

export interface OneofDescriptor extends Described {
  readonly fields: readonly FieldDescriptor[];
}

export interface MessageDescriptor extends Described {
  /** In the order of declaration; extensions are not among them. */
  readonly fields: readonly FieldDescriptor[];
  readonly oneofs: readonly OneofDescriptor[];
  /** The known extensions of this message, from all loaded files. */
  readonly extensions: readonly FieldDescriptor[];
  /** By proto name or JSON name; proto names win. Own fields only. `__proto__` and the like are ordinary unknown names. */
  field(name: string): FieldDescriptor | undefined;
  fieldByNumber(number: number): FieldDescriptor | undefined;
}

export interface EnumValueDescriptor {
  readonly name: string;
  readonly number: number;
  readonly comment: string;
  readonly deprecated: boolean;
}

export interface EnumDescriptor extends Described {
  readonly values: readonly EnumValueDescriptor[];
  /** proto2 and editions CLOSED: an unknown number is not a value. */
  readonly closed: boolean;
  value(name: string): EnumValueDescriptor | undefined;
  /** The first declared value of that number. */
  valueByNumber(number: number): EnumValueDescriptor | undefined;
}

export interface MethodDescriptor extends Described {
  /** `package.Service.Method`. */
  readonly fullName: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly service: ServiceDescriptor;
  readonly input: MessageDescriptor;
  readonly output: MessageDescriptor;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  /** `idempotency_level = NO_SIDE_EFFECTS`. */
  readonly hasNoSideEffects: boolean;
  /** A custom option by its extension's full name: `google.api.http`. Undefined where the method has none. */
  option(name: string): OptionMessage | undefined;
}

export interface ServiceDescriptor extends Described {
  readonly methods: readonly MethodDescriptor[];
  readonly file: FileDescriptor;
}

export interface FileDescriptor {
  /** As imports name it: `google/api/http.proto`. */
  readonly name: string;
  /** `proto2`, `proto3`, or an edition: `2023`. */
  readonly syntax: string;
  readonly package: string;
  /** Position among the files that were asked for, in the order of the arguments; undefined for those only imported. */
  readonly order: number | undefined;
  readonly services: readonly ServiceDescriptor[];
  /** In order; a weak one that is not there is left out. */
  readonly imports: readonly FileDescriptor[];
  /**
   * Its FileDescriptorProto: the bytes that it came as or, of `.proto` text, written when first asked for and then kept.
   * Written ones lack lines and comments, and options of extension ranges.
   */
  readonly encoded: Buffer;
}

/**
 * A message-typed option as it was written: fields in order, repeats kept, nothing checked. The reader of an option
 * (`rule`) judges names and types, so that it can point at the place.
 */
export interface OptionMessage {
  readonly fields: readonly OptionField[];
  readonly place: SourcePlace;
}

export interface OptionField {
  readonly name: string;
  readonly value: OptionValue;
  readonly place: SourcePlace;
}

/**
 * Identifiers that are not `true` or `false` (enum names, `inf`, `-inf`) are `{ identifier }`. Integers beyond 2^53 are
 * bigints. A string that holds bytes that are no UTF-8 (`"\xff"`) is not well-formed: `isWellFormed()` tells.
 */
export type OptionValue = string | number | bigint | boolean | { readonly identifier: string } | OptionMessage;

/** Everything that was loaded, resolved and linked; never changes. */
export interface Schema {
  /** All files, those that were only imported included. */
  readonly files: readonly FileDescriptor[];
  /** The services that are to be served: those of the files that were asked for. */
  readonly services: readonly ServiceDescriptor[];
  /** Any message by full name, for google.protobuf.Any and details; undefined where unknown. */
  message(fullName: string): MessageDescriptor | undefined;
  enum(fullName: string): EnumDescriptor | undefined;
  /**
   * The file that declares what has that full name: a message, enum, service or extension, or a field, oneof, enum value
   * or method of one. Undefined where nothing has.
   */
  fileOf(fullName: string): FileDescriptor | undefined;
}
