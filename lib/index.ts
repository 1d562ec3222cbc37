// For users.
export {
  type AttachOptions,
  createGateway,
  type EmbeddedGateway,
  type FastifyPlugin,
  type FastifyPluginOptions,
  type FetchHandler,
  type ErrorAnswer,
  type ErrorFormatter,
  type ErrorRequest,
  type FetchNext,
  type FetchOptions,
  type GatewayInput,
  type NodeHandler,
  type UpgradeHandler,
  type UpgradingServer,
} from './embed/index.js';
export { type RunningProxy, startProxy } from './live/index.js';
export {
  type Config,
  type ConfigInput,
  type JwtProviderSettings,
  type JwtSettings,
  type LibraryOptions,
  type LibrarySettings,
  loadConfig,
  type Settings,
} from './config/index.js';
export { Code, ConfigError, type Problem, ProblemList, StatusError } from './status.js';

// For other libraries: the parts on their own.
export { curlLine } from './openapi/index.js';
export { Codec, type CodecOptions } from './codec/index.js';
export { type Match, PathMatcher, PathMatcherBuilder } from './router/index.js';
export { loadSchema, type Schema, type SchemaSources } from './schema/index.js';
