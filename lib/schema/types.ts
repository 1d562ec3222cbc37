/**
 * The schema as the rest of the proxy uses it: immutable descriptors, independent of their source (`.proto` text, descriptor
 * set, reflection).
 */
import type { SourcePlace } from '../status.js';

/** The scalar types of protobuf. */
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

/** Common members of descriptors. */
export interface Described {
  /** `package.Outer.Name`, without a leading dot. */
  readonly fullName: string;
  readonly name: string;
  /** Place of the declaration; without a line if the source has no lines. */
  readonly place: SourcePlace;
  /**
   * The leading comment; without one the trailing comment. Markers and one leading space are removed, indentation is kept. ''
   * if there is none.
   */
  readonly comment: string;
  readonly deprecated: boolean;
}

/** A field of a message, or an extension. */
export interface FieldDescriptor extends Described {
  /** As declared, usually snake_case. For an extension its full name. */
  readonly name: string;
  /** ProtoJSON name: `json_name` or lowerCamelCase; for an extension `[full.name]`. */
  readonly jsonName: string;
  readonly number: number;
  readonly parent: MessageDescriptor;
  /** Of the elements, if repeated; 'message' also for maps and groups. */
  readonly type: ScalarType | 'enum' | 'message';
  /** True for lists, not for maps. */
  readonly repeated: boolean;
  /** Only for maps: the fields 1 and 2 of the entry. `message` is then undefined. */
  readonly map: MapFields | undefined;
  /** The message type, if `type` is 'message' and the field is no map. Resolved on first use. */
  readonly message: MessageDescriptor | undefined;
  /** The enum type, if `type` is 'enum'. */
  readonly enum: EnumDescriptor | undefined;
  /**
   * True if "set to its default" and "not set" differ: messages, oneof members, `optional`, proto2. Never for lists and maps.
   */
  readonly hasPresence: boolean;
  /** True for proto3 `optional`, which adds presence. */
  readonly isProto3Optional: boolean;
  /** proto2 `required`, editions LEGACY_REQUIRED. */
  readonly required: boolean;
  /** How a list of numbers is written; a reader accepts both forms. */
  readonly packed: boolean;
  /** Encoded as a group. */
  readonly delimited: boolean;
  /** Invalid UTF-8 in a string is an error (proto3, editions VERIFY). */
  readonly validateUtf8: boolean;
  /** The oneof that contains it, unless that is synthetic (proto3 `optional`). */
  readonly oneof: OneofDescriptor | undefined;
  readonly isExtension: boolean;
  /** google.api.field_behavior, as enum names: `REQUIRED`, `OUTPUT_ONLY` … */
  readonly behaviors: readonly string[];
  /** google.api.field_info.format, as the enum's name: `UUID4`, `IPV4` … Undefined if there is none. */
  readonly format: string | undefined;
}

/** The fields of a map entry. */
export interface MapFields {
  readonly key: FieldDescriptor;
  readonly value: FieldDescriptor;
}

/** A oneof that the file declares. */
export interface OneofDescriptor extends Described {
  readonly fields: readonly FieldDescriptor[];
}

/** A field or extension that callers may not see. */
export type HiddenField = Pick<FieldDescriptor, 'name' | 'jsonName' | 'number'>;

/** A message type. */
export interface MessageDescriptor extends Described {
  /** In the order of declaration, without extensions. */
  readonly fields: readonly FieldDescriptor[];
  readonly oneofs: readonly OneofDescriptor[];
  /** Names of declared fields that are not in `fields` because their type is unknown (reported during the load). */
  readonly untypedFields: readonly string[];
  /** Those that `Schema.without` took away; they are in none of the other members. */
  readonly hidden: readonly HiddenField[];
  /** The extensions of this message in all loaded files. */
  readonly extensions: readonly FieldDescriptor[];
  /**
   * A field by proto name or JSON name; proto names take precedence. Extensions are not found. `__proto__` and so on are
   * ordinary unknown names.
   */
  field(name: string): FieldDescriptor | undefined;
  fieldByNumber(number: number): FieldDescriptor | undefined;
}

/** A value of an enum. */
export interface EnumValueDescriptor {
  readonly name: string;
  readonly number: number;
  readonly comment: string;
  readonly deprecated: boolean;
}

/** An enum type. */
export interface EnumDescriptor extends Described {
  readonly values: readonly EnumValueDescriptor[];
  /** True for proto2 and editions CLOSED: an unknown number is not a value. */
  readonly closed: boolean;
  /** The numbers of values that `Schema.without` took away. */
  readonly hiddenNumbers: ReadonlySet<number>;
  value(name: string): EnumValueDescriptor | undefined;
  /** The first declared value with that number. */
  valueByNumber(number: number): EnumValueDescriptor | undefined;
}

/** An RPC. */
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
  /** True for `idempotency_level = NO_SIDE_EFFECTS`. */
  readonly hasNoSideEffects: boolean;
  /** True for that, and for `idempotency_level = IDEMPOTENT`: done twice it is as done once. */
  readonly isIdempotent: boolean;
  /** A custom option by its extension's full name: `google.api.http`. Undefined if the method does not have it. */
  option(name: string): OptionMessage | undefined;
}

/** A service and its RPCs. */
export interface ServiceDescriptor extends Described {
  readonly methods: readonly MethodDescriptor[];
  readonly file: FileDescriptor;
}

/** A loaded file. */
export interface FileDescriptor {
  /** The name by which it is imported: `google/api/http.proto`. */
  readonly name: string;
  /** `proto2`, `proto3`, or an edition: `2023`. */
  readonly syntax: string;
  readonly package: string;
  /**
   * Position among the files that the user named, in the order of the arguments; undefined for files that are only imported.
   */
  readonly order: number | undefined;
  readonly services: readonly ServiceDescriptor[];
  /** In order, without missing weak imports. */
  readonly imports: readonly FileDescriptor[];
  /** Its declarations, in order. */
  readonly declarations: readonly DeclaredName[];
  /** Declarations that google.api.visibility restricts, in order. */
  readonly restricted: readonly Restricted[];
  /**
   * Its FileDescriptorProto. For a `.proto` file it is created on first use, without lines, comments and options of extension
   * ranges.
   */
  readonly encoded: Buffer;
}

/** The kinds of declarations that can be restricted. */
export type DeclarationKind = 'extension' | 'enum' | 'enum value' | 'field' | 'message' | 'oneof' | 'rpc' | 'service';

/** The name of a declaration. */
export interface DeclaredName {
  readonly kind: DeclarationKind;
  /** With the enum in the name of an enum value: `pkg.Enum.VALUE`. */
  readonly fullName: string;
  readonly place: SourcePlace;
}

/** A declaration with a restriction of google.api.visibility. */
export interface Restricted extends DeclaredName {
  /** The labels of callers that may see it: `INTERNAL`, `PREVIEW`. */
  readonly labels: readonly string[];
}

/**
 * A message-typed option as written: fields in order, repetitions kept, unchecked. The reader of an option (`rule`) checks
 * names and types, so that it can report the place.
 */
export interface OptionMessage {
  readonly fields: readonly OptionField[];
  /** True if a member was written without a value, which only YAML permits; it is not in `fields`. */
  readonly hasEmpty?: boolean;
  readonly place: SourcePlace;
}

/** A member of an option message. */
export interface OptionField {
  readonly name: string;
  readonly value: OptionValue;
  readonly place: SourcePlace;
}

/**
 * Identifiers except `true` and `false` (enum names, `inf`, `-inf`) are `{ identifier }`. Integers beyond 2^53 are bigints. A
 * string with bytes that are not UTF-8 (`"\xff"`) is not well-formed (`isWellFormed()`).
 */
export type OptionValue = string | number | bigint | boolean | { readonly identifier: string } | OptionMessage;

/** All loaded files, resolved and linked. Immutable. */
export interface Schema {
  /** All files, also those that are only imported. */
  readonly files: readonly FileDescriptor[];
  /** The services to serve: those of the files that the user named. */
  readonly services: readonly ServiceDescriptor[];
  /** Any message by full name, for google.protobuf.Any and status details; undefined if it is unknown. */
  message(fullName: string): MessageDescriptor | undefined;
  enum(fullName: string): EnumDescriptor | undefined;
  /**
   * The file that declares a full name: a message, enum, service or extension, or a field, oneof, enum value or method of
   * one. Undefined if none does.
   */
  fileOf(fullName: string): FileDescriptor | undefined;
  /**
   * The schema without some declarations and all that cannot be described without them: what is declared in them, fields and RPCs
   * of their types, an enum without its first value, a service of whose RPCs none is left. Itself if there are none.
   * @param hidden their full names
   */
  without(hidden: ReadonlySet<string>): Schema;
  /** True for a type that was taken away. */
  hides(fullName: string): boolean;
}
