/** Start-up of MCP: the RPCs of a gateway as tools, their endpoint, and the metadata that lead to tokens. */
import type { Page } from '../builtin/index.js';
import type { Codec } from '../codec/index.js';
import type { Channel, MethodPlan } from '../exchange.js';
import { McpEndpoint, mcpServer, METADATA_PATH, protectedResource, type ToolSource, urlFor } from '../mcp/index.js';
import { type DocumentedPart, type OpenApiOptions, titleOf } from '../openapi/index.js';
import type { Binding } from '../rule/index.js';
import type { MethodDescriptor } from '../schema/index.js';
import type { Access } from './access.js';
import type { Gateway } from './gateway.js';
import type { GatewayOptions } from './options.js';

/** The RPCs of a gateway that agents may call, and who may. */
export interface AgentTools extends ToolSource {
  readonly access: Access | undefined;
  readonly options: GatewayOptions & OpenApiOptions;
}

/** What tools are made from. */
export interface ToolParts {
  readonly prefix: string;
  readonly bindings: readonly Binding[];
  /** Served without a rule: by native gRPC. */
  readonly methods: readonly MethodDescriptor[];
  readonly channels: ReadonlyMap<string, Channel>;
  readonly codec: Codec;
  readonly access: Access | undefined;
  /** Present once the tools are called. */
  readonly gateway: () => Pick<Gateway, 'handle' | 'rpcOf'>;
  /** The plan of a call → the plan that is run: with checks of its messages. */
  readonly around: (plan: MethodPlan, method: MethodDescriptor) => MethodPlan;
}

/** The RPCs of a gateway as tools. */
export function agentTools(parts: ToolParts, options: AgentTools['options']): AgentTools {
  const { prefix, bindings, methods, channels, codec, access, gateway, around } = parts;
  const byMethod = new Map<MethodDescriptor, string[]>(methods.map((method) => [method, []]));
  for (const { method, httpMethod } of bindings) {
    const known = byMethod.get(method);
    if (known === undefined) byMethod.set(method, [httpMethod]);
    else known.push(httpMethod);
  }
  return {
    ...{ prefix, codec, access, options },
    methods: [...byMethod].map(([method, httpMethods]) => ({ method, httpMethods })),
    needsToken: (rpc) => (access?.needOf(rpc) ?? []).length > 0,
    routes: bindings,
    rpcOf: (target) => gateway().rpcOf(target, prefix.length),
    serve: (exchange) => gateway().handle(exchange, prefix.length),
    run: (exchange, plan, method) => {
      const channel = channels.get(method.service.fullName);
      gateway().handle(exchange, 0, '', { name: 'mcp', plan: around(plan, method), channel });
    },
  };
}

/**
 * The endpoint of a gateway.
 * @param tools its own first, then those of the mounts below it
 * @param parts of the same
 */
export function agentEndpoint(
  [own, ...mounted]: readonly [AgentTools, ...AgentTools[]],
  parts: readonly DocumentedPart<Binding>[],
): McpEndpoint {
  const { options, prefix, access } = own;
  const tools = [own, ...mounted];
  const title = options.openapiTitle ?? titleOf(parts);
  const isGuarded = (): boolean =>
    access !== undefined &&
    tools.every((source) => source.methods.every(({ method }) => source.needsToken(method.fullName)));
  const path = prefix + options.mcpPath;
  return new McpEndpoint(
    options.mcpPath,
    () => mcpServer(tools, { ...options, maxJsonDepth: own.codec.options.maxJsonDepth }, title),
    options,
    isGuarded,
    (head, base) =>
      tools.some((source) => source.access?.issuers !== undefined)
        ? urlFor(head, `${base}${METADATA_PATH}${path}`)
        : undefined,
  );
}

/** Metadata for the endpoints below one root, by path; none if no token is asked for. */
export function metadataPages(tools: readonly AgentTools[]): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  const issuers = tools.flatMap(({ access }) => access?.issuers ?? []);
  for (const { prefix, options, access } of tools) {
    if (access?.issuers === undefined) continue;
    const path = prefix + options.mcpPath;
    const page: Page = (head, base = '') => {
      const resource = urlFor(head, base + path) ?? base + path;
      return Promise.resolve(protectedResource(resource, [...new Set(issuers)], head));
    };
    pages.set(METADATA_PATH + path, page);
    // Of several endpoints, the root's own path names the first.
    if (!pages.has(METADATA_PATH)) pages.set(METADATA_PATH, page);
  }
  return pages;
}
