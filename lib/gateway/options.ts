/** The options of one gateway: what a listener or a mount serves, and how. */
import { type BuiltinOptions, builtinOptions } from '../builtin/index.js';
import { type McpOptions, mcpOptions } from '../mcp/index.js';
import {
  booleanValue,
  checkedText,
  defaultsOf,
  enumValue,
  integerValue,
  type LeafKind,
  namesValue,
  option,
  optional,
  type OptionsOf,
  optionalTextValue,
  plain,
  sizeValue,
} from '../options/index.js';
import { headerRulesKind } from './header-rule-options.js';
import { defaultPolicyOptions, type PolicyOptions } from '../policy/index.js';
import { overloadOptions } from '../overload/index.js';
import { retryOptions } from '../retry/index.js';
import { rateLimitOptions } from '../routes/index.js';
import { idempotencyOptions } from '../idempotency/index.js';
import { defaultProtocolOptions, type ProtocolOptions } from '../protocol/index.js';
import { validateOptions } from '../validate/index.js';
import { defaultTranscodeOptions, type TranscodeOptions } from '../transcode/index.js';

const labels = namesValue('none, or labels of google.api.visibility, such as PREVIEW', (label) => !/[\s,]/.test(label));

/** RFC 6797; `preload` is no part of it, and lists that browsers come with ask for it. */
const transportSecurityValue = checkedText({
  placeholder: 'HSTS',
  description:
    'max-age=SECONDS, with "; includeSubDomains" and "; preload" behind it perhaps, such as max-age=31536000',
  convert: (text) => (/^max-age=\d{1,10}(?:; ?includeSubDomains)?(?:; ?preload)?$/i.test(text) ? text : undefined),
});

const isAll = (raw: unknown): boolean => raw === 'all' || raw === null;

/** `all` reads as undefined, and `none` as no label. */
const visibilityValue: LeafKind<readonly string[] | undefined, readonly string[] | string | undefined> = {
  ...labels,
  placeholder: 'LABEL,…',
  description: `all, ${labels.description}`,
  read: (raw) => (isAll(raw) ? undefined : labels.read(raw)),
  readNode: (node, reader) => (isAll(plain(node)) ? undefined : labels.readNode(node, reader)),
  print: (value) => (value === undefined ? 'all' : labels.print(value)),
};

/** The options of routing and of the answers that no route gives. */
export const gatewayOptions = {
  auto_mapping: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'serve methods without a rule at POST /package.Service/Method',
    peers: 'Envoy `auto_mapping`',
  }),
  on_duplicate: option(enumValue('error', 'first', 'last'), {
    default: 'error',
    group: 'routes',
    text: 'if two rules match the same requests: refuse to start, or keep the first (in the order of --proto, then of file names, then of rules), or the last',
  }),
  visibility: option(visibilityValue, {
    default: undefined,
    group: 'routes',
    text: 'what of the schema callers may see: all of it, or what google.api.visibility leaves unrestricted and restricts to these labels; with none, only the first',
    peers: 'grpc-gateway `visibility_restriction_selectors`, for documents alone',
  }),
  query_methods: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'each rule of GET also takes QUERY (RFC 10008), with the request message as its body; a rule of QUERY at the same path comes first',
  }),
  strict_slash: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: '`/v1/a/` is another path',
    group: 'routes',
    text: 'a trailing slash makes a different path',
  }),
  custom_verbs: option(enumValue('of_route', 'of_any_route', 'every_colon'), {
    default: 'of_route',
    group: 'routes',
    text: 'when the text after the last colon of a path is no part of an id: if a rule with this verb matches the path; as in Envoy, if any rule has this verb; or always',
    peers: 'Envoy `match_unregistered_custom_verb` (every_colon)',
  }),
  server_name: option(optionalTextValue, {
    default: undefined,
    group: 'answers',
    text: 'value of the header server in all answers',
    peers: 'Envoy `server_name`',
  }),
  strict_transport_security: option(optional(transportSecurityValue), {
    default: undefined,
    group: 'answers',
    text: 'value of the header strict-transport-security in all answers over TLS (HSTS): browsers use https alone for so many seconds',
  }),
  reject_unknown_method: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'with virtual_hosts: requests that no rule matches are 404 instead of being passed on',
    peers: 'Envoy `reject_unknown_method`',
  }),
  match_incoming_request_route: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'with virtual_hosts: the path of the request chooses the route, not /package.Service/Method',
    peers: 'Envoy `match_incoming_request_route`',
  }),
  normalize_path: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'remove dot segments, backslashes and needless escapes from paths before routing',
    peers: 'Envoy `normalize_path`',
  }),
  merge_slashes: option(booleanValue, {
    default: false,
    group: 'routes',
    text: 'treat several slashes in a path as one',
    peers: 'Envoy `merge_slashes`',
  }),
  path_with_escaped_slashes_action: option(
    enumValue('keep_unchanged', 'reject_request', 'unescape_and_redirect', 'unescape_and_forward'),
    {
      default: 'keep_unchanged',
      group: 'routes',
      text: '%2F and %5C in paths: keep them, refuse them, or read them as slashes, with or without a redirect',
      peers: 'Envoy `path_with_escaped_slashes_action`',
    },
  ),
  header_rules: option(headerRulesKind, {
    default: [],
    group: 'services',
    text: 'which headers services get, and clients from them, by RPC: allow, deny, rename, append, set, set_from_claims',
  }),
  original_path_headers: option(booleanValue, {
    default: false,
    group: 'services',
    text: 'with virtual_hosts: services get x-envoy-original-path and x-envoy-original-method',
  }),
  max_request_bytes: option(optional(sizeValue(1, 0xffffffff)), {
    default: undefined,
    group: 'limits',
    text: 'largest body of a request as a whole, streams and what is passed on included; max_body_bytes is the limit of a message',
    peers: 'Envoy filter `buffer`',
  }),
  max_concurrent_requests: option(integerValue(1, 10_000_000), {
    default: 10_000,
    group: 'limits',
    text: 'requests in flight at once, for each listener; one connection has at most half of them',
  }),
};

export interface GatewayOptions
  extends
    TranscodeOptions,
    PolicyOptions,
    ProtocolOptions,
    BuiltinOptions,
    McpOptions,
    OptionsOf<
      typeof gatewayOptions &
        typeof overloadOptions &
        typeof rateLimitOptions &
        typeof idempotencyOptions &
        typeof retryOptions &
        typeof validateOptions
    > {
  /** Names, packages or wildcards (`pkg.*`) of the services to serve; empty: none. Default: all. (Envoy `services`.) */
  readonly services: readonly string[] | undefined;
}

export const defaultGatewayOptions: GatewayOptions = Object.freeze({
  ...defaultTranscodeOptions,
  ...defaultPolicyOptions,
  ...defaultProtocolOptions,
  ...defaultsOf(builtinOptions),
  ...defaultsOf(mcpOptions),
  ...defaultsOf({
    ...gatewayOptions,
    ...overloadOptions,
    ...rateLimitOptions,
    ...idempotencyOptions,
    ...retryOptions,
    ...validateOptions,
  }),
  services: undefined,
});
