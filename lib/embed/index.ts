export { createGateway } from './create.js';
export type {
  AttachOptions,
  EmbeddedGateway,
  FastifyPlugin,
  FastifyPluginOptions,
  FetchHandler,
  GatewayInput,
  NodeHandler,
  UpgradeHandler,
  UpgradingServer,
} from './types.js';
