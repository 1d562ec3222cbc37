export {
  upstreamChannel,
  type UpstreamFailure,
  type UpstreamHealth,
  upstreamHealthChannel,
  type UpstreamState,
  upstreamStateChannel,
} from './diagnostics.js';
export type { Hosts } from './balance/hosts.js';
export {
  balanceFields,
  type BalanceSettings,
  grpcHealthCheck,
  type HealthCheckOptions,
  type OutlierOptions,
} from './balance/options.js';
export { balancingPolicies, type BalancingPolicy } from './balance/picker.js';
export type { ClusterBalancing } from './balance/balancing.js';
export { type ClusterProtocol, type ClusterSpec, withoutHttp2 } from './cluster.js';
export { ClusterPool, needsHosts } from './clusters.js';
export { forwardTls, forwardUrl } from './forward.js';
export { ChannelPool } from './pool.js';
export {
  defaultUpstreamOptions,
  MAX_TIMER_MS,
  placeOptions,
  upstreamCallOptions,
  type UpstreamClient,
  upstreamOptions,
  type UpstreamOptions,
  type UpstreamTls,
  upstreamTlsFields,
} from './options.js';
export { parseUpstream, unusedUpstreams, UpstreamTable, type UpstreamSpec } from './table.js';
export { type ServiceConfig, serviceConfigKind } from './service-config/kind.js';
export { isSrv, isXds, parseTarget, type Target } from './target.js';
