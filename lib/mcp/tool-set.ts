/** The tools of one endpoint: what is listed, page by page, and how the right one of very many is found. */
import type { JsonObject } from '../openapi/index.js';
import { selectorMatches } from '../rule/index.js';
import { nearestName } from '../status.js';
import { quote } from '../uri.js';
import { RpcCode, RpcError } from './json-rpc.js';
import { toolNames } from './names.js';
import type { McpOptions } from './options.js';
import { pageOf } from './paging.js';
import { describeTool, type Tool, type ToolMethod, toolOf, type ToolSource } from './tool.js';

/** Finds tools by words. */
export const FIND_TOOLS = 'find_tools';
/** Calls a tool that was found, for clients that call only what is listed. */
export const CALL_TOOL = 'call_tool';

/** The tools of one endpoint, described when they are asked for. */
export class ToolSet {
  private readonly byName: ReadonlyMap<string, Tool>;
  private readonly described = new Map<string, JsonObject>();
  /** Clients are shown two tools that find and call all others. */
  readonly isSearched: boolean;

  /** @param sources the endpoint's own RPCs first, then those of the mounts below it */
  constructor(
    sources: readonly ToolSource[],
    private readonly options: McpOptions,
  ) {
    const found = sources.flatMap((source) =>
      chosen(source).map((method) => ({ source, method, nameable: { ...method, prefix: source.prefix } })),
    );
    const names = toolNames(
      found.map(({ nameable }) => nameable),
      options.mcpToolNames,
      [FIND_TOOLS, CALL_TOOL],
    );
    this.byName = new Map(
      found.map(({ source, method }, index) => [names[index]!, toolOf(names[index]!, method, source)]),
    );
    this.isSearched = this.byName.size > options.mcpMaxListed;
  }

  get all(): readonly Tool[] {
    return [...this.byName.values()];
  }

  /** @throws RpcError if there is none of that name */
  get(name: string): Tool {
    const tool = this.byName.get(name);
    if (tool !== undefined) return tool;
    const near = nearestName(name, this.byName.keys());
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    throw new RpcError(RpcCode.INVALID_PARAMS, `Unknown tool: ${quote(name)}${hint}`);
  }

  /**
   * A page of `tools/list`, as the members of its result.
   * @throws RpcError if the cursor is none of ours
   */
  page(cursor: string | undefined): string {
    if (this.isSearched) return `"tools":${JSON.stringify(pageOf(this.searchTools(), 'tool', cursor, 2).items)}`;
    const { items, next } = pageOf(this.all, 'tool', cursor, this.options.mcpPageSize);
    return `"tools":${JSON.stringify(items.map((tool) => this.describe(tool)))}${next}`;
  }

  /** The tools whose names and descriptions have the words, the best first, and how many more there are. */
  find(query: string): { readonly tools: readonly JsonObject[]; readonly more: number } {
    const words = wordsOf(query);
    const ranked = this.all
      .map((tool) => ({ tool, rank: rankOf(tool, words) }))
      .filter(({ rank }) => rank > 0 || words.length === 0)
      .sort((a, b) => b.rank - a.rank);
    const shown = ranked.slice(0, this.options.mcpPageSize);
    return { tools: shown.map(({ tool }) => this.describe(tool)), more: ranked.length - shown.length };
  }

  private describe(tool: Tool): JsonObject {
    const known = this.described.get(tool.name);
    if (known !== undefined) return known;
    const made = describeTool(tool);
    this.described.set(tool.name, made);
    return made;
  }

  private searchTools(): readonly JsonObject[] {
    const count = `one of the ${this.byName.size} tools of this server`;
    return [
      {
        name: FIND_TOOLS,
        title: 'Find tools',
        description: `Finds ${count} by words of its name and description. Call what you have found with ${CALL_TOOL}.`,
        inputSchema: {
          type: 'object',
          properties: { query: { type: 'string', description: 'Words, such as "list books". Empty: any tool.' } },
          required: ['query'],
          additionalProperties: false,
        },
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      },
      {
        name: CALL_TOOL,
        title: 'Call a tool',
        description: `Calls ${count}, with the arguments that its inputSchema in the answer of ${FIND_TOOLS} describes.`,
        inputSchema: {
          type: 'object',
          properties: { name: { type: 'string' }, arguments: { type: 'object' } },
          required: ['name'],
          additionalProperties: false,
        },
      },
    ];
  }
}

function chosen({ methods, options: { mcpTools } }: ToolSource): readonly ToolMethod[] {
  return methods.filter(({ method: { fullName } }) => mcpTools.some((selector) => selectorMatches(selector, fullName)));
}

/** `GetBookCover` → get, book, cover; plurals count as their singular. */
function wordsOf(text: string): string[] {
  const words = text
    .slice(0, MAX_QUERY_LENGTH)
    .replace(/([a-z\d])(?=[A-Z])/g, '$1 ')
    .toLowerCase()
    .match(/[\p{L}\d]+/gu);
  return (words ?? []).map((word) => (word.length > 3 ? word.replace(/s$/, '') : word));
}

const MAX_QUERY_LENGTH = 10_000;

/** How many of the words a tool has; those of its name count more than those of its description. */
function rankOf({ name, method }: Tool, words: readonly string[]): number {
  const inName = new Set(wordsOf(`${name.replaceAll('_', ' ')} ${method.fullName}`));
  const inText = new Set(wordsOf(`${method.comment} ${method.service.comment}`));
  return words.reduce((rank, word) => rank + (inName.has(word) ? 3 : 0) + (inText.has(word) ? 1 : 0), 0);
}
