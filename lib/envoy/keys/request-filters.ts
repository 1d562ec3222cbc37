/** Filters that let requests pass, wait, or refuse them: `local_ratelimit`, `fault`, `rbac`. */
import { honoured, lazily, list, mapOf, message, noEffect, refused, required, type ValueKind } from '../describe.js';
import { anything, bool, double, duration, enumOf, someTime, string, uint32 } from '../kinds.js';
import { headerMatcher, headersToAdd, runtimeFraction, stringMatcher } from './common.js';

const fraction = message({
  numerator: honoured(uint32),
  denominator: honoured(enumOf('HUNDRED', 'TEN_THOUSAND', 'MILLION')),
});

const noDescriptors = 'all requests of the listener are counted together; remove it';

export const rateLimitKeys = {
  stat_prefix: noEffect(string, 'it names counters'),
  status: honoured(message({ code: honoured(uint32) }), 'default 429'),
  token_bucket: honoured(
    message({
      max_tokens: required(uint32, 'write max_tokens: 100'),
      tokens_per_fill: honoured(uint32, 'default 1'),
      fill_interval: required(someTime, 'write fill_interval: 1s'),
    }),
    'each worker of --concurrency has its own bucket; without it the filter is off',
  ),
  filter_enabled: honoured(runtimeFraction, 'without it the filter is off, as in Envoy'),
  filter_enforced: honoured(runtimeFraction, 'without it nothing is refused, as in Envoy'),
  request_headers_to_add_when_not_enforced: refused('write filter_enforced with numerator: 100'),
  response_headers_to_add: honoured(headersToAdd, 'values without commands'),
  descriptors: refused(noDescriptors),
  stage: noEffect(uint32, 'it is of descriptors'),
  local_rate_limit_per_downstream_connection: refused(noDescriptors, [false]),
  local_cluster_rate_limit: refused(noDescriptors),
  enable_x_ratelimit_headers: refused('they are not sent', ['OFF', 0]),
  vh_rate_limits: noEffect(anything, 'it is of descriptors'),
  always_consume_default_token_bucket: noEffect(anything, 'it is of descriptors'),
  rate_limited_as_resource_exhausted: honoured(bool, 'for gRPC; UNAVAILABLE otherwise, as in Envoy'),
  rate_limits: refused(noDescriptors),
  max_dynamic_descriptors: noEffect(anything, 'it is of descriptors'),
} as const;

const byHeader = 'clients do not decide it here; remove it';
const noRuntime = noEffect(string, 'there is no runtime: the values here count');

export const faultKeys = {
  delay: honoured(
    message({
      fixed_delay: required(duration, 'write fixed_delay: 1s'),
      header_delay: refused(byHeader),
      percentage: honoured(fraction, 'without it no request waits, as in Envoy'),
      type: noEffect(anything, 'there is one type'),
    }),
  ),
  abort: honoured(
    message({
      http_status: honoured(uint32),
      grpc_status: honoured(uint32),
      header_abort: refused(byHeader),
      percentage: honoured(fraction, 'without it no request fails, as in Envoy'),
    }),
  ),
  upstream_cluster: refused('write headers', ['']),
  headers: honoured(list(headerMatcher)),
  downstream_nodes: refused('write headers'),
  max_active_faults: refused('remove it'),
  response_rate_limit: refused('answers are sent as fast as clients read; remove it'),
  delay_percent_runtime: noRuntime,
  abort_percent_runtime: noRuntime,
  delay_duration_runtime: noRuntime,
  abort_http_status_runtime: noRuntime,
  max_active_faults_runtime: noRuntime,
  response_rate_limit_percent_runtime: noRuntime,
  abort_grpc_status_runtime: noRuntime,
  disable_downstream_cluster_stats: noEffect(bool, 'it counts'),
  filter_metadata: noEffect(anything, 'nothing here reads it'),
} as const;

const cidr = message({
  address_prefix: required(string, 'write address_prefix: 10.0.0.0'),
  prefix_len: honoured(double),
});
const byAddress = 'write a listener for each address';

export const permission = message({
  and_rules: honoured(message({ rules: honoured(list(lazily((): ValueKind<unknown> => permission))) })),
  or_rules: honoured(message({ rules: honoured(list(lazily((): ValueKind<unknown> => permission))) })),
  any: honoured(bool),
  header: honoured(headerMatcher),
  url_path: honoured(message({ path: required(stringMatcher, 'write path: { prefix: / }') })),
  destination_ip: refused(byAddress),
  destination_port: refused(byAddress),
  destination_port_range: refused(byAddress),
  metadata: refused('nothing here sets it'),
  not_rule: honoured(lazily((): ValueKind<unknown> => permission)),
  requested_server_name: refused('write a header matcher for :authority'),
  matcher: refused('write header or url_path'),
  uri_template: refused('write url_path'),
  sourced_metadata: refused('nothing here sets it'),
});

export const principal = message({
  and_ids: honoured(message({ ids: honoured(list(lazily((): ValueKind<unknown> => principal))) })),
  or_ids: honoured(message({ ids: honoured(list(lazily((): ValueKind<unknown> => principal))) })),
  any: honoured(bool),
  authenticated: honoured(
    message({ principal_name: refused('only whether a certificate is trusted is asked; remove it') }),
    'a client certificate that is trusted',
  ),
  source_ip: honoured(cidr),
  direct_remote_ip: honoured(cidr),
  remote_ip: honoured(cidr, 'by use_remote_address'),
  header: honoured(headerMatcher),
  url_path: honoured(message({ path: required(stringMatcher, 'write path: { prefix: / }') })),
  metadata: refused('nothing here sets it'),
  filter_state: refused('nothing here sets it'),
  not_id: honoured(lazily((): ValueKind<unknown> => principal)),
  sourced_metadata: refused('nothing here sets it'),
  custom: refused('write header, url_path or remote_ip'),
});

const policy = message({
  permissions: required(list(permission), 'write permissions: [{ any: true }]'),
  principals: required(list(principal), 'write principals: [{ any: true }]'),
  condition: refused('write permissions and principals'),
  checked_condition: refused('write permissions and principals'),
  cel_config: refused('write permissions and principals'),
});

export const rbacKeys = {
  rules: honoured(
    message({
      action: honoured(enumOf('ALLOW', 'DENY', 'LOG')),
      policies: honoured(mapOf(policy)),
      audit_logging_options: refused('refused requests are in the access log'),
    }),
  ),
  rules_stat_prefix: noEffect(string, 'it names counters'),
  matcher: refused('write rules'),
  shadow_rules: noEffect(anything, 'it only counts'),
  shadow_matcher: noEffect(anything, 'it only counts'),
  shadow_rules_stat_prefix: noEffect(string, 'it names counters'),
  track_per_rule_stats: noEffect(bool, 'it counts'),
} as const;
