/**
 * Start-up: a schema and options → a gateway. Checks each binding and fills the route table; plans are compiled later.
 * Whatever is wrong goes to the problem list; the gateway is only good if that stays empty.
 */
import { compileCors } from '../cors/index.js';
import type { Channel, MethodPlan, OwnHealth } from '../exchange.js';
import type { Fallback } from '../fallback/index.js';
import {
  type ApiKeyOptions,
  Authenticator,
  compileEncoder,
  compilePolicies,
  type JwtOptions,
  type JwtProvider,
  KeyChecker,
  type KeySet,
  type KnownKeys,
  type ListenHost,
} from '../policy/index.js';
import type { Idempotency } from '../idempotency/index.js';
import { CallerRules } from '../metadata/index.js';
import type { Shedder } from '../overload/index.js';
import { ProtocolTable, type ProtocolTarget } from '../protocol/index.js';
import { type PathMatcher, PathMatcherBuilder } from '../router/index.js';
import { bindingsOf, type Binding, type MethodRule, type RuleSet, withQueryRules } from '../rule/index.js';
import { RetryBudgets } from '../retry/index.js';
import type { MethodDescriptor, Schema, ServiceDescriptor } from '../schema/index.js';
import { ConfigError, ProblemList, type StatusError } from '../status.js';
import type { Observer } from '../telemetry/index.js';
import {
  acceptQuery,
  checkPlan,
  compilePlan,
  createContext,
  isTranscoded,
  type ErrorFormatter,
  type TranscodeContext,
} from '../transcode/index.js';
import type { VisibleTypes } from '../codec/index.js';
import { RequestRules } from './validated.js';
import { VisibleCalls } from './visible.js';
import { Access } from './access.js';
import { compileShedding, tooMany } from './busy.js';
import { agentEndpoint, type AgentTools, agentTools, metadataPages } from './agents.js';
import { warnOfEscapedSlashes, warnOfHiddenPages, warnOfIgnoredNotes } from './build-warnings.js';
import { type Guard, keyGuard, tokenGuard } from './guards.js';
import type { McpEndpoint } from '../mcp/index.js';
import type { Route } from './decide.js';
import { publishFault } from './diagnostics.js';
import { Gateway } from './gateway.js';
import type { ServiceChannel } from '../builtin/index.js';
import { buildPages } from '../builtin/index.js';
import { Constraints, type DocumentedPart, type OpenApiOptions, SchemaNotes } from '../openapi/index.js';
import type { GatewayOptions } from './options.js';
import { servicesOf, visibleServices, withServicesOf } from './services.js';
import { claimHeaders, HeaderRules } from './header-rules.js';
import type { LargeMessages } from './large-messages.js';
import { Retries } from './retries.js';
import { type HintedRoute, RouteHints } from './route-hints.js';
import type { RateLimits, RequestFilter, RouteTranscoder } from '../routes/index.js';
import type { Routes } from './routing.js';
import { compileNormalizer } from './path-normalization.js';
import { reflectionTargets } from '../builtin/index.js';

/** A gateway and what can be told about it. */
export interface BuiltGateway {
  readonly gateway: Gateway;
  /** What it serves, and where that is reached. */
  readonly services: readonly ServedService[];
  /** Those that are served, in the order of the services and their methods. */
  readonly bindings: readonly Binding[];
  /** Which RPC needs which token; undefined: none does. */
  readonly access: Access | undefined;
  /** What agents may call; undefined: MCP is off. */
  readonly tools: AgentTools | undefined;
  /** Where they do. */
  readonly mcp: McpEndpoint | undefined;
  /** The binding that a request for a raw path is answered by. */
  readonly bindingFor: (httpMethod: string, path: string) => Binding | undefined;
  /** What documents depend on. */
  readonly documentOptions: OpenApiOptions;
  /** The plan of a route by its key, which may be that of another gateway; undefined: there is no such route. */
  readonly planOf: (key: string) => MethodPlan | undefined;
}

/** A service and the channel to its server. */
export type ServedService = ServiceChannel;

/** What a gateway is made from, besides its options. */
export interface GatewayContext {
  /** What callers may see. */
  readonly schema: Schema;
  /** With what they may not. Default: they may see all. */
  readonly wholeSchema?: Schema;
  /** Rules of service configs; they replace annotations. */
  readonly rules: RuleSet;
  /** Method options by selector; they replace those of annotations. */
  readonly methods?: readonly MethodRule[];
  /** Types that may stand in a google.protobuf.Any. */
  readonly types: VisibleTypes;
  /** The services of `grpc.reflection`, for the gateway to answer. Default: it answers none. */
  readonly reflection?: Schema;
  /** The channel to a service, by full name; throws a ConfigError where it has none. */
  readonly channelFor: (service: string) => Channel;
  /** The address that the listener binds; decides whether the host check applies. */
  readonly listenHost: ListenHost;
  /** Of the mount; '' for the root. */
  readonly prefix: string;
  /** Its name among all gateways of a configuration. Default: there is no other one. */
  readonly name?: string;
  /** Who works on large messages. Default: nobody but the event loop. */
  readonly largeMessages?: LargeMessages | undefined;
  /** Also warn of routes that no request can reach. */
  readonly thorough: boolean;
  /** Services whose health `/health` tells besides its own: those of the mounts below this gateway. */
  readonly mounted?: readonly ServedService[];
  /** The routes of those mounts, for the pages that list them. */
  readonly mountedParts?: readonly DocumentedPart<Binding>[];
  /** The tools of those mounts. */
  readonly mountedTools?: readonly AgentTools[];
  /** Takes the requests that no route does. Default: nothing, they are 404 and 405. */
  readonly fallback?: Fallback | undefined;
  /** What may be sent again to each upstream. Default: budgets of its own. */
  readonly retryBudgets?: RetryBudgets;
  /** Which cluster answers. Default: the channels of the services do. */
  readonly routes?: Routes | undefined;
  /** By name, those of routes that have a transcoder of their own. Default: none. */
  readonly transcoders?: ReadonlyMap<RouteTranscoder, BuiltGateway>;
  /** What happens to requests before they are routed, in order. Default: nothing. */
  readonly filters?: readonly RequestFilter[];
  /** How many requests clients may send. Default: any number. */
  readonly limits?: RateLimits | undefined;
  /** Which calls are made once for their key. Default: none. */
  readonly idempotency?: Idempotency | undefined;
  /** Why no request is served now; our own pages are. Default: all are served. */
  readonly refusal?: StatusError | undefined;
  /** The keys of an issuer of tokens; throws a ConfigError where they will not do. Needed where `jwt` is given. */
  readonly keysOf?: (provider: JwtProvider) => KeySet;
  /** The keys of a file; throws a ConfigError where it will not do. Needed where `apiKeys` is given. */
  readonly apiKeysOf?: (options: ApiKeyOptions) => KnownKeys;
  /** The shape of errors. Default: that of the option `errorFormat`. */
  readonly errorFormat?: ErrorFormatter | undefined;
  /** What `/health` is told of the proxy itself. Default: that all is well. */
  readonly health?: OwnHealth | undefined;
  /** What refuses requests if the event loop is later than so many milliseconds. Default: nothing does. */
  readonly shedderOf?: ((maxDelayMs: number) => Pick<Shedder, 'refuses'>) | undefined;
  /** Who is to know of every request. Default: nobody, and then requests cost nothing more. */
  readonly observer?: Observer | undefined;
}

/** Builds a gateway. Problems are collected in `problems`; it is only good where there are none. */
export function buildGateway(
  {
    schema,
    wholeSchema = schema,
    rules,
    methods: methodRules,
    types,
    reflection,
    channelFor,
    listenHost,
    prefix,
    name = '',
    largeMessages,
    thorough,
    mounted = [],
    mountedParts = [],
    mountedTools = [],
    fallback,
    retryBudgets = new RetryBudgets(),
    routes,
    transcoders = new Map(),
    filters: ownFilters = [],
    limits,
    idempotency,
    refusal,
    keysOf = noKeys,
    apiKeysOf = noKeys,
    errorFormat,
    observer,
    health,
    shedderOf,
  }: GatewayContext,
  given: GatewayOptions,
  problems: ProblemList,
): BuiltGateway {
  const options = withIdentityHeaders(given);
  const services = visibleServices(servicesOf(wholeSchema, options.services, problems), schema, options);
  const written = bindingsOf(services, problems, { ...options, rules, methods: methodRules });
  const bindings = withQueryRules(written, options);
  const context = createContext(types, options, errorFormat && { format: errorFormat, report: publishFault });
  // Whatever a route transcodes, clients of gRPC reach the services of all.
  const others = [...transcoders.values()];
  const all = withServicesOf(others, services, schema);
  const allBindings = [...bindings, ...others.flatMap((other) => other.bindings)];
  const served = all.flatMap((service) => {
    const channel = problems.attempt(() => channelFor(service.fullName));
    return channel === undefined ? [] : [{ name: service.fullName, channel }];
  });
  const channels = new Map(served.map(({ name, channel }) => [name, channel]));
  const targets = protocolTargets(all, allBindings, channels, options);
  const isReflecting = options.grpcReflection && options.passThrough !== 'off' && reflection !== undefined;
  const reflecting = isReflecting ? reflectionTargets(schema, targets, reflection, options.maxBodyBytes) : [];
  const methods = [...all.flatMap((service) => service.methods), ...reflecting.map(({ method }) => method)];
  const rpcs = methods.map(({ fullName }) => fullName);
  const access = problems.attempt(() => accessOf(options, methods, keysOf, apiKeysOf));
  const retries = new Retries(
    {
      retries: options.retries,
      rules: methodRules ?? [],
      methods,
      bindings: allBindings,
      budgets: retryBudgets,
      hasServiceConfig: served.some(({ channel }) => channel.methodConfigs !== undefined),
    },
    problems,
  );
  const requestRules = compileRequestRules(schema, options, bindings, targets, problems);
  const visible = schema === wholeSchema ? undefined : new VisibleCalls(types, options);
  const builder = new PathMatcherBuilder<LazyRoute>(options);
  const added = addRoutes(bindings, channels, { ...context, requestRules, visible, gateway: name }, builder, problems);
  const matcher = builder.build(problems);
  if (thorough) builder.reportShadowed(problems);
  const notes = options.openapi || options.asyncapi || options.mcp ? SchemaNotes.of(schema) : undefined;
  const kept = new Set(matcher.values.map(({ binding }) => binding));
  const reachable = bindings.filter((binding) => kept.has(binding));
  if (thorough && options.openapi) {
    warnOfEscapedSlashes(reachable, options, problems);
    warnOfIgnoredNotes(reachable, notes, problems);
  }
  const bindingFor = (httpMethod: string, path: string): Binding | undefined =>
    matcher.match(httpMethod, path)?.value.binding;
  const documentOptions: OpenApiOptions = {
    ...options,
    constraints: options.validate === 'off' ? undefined : new Constraints(schema),
    notes,
  };
  const parts = [{ prefix: '', bindings: reachable, options: documentOptions, access, bindingFor }, ...mountedParts];
  // What a fallback or an application has at these paths stays theirs.
  const hasProbes = health !== undefined && fallback === undefined && routes === undefined && prefix === '';
  const isReady = hasProbes ? () => !health.isFailing && refusal === undefined : undefined;
  const native = options.passThrough === 'all' ? targets.map(({ method }) => method) : [];
  const tools = options.mcp
    ? agentTools(
        {
          ...{ prefix, bindings: reachable, methods: native, channels, access },
          around: (plan, method) => planAround(plan, method, false, { requestRules, visible }),
          codec: context.codec,
          gateway: () => gateway,
        },
        { ...options, ...documentOptions },
      )
    : undefined;
  const mcp = tools && agentEndpoint([tools, ...mountedTools], parts);
  const pages = new Map([
    ...buildPages({ prefix, services: [...served, ...mounted], parts, health, isReady }, options),
    ...(prefix === '' ? metadataPages([...(tools === undefined ? [] : [tools]), ...mountedTools]) : []),
  ]);
  warnOfHiddenPages(pages, matcher, problems);
  const gateway: Gateway = new Gateway({
    matcher,
    sockets: socketMatcher(matcher.values, options),
    maxBodyBytes: options.maxBodyBytes,
    policies: compilePolicies(options, listenHost),
    refusal,
    pages,
    mcp,
    indexPath: pages.has('/') && matcher.match('GET', '/') === undefined ? `${prefix}/` : undefined,
    // Whoever may not see the list of routes gets no hints of them.
    hints:
      options.index && (access?.pageNeed ?? []).length === 0 ? new RouteHints(() => hinted(parts, prefix)) : undefined,
    writeError: context.writeError,
    protocols: new ProtocolTable([...targets, ...reflecting], context.codec, options, (plan, method) =>
      planAround(plan, method, true, { requestRules: options.validate === 'all' ? requestRules : undefined, visible }),
    ),
    maxConcurrentRequests: options.maxConcurrentRequests,
    tooMany: tooMany(options),
    shedding: shedderOf && compileShedding(options, shedderOf),
    encode: compileEncoder(options),
    cors: options.cors && compileCors(options.cors),
    fallback,
    ...{ routes, limits, idempotency, options, largeMessages },
    // Who sends too much costs nothing more.
    filters: limits?.early === undefined ? ownFilters : [limits.early, ...ownFilters],
    headerRules: options.headerRules.length === 0 ? undefined : new HeaderRules(options.headerRules, rpcs),
    retries: routes === undefined && retries.isEmpty ? undefined : retries,
    rpcs: new Set(rpcs),
    normalize: compileNormalizer(options),
    access,
    callers: new CallerRules(options),
    names: context.names,
    prefix,
    observer,
    transcoders: new Map([...transcoders].map(([name, other]) => [name, other.gateway])),
  });
  return {
    gateway,
    services: served,
    bindings: reachable,
    access,
    tools,
    mcp,
    bindingFor,
    documentOptions,
    planOf: planFinder(added),
  };
}

/** The keys of thousands of routes are made when one is asked for. */
function planFinder(routes: readonly LazyRoute[]): BuiltGateway['planOf'] {
  let byKey: ReadonlyMap<string, LazyRoute> | undefined;
  return (key) => {
    byKey ??= new Map(routes.map((route) => [route.key, route]));
    return byKey.get(key)?.plan;
  };
}

/** @param base the prefix of the mount that is built */
function hinted(parts: readonly DocumentedPart<Binding>[], base: string): HintedRoute[] {
  return parts.flatMap(({ prefix, bindings }) =>
    bindings.map(({ httpMethod, template }) => ({ prefix: base + prefix, httpMethod, template })),
  );
}

/** What services are told of a caller, they are told by the proxy alone. */
function withIdentityHeaders(options: GatewayOptions): GatewayOptions {
  const { jwt, apiKeys, identityHeaders, headerRules } = options;
  if (jwt === undefined && apiKeys === undefined && headerRules.length === 0) return options;
  const own = claimHeaders(headerRules);
  const told = [...(jwt?.forwardClaims.values() ?? []), ...(apiKeys?.forward.values() ?? []), ...own];
  return { ...options, identityHeaders: [...identityHeaders, ...told] };
}

/** @throws ConfigError */
function accessOf(
  { jwt, apiKeys }: GatewayOptions,
  methods: readonly MethodDescriptor[],
  keysOf: (provider: JwtProvider) => KeySet,
  apiKeysOf: (options: ApiKeyOptions) => KnownKeys,
): Access | undefined {
  if (jwt === undefined && apiKeys === undefined) return undefined;
  if (jwt !== undefined && apiKeys !== undefined) checkPlaces(jwt, apiKeys);
  const guards: Guard[] = [];
  if (jwt !== undefined) guards.push(tokenGuard(jwt, new Authenticator(jwt, keysOf)));
  if (apiKeys !== undefined) guards.push(keyGuard(apiKeys, new KeyChecker(apiKeys, apiKeysOf(apiKeys))));
  return new Access(
    guards,
    methods.map(({ fullName }) => fullName),
  );
}

/** In `authorization` the scheme tells tokens and keys apart; nothing does in other places. @throws ConfigError */
function checkPlaces(jwt: JwtOptions, apiKeys: ApiKeyOptions): void {
  const isOneHeader = jwt.header === apiKeys.header && jwt.header !== 'authorization';
  const isOneParameter = jwt.queryParameter !== undefined && jwt.queryParameter === apiKeys.queryParameter;
  if (!isOneHeader && !isOneParameter) return;
  const place = isOneHeader ? `the header ${jwt.header}` : `the query parameter ${apiKeys.queryParameter}`;
  throw new ConfigError({
    code: 'config-conflict',
    message: `policies.jwt and policies.api_keys both read ${place}, where a token and a key look alike`,
    hint: 'choose another header or query_parameter for one of them',
  });
}

function noKeys(): never {
  throw new TypeError('tokens are to be checked, and nobody gives their keys');
}

/** A route whose plan is compiled by its first request: of thousands of routes most are never used. */
class LazyRoute implements Route {
  private compiled: MethodPlan | undefined;

  constructor(
    readonly binding: Binding,
    private readonly context: RouteContext,
    readonly channel: Channel,
    /** Among the routes of its gateway. */
    private readonly index: number,
  ) {}

  /** See `MethodPlan.key`. */
  get key(): string {
    const { httpMethod, method } = this.binding;
    return `${this.context.gateway} ${this.index} ${httpMethod} ${this.template} ${method.fullName}`;
  }

  get template(): string {
    return this.binding.template.source;
  }

  get acceptQuery(): string | undefined {
    return acceptQuery(this.binding);
  }

  get plan(): MethodPlan {
    return (this.compiled ??= this.compile());
  }

  private compile(): MethodPlan {
    const { binding, context } = this;
    const plan = planAround(compilePlan(binding, context), binding.method, false, context);
    return isTranscoded(binding) ? { ...plan, key: this.key } : plan;
  }
}

/** What is done with the messages of all protocols alike. */
interface MessageChecks {
  readonly requestRules: RequestRules | undefined;
  readonly visible: VisibleCalls | undefined;
}

/** @param withDetails see `RequestRules.around` */
function planAround(
  plan: MethodPlan,
  method: MethodDescriptor,
  withDetails: boolean,
  { requestRules, visible }: MessageChecks,
): MethodPlan {
  const checked = requestRules?.around(plan, method, withDetails) ?? plan;
  return visible?.around(checked, method) ?? checked;
}

/** What the routes of a gateway share. */
interface RouteContext extends TranscodeContext, MessageChecks {
  /** See `GatewayContext.name`. */
  readonly gateway: string;
}

/** The rules of the requests that are to be checked; undefined if none are. */
function compileRequestRules(
  schema: Schema,
  options: GatewayOptions,
  bindings: readonly Binding[],
  targets: readonly ProtocolTarget<Channel>[],
  problems: ProblemList,
): RequestRules | undefined {
  if (options.validate === 'off' && !options.validateRequired && !options.validateFormats) return undefined;
  const rules = new RequestRules(schema, options);
  const others = options.validate === 'all' || options.mcp ? targets : [];
  for (const { method } of [...bindings, ...others]) problems.attempt(() => rules.compile(method));
  return rules;
}

/** The methods that other protocols than REST reach. */
function protocolTargets(
  services: readonly ServiceDescriptor[],
  bindings: readonly Binding[],
  channels: ReadonlyMap<string, Channel>,
  { passThrough }: GatewayOptions,
): ProtocolTarget<Channel>[] {
  if (passThrough === 'off') return [];
  const methods =
    passThrough === 'all'
      ? services.flatMap((service) => service.methods)
      : [...new Set(bindings.map(({ method }) => method))];
  return methods.flatMap((method) => {
    const channel = channels.get(method.service.fullName);
    return channel === undefined ? [] : [{ method, channel }];
  });
}

function addRoutes(
  bindings: readonly Binding[],
  channels: ReadonlyMap<string, Channel>,
  context: RouteContext,
  builder: PathMatcherBuilder<LazyRoute>,
  problems: ProblemList,
): LazyRoute[] {
  return bindings.flatMap((binding, index) => {
    const channel = channels.get(binding.method.service.fullName);
    if (channel === undefined || !problems.attempt(() => checkPlan(binding, context))) return [];
    const route = new LazyRoute(binding, context, channel, index);
    builder.add(binding, route);
    return [route];
  });
}

/**
 * A handshake is always a GET, so the rules of all methods answer to it: those of GET first. Where two of other methods have
 * one path, the first is taken, or the last as `on_duplicate` says; the table of all routes has told them apart already.
 */
function socketMatcher(
  routes: readonly LazyRoute[],
  { strictSlash, onDuplicate, customVerbs }: GatewayOptions,
): PathMatcher<Route> | undefined {
  const streams = routes.filter(({ binding: { method } }) => method.clientStreaming || method.serverStreaming);
  if (streams.length === 0) return undefined;
  const builder = new PathMatcherBuilder<Route>({
    strictSlash,
    customVerbs,
    onDuplicate: onDuplicate === 'last' ? 'last' : 'first',
  });
  for (const route of streams) {
    const { httpMethod, template, origin } = route.binding;
    builder.add({ httpMethod: httpMethod === 'GET' ? httpMethod : '*', template, origin }, route);
  }
  return builder.build(new ProblemList());
}
