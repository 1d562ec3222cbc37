/** The transcoder filter → options, services and descriptor sets. */
import { isDeepStrictEqual } from 'node:util';
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, fault, type MessageOf } from '../describe.js';
import type { transcoderKeys } from '../keys/filters.js';

export type Transcoder = MessageOf<typeof transcoderKeys>;
type PlainMap = Record<string, Plain>;

export interface TranslatedTranscoders {
  readonly options: PlainMap;
  readonly descriptorSets: readonly string[];
}

/**
 * Several filters are as one with the services of all, as each passes on what it does not know.
 * @param bufferBytes what a body may have if the filter does not say
 */
export function translateTranscoders(
  transcoders: readonly Transcoder[],
  bufferBytes: number,
  reader: EnvoyReader,
): TranslatedTranscoders {
  // Without services a filter is switched off, and its descriptor is not read.
  const active = transcoders.filter(({ services = [] }) => services.length > 0);
  const [first, ...others] = active;
  if (first === undefined) return { options: { services: [] }, descriptorSets: [] };
  const options = optionsOf(first, bufferBytes);
  for (const other of others) {
    if (isDeepStrictEqual(optionsOf(other, bufferBytes), options)) continue;
    cannot(
      reader,
      other.at,
      'the transcoders of one listener have one set of options here',
      'write the same options, or a listener for each',
    );
  }
  return {
    options: { services: active.flatMap(({ services = [] }) => services), ...options },
    descriptorSets: active.flatMap((transcoder) => descriptorOf(transcoder, reader)),
  };
}

function descriptorOf(
  { proto_descriptor: file, proto_descriptor_bin: bytes, at }: Transcoder,
  reader: EnvoyReader,
): string[] {
  if (bytes !== undefined) return [`data:application/octet-stream;base64,${bytes.toString('base64')}`];
  if (file !== undefined) return [file];
  fault(reader, at, 'it has no descriptor', 'write proto_descriptor: FILE, made by protoc --include_imports -o FILE');
  return [];
}

/** Of a message of gRPC, which Envoy counts too. */
const FRAME_HEAD_BYTES = 5;

const switches = [
  ...['add_whitespace', 'always_print_primitive_fields', 'always_print_enums_as_ints', 'preserve_proto_field_names'],
  ...['auto_mapping', 'ignore_unknown_query', 'case_insensitive_enums', 'match_incoming_request_route'],
  ...['reject_unknown_method', 'pass_unknown_query', 'reject_binding_body_field_collisions'],
];

/** What options are if a filter does not say: a route has nothing of the filter that its own takes the place of. */
export const usualOptions: PlainMap = {
  ...Object.fromEntries(switches.map((name) => [name, false])),
  stream_format: 'array',
  ignore_query: [],
  literal_plus: true,
  max_response_bytes: 'none',
};

function optionsOf(transcoder: Transcoder, bufferBytes: number): PlainMap {
  const { print_options: print, request_validation_options: validation, url_unescape_spec: unescape } = transcoder;
  const given = {
    add_whitespace: print?.add_whitespace,
    always_print_primitive_fields: print?.always_print_primitive_fields,
    always_print_enums_as_ints: print?.always_print_enums_as_ints,
    preserve_proto_field_names: print?.preserve_proto_field_names,
    auto_mapping: transcoder.auto_mapping,
    ignore_unknown_query: transcoder.ignore_unknown_query_parameters,
    case_insensitive_enums: transcoder.case_insensitive_enum_parsing,
    match_incoming_request_route: transcoder.match_incoming_request_route,
    reject_unknown_method: validation?.reject_unknown_method,
    pass_unknown_query: validation?.reject_unknown_query_parameters !== true,
    reject_binding_body_field_collisions: validation?.reject_binding_body_field_collisions,
  };
  const switchedOn = Object.entries(given).filter(([, value]) => value === true);
  const ignored = transcoder.ignored_query_parameters ?? [];
  return {
    ...Object.fromEntries(switchedOn.map(([name]) => [name, true])),
    ...formatOf(print),
    custom_verbs: transcoder.match_unregistered_custom_verb === true ? 'every_colon' : 'of_any_route',
    convert_grpc_status: transcoder.convert_grpc_status === true,
    ...(ignored.length > 0 && { ignore_query: ignored }),
    ...(transcoder.query_param_unescape_plus === true && { literal_plus: false }),
    url_unescape: (unescape ?? 'ALL_CHARACTERS_EXCEPT_RESERVED').toLowerCase(),
    max_body_bytes: transcoder.max_request_body_size ?? bufferBytes,
    ...(transcoder.max_response_body_size !== undefined && {
      max_response_bytes: Math.max(1, transcoder.max_response_body_size - FRAME_HEAD_BYTES),
    }),
  };
}

function formatOf(print: Transcoder['print_options']): PlainMap {
  if (print?.stream_sse_style_delimited === true) return { stream_format: 'sse' };
  return print?.stream_newline_delimited === true ? { stream_format: 'ndjson' } : {};
}
