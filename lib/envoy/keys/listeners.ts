/** Listeners and the HTTP connection manager. */
import { any, honoured, list, message, noEffect, refused, required, warned } from '../describe.js';
import { anything, anyTime, bool, duration, enumOf, string, uint32 } from '../kinds.js';
import { accessLogs } from './access-log.js';
import { address, downstreamTransportSocket, http2Limits, metadata } from './common.js';
import { httpFilterTypes } from './filters.js';
import { localReplyConfig } from './local-reply.js';
import { routeConfiguration } from './routes.js';

const window = noEffect(uint32, 'Node decides how windows grow');

const commonProtocolOptions = message({
  idle_timeout: honoured(duration, 'of a connection without requests'),
  max_connection_duration: refused('connections are closed when they are idle', ['0s']),
  max_headers_count: noEffect(uint32, 'max_request_headers_kb is the limit'),
  max_response_headers_kb: noEffect(uint32, 'max_upstream_header_bytes is the limit'),
  max_stream_duration: refused('write timeout on the route'),
  headers_with_underscores_action: honoured(
    enumOf('ALLOW', 'REJECT_REQUEST', ['DROP_HEADER', refused('write REJECT_REQUEST')]),
  ),
  max_requests_per_connection: refused('connections are kept', [0]),
});

const http1Options = message({
  allow_absolute_url: noEffect(bool, 'such targets are taken'),
  accept_http_10: noEffect(bool, 'HTTP/1.0 is answered'),
  default_host_for_http_10: refused('requests without Host match the domain * alone', ['']),
  header_key_format: refused('names go out in lower case'),
  enable_trailers: noEffect(bool, 'trailers go to clients that send `te: trailers`'),
  allow_chunked_length: refused('such requests are refused', [false]),
  send_fully_qualified_url: refused('remove it', [false]),
  override_stream_error_on_invalid_http_message: noEffect(bool, 'such connections are closed'),
  allow_custom_methods: refused('Node knows no others over HTTP/1', [false]),
  use_balsa_parser: noEffect(bool, 'the parser is that of Node'),
  ignore_http_11_upgrade: refused('remove it'),
});

const http2Options = message({
  max_concurrent_streams: honoured(uint32),
  initial_stream_window_size: window,
  initial_connection_window_size: window,
  hpack_table_size: noEffect(uint32, 'Node decides'),
  allow_connect: refused('CONNECT is not served', [false]),
  ...http2Limits,
  max_inbound_priority_frames_per_stream: noEffect(uint32, 'Node has limits of its own'),
  max_inbound_window_update_frames_per_data_frame_sent: noEffect(uint32, 'Node has limits of its own'),
  stream_error_on_invalid_http_messaging: noEffect(bool, 'such streams are reset'),
  override_stream_error_on_invalid_http_message: noEffect(bool, 'such streams are reset'),
  custom_settings_parameters: refused('remove it'),
  connection_keepalive: refused('clients are not asked by PING; set idle_timeout'),
  use_oghttp2_codec: noEffect(bool, 'HTTP/2 is that of Node'),
  max_metadata_size: noEffect(uint32, 'METADATA frames are not read'),
  enable_huffman_encoding: noEffect(bool, 'Node decides'),
});

const onceLogged = 'one line is written for a request, when its answer has ended; remove it';

const connectionManager = message({
  codec_type: noEffect(
    enumOf('AUTO', 'HTTP1', 'HTTP2', ['HTTP3', refused('HTTP/3 is not spoken here')]),
    'HTTP/1 and HTTP/2 come to one port',
  ),
  stat_prefix: noEffect(string, 'it names counters'),
  rds: refused('write route_config'),
  route_config: required(routeConfiguration, 'write route_config: { virtual_hosts: [ … ] }'),
  scoped_routes: refused('write route_config'),
  http_filters: honoured(
    list(
      message({
        name: honoured(string, 'what typed_per_filter_config calls it'),
        typed_config: required(any(httpFilterTypes), 'write typed_config, with "@type" in it'),
        config: refused('it is of the v2 API: write typed_config, with "@type" in it'),
        config_discovery: refused('write typed_config'),
        is_optional: noEffect(bool, 'what is not known is refused anyway'),
        disabled: honoured(bool, 'true: it is off where no route switches it on'),
      }),
    ),
  ),
  add_user_agent: refused('remove it', [false]),
  tracing: refused('spans are not sent; traceparent of clients is passed on'),
  common_http_protocol_options: honoured(commonProtocolOptions),
  http1_safe_max_connection_duration: refused('remove it', [false]),
  http_protocol_options: honoured(http1Options),
  http2_protocol_options: honoured(http2Options),
  http3_protocol_options: refused('HTTP/3 is not spoken here'),
  server_name: honoured(string, 'default envoy'),
  server_header_transformation: honoured(enumOf('OVERWRITE', 'APPEND_IF_ABSENT', 'PASS_THROUGH')),
  scheme_header_transformation: refused('remove it'),
  max_request_headers_kb: honoured(uint32),
  stream_idle_timeout: honoured(duration, 'while the bytes of a client are awaited'),
  request_timeout: warned(duration, 'only the pauses of a request are limited: stream_idle_timeout', ['0s']),
  request_headers_timeout: honoured(duration),
  drain_timeout: honoured(duration),
  delayed_close_timeout: noEffect(anyTime, 'a second'),
  access_log: honoured(accessLogs, 'one, and the same for all listeners'),
  access_log_flush_interval: refused(onceLogged),
  access_log_options: honoured(
    message({
      access_log_flush_interval: refused(onceLogged),
      flush_access_log_on_new_request: refused(onceLogged, [false]),
      flush_log_on_tunnel_successfully_established: refused(onceLogged, [false]),
    }),
  ),
  use_remote_address: honoured(bool, 'true: what clients say of themselves in x-forwarded-for is not believed'),
  xff_num_trusted_hops: refused('name the proxies: --trusted-proxies 10.0.0.0/8', [0]),
  original_ip_detection_extensions: refused('name the proxies: --trusted-proxies 10.0.0.0/8'),
  early_header_mutation_extensions: refused('write request_headers_to_add on the route'),
  internal_address_config: noEffect(anything, 'no address is trusted but those of trusted_proxies'),
  skip_xff_append: refused('x-forwarded-for is always sent', [false]),
  via: refused('write response_headers_to_add', ['']),
  generate_request_id: noEffect(bool, 'requests have an id always'),
  preserve_external_request_id: noEffect(bool, 'an id of the client is kept'),
  always_set_request_id_in_response: noEffect(bool, 'it is always set'),
  forward_client_cert_details: refused('x-forwarded-client-cert is not sent', ['SANITIZE', 0]),
  set_current_client_cert_details: refused('x-forwarded-client-cert is not sent'),
  proxy_100_continue: refused('100 Continue is sent here', [false]),
  represent_ipv4_remote_address_as_ipv4_mapped_ipv6: refused('remove it', [false]),
  upgrade_configs: refused('WebSockets are transcoded, not forwarded; remove it'),
  normalize_path: honoured(bool),
  merge_slashes: honoured(bool),
  path_with_escaped_slashes_action: honoured(
    enumOf(
      'IMPLEMENTATION_SPECIFIC_DEFAULT',
      'KEEP_UNCHANGED',
      'REJECT_REQUEST',
      'UNESCAPE_AND_REDIRECT',
      'UNESCAPE_AND_FORWARD',
    ),
  ),
  path_normalization_options: refused('write normalize_path'),
  request_id_extension: noEffect(anything, 'ids are UUIDs, or what the client sent'),
  local_reply_config: honoured(localReplyConfig),
  strip_matching_host_port: refused('write the port in domains too', [false]),
  strip_any_host_port: refused('write ignore_port_in_host_matching on route_config', [false]),
  strip_trailing_host_dot: refused('remove it', [false]),
  stream_error_on_invalid_http_message: noEffect(bool, 'such connections are closed'),
  append_x_forwarded_port: refused('remove it', [false]),
  append_local_overload: refused('remove it', [false]),
  add_proxy_protocol_connection_state: noEffect(bool, 'the PROXY protocol is not spoken'),
  typed_header_validation_config: refused('remove it'),
  proxy_status_config: refused('remove it'),
});

const NETWORK = 'envoy.extensions.filters.network';
export const CONNECTION_MANAGER = `${NETWORK}.http_connection_manager.v3.HttpConnectionManager`;
const onlyHttp = refused('only http_connection_manager is served here; forward TCP in front of photongate');

const networkFilter = message({
  name: noEffect(string, '"@type" decides'),
  typed_config: required(
    any({
      [CONNECTION_MANAGER]: connectionManager,
      [`${NETWORK}.tcp_proxy.v3.TcpProxy`]: onlyHttp,
      [`${NETWORK}.rbac.v3.RBAC`]: refused('filter addresses in front of photongate'),
      [`${NETWORK}.local_ratelimit.v3.LocalRateLimit`]: refused('limit the rate in front of photongate'),
      [`${NETWORK}.ratelimit.v3.RateLimit`]: refused('limit the rate in front of photongate'),
      [`${NETWORK}.redis_proxy.v3.RedisProxy`]: onlyHttp,
      [`${NETWORK}.mongo_proxy.v3.MongoProxy`]: onlyHttp,
    } as const),
    'write typed_config, with "@type" in it',
  ),
  config: refused('it is of the v2 API: write typed_config, with "@type" in it'),
  config_discovery: refused('write typed_config'),
});

const forAddresses = 'write a listener for each address';

const filterChain = message({
  name: noEffect(string, 'only a label'),
  filters: honoured(list(networkFilter)),
  filter_chain_match: honoured(
    message({
      server_names: honoured(list(string), 'whose clients get the certificate of the chain'),
      transport_protocol: refused('write a listener for TLS, and one without', ['', 'tls']),
      destination_port: refused(forAddresses),
      prefix_ranges: refused(forAddresses),
      address_suffix: refused(forAddresses, ['']),
      suffix_len: refused(forAddresses),
      direct_source_prefix_ranges: refused(forAddresses),
      source_type: refused(forAddresses, ['ANY', 0]),
      source_prefix_ranges: refused(forAddresses),
      source_ports: refused(forAddresses),
      application_protocols: refused('h2 and http/1.1 are offered, and answered alike; remove it'),
    }),
  ),
  transport_socket: honoured(downstreamTransportSocket),
  tls_context: refused('it is of the v2 API: write transport_socket'),
  use_proxy_proto: refused('the PROXY protocol is not spoken', [false]),
  metadata: noEffect(metadata, 'nothing here reads it'),
  transport_socket_connect_timeout: noEffect(anyTime, 'Node has a limit of its own'),
  on_demand_configuration: refused('remove it'),
});

const listenerFilter = message({
  name: noEffect(string, '"@type" decides'),
  typed_config: honoured(
    any({
      'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': message({
        enable_ja3_fingerprinting: noEffect(bool, 'nothing here reads it'),
        enable_ja4_fingerprinting: noEffect(bool, 'nothing here reads it'),
        initial_read_buffer_size: noEffect(uint32, 'nothing is read ahead'),
      }),
      'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': message({}),
      'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': refused(
        'the PROXY protocol is not spoken; let the proxy in front send x-forwarded-for, and name it: --trusted-proxies',
      ),
      'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': refused('name the servers in clusters'),
      'envoy.extensions.filters.listener.original_src.v3.OriginalSrc': refused('remove it'),
    }),
  ),
  config_discovery: refused('write typed_config'),
  filter_disabled: refused('remove the filter'),
});

export const listener = message({
  name: noEffect(string, 'only a label'),
  address: required(address, 'write address: { socket_address: { address: 0.0.0.0, port_value: 8080 } }'),
  additional_addresses: honoured(
    list(
      message({
        address: honoured(address),
        socket_options: refused('remove it'),
        tcp_keepalive: noEffect(anything, 'that of the system'),
      }),
    ),
  ),
  stat_prefix: noEffect(string, 'it names counters'),
  filter_chains: required(list(filterChain), 'write filter_chains with one http_connection_manager'),
  filter_chain_matcher: refused('write a listener for each address'),
  use_original_dst: refused('name the servers in clusters', [false]),
  default_filter_chain: refused('write filter_chains'),
  per_connection_buffer_limit_bytes: honoured(uint32, 'the limit of bodies, where the transcoder has none of its own'),
  per_connection_buffer_high_watermark_timeout: noEffect(anyTime, 'photongate has limits of its own'),
  metadata: noEffect(metadata, 'nothing here reads it'),
  deprecated_v1: refused('remove it'),
  drain_type: noEffect(anything, 'a signal drains'),
  listener_filters: honoured(list(listenerFilter)),
  listener_filters_timeout: noEffect(anyTime, 'request_headers_timeout is the limit'),
  continue_on_listener_filters_timeout: noEffect(bool, 'there are no listener filters'),
  transparent: refused('remove it', [false]),
  freebind: refused('remove it', [false]),
  socket_options: refused('remove it'),
  tcp_fast_open_queue_length: noEffect(uint32, 'that of the system'),
  traffic_direction: noEffect(enumOf('UNSPECIFIED', 'INBOUND', 'OUTBOUND'), 'nothing here reads it'),
  udp_listener_config: refused('HTTP/3 is not spoken here; remove this listener'),
  api_listener: refused('write filter_chains'),
  connection_balance_config: noEffect(anything, 'the system gives connections to the workers of --concurrency'),
  reuse_port: noEffect(bool, 'the workers of --concurrency share the port'),
  enable_reuse_port: noEffect(bool, 'the workers of --concurrency share the port'),
  access_log: refused('write it on the connection manager'),
  tcp_backlog_size: noEffect(uint32, 'that of Node'),
  max_connections_to_accept_per_socket_event: noEffect(uint32, 'Node decides'),
  bind_to_port: refused('remove this listener', [true]),
  internal_listener: refused('internal listeners do not exist here'),
  enable_mptcp: refused('remove it', [false]),
  ignore_global_conn_limit: noEffect(bool, 'max_concurrent_requests is the limit'),
  bypass_overload_manager: noEffect(bool, 'there is none'),
  fcds_config: refused('write filter_chains'),
});
