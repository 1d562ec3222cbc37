export { createGateway } from './create.js';
export type {
  EmbeddedGateway,
  FastifyPlugin,
  FastifyPluginOptions,
  FetchHandler,
  GatewayInput,
  NodeHandler,
} from './types.js';
