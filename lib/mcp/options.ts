/** The options of MCP. */
import {
  booleanValue,
  checkedText,
  enumValue,
  integerValue,
  namesValue,
  option,
  type OptionsOf,
  sizeValue,
  timeValue,
} from '../options/index.js';
import { isSelector } from '../rule/index.js';

const selectorsValue = {
  ...namesValue('none, or selectors of RPCs, such as pkg.Service.Method or pkg.*', isSelector),
  placeholder: 'SELECTOR,…',
};

const endpointPath = checkedText({
  placeholder: 'PATH',
  description: 'a path such as /mcp: segments of letters, digits, - . _ and ~',
  convert: (text) => (/^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+){1,8}$/.test(text) ? text : undefined),
});

/** The options of this room. */
export const mcpOptions = {
  mcp: option(booleanValue, {
    default: false,
    group: 'mcp',
    text: 'serve the Model Context Protocol: RPCs as tools for agents (docs/mcp.md)',
  }),
  mcp_path: option(endpointPath, {
    default: '/mcp',
    group: 'mcp',
    text: 'path of the MCP endpoint',
  }),
  mcp_tools: option(selectorsValue, {
    default: ['*'],
    group: 'mcp',
    text: 'RPCs that are tools, of those that are served',
  }),
  mcp_resources: option(selectorsValue, {
    default: [],
    group: 'mcp',
    text: 'RPCs whose GET routes are resources, which clients read by URI',
  }),
  // A full name stays the same whatever other services are served.
  mcp_tool_names: option(enumValue('short', 'full'), {
    default: 'short',
    group: 'mcp',
    text: 'names of tools: Service_Method (with the package if two services share a name), or always pkg_Service_Method',
  }),
  mcp_max_listed: option(integerValue(0, 100_000), {
    default: 100,
    group: 'mcp',
    text: 'if there are more tools, clients are shown find_tools and call_tool in their place',
  }),
  mcp_page_size: option(integerValue(1, 1000), {
    default: 50,
    group: 'mcp',
    text: 'tools or resources on one page of a list, and the most that find_tools returns',
  }),
  mcp_max_messages: option(integerValue(1, 1_000_000), {
    default: 100,
    group: 'mcp',
    text: 'messages of a stream in one call of a tool, in its arguments and in its result',
  }),
  mcp_max_result_bytes: option(sizeValue(1, 2 ** 30), {
    default: 1024 ** 2,
    group: 'mcp',
    text: 'largest result of a tool as JSON, and largest resource; a stream is cut there',
  }),
  mcp_stream_time: option(timeValue, {
    default: 30_000,
    group: 'mcp',
    text: 'time after which the stream of a tool is cut, and the result is what has come',
  }),
};

/** The values of these options. */
export type McpOptions = OptionsOf<typeof mcpOptions>;
