/** The Model Context Protocol: RPCs as tools for agents, over HTTP and stdio. */
export { ENDPOINT_METHODS, type EndpointOutcome, McpEndpoint } from './http.js';
export { type McpOptions, mcpOptions } from './options.js';
export { METADATA_PATH, protectedResource, urlFor } from './protected-resource.js';
export { type McpServer, mcpServer, type RunningCall } from './server.js';
export { serveStdio } from './stdio.js';
export type { ToolMethod, ToolSource } from './tool.js';
