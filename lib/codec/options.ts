/** The choices that a codec is compiled with, and their defaults. */

/** How JSON and text values are read and written. Complete here; `new Codec` takes any part of it. */
export interface CodecOptions {
  /**
   * Skips JSON members that the message does not have, and enum names that the enum does not have (in a list or map
   * the element with it). Default false: both are errors. Envoy does so for members always; grpc-gateway: `DiscardUnknown`.
   */
  readonly ignoreUnknownFields: boolean;
  /** Enum names in text values match in any case. Default false. Envoy: `case_insensitive_enum_parsing`. */
  readonly caseInsensitiveEnums: boolean;
  /** Text values of bool fields may also be `1`, `0`, and in any case. Default false. */
  readonly lenientBools: boolean;
  /** FieldMasks in JSON may also be in snake_case, as Google's own clients send them. Default false: 400. */
  readonly snakeCaseFieldMasks: boolean;
  /** How deep JSON input may be nested, 1 to 500; the outermost value counts 1. Default 100. */
  readonly maxJsonDepth: number;
  /** Prints fields under the names of the `.proto` file. Default false. Envoy: `preserve_proto_field_names`; grpc-gateway: `UseProtoNames`. */
  readonly preserveProtoFieldNames: boolean;
  /**
   * Prints fields without presence even where they have their default: numbers, strings, bools, enums, bytes, empty
   * lists and maps; never messages, oneof members and `optional`. Default false. Envoy: `always_print_primitive_fields`.
   */
  readonly alwaysPrintPrimitiveFields: boolean;
  /** Prints enums as numbers. Default false. Envoy: `always_print_enums_as_ints`; grpc-gateway: `UseEnumNumbers`. */
  readonly alwaysPrintEnumsAsInts: boolean;
  /** Prints 64-bit integers as JSON numbers, with all their digits. Default false: as strings, since most readers lose digits. */
  readonly int64AsNumbers: boolean;
  /** Prints with line breaks and an indentation of two spaces. Default false. Envoy: `add_whitespace`. */
  readonly addWhitespace: boolean;
}

/** What holds where nothing else is said: canonical ProtoJSON out, strict ProtoJSON in. */
export const defaultCodecOptions: CodecOptions = Object.freeze({
  ignoreUnknownFields: false,
  caseInsensitiveEnums: false,
  lenientBools: false,
  snakeCaseFieldMasks: false,
  maxJsonDepth: 100,
  preserveProtoFieldNames: false,
  alwaysPrintPrimitiveFields: false,
  alwaysPrintEnumsAsInts: false,
  int64AsNumbers: false,
  addWhitespace: false,
});
