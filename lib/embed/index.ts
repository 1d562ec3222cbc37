export { createGateway } from './create.js';
export type { ErrorAnswer, ErrorFormatter, ErrorRequest } from '../transcode/index.js';
export type {
  AttachOptions,
  EmbeddedGateway,
  FastifyPlugin,
  FastifyPluginOptions,
  FetchHandler,
  FetchNext,
  FetchOptions,
  GatewayInput,
  NodeHandler,
  UpgradeHandler,
  UpgradingServer,
} from './types.js';
