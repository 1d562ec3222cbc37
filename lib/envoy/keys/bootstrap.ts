/** The outermost message: `envoy.config.bootstrap.v3.Bootstrap`. */
import { honoured, list, message, noEffect, refused, type ValueOf, warned } from '../describe.js';
import { anything, anyTime, bool, string } from '../kinds.js';
import { cluster } from './clusters.js';
import { address } from './common.js';
import { listener } from './listeners.js';

const onlyStatic = 'only static_resources are read; write listeners and clusters there';

const notLogged = 'requests to the admin listener are not logged';

const admin = message({
  address: honoured(address),
  access_log_path: warned(string, notLogged, ['', '/dev/null']),
  access_log: warned(anything, notLogged),
  profile_path: noEffect(string, 'there is no profiler of CPU and heap'),
  socket_options: refused('remove it'),
  ignore_global_conn_limit: noEffect(bool, 'the admin listener has a limit of its own'),
  allow_paths: refused('whoever reaches the admin listener may use all of it; let only those reach it who may'),
});

export const bootstrap = message({
  node: noEffect(anything, 'there is no control plane that asks for it'),
  node_context_params: noEffect(anything, 'there is no control plane that asks for it'),
  static_resources: honoured(
    message({
      listeners: honoured(list(listener)),
      clusters: honoured(list(cluster)),
      secrets: refused('write the certificates where they are used'),
    }),
  ),
  dynamic_resources: refused(onlyStatic),
  cluster_manager: refused('remove it'),
  hds_config: refused(onlyStatic),
  flags_path: refused('remove it', ['']),
  stats_sinks: refused('counters are not sent'),
  stats_config: noEffect(anything, 'it names counters'),
  stats_flush_interval: noEffect(anyTime, 'counters are not sent'),
  stats_flush_on_admin: noEffect(bool, 'counters are not sent'),
  stats_eviction_interval: noEffect(anyTime, 'counters are not sent'),
  watchdog: noEffect(anything, 'workers that end are replaced'),
  watchdogs: noEffect(anything, 'workers that end are replaced'),
  tracing: refused('spans are not sent; traceparent of clients is passed on'),
  layered_runtime: warned(anything, 'there is no runtime: defaults count, and --max-concurrent-requests limits'),
  admin: honoured(admin, 'its paths are in docs/envoy.md'),
  overload_manager: warned(anything, '--max-concurrent-requests and the other limits of photongate hold'),
  enable_dispatcher_stats: noEffect(bool, 'it counts'),
  header_prefix: refused('remove it', ['x-envoy']),
  stats_server_version_override: noEffect(anything, 'it counts'),
  use_tcp_for_dns_lookups: refused('names are resolved by the system', [false]),
  dns_resolution_config: refused('names are resolved by the system'),
  typed_dns_resolver_config: refused('names are resolved by the system'),
  bootstrap_extensions: refused('remove them'),
  fatal_actions: refused('remove them'),
  config_sources: refused(onlyStatic),
  default_config_source: refused(onlyStatic),
  default_socket_interface: refused('remove it', ['']),
  certificate_provider_instances: refused('write the certificates where they are used'),
  inline_headers: noEffect(anything, 'it is for speed alone'),
  perf_tracing_file_path: refused('remove it', ['']),
  default_regex_engine: refused('the engine is always the same'),
  xds_delegate_extension: refused(onlyStatic),
  xds_config_tracker_extension: refused(onlyStatic),
  listener_manager: refused('remove it'),
  application_log_config: noEffect(anything, 'the log has a form of its own'),
  grpc_async_client_manager_config: noEffect(anything, 'there are no such clients'),
  memory_allocator_manager: noEffect(anything, 'Node decides'),
});

export type Bootstrap = ValueOf<typeof bootstrap>;
