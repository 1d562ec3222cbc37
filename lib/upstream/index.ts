export { upstreamChannel, type UpstreamFailure, type UpstreamState, upstreamStateChannel } from './diagnostics.js';
export { Balancer, balancingPolicies, type BalancingPolicy, type Weighted } from './balancer.js';
export { ClusterChannel, ClusterHttpChannel, type ClusterProtocol, type ClusterSpec, withoutHttp2 } from './cluster.js';
export { forwardTls, forwardUrl } from './forward.js';
export { ChannelPool } from './pool.js';
export {
  defaultUpstreamOptions,
  MAX_TIMER_MS,
  upstreamCallOptions,
  type UpstreamClient,
  upstreamOptions,
  type UpstreamOptions,
  type UpstreamTls,
  upstreamTlsFields,
} from './options.js';
export { parseUpstream, unusedUpstreams, UpstreamTable, type UpstreamSpec } from './table.js';
export { parseTarget, type Target } from './target.js';
