export type { RoutedCluster, Routes } from './routing.js';
export { buildGateway, type BuiltGateway, type GatewayContext, type ServedService } from './build.js';
export { ignoredStatusChannel, type IgnoredStatus } from '../transcode/index.js';
export { apiKeysChannel, jwksChannel, type KeyFetch, type KeysRead } from '../policy/index.js';
export { errorChannel, failureChannel, type InternalError, publishFault, type RequestFailure } from './diagnostics.js';
export { Gateway, type RequestCount } from './gateway.js';
export { defaultGatewayOptions, gatewayOptions, type GatewayOptions } from './options.js';
export { LargeCall, largeMessageOptions, type LargeMessages, NotElsewhere } from './large-messages.js';
export { type Mount, MountRouter } from './mount-router.js';
