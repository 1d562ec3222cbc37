/** The resources of one endpoint: GET routes of unary RPCs, as URIs if they are complete, and as templates otherwise. */
import { queryFields, queryName, type JsonObject, compact, text } from '../openapi/index.js';
import { type Binding, type PathTemplate, selectorMatches } from '../rule/index.js';
import { quote } from '../uri.js';
import { RpcCode, RpcError } from './json-rpc.js';
import { titleOf, toolNames } from './names.js';
import type { McpOptions } from './options.js';
import { pageOf } from './paging.js';
import type { ToolSource } from './tool.js';

/** What stands before the path in URIs: they are good for this server alone, and need no host. */
const SCHEME = 'photongate:';
/** What Node takes as the target of a request. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;

interface Route {
  readonly binding: Binding;
  readonly source: ToolSource;
  readonly name: string;
}

/** The resources of one endpoint, described when they are asked for. */
export class ResourceSet {
  private readonly routes: readonly Route[];

  /** @param sources the endpoint's own RPCs first, then those of the mounts below it */
  constructor(
    private readonly sources: readonly ToolSource[],
    private readonly options: Pick<McpOptions, 'mcpPageSize' | 'mcpToolNames'>,
  ) {
    const found = sources.flatMap((source) =>
      source.routes.filter((binding) => isReadable(binding, source)).map((binding) => ({ source, binding })),
    );
    const rpcs = new Map(found.map((route) => [keyOf(route), { ...route.source, method: route.binding.method }]));
    const names = toolNames([...rpcs.values()], options.mcpToolNames);
    const byKey = new Map([...rpcs.keys()].map((key, index) => [key, names[index]!]));
    this.routes = found.map((route) => ({ ...route, name: byKey.get(keyOf(route))! }));
  }

  /** False: agents are not told of resources at all. */
  get isOffered(): boolean {
    return this.sources.some(({ options: { mcpResources } }) => mcpResources.length > 0);
  }

  /**
   * A page of `resources/list`, as the members of its result.
   * @throws RpcError if the cursor is none of ours
   */
  page(cursor: string | undefined): string {
    const complete = this.routes.filter(({ binding: { template } }) => isComplete(template));
    const { items, next } = pageOf(complete, 'resource', cursor, this.options.mcpPageSize);
    const resources = items.map((route) =>
      describe(route, { uri: SCHEME + route.source.prefix + route.binding.template.toString() }),
    );
    return `"resources":${JSON.stringify(resources)}${next}`;
  }

  /**
   * A page of `resources/templates/list`, as the members of its result.
   * @throws RpcError if the cursor is none of ours
   */
  templates(cursor: string | undefined): string {
    const open = this.routes
      .map((route) => ({ route, query: queryNames(route) }))
      .filter(({ route, query }) => query.length > 0 || !isComplete(route.binding.template));
    const { items, next } = pageOf(open, 'template', cursor, this.options.mcpPageSize);
    const templates = items.map(({ route, query }) => {
      const { source, binding } = route;
      const end = query.length === 0 ? '' : `{?${query.join(',')}}`;
      return describe(route, { uriTemplate: SCHEME + source.prefix + uriTemplate(binding.template) + end });
    });
    return `"resourceTemplates":${JSON.stringify(templates)}${next}`;
  }

  /**
   * The gateway that a URI belongs to, and the path and query there.
   * @throws RpcError if no resource has this URI
   */
  find(uri: string): { readonly source: ToolSource; readonly target: string } {
    const target = uri.startsWith(SCHEME) ? uri.slice(SCHEME.length) : '';
    if (!TARGET.test(target)) {
      throw notFound(
        uri,
        `expected ${SCHEME} and a path, such as those of resources/list and resources/templates/list`,
      );
    }
    const source = this.sources
      .filter(({ prefix }) => target.startsWith(`${prefix}/`))
      .sort((a, b) => b.prefix.length - a.prefix.length)
      .find((each) => {
        const rpc = each.rpcOf(target);
        return this.routes.some(({ source: other, binding }) => other === each && binding.method.fullName === rpc);
      });
    if (source === undefined) throw notFound(uri, 'no resource has this path');
    return { source, target };
  }
}

/** Of an RPC, whose routes have one name. */
function keyOf({ source, binding }: Pick<Route, 'source' | 'binding'>): string {
  return `${source.prefix} ${binding.method.fullName}`;
}

function isReadable({ httpMethod, method }: Binding, { options: { mcpResources } }: ToolSource): boolean {
  if (httpMethod !== 'GET' || method.clientStreaming || method.serverStreaming) return false;
  return mcpResources.some((selector) => selectorMatches(selector, method.fullName));
}

function isComplete({ segments, variables }: PathTemplate): boolean {
  return variables.length === 0 && segments.every(({ kind }) => kind === 'literal');
}

function describe({ binding: { method, responseBody }, name }: Route, uri: JsonObject): JsonObject {
  const isRaw = (responseBody?.at(-1)?.message ?? method.output).fullName === 'google.api.HttpBody';
  return compact({
    ...uri,
    name,
    title: titleOf(method.name),
    description: text(method.comment, method.deprecated ? 'Deprecated.' : ''),
    mimeType: isRaw ? undefined : 'application/json',
  });
}

/** Those that RFC 6570 can name. */
function queryNames({ binding, source: { options } }: Route): string[] {
  const fields = queryFields(binding, options).filter(({ field }) => field.map === undefined);
  return fields.map(({ path, field }) => queryName(path, options) + (field.repeated ? '*' : '')).filter(isVariable);
}

function isVariable(name: string): boolean {
  return /^\w+(?:\.\w+)*\*?$/.test(name);
}

/** By RFC 6570: `/v1/{name=shelves/*}` → `/v1/{+name}`, since the value has slashes. */
function uriTemplate({ segments, variables, verb }: PathTemplate): string {
  const pieces: string[] = [];
  for (let index = 0; index < segments.length; index++) {
    const variable = variables.find(({ first }) => first === index);
    const segment = segments[index]!;
    if (variable !== undefined) {
      pieces.push(`{${variable.multi ? '+' : ''}${variable.fieldPath}}`);
      index = variable.last;
    } else if (segment.kind === 'literal') pieces.push(segment.text);
    else pieces.push(segment.kind === '*' ? `{segment${index}}` : `{+segment${index}}`);
  }
  return `/${pieces.join('/')}${verb === undefined ? '' : `:${verb.text}`}`;
}

function notFound(uri: string, why: string): RpcError {
  const shown = uri.slice(0, MAX_SHOWN_URI);
  return new RpcError(
    RpcCode.INVALID_PARAMS,
    `Resource not found: ${quote(shown)}: ${why}`,
    undefined,
    JSON.stringify({ uri: shown }),
  );
}

const MAX_SHOWN_URI = 2048;
