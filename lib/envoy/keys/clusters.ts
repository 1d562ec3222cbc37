/** Clusters and their endpoints: `envoy.config.cluster.v3`, `envoy.config.endpoint.v3`. */
import { any, honoured, list, mapOf, message, noEffect, refused, required } from '../describe.js';
import { anything, anyTime, bool, double, enumOf, someTime, string, uint32 } from '../kinds.js';
import { healthCheck, outlierDetection } from './health.js';
import { address, http2Limits, metadata, upstreamTransportSocket } from './common.js';

const window = noEffect(uint32, 'photongate decides how windows grow');

const http2Options = message({
  max_concurrent_streams: noEffect(uint32, 'that of the server counts'),
  initial_stream_window_size: window,
  initial_connection_window_size: window,
  hpack_table_size: noEffect(uint32, 'that of the server counts'),
  allow_connect: refused('CONNECT is not sent', [false]),
  ...http2Limits,
  max_inbound_priority_frames_per_stream: noEffect(uint32, 'photongate has limits of its own'),
  max_inbound_window_update_frames_per_data_frame_sent: noEffect(uint32, 'photongate has limits of its own'),
  override_stream_error_on_invalid_http_message: noEffect(bool, 'such streams are reset'),
  connection_keepalive: honoured(
    message({
      interval: honoured(someTime),
      timeout: honoured(someTime),
      interval_jitter: noEffect(anything, 'there is none'),
      connection_idle_interval: noEffect(anyTime, 'connections are asked during calls'),
    }),
  ),
});

const http1Options = message({
  enable_trailers: noEffect(bool, 'trailers are passed on'),
  header_key_format: refused('names go out in lower case'),
  allow_chunked_length: refused('such answers are refused', [false]),
});

const commonOptions = message({
  idle_timeout: noEffect(anyTime, 'idle connections are kept as long as the server keeps them'),
  max_connection_duration: refused('remove it', ['0s']),
  max_headers_count: noEffect(uint32, 'max_upstream_header_bytes is the limit'),
  max_response_headers_kb: noEffect(uint32, 'max_upstream_header_bytes is the limit'),
  max_stream_duration: refused('write timeout on the route'),
  max_requests_per_connection: refused('connections are kept', [0]),
});

const explicitConfig = message({
  http_protocol_options: honoured(http1Options),
  http2_protocol_options: honoured(http2Options),
  http3_protocol_options: refused('HTTP/3 is not spoken here'),
});

const httpProtocolOptions = message({
  common_http_protocol_options: honoured(commonOptions),
  upstream_http_protocol_options: honoured(
    message({
      auto_sni: noEffect(bool, 'without sni, the host of the endpoint is the name'),
      auto_san_validation: refused('the name of the server is always compared with its certificate', [true, false]),
      override_auto_sni_header: refused('write sni', ['']),
    }),
  ),
  explicit_http_config: honoured(explicitConfig),
  use_downstream_protocol_config: refused('write explicit_http_config: { http2_protocol_options: {} }'),
  auto_config: refused('write explicit_http_config: { http2_protocol_options: {} }'),
  http_filters: refused('remove them'),
  header_validation_config: refused('remove it'),
  outlier_detection: refused('remove it'),
  retry_policy: refused('remove it'),
  request_mirror_policies: refused('requests go to one cluster'),
  hash_policy: refused('write hash_policy on the route'),
});

const endpoint = message({
  address: honoured(address),
  hostname: noEffect(string, 'the name of a health check'),
  health_check_config: honoured(
    message({
      port_value: refused('a server is checked at its own port', [0]),
      hostname: refused('write host in http_health_check', ['']),
      address: refused('a server is checked at its own address'),
      disable_active_health_check: refused('write a cluster without health_checks', [false]),
    }),
  ),
  additional_addresses: refused('write an endpoint for each'),
});

const lbEndpoint = message({
  endpoint: honoured(endpoint),
  endpoint_name: refused('write endpoint'),
  health_status: refused('remove endpoints that are not healthy', ['UNKNOWN', 'HEALTHY', 0, 1]),
  metadata: noEffect(metadata, 'nothing here reads it'),
  load_balancing_weight: honoured(uint32),
});

const locality = message({
  locality: noEffect(anything, 'localities are not weighed'),
  metadata: noEffect(metadata, 'nothing here reads it'),
  lb_endpoints: honoured(list(lbEndpoint)),
  load_balancer_endpoints: refused('write lb_endpoints'),
  leds_cluster_locality_config: refused('write lb_endpoints'),
  load_balancing_weight: refused('localities are not weighed; write load_balancing_weight on the endpoints', [1]),
  priority: honoured(uint32),
  proximity: noEffect(uint32, 'localities are not weighed'),
});

const loadAssignment = message({
  cluster_name: noEffect(string, 'only a label'),
  endpoints: honoured(list(locality)),
  named_endpoints: refused('write lb_endpoints'),
  policy: honoured(
    message({
      drop_overloads: refused('remove it'),
      overprovisioning_factor: refused('the factor is 1.4', [140]),
      endpoint_stale_after: refused('remove it'),
      weighted_priority_health: refused('endpoints are counted, whatever their weights', [false]),
    }),
  ),
});

const slowStart = {
  slow_start_config: honoured(
    message({
      slow_start_window: honoured(someTime),
      aggression: refused('weights grow evenly'),
      min_weight_percent: refused('weights begin at 10 %'),
    }),
  ),
  locality_lb_config: refused('localities are not weighed'),
};

const thresholds = message({
  // No route has the priority HIGH.
  priority: honoured(enumOf('DEFAULT', 'HIGH')),
  max_connections: honoured(uint32),
  max_pending_requests: honoured(uint32),
  max_requests: honoured(uint32),
  max_retries: honoured(uint32),
  retry_budget: refused('write max_retries'),
  track_remaining: noEffect(bool, 'it is for counters'),
  max_connection_pools: noEffect(uint32, 'there is one for each server'),
});

export const cluster = message({
  name: required(string, 'write name: …, which routes then lead to'),
  alt_stat_name: noEffect(string, 'it names counters'),
  type: honoured(
    enumOf(
      'STATIC',
      'STRICT_DNS',
      'LOGICAL_DNS',
      ['EDS', refused('write type: STRICT_DNS with the endpoints')],
      ['ORIGINAL_DST', refused('write type: STRICT_DNS with the endpoints')],
    ),
  ),
  cluster_type: refused('write type: STATIC, STRICT_DNS or LOGICAL_DNS'),
  eds_cluster_config: refused('write load_assignment'),
  connect_timeout: honoured(someTime),
  per_connection_buffer_limit_bytes: noEffect(uint32, 'max_receive_bytes is the limit of a message'),
  per_connection_buffer_high_watermark_timeout: noEffect(anyTime, 'photongate has limits of its own'),
  lb_policy: honoured(
    enumOf(
      'ROUND_ROBIN',
      'LEAST_REQUEST',
      'RING_HASH',
      'RANDOM',
      ['ORIGINAL_DST_LB', refused('write ROUND_ROBIN')],
      'MAGLEV',
      ['CLUSTER_PROVIDED', refused('write ROUND_ROBIN')],
      ['LOAD_BALANCING_POLICY_CONFIG', refused('write ROUND_ROBIN')],
    ),
  ),
  hosts: refused('it is of the v2 API: write load_assignment'),
  load_assignment: required(loadAssignment, 'write load_assignment: { endpoints: [{ lb_endpoints: [ … ] }] }'),
  health_checks: honoured(list(healthCheck)),
  max_requests_per_connection: refused('connections are kept', [0]),
  circuit_breakers: honoured(
    message({
      thresholds: honoured(list(thresholds)),
      per_host_thresholds: refused('write thresholds'),
    }),
  ),
  upstream_http_protocol_options: refused('write typed_extension_protocol_options'),
  common_http_protocol_options: honoured(commonOptions),
  http_protocol_options: honoured(http1Options),
  http2_protocol_options: honoured(http2Options),
  typed_extension_protocol_options: honoured(
    mapOf(any({ 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': httpProtocolOptions })),
  ),
  dns_refresh_rate: honoured(someTime),
  dns_jitter: noEffect(anyTime, 'there is none'),
  dns_failure_refresh_rate: noEffect(anything, 'photongate has a pause of its own'),
  respect_dns_ttl: noEffect(bool, 'names are resolved every dns_refresh_rate'),
  dns_lookup_family: noEffect(
    enumOf('AUTO', 'V4_ONLY', ['V6_ONLY', refused('write the IPv6 address')], 'V4_PREFERRED', 'ALL'),
    'addresses of both families are tried, in the order of the system',
  ),
  dns_resolvers: refused('names are resolved by the system'),
  use_tcp_for_dns_lookups: refused('names are resolved by the system', [false]),
  dns_resolution_config: refused('names are resolved by the system'),
  typed_dns_resolver_config: refused('names are resolved by the system'),
  wait_for_warm_on_init: noEffect(bool, 'a start waits for nobody'),
  outlier_detection: honoured(outlierDetection),
  cleanup_interval: noEffect(anyTime, 'it is of ORIGINAL_DST'),
  upstream_bind_config: refused('the system chooses the address'),
  lb_subset_config: refused('endpoints have no subsets'),
  ring_hash_lb_config: honoured(
    message({
      minimum_ring_size: refused('the ring has 1024 points or more', [1024]),
      maximum_ring_size: noEffect(anything, 'the ring has 65536 points at most'),
      hash_function: honoured(enumOf('XX_HASH', ['MURMUR_HASH_2', refused('write XX_HASH')])),
      consistent_hashing_lb_config: refused('servers have no limit of calls'),
    }),
  ),
  maglev_lb_config: honoured(
    message({
      table_size: noEffect(uint32, 'keys are spread over a ring, as with RING_HASH'),
      consistent_hashing_lb_config: refused('servers have no limit of calls'),
    }),
  ),
  original_dst_lb_config: refused('write load_assignment'),
  least_request_lb_config: honoured(
    message({
      choice_count: refused('two are compared', [2]),
      active_request_bias: refused('remove it'),
      ...slowStart,
      enable_full_scan: refused('two are compared', [false]),
      selection_method: refused('two are compared', ['N_CHOICES', 0]),
    }),
  ),
  round_robin_lb_config: honoured(message(slowStart)),
  common_lb_config: honoured(
    message({
      healthy_panic_threshold: honoured(message({ value: honoured(double) })),
      zone_aware_lb_config: refused('localities are not weighed'),
      locality_weighted_lb_config: refused('localities are not weighed'),
      update_merge_window: noEffect(anyTime, 'changes of endpoints count at once'),
      ignore_new_hosts_until_first_hc: noEffect(bool, 'endpoints that are not checked yet get calls if none is well'),
      close_connections_on_host_set_change: refused('connections are kept', [false]),
      consistent_hashing_lb_config: refused('endpoints have no limit of calls'),
      override_host_status: refused('nothing here chooses endpoints'),
    }),
  ),
  transport_socket: honoured(upstreamTransportSocket),
  transport_socket_matches: refused('write transport_socket'),
  tls_context: refused('it is of the v2 API: write transport_socket'),
  metadata: noEffect(metadata, 'nothing here reads it'),
  protocol_selection: refused('write explicit_http_config', ['USE_CONFIGURED_PROTOCOL', 0]),
  upstream_connection_options: noEffect(anything, 'the system keeps connections alive, and PINGs do'),
  close_connections_on_host_health_failure: noEffect(bool, 'such a server gets no new calls'),
  ignore_health_on_host_removal: noEffect(bool, 'what is gone gets no calls'),
  filters: refused('remove them'),
  load_balancing_policy: refused('write lb_policy'),
  lrs_server: refused('load is not reported'),
  track_timeout_budgets: noEffect(bool, 'it counts'),
  upstream_config: refused('remove it'),
  track_cluster_stats: noEffect(anything, 'it counts'),
  preconnect_policy: refused('remove it'),
  connection_pool_per_downstream_connection: refused('connections are shared', [false]),
});
