export { ChannelPool } from './pool.js';
export {
  defaultUpstreamOptions,
  type LoadBalancingPolicy,
  MAX_TIMER_MS,
  type UpstreamClient,
  type UpstreamOptions,
} from './options.js';
export { parseUpstream, unusedUpstreams, UpstreamTable, type UpstreamSpec } from './table.js';
export { parseTarget, type Target } from './target.js';
export { type UpstreamTls } from './tls.js';
