export { filterChannel, type FilterFailure } from './diagnostics.js';
export { type FilterSettings, filtersKind, type RouteFilterSettings } from './filter-options.js';
export {
  type BodyStart,
  type FilteredRequest,
  type FilterEffect,
  RefusedRequest,
  type RequestFilter,
} from './filter.js';
export { compileFilters, filterClusters, type FilterSurroundings } from './filters.js';
export { type BucketSize, TokenBuckets } from './ratelimit/buckets.js';
export { compileRateLimits, type LimitSurroundings, type RateLimits } from './ratelimit/limits.js';
export { type NamedLimit, type RateLimitOptions, rateLimitOptions } from './ratelimit/options.js';
export type { OwnReply, OwnReplyChange } from './local-reply.js';
export { type LocalRepliesSettings, localRepliesKind } from './local-reply-options.js';
export type { HeaderChanges } from './header-changes.js';
export { virtualHostsKind, type VirtualHostSettings } from './options.js';
export { isGrpc, pseudoHeader, type RoutedRequest, schemeOf, targetOf } from './request.js';
export {
  clusterNames,
  type ForwardAction,
  hasUntouchedRoutes,
  type LocalAnswer,
  type RouteAction,
  RouteTable,
  type RouteTranscoder,
  transcoderNames,
} from './table.js';
