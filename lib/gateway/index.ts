export { buildGateway, type BuiltGateway, type GatewayContext, type ServedService } from './build.js';
export { ignoredStatusChannel, type IgnoredStatus } from '../transcode/index.js';
export { jwksChannel, type KeyFetch } from '../policy/index.js';
export { errorChannel, type InternalError } from './diagnostics.js';
export { Gateway, type RequestCount } from './gateway.js';
export { defaultGatewayOptions, type GatewayOptions } from './options.js';
export { type Mount, Site } from './site.js';
