/** The choices that a codec is compiled with: how JSON and text values are read and written. */
import { booleanValue, defaultsOf, integerValue, option, type OptionsOf, presetOption } from '../options/index.js';

/** The options of JSON and text values. */
export const codecOptions = {
  lenient_bools: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: "Go's `ParseBool`",
    group: 'requests',
    text: 'also take 1, 0 and any case for true and false in paths and queries',
  }),
  // `1h30m` for a Duration, `+5`, `.5`, `T` for true; the members of well-known types: `page_size.value=5`.
  grpc_gateway_values: presetOption(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: '`ttl=1h`, `n=+5`, `page_size.value=5`; names that path or body give are skipped',
    text: "values in paths and queries in every form that grpc-gateway's runtime takes",
  }),
  case_insensitive_enums: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'take enum names in any case',
    peers: 'Envoy `case_insensitive_enum_parsing`',
  }),
  lenient_json: option(booleanValue, {
    default: false,
    group: 'requests',
    text: "accept the JSON that Envoy's parser accepts: keys without quotes or in single ones, trailing commas, one value for a list, booleans and enum numbers in quotes",
  }),
  envoy_values: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'read booleans and enums as Envoy does: yes, T and 0 in paths and queries, no numbers there that the enum lacks, and unknown enum names are errors everywhere',
  }),
  // In a list or map, an element with an unknown enum name is skipped.
  ignore_unknown_fields: option(booleanValue, {
    default: false,
    presets: { envoy: true, 'grpc-gateway': true, google: true },
    why: 'all three skip unknown JSON fields',
    group: 'requests',
    text: 'skip unknown JSON fields and enum names',
    peers: 'grpc-gateway `DiscardUnknown`',
  }),
  snake_case_field_masks: presetOption(booleanValue, {
    default: false,
    presets: { google: true },
    why: 'FieldMasks of bodies in snake_case',
    text: 'FieldMasks in JSON may also be in snake_case',
  }),
  preserve_proto_field_names: option(booleanValue, {
    default: false,
    group: 'answers',
    text: "print the proto's own field names (snake_case)",
    peers: 'Envoy `preserve_proto_field_names`, grpc-gateway `UseProtoNames`',
  }),
  // Never messages, oneof members and `optional` fields.
  always_print_primitive_fields: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'its marshaler emits defaults',
    group: 'answers',
    text: 'print fields that have their default value: 0, "", false, []',
    peers: 'Envoy `always_print_primitive_fields`',
  }),
  // Null for messages that are not set; never for members of oneofs, `optional` fields and extensions.
  always_print_all_fields: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'null for messages that are not set',
    group: 'answers',
    text: 'like always_print_primitive_fields, and null for messages that are not set',
    peers: 'grpc-gateway `EmitUnpopulated`',
  }),
  always_print_enums_as_ints: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'print enums as numbers',
    peers: 'Envoy `always_print_enums_as_ints`, grpc-gateway `UseEnumNumbers`',
  }),
  int64_as_numbers: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'print 64-bit integers as JSON numbers',
  }),
  add_whitespace: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'indent the JSON',
    peers: 'Envoy `add_whitespace`',
  }),
  // The outermost value counts 1.
  max_json_depth: option(integerValue(1, 500), { default: 100, group: 'limits', text: 'nesting of JSON' }),
};

/** All options of a codec. */
export type CodecOptions = OptionsOf<typeof codecOptions>;

/** Canonical ProtoJSON out, strict ProtoJSON in. */
export const defaultCodecOptions: CodecOptions = defaultsOf(codecOptions);
