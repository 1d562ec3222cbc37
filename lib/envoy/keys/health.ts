/** Which endpoints count as well: `envoy.config.core.v3.HealthCheck` and `OutlierDetection`. */
import { honoured, list, message, noEffect, refused, required } from '../describe.js';
import { anything, anyTime, bool, enumOf, someTime, string, uint32 } from '../kinds.js';

const steady = 'checks have one interval';

export const healthCheck = message({
  timeout: required(someTime, 'write timeout: 1s'),
  interval: required(someTime, 'write interval: 10s'),
  initial_jitter: noEffect(anyTime, 'the first check comes at once'),
  interval_jitter: noEffect(anyTime, steady),
  interval_jitter_percent: noEffect(uint32, steady),
  unhealthy_threshold: required(uint32, 'write unhealthy_threshold: 3'),
  healthy_threshold: required(uint32, 'write healthy_threshold: 2'),
  alt_port: refused('endpoints are checked at their own ports'),
  reuse_connection: noEffect(bool, 'checks by gRPC and HTTP/2 use the connections of calls'),
  http_health_check: honoured(
    message({
      host: honoured(string),
      path: required(string, 'write path: /healthz'),
      send: refused('checks are GET requests without a body'),
      receive: refused('the status alone counts'),
      response_buffer_size: noEffect(anything, 'the body is not read'),
      request_headers_to_add: refused('remove it'),
      request_headers_to_remove: refused('remove it'),
      expected_statuses: honoured(list(message({ start: honoured(uint32), end: honoured(uint32) }))),
      retriable_statuses: refused('an answer decides at once; remove it'),
      codec_client_type: honoured(enumOf('HTTP1', 'HTTP2', ['HTTP3', refused('write HTTP2')])),
      service_name_matcher: refused('remove it'),
      method: refused('checks are GET requests', ['GET', 'METHOD_UNSPECIFIED', 0, 1]),
    }),
  ),
  tcp_health_check: honoured(
    message({
      send: refused('a connection alone counts'),
      receive: refused('a connection alone counts'),
      proxy_protocol_config: refused('a connection alone counts'),
    }),
  ),
  grpc_health_check: honoured(
    message({
      service_name: honoured(string),
      authority: refused('the name of the endpoint is sent', ['']),
      initial_metadata: refused('remove it'),
    }),
  ),
  custom_health_check: refused('write grpc_health_check, http_health_check or tcp_health_check'),
  no_traffic_interval: noEffect(anyTime, steady),
  no_traffic_healthy_interval: noEffect(anyTime, steady),
  unhealthy_interval: honoured(someTime),
  unhealthy_edge_interval: noEffect(anyTime, steady),
  healthy_edge_interval: noEffect(anyTime, steady),
  event_log_path: noEffect(string, 'changes are logged with everything else'),
  event_logger: noEffect(anything, 'changes are logged with everything else'),
  event_service: noEffect(anything, 'changes are logged with everything else'),
  always_log_health_check_failures: noEffect(bool, 'changes are logged'),
  always_log_health_check_success: noEffect(bool, 'changes are logged'),
  tls_options: refused('TLS is that of calls'),
  transport_socket_match_criteria: refused('TLS is that of calls'),
});

const rates = 'consecutive failures count, and no rates';

export const outlierDetection = message({
  consecutive_5xx: honoured(uint32),
  interval: noEffect(anyTime, 'an endpoint is back as soon as its time is over'),
  base_ejection_time: honoured(someTime),
  max_ejection_percent: honoured(uint32),
  enforcing_consecutive_5xx: honoured(uint32),
  enforcing_success_rate: honoured(uint32),
  success_rate_minimum_hosts: noEffect(uint32, rates),
  success_rate_request_volume: noEffect(uint32, rates),
  success_rate_stdev_factor: noEffect(uint32, rates),
  consecutive_gateway_failure: honoured(uint32),
  enforcing_consecutive_gateway_failure: honoured(uint32),
  split_external_local_origin_errors: refused('all failures count alike', [false]),
  consecutive_local_origin_failure: noEffect(uint32, 'all failures count alike'),
  enforcing_consecutive_local_origin_failure: noEffect(uint32, 'all failures count alike'),
  enforcing_local_origin_success_rate: noEffect(uint32, rates),
  failure_percentage_threshold: noEffect(uint32, rates),
  enforcing_failure_percentage: refused('consecutive failures count', [0]),
  enforcing_failure_percentage_local_origin: refused('consecutive failures count', [0]),
  failure_percentage_minimum_hosts: noEffect(uint32, rates),
  failure_percentage_request_volume: noEffect(uint32, rates),
  max_ejection_time: honoured(someTime),
  max_ejection_time_jitter: noEffect(anyTime, 'there is none'),
  successful_active_health_check_uneject_host: refused('an endpoint is back when its time is over', [false]),
  monitors: refused('remove it'),
  always_eject_one_host: refused('raise max_ejection_percent', [false]),
});
