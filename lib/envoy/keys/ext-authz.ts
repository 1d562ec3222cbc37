/** The filter `ext_authz`, which asks by gRPC. */
import { honoured, list, mapOf, message, noEffect, refused, required } from '../describe.js';
import { anything, bool, someTime, string, uint32 } from '../kinds.js';
import { runtimeFraction, stringMatcher } from './common.js';

const noMetadata = noEffect(anything, 'nothing here sets it');
const retry = refused('the authorizer is asked once; remove it');

/** A service of a filter. */
export const grpcService = message({
  envoy_grpc: honoured(
    message({
      cluster_name: required(string, 'write cluster_name: NAME'),
      authority: refused('the authority is that of the cluster; remove it', ['']),
      retry_policy: retry,
      max_receive_message_length: refused('the limit of all calls counts; remove it'),
      skip_envoy_headers: noEffect(bool, 'they are not sent'),
    }),
  ),
  google_grpc: refused('write envoy_grpc'),
  timeout: honoured(someTime),
  initial_metadata: refused('write context_extensions'),
  retry_policy: retry,
});

const requestBody = message({
  max_request_bytes: required(uint32, 'write max_request_bytes: 65536'),
  allow_partial_message: honoured(bool),
  pack_as_bytes: honoured(bool),
});

const names = message({ patterns: honoured(list(stringMatcher)) });

export const extAuthzKeys = {
  grpc_service: honoured(grpcService, 'default 200ms'),
  http_service: refused('write grpc_service'),
  transport_api_version: noEffect(anything, 'v3 is spoken'),
  failure_mode_allow: honoured(bool),
  failure_mode_allow_header_add: honoured(bool),
  with_request_body: honoured(requestBody),
  clear_route_cache: noEffect(bool, 'the route of a call is sought when all filters have run'),
  status_on_error: honoured(message({ code: honoured(uint32) }), 'default 403'),
  validate_mutations: noEffect(bool, 'what no header may be is no answer of the authorizer'),
  metadata_context_namespaces: noMetadata,
  typed_metadata_context_namespaces: noMetadata,
  route_metadata_context_namespaces: noMetadata,
  route_typed_metadata_context_namespaces: noMetadata,
  filter_enabled: honoured(runtimeFraction),
  filter_enabled_metadata: refused('nothing here sets it'),
  deny_at_disable: refused('remove it'),
  include_peer_certificate: refused('certificates are not sent; their subject is the principal of the source', [false]),
  stat_prefix: noEffect(string, 'it names counters'),
  bootstrap_metadata_labels_key: refused('nothing here sets it', ['']),
  allowed_headers: honoured(names),
  disallowed_headers: honoured(names),
  include_tls_session: refused('remove it', [false]),
  charge_cluster_response_stats: noEffect(anything, 'it counts'),
  encode_raw_headers: refused('headers are sent as headers; remove it', [false]),
  decoder_header_mutation_rules: refused('remove it'),
  enable_dynamic_metadata_ingestion: noEffect(anything, 'nothing here reads it'),
  filter_metadata: noEffect(anything, 'nothing here reads it'),
  emit_filter_state_stats: noEffect(bool, 'it counts'),
} as const;

export const extAuthzRouteKeys = {
  disabled: honoured(bool),
  check_settings: honoured(
    message({
      context_extensions: honoured(mapOf(string)),
      disable_request_body_buffering: honoured(bool),
      with_request_body: refused('write it in the filter'),
      grpc_service: refused('write another filter'),
      http_service: refused('write grpc_service'),
    }),
  ),
} as const;
