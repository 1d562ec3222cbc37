export { ChannelPool, defaultUpstreamOptions, type UpstreamOptions } from './channel.js';
export { parseUpstream, UpstreamTable, type UpstreamSpec } from './table.js';
export { parseTarget, type Target } from './target.js';
