/** HTTP filters, and what they may say on a route. */
import {
  any,
  honoured,
  list,
  message,
  noEffect,
  refused,
  type RefusedKey,
  required,
  type ValueKind,
} from '../describe.js';
import { anything, bool, bytes, changedHeader, enumOf, maxAge, string, uint32 } from '../kinds.js';
import { headerMatcher, runtimeFraction, stringMatcher } from './common.js';
import { extAuthzKeys, extAuthzRouteKeys } from './ext-authz.js';
import { jwtKeys, jwtRouteKeys } from './jwt.js';
import { faultKeys, rateLimitKeys, rbacKeys } from './request-filters.js';

const printOptions = message({
  add_whitespace: honoured(bool),
  always_print_primitive_fields: honoured(bool),
  always_print_enums_as_ints: honoured(bool),
  preserve_proto_field_names: honoured(bool),
  stream_newline_delimited: honoured(bool),
  stream_sse_style_delimited: honoured(bool),
});

export const transcoderKeys = {
  proto_descriptor: honoured(string, 'relative to the working directory'),
  proto_descriptor_bin: honoured(bytes),
  services: honoured(list(string), 'an empty list switches the filter off'),
  print_options: honoured(printOptions),
  match_incoming_request_route: honoured(bool),
  ignored_query_parameters: honoured(list(string)),
  auto_mapping: honoured(bool),
  ignore_unknown_query_parameters: honoured(bool),
  convert_grpc_status: honoured(bool),
  url_unescape_spec: honoured(
    enumOf('ALL_CHARACTERS_EXCEPT_RESERVED', 'ALL_CHARACTERS_EXCEPT_SLASH', 'ALL_CHARACTERS'),
  ),
  query_param_unescape_plus: honoured(bool),
  match_unregistered_custom_verb: honoured(bool),
  request_validation_options: honoured(
    message({
      reject_unknown_method: honoured(bool),
      reject_unknown_query_parameters: honoured(bool),
      reject_binding_body_field_collisions: honoured(bool),
    }),
  ),
  case_insensitive_enum_parsing: honoured(bool),
  max_request_body_size: honoured(uint32),
  max_response_body_size: honoured(uint32),
  capture_unknown_query_parameters: refused('write ignore_unknown_query_parameters, or name them in the message', [
    false,
  ]),
} as const;

const transcoder = message(transcoderKeys);

const router = message({
  dynamic_stats: noEffect(bool, 'it counts requests'),
  start_child_span: noEffect(bool, 'it is of a tracer'),
  upstream_log: refused('write access_log on the connection manager'),
  upstream_log_options: refused('write access_log on the connection manager'),
  suppress_envoy_headers: noEffect(bool, 'they are not sent'),
  strict_check_headers: refused('remove it'),
  respect_expected_rq_timeout: refused('remove it', [false]),
  suppress_grpc_request_failure_code_stats: noEffect(bool, 'it counts requests'),
  upstream_http_filters: refused('remove them'),
});

export const corsPolicyKeys = {
  allow_origin_string_match: honoured(list(stringMatcher)),
  allow_methods: honoured(string),
  allow_headers: honoured(string),
  expose_headers: honoured(string),
  max_age: honoured(maxAge),
  allow_credentials: honoured(bool),
  filter_enabled: honoured(runtimeFraction),
  shadow_enabled: refused('remove it'),
  allow_private_network_access: refused('remove it', [false]),
  forward_not_matching_preflights: refused('remove it', [true]),
} as const;

const corsPolicy = message(corsPolicyKeys);

export const TRANSCODER = 'envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder';
export const ROUTER = 'envoy.extensions.filters.http.router.v3.Router';
export const CORS = 'envoy.extensions.filters.http.cors.v3.Cors';
export const CORS_POLICY = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';
export const GRPC_WEB = 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb';
export const HEALTH_CHECK = 'envoy.extensions.filters.http.health_check.v3.HealthCheck';
const GRPC_STATS = 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig';

export const HEADER_TO_METADATA = 'envoy.extensions.filters.http.header_to_metadata.v3.Config';

/** What is not here, by the names of Envoy's extensions. */
const others: Readonly<Record<string, string>> = {
  'adaptive_concurrency.v3.AdaptiveConcurrency': 'set max_concurrent_requests in a configuration of photongate',
  'admission_control.v3.AdmissionControl': 'set max_concurrent_requests in a configuration of photongate',
  'alternate_protocols_cache.v3.FilterConfig': 'HTTP/3 is not spoken; remove it',
  'aws_lambda.v3.Config': 'only gRPC and HTTP services are called',
  'aws_request_signing.v3.AwsRequestSigning': 'requests are not signed',
  'bandwidth_limit.v3.BandwidthLimit': 'limit the rate in front of photongate',
  'basic_auth.v3.BasicAuth': 'use JWTs: policies.jwt of a configuration of photongate',
  'cache.v3.CacheConfig': 'put a cache in front of photongate',
  'connect_grpc_bridge.v3.FilterConfig': 'remove it; without --envoy photongate speaks Connect',
  'csrf.v3.CsrfPolicy': 'remove it, and start with --check-origin',
  'custom_response.v3.CustomResponse': 'remove it',
  'decompressor.v3.Decompressor': 'remove it, and set the option request_compression: --request-compression gzip',
  'dynamic_forward_proxy.v3.FilterConfig': 'name the servers in clusters',
  'ext_proc.v3.ExternalProcessor': 'put what it does into the service',
  'file_system_buffer.v3.FileSystemBufferFilterConfig': 'remove it',
  'gcp_authn.v3.GcpAuthnFilterConfig': 'requests are not signed',
  'grpc_field_extraction.v3.GrpcFieldExtractionConfig': 'nothing here reads metadata; remove it',
  'grpc_http1_bridge.v3.Config': 'remove it: routes are transcoded',
  'grpc_http1_reverse_bridge.v3.FilterConfig': 'gRPC clients are answered by gRPC services alone',
  'grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder': 'gRPC clients are answered by gRPC services alone',
  'header_mutation.v3.HeaderMutation': 'write request_headers_to_add and its like on the route',
  'ip_tagging.v3.IPTagging': 'remove it',
  'kill_request.v3.KillRequest': 'remove it',
  'lua.v3.Lua': 'put what the script does into the service, or use photongate as a library',
  'oauth2.v3.OAuth2': 'put an OAuth proxy in front of photongate',
  'on_demand.v3.OnDemand': 'name routes and clusters in the file',
  'original_src.v3.OriginalSrc': 'remove it',
  'ratelimit.v3.RateLimit': 'limit the rate in front of photongate',
  'set_metadata.v3.Config': 'nothing here reads metadata; remove it',
  'stateful_session.v3.StatefulSession': 'calls are not pinned to endpoints',
  'tap.v3.Tap': 'remove it',
  'wasm.v3.Wasm': 'put what the module does into the service, or use photongate as a library',
};

const otherTypes: Readonly<Record<string, RefusedKey>> = Object.fromEntries(
  Object.entries(others).map(([name, text]) => [`envoy.extensions.filters.http.${name}`, refused(text)]),
);

export const healthCheckKeys = {
  pass_through_mode: refused('write false, and the proxy answers itself', [false]),
  headers: honoured(list(headerMatcher), 'which requests are answered 200'),
  cache_time: refused('the answer is made here', ['0s']),
  cluster_min_healthy_percentages: refused('endpoints have no health here'),
} as const;

const unread = noEffect(anything, 'nothing here reads metadata: what would read it is refused');

const headerRules = list(
  message({
    header: honoured(changedHeader),
    cookie: noEffect(string, 'cookies are never removed'),
    on_header_present: unread,
    on_header_missing: unread,
    remove: honoured(bool, 'services do not get the header, and no answer has it; access logs still know it'),
  }),
);

export const headerToMetadataKeys = {
  request_rules: honoured(headerRules),
  response_rules: honoured(headerRules),
  stat_prefix: noEffect(string, 'it names counters'),
} as const;

export const RATE_LIMIT = 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit';
export const FAULT = 'envoy.extensions.filters.http.fault.v3.HTTPFault';
export const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC';
export const JWT = 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';
export const EXT_AUTHZ = 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz';
export const EXT_AUTHZ_ROUTE = 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute';
export const JWT_ROUTE = 'envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig';
export const RBAC_ROUTE = 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute';
export const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';
export const BUFFER = 'envoy.extensions.filters.http.buffer.v3.Buffer';
export const COMPRESSOR = 'envoy.extensions.filters.http.compressor.v3.Compressor';

export const bufferKeys = {
  max_request_bytes: required(uint32, 'write max_request_bytes: 1048576', 'the limit counts; bodies are not held'),
} as const;

const level = message({
  ...Object.fromEntries(
    [
      ...['memory_level', 'compression_level', 'compression_strategy', 'window_bits', 'chunk_size', 'quality'],
      ...['encoder_mode', 'input_block_bits', 'disable_literal_context_modeling', 'enable_checksum', 'strategy'],
    ].map((name) => [name, noEffect(anything, 'levels are decided here')]),
  ),
  dictionary: refused('remove it'),
});

const enabled = message({
  default_value: honoured(bool),
  runtime_key: noEffect(string, 'there is no runtime: the default counts'),
});

const compressedTypes = list(string);
const onlyAnswers = 'only answers are encoded; remove it';

export const compressorKeys = {
  compressor_library: required(
    message({
      name: noEffect(string, '"@type" decides'),
      typed_config: required(
        any({
          'envoy.extensions.compression.gzip.compressor.v3.Gzip': level,
          'envoy.extensions.compression.brotli.compressor.v3.Brotli': level,
          'envoy.extensions.compression.zstd.compressor.v3.Zstd': level,
        } as const),
        'write typed_config, with "@type" in it',
      ),
    }),
    'write compressor_library with typed_config',
    'answers that are passed on from a cluster, and streams, stay as they are',
  ),
  content_length: honoured(uint32),
  content_type: honoured(compressedTypes),
  disable_on_etag_header: refused('an answer with a strong ETag of the service is never encoded', [false]),
  remove_accept_encoding_header: noEffect(bool, 'services do not get it'),
  runtime_enabled: honoured(enabled),
  request_direction_config: refused(onlyAnswers),
  response_direction_config: honoured(
    message({
      common_config: honoured(
        message({
          enabled: honoured(enabled),
          min_content_length: honoured(uint32, 'default 30'),
          content_type: honoured(compressedTypes),
          remove_accept_encoding_header: noEffect(bool, 'services do not get it'),
        }),
      ),
      disable_on_etag_header: refused('an answer with a strong ETag of the service is never encoded', [false]),
      remove_accept_encoding_header: noEffect(bool, 'services do not get it'),
      uncompressible_response_codes: refused('answers of all statuses are encoded; remove it'),
      status_header_enabled: refused('remove it', [false]),
    }),
  ),
  choose_first: noEffect(bool, 'at equal weight the order of the filters decides'),
} as const;

export const httpFilterTypes = {
  ...otherTypes,
  [TRANSCODER]: transcoder,
  [ROUTER]: router,
  [CORS]: message({}),
  [HEALTH_CHECK]: message(healthCheckKeys),
  [GRPC_WEB]: message({}),
  [HEADER_TO_METADATA]: message(headerToMetadataKeys),
  [BUFFER]: message(bufferKeys),
  [RATE_LIMIT]: message(rateLimitKeys),
  [FAULT]: message(faultKeys),
  [RBAC]: message(rbacKeys),
  [JWT]: message(jwtKeys),
  [EXT_AUTHZ]: message(extAuthzKeys),
  [COMPRESSOR]: message(compressorKeys),
  [GRPC_STATS]: message({
    stats_for_all_methods: noEffect(bool, 'it counts calls'),
    individual_method_stats_allowlist: noEffect(anything, 'it counts calls'),
    enable_upstream_stats: noEffect(bool, 'it counts calls'),
    emit_filter_state: noEffect(bool, 'nothing here reads it'),
    replace_dots_in_grpc_service_name: noEffect(bool, 'it names counters'),
  }),
} as const;

const rbac = message(rbacKeys);

/** An empty one switches the filter on. */
const routeConfig: ValueKind<unknown> = {
  expected: 'a map with "@type"',
  read(node, path, reader) {
    const isEmpty = node.kind === 'map' && node.members.length === 0;
    return isEmpty ? undefined : any(routeFilterTypes).read(node, path, reader);
  },
};

export const routeFilterTypes = {
  ...otherTypes,
  [TRANSCODER]: transcoder,
  [CORS_POLICY]: corsPolicy,
  [JWT_ROUTE]: message(jwtRouteKeys),
  [EXT_AUTHZ_ROUTE]: message(extAuthzRouteKeys),
  [RATE_LIMIT]: message(rateLimitKeys),
  [FAULT]: message(faultKeys),
  [RBAC_ROUTE]: message({ rbac: honoured(rbac, 'without it the filter is off here') }),
  [FILTER_CONFIG]: message({
    disabled: honoured(bool),
    config: honoured(routeConfig, 'without it the filter is on, as it stands'),
    is_optional: noEffect(bool, 'what is not known is refused anyway'),
  }),
} as const;
