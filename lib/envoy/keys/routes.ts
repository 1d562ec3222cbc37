/** Virtual hosts and routes: `envoy.config.route.v3`. */
import { any, honoured, list, mapOf, message, noEffect, refused, required, warned } from '../describe.js';
import { anything, bool, duration, enumOf, someTime, string, uint32 } from '../kinds.js';
import { dataSource, headersToAdd, headersToRemove, metadata, names, safeRegex } from './common.js';
import { corsPolicyKeys, routeFilterTypes } from './filters.js';
import { match } from './match.js';

const regexRewrite = message({ pattern: honoured(safeRegex), substitution: honoured(string) });

const retryPolicy = honoured(
  message({
    retry_on: honoured(
      string,
      'cancelled, deadline-exceeded, internal, resource-exhausted, unavailable, 5xx, gateway-error, reset, ' +
        'reset-before-request, connect-failure, refused-stream, retriable-4xx and retriable-status-codes',
    ),
    num_retries: honoured(uint32, 'default 1'),
    per_try_timeout: honoured(duration, 'up to the beginning of the answer, as in Envoy'),
    per_try_idle_timeout: refused('write per_try_timeout', ['0s']),
    retry_priority: refused('all endpoints have one priority'),
    retry_host_predicate: warned(anything, 'an attempt goes to the next endpoint in turn, which may be the same'),
    retry_options_predicates: refused('remove it'),
    host_selection_retry_max_attempts: noEffect(anything, 'endpoints take turns'),
    retriable_status_codes: honoured(list(uint32)),
    retry_back_off: honoured(
      message({ base_interval: honoured(someTime, 'default 0.025s'), max_interval: honoured(someTime) }),
      'pauses are more or less a fifth of the exact ones',
    ),
    rate_limited_retry_back_off: refused('a service says when to come back by grpc-retry-pushback-ms'),
    retriable_headers: refused('write retry_on with gRPC codes'),
    retriable_request_headers: refused('write a route for these requests, with header matchers'),
  }),
  'of calls; what is passed on is sent again only if no server has looked at it',
);

const typedRetryPolicy = refused('write retry_policy');

const clusterWeight = message({
  name: honoured(string),
  weight: honoured(uint32),
  cluster_header: refused('write name'),
  metadata_match: refused('endpoints have no subsets'),
  request_headers_to_add: honoured(headersToAdd),
  request_headers_to_remove: honoured(headersToRemove),
  response_headers_to_add: honoured(headersToAdd),
  response_headers_to_remove: honoured(headersToRemove),
  typed_per_filter_config: refused('write it on the route'),
  host_rewrite_literal: refused('write it on the route'),
});

const hedging = 'attempts are made one after the other; remove it';

const routeAction = message({
  cluster: honoured(string),
  weighted_clusters: honoured(
    message({
      clusters: honoured(list(clusterWeight)),
      total_weight: noEffect(uint32, 'it is the sum of the weights'),
      runtime_key_prefix: noEffect(string, 'there is no runtime'),
      header_name: refused('clusters are picked at random'),
      random_value_specifier: refused('clusters are picked at random'),
      use_hash_policy: refused('clusters are picked at random'),
    }),
  ),
  cluster_header: refused('write a route for each cluster, with a header matcher'),
  cluster_specifier_plugin: refused('write cluster or weighted_clusters'),
  inline_cluster_specifier_plugin: refused('write cluster or weighted_clusters'),
  cluster_not_found_response_code: noEffect(anything, 'clusters are looked up at the start'),
  metadata_match: refused('endpoints have no subsets'),
  prefix_rewrite: honoured(string),
  regex_rewrite: honoured(regexRewrite),
  path_rewrite_policy: refused('write prefix_rewrite or regex_rewrite'),
  path_rewrite: refused('write prefix_rewrite or regex_rewrite'),
  host_rewrite_literal: honoured(string),
  host_rewrite: refused('write host_rewrite_literal'),
  auto_host_rewrite: refused('write host_rewrite_literal', [false]),
  host_rewrite_header: refused('write host_rewrite_literal'),
  host_rewrite_path_regex: refused('write host_rewrite_literal'),
  append_x_forwarded_host: noEffect(bool, 'x-forwarded-host is always sent'),
  timeout: honoured(duration, 'default 15s'),
  idle_timeout: warned(duration, 'services may be silent as long as timeout lets them', ['0s']),
  early_data_policy: refused('early data is not taken'),
  retry_policy: retryPolicy,
  retry_policy_typed_config: typedRetryPolicy,
  request_mirror_policies: refused('requests go to one cluster'),
  priority: refused('there is one pool of connections', ['DEFAULT', 0]),
  rate_limits: refused('limit the rate in front of photongate'),
  include_vh_rate_limits: refused('limit the rate in front of photongate', [false]),
  hash_policy: honoured(
    list(
      message({
        header: honoured(
          message({
            header_name: required(string, 'write header_name: …'),
            regex_rewrite: refused('the whole value counts'),
          }),
        ),
        cookie: refused('write header'),
        connection_properties: refused('write header'),
        query_parameter: refused('write header'),
        filter_state: refused('write header'),
        terminal: noEffect(bool, 'there is one'),
      }),
    ),
    'of clusters with RING_HASH',
  ),
  max_stream_duration: honoured(
    message({
      max_stream_duration: honoured(duration),
      grpc_timeout_header_max: honoured(duration),
      grpc_timeout_header_offset: refused('the time that the client gives is kept', ['0s']),
    }),
  ),
  max_grpc_timeout: refused('write max_stream_duration.grpc_timeout_header_max'),
  grpc_timeout_offset: refused('write max_stream_duration'),
  upgrade_configs: refused('WebSockets are transcoded, not forwarded; remove it'),
  internal_redirect_policy: refused('redirects go to the client'),
  internal_redirect_action: refused('redirects go to the client', ['PASS_THROUGH_INTERNAL_REDIRECT', 0]),
  max_internal_redirects: refused('redirects go to the client'),
  hedge_policy: refused(hedging),
  flush_timeout: refused('remove it'),
  cors: refused('write typed_per_filter_config with a CorsPolicy'),
});

const redirect = message({
  https_redirect: honoured(bool),
  scheme_redirect: honoured(string),
  host_redirect: honoured(string),
  port_redirect: honoured(uint32),
  path_redirect: honoured(string),
  prefix_rewrite: honoured(string),
  regex_rewrite: honoured(regexRewrite),
  response_code: honoured(
    enumOf('MOVED_PERMANENTLY', 'FOUND', 'SEE_OTHER', 'TEMPORARY_REDIRECT', 'PERMANENT_REDIRECT'),
  ),
  strip_query: honoured(bool),
});

const directResponse = message({
  status: honoured(uint32),
  body: honoured(dataSource),
  body_format: refused('write body'),
});

const changes = {
  request_headers_to_add: honoured(headersToAdd),
  request_headers_to_remove: honoured(headersToRemove),
  response_headers_to_add: honoured(headersToAdd),
  response_headers_to_remove: honoured(headersToRemove),
};

const perFilterConfig = honoured(mapOf(any(routeFilterTypes)));

const route = message({
  name: honoured(string, '%ROUTE_NAME% of access logs'),
  match: required(match, 'write match: { prefix: / }'),
  route: honoured(routeAction),
  redirect: honoured(redirect),
  direct_response: honoured(directResponse),
  filter_action: refused('write route, redirect or direct_response'),
  non_forwarding_action: refused('write route, redirect or direct_response'),
  metadata: noEffect(metadata, 'nothing here reads it'),
  decorator: noEffect(anything, 'it names spans of a tracer'),
  typed_per_filter_config: perFilterConfig,
  ...changes,
  tracing: refused('remove it'),
  per_request_buffer_limit_bytes: refused('write per_connection_buffer_limit_bytes on the listener'),
  request_body_buffer_limit: refused('write per_connection_buffer_limit_bytes on the listener'),
  stat_prefix: noEffect(string, 'it names counters'),
});

const virtualHost = message({
  name: noEffect(string, 'only a label'),
  domains: required(names, 'write domains: ["*"]'),
  routes: honoured(list(route)),
  matcher: refused('write routes'),
  require_tls: refused('write a route with redirect: { https_redirect: true }', ['NONE', 0]),
  virtual_clusters: refused('they only count requests; remove it'),
  rate_limits: refused('limit the rate in front of photongate'),
  ...changes,
  cors: honoured(message(corsPolicyKeys)),
  typed_per_filter_config: perFilterConfig,
  include_request_attempt_count: noEffect(bool, 'services are told by grpc-previous-rpc-attempts'),
  include_attempt_count_in_response: refused('the access log has the number of attempts', [false]),
  retry_policy: retryPolicy,
  retry_policy_typed_config: typedRetryPolicy,
  hedge_policy: refused(hedging),
  include_is_timeout_retry_header: noEffect(bool, 'services are told by grpc-previous-rpc-attempts'),
  per_request_buffer_limit_bytes: refused('write per_connection_buffer_limit_bytes on the listener'),
  request_body_buffer_limit: refused('write per_connection_buffer_limit_bytes on the listener'),
  request_mirror_policies: refused('requests go to one cluster'),
  metadata: noEffect(metadata, 'nothing here reads it'),
});

export const routeConfiguration = message({
  name: noEffect(string, 'only a label'),
  virtual_hosts: honoured(list(virtualHost)),
  vhds: refused('write virtual_hosts'),
  internal_only_headers: refused('write request_headers_to_remove'),
  ...changes,
  most_specific_header_mutations_wins: refused('the most general wins, as it does by default', [false]),
  validate_clusters: noEffect(bool, 'clusters are looked up at the start'),
  max_direct_response_body_size_bytes: noEffect(uint32, 'a body may be as large as the file'),
  cluster_specifier_plugins: refused('write cluster or weighted_clusters'),
  request_mirror_policies: refused('requests go to one cluster'),
  ignore_port_in_host_matching: honoured(bool),
  ignore_path_parameters_in_path_matching: refused('remove it', [false]),
  typed_per_filter_config: perFilterConfig,
  metadata: noEffect(metadata, 'nothing here reads it'),
});
