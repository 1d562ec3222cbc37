export { ChannelPool, defaultUpstreamOptions, type UpstreamOptions } from './channel.js';
export { parseUpstream, unusedUpstreams, UpstreamTable, type UpstreamSpec } from './table.js';
export { parseTarget, type Target } from './target.js';
export { type UpstreamTls } from './tls.js';
