/**
 * A configuration → what its listeners answer with. Loads the schema once and builds a gateway for each listener and mount.
 * Calls nobody and opens no port: `live` does, and `cli` lists the routes without.
 */
import { type Config, type ListenerConfig, type MountConfig, reportLoops, upstreamSpecsOf } from '../config/index.js';
import { type Cluster, Connections, type Lease } from '../connections.js';
import { monotonicMs, wallClock } from '../clock.js';
import type { Channel, OwnHealth } from '../exchange.js';
import {
  buildGateway,
  type BuiltGateway,
  type GatewayContext,
  type GatewayOptions,
  type LargeMessages,
  type ServedService,
  MountRouter,
} from '../gateway/index.js';
import type { Fallback } from '../fallback/index.js';
import { Idempotency } from '../idempotency/index.js';
import {
  diskFiles,
  type FileReader,
  loadSchema,
  type MethodDescriptor,
  type ReflectedSet,
  type Schema,
} from '../schema/index.js';
import { type Binding, checkRpcSelectors, RuleFiles, VisibleSchemas } from '../rule/index.js';
import type { DocumentedPart } from '../openapi/index.js';
import { fixedKeys, type JwtProvider, type KeySet, KeysUnavailable, readKeySet } from '../policy/index.js';
import { checkListenerTls, type ExchangeHandler } from '../server/index.js';
import { Code, ConfigError, type Problem, ProblemList, StatusError } from '../status.js';
import {
  compileFilters,
  compileRateLimits,
  type FilterSurroundings,
  hasUntouchedRoutes,
  type LimitSurroundings,
  type RequestFilter,
  RouteTable,
  type RouteTranscoder,
} from '../routes/index.js';
import { quote } from '../uri.js';
import { type ClusterSpec, UpstreamTable } from '../upstream/index.js';
import { bundled, reflectionProtos, withErrorDetails } from './bundled.js';
import { reportUnfiltered, warnOfNoRoutes, warnOfUnusedUpstreams, withoutRepeats } from './problems.js';

/** A configuration that was found good, not yet listening. */
export interface PreparedProxy {
  readonly listeners: readonly PreparedListener[];
  readonly schema: Schema;
  /** What is odd but no reason to refuse the start. */
  readonly warnings: readonly Problem[];
}

/** A listener that is ready to be opened. */
export interface PreparedListener {
  readonly config: ListenerConfig;
  /** Its own routes first, then those of its mounts. */
  readonly parts: readonly PreparedPart[];
  /** What its virtual hosts have in place of its own routes. */
  readonly transcoders: readonly PreparedPart[];
  readonly handler: ExchangeHandler;
  /** What its routes call; to be released when no request is on them any more. */
  readonly lease: Lease;
}

/** Everything that turns requests of a listener into calls. */
export function allParts({ parts, transcoders }: PreparedListener): readonly PreparedPart[] {
  return [...parts, ...transcoders];
}

/** A gateway and where it is mounted. */
export interface PreparedPart extends BuiltGateway {
  readonly config: MountConfig;
}

/** An upstream whose schema is not there yet. */
export interface PendingUpstream {
  readonly target: string;
  /** Why. */
  readonly message: string;
}

/** How strict a preparation is, and what is known besides the configuration. */
export interface PrepareOptions {
  /** Shared with preparations before and after this one. Default: none stay open, for a look at the routes alone. */
  readonly connections?: Connections;
  /** What upstreams said of their schema. Default: nothing. */
  readonly reflected?: readonly ReflectedSet[];
  /** Upstreams that have yet to say it: with any, every request is answered 503, and nothing is read. Default: none. */
  readonly pending?: readonly PendingUpstream[];
  /** Default: the disk. */
  readonly files?: FileReader;
  /** Services need no upstream: for listing and checking alone. Default false. */
  readonly offline?: boolean;
  /** Also look for routes that no request can reach: slow with thousands of them. Default false. */
  readonly thorough?: boolean;
  /** The shape of errors, of every listener. Default: that of their options. */
  readonly errorFormat?: GatewayContext['errorFormat'];
  /** Who is to know of every request. Default: nobody. */
  readonly observer?: GatewayContext['observer'];
  /** What health checks are told. Default: that all is well. */
  readonly health?: OwnHealth | undefined;
  /** Who works on large messages. Default: nobody but the event loop. */
  readonly largeMessages?: LargeMessages | undefined;
  /** The address that an open socket is bound to; asked at the first request. Default: it is not known. */
  readonly boundHost?: (fd: number) => string;
  /** What is called in the place of a channel, for a look at the calls. Default: the channel. */
  readonly tap?: (channel: Channel) => Channel;
}

/**
 * Loads and checks everything that a configuration names.
 * @throws ConfigError with all problems that were found; nothing that it opened stays open then.
 */
export function prepareProxy(config: Config, options: PrepareOptions = {}): PreparedProxy {
  const { connections = new Connections() } = options;
  const leases = config.listeners.map(() => connections.lease());
  let isDone = false;
  try {
    const prepared = prepareListeners(config, { ...options, connections }, leases);
    isDone = options.connections !== undefined;
    return prepared;
  } finally {
    if (!isDone) for (const lease of leases) lease.release();
  }
}

/** @param leases one for each listener */
function prepareListeners(
  config: Config,
  options: PrepareOptions & Required<Pick<PrepareOptions, 'connections'>>,
  leases: readonly Lease[],
): PreparedProxy {
  const problems = new ProblemList();
  const { connections } = options;
  const { pending = [], files = diskFiles, reflected = [], tap = (channel) => channel } = options;
  const { boundHost = () => '' } = options;
  if (pending.length > 0) config = withoutServices(config);
  const schema = loadSchema({ ...config.sources, reflected }, problems, files);
  const details = bundled(['google/rpc/error_details.proto'], config.sources);
  const reflection = bundled(reflectionProtos, config.sources);
  const ruleFiles = new RuleFiles(schema, config.sources.workingDirectory, problems, files);
  const visibility = new VisibleSchemas(schema, (paths) => ruleFiles.visibility(paths), problems);
  const parts = config.listeners.flatMap(({ root, mounts }) => [root, ...mounts]);
  checkRpcSelectors(
    parts.flatMap(({ methods }) => methods),
    schema.files,
    problems,
  );
  checkRpcSelectors(
    parts.flatMap(({ options: { jwt, apiKeys, rateLimits = [], idempotency, headerRules } }) => [
      ...(idempotency?.rpcs ?? []),
      ...[jwt, apiKeys].flatMap((policy) => (policy === undefined ? [] : [...policy.except, ...policy.require])),
      ...rateLimits.flatMap(({ settings }) => settings.rpcs ?? []),
      ...headerRules.map(({ selector }) => selector),
    ]),
    [...schema.files, ...reflection.files],
    problems,
  );
  for (const listener of config.listeners) {
    reportLoops(listener, config.clusters ?? [], problems);
    reportUnfiltered(listener, problems);
  }
  const listeners = config.listeners.map((listener, index) => {
    const lease = leases[index]!;
    const routes = options.offline === true ? undefined : routesOf(listener, config, lease, options.health, problems);
    // What is looked at is the call, and not whether it would be let through.
    const isLooking = options.offline === true || options.tap !== undefined;
    const channelOf = serviceChannels(config, lease);
    const limitSurroundings: LimitSurroundings = {
      ...{ now: monotonicMs, channelOf },
      bucketsOf: (identity, bucket) => lease.bucketsOf(identity, bucket),
    };
    const filters = isLooking ? [] : (problems.attempt(() => filtersOf(listener, index, config, lease, files)) ?? []);
    const channelFor = (mount: MountConfig, table: RouteTable<Cluster> | undefined): ((service: string) => Channel) => {
      if (options.offline === true) return () => offlineChannel;
      return table === undefined ? channelsOf(mount, lease, problems) : (service) => usualChannel(table, service);
    };
    let built = 0;
    const build = (
      mount: MountConfig,
      mounted: readonly PreparedPart[],
      transcoders?: ReadonlyMap<RouteTranscoder, PreparedPart>,
    ): PreparedPart => {
      const open = channelFor(mount, routes);
      const below = mounted.filter(({ config }) => mayList(mount, config));
      const visible = visibility.schemaFor(mount.options.visibility, mount.rules);
      const context: GatewayContext = {
        schema: visible,
        wholeSchema: schema,
        rules: ruleFiles.ruleSet(mount.rules),
        methods: mount.methods,
        types: withErrorDetails(visible, details),
        reflection,
        channelFor: (service) => tap(open(service)),
        // What a route of Envoy calls is not tapped: the usual cluster of the service is.
        routes: mount === listener.root && options.tap === undefined ? routes : undefined,
        ...(transcoders !== undefined && { transcoders }),
        listenHost: listener.fd === undefined ? listener.host : () => boundHost(listener.fd!),
        prefix: mount.prefix,
        name: `${index}.${built++}`,
        largeMessages: options.largeMessages,
        thorough: options.thorough ?? false,
        mounted: [...below.flatMap(({ services }) => services), ...pending.map(notServing)],
        mountedParts: documentedParts(below),
        mountedTools: below.flatMap(({ tools }) => tools ?? []),
        fallback: fallbackOf(mount, lease),
        refusal: refusalFor(pending),
        retryBudgets: connections.retryBudgets,
        errorFormat: options.errorFormat,
        observer: options.observer,
        health: options.health,
        filters,
        limits: isLooking ? undefined : problems.attempt(() => compileRateLimits(mount.options, limitSurroundings)),
        shedderOf: isLooking ? undefined : (maxDelayMs) => lease.shedder(maxDelayMs),
        idempotency: isLooking ? undefined : problems.attempt(() => idempotencyOf(mount, lease)),
        keysOf: (provider) => keysOf(provider, lease, files),
        apiKeysOf: (keys) => lease.apiKeys({ ...keys, read: (path) => files.read(path) }),
      };
      const names = mount === listener.root ? routedNames(listener) : [];
      return { config: mount, ...buildGateway(context, gatewayOptions(mount, names), problems) };
    };
    const mounts = listener.mounts.map((mount) => build(mount, []));
    const transcoders = new Map(transcoderMounts(listener).map(([name, mount]) => [name, build(mount, [])]));
    const root = build(listener.root, mounts, transcoders);
    if (options.offline !== true) {
      for (const warning of problems.attempt(() =>
        checkListenerTls({ ...listener.root.options, certificates: listener.certificates }),
      ) ?? [])
        problems.warn(warning);
    }
    return {
      config: listener,
      parts: [root, ...mounts],
      transcoders: [...transcoders.values()],
      handler: handlerOf(root, mounts),
      lease,
    };
  });
  if (pending.length === 0) {
    const all = listeners.flatMap((listener) => listener.parts);
    warnOfUnusedUpstreams(all, problems);
    // Virtual hosts pass on what no rule takes.
    if (config.listeners.every(({ routes }) => routes === undefined)) warnOfNoRoutes(all, problems);
  }
  visibility.warnOfOpen(
    listeners
      .flatMap(allParts)
      .filter(({ config }) => config.options.visibility === undefined)
      .map((part) => ({ paths: part.config.rules, methods: servedMethods(part, schema) })),
  );
  ruleFiles.reportUnserved(
    listeners
      .flatMap(allParts)
      .map((part) => ({ paths: part.config.rules, services: part.services.map(({ name }) => name) })),
  );
  // Listeners share schema, rules and upstreams, and so their problems.
  const warnings = withoutRepeats([
    ...(config.warnings ?? []),
    ...problems.warnings,
    ...leases.flatMap((lease) => lease.warnings),
  ]);
  if (problems.errors.length > 0) throw new ConfigError(withoutRepeats(problems.errors), { warnings });
  return { listeners, schema, warnings };
}

/** Whether the pages of a listener may tell of a mount: only if it shows nothing that they may not. */
function mayList({ options: { visibility } }: MountConfig, mount: MountConfig): boolean {
  if (visibility === undefined) return true;
  return mount.options.visibility?.every((label) => visibility.includes(label)) ?? false;
}

/** The RPCs that a part lets anybody call: those with a rule and, where native gRPC reaches all, the others of its services. */
function servedMethods({ bindings, services, config: { options } }: PreparedPart, schema: Schema): MethodDescriptor[] {
  const names = new Set(options.passThrough === 'all' ? services.map(({ name }) => name) : []);
  const native = schema.services.filter(({ fullName }) => names.has(fullName)).flatMap(({ methods }) => methods);
  return [...bindings.map(({ method }) => method), ...native];
}

/** @throws ConfigError `redis-package` */
function idempotencyOf({ options: { idempotency } }: MountConfig, lease: Lease): Idempotency | undefined {
  if (idempotency === undefined) return undefined;
  return new Idempotency(idempotency, lease.idempotencyStore(idempotency), () => wallClock().getTime());
}

/** The channels to services that filters and limits ask. */
function serviceChannels({ clusters = [] }: Pick<Config, 'clusters'>, lease: Lease): LimitSurroundings['channelOf'] {
  return ({ cluster, target = '' }) => {
    const spec = clusters.find(({ name }) => name === cluster);
    return spec === undefined ? lease.open(target) : lease.cluster(spec).channel;
  };
}

/** @throws ConfigError */
function filtersOf(
  { filters = [], routes, listen }: ListenerConfig,
  index: number,
  { clusters = [] }: Config,
  lease: Lease,
  files: FileReader,
): RequestFilter[] {
  const hosts = routes?.virtualHosts ?? [];
  const surroundings: FilterSurroundings = {
    now: monotonicMs,
    bucketsOf: (identity, bucket) => lease.bucketsOf(JSON.stringify([listen, index, identity]), bucket),
    wallClock: () => wallClock().getTime(),
    random: Math.random,
    channelOf: serviceChannels({ clusters }, lease),
    keysOf: (provider, cluster) =>
      keysOf(provider, lease, files, cluster === undefined ? undefined : clusters.find(({ name }) => name === cluster)),
  };
  return compileFilters(filters, surroundings, [...hosts, ...hosts.flatMap(({ routes: own = [] }) => own)]);
}

/**
 * @param cluster whose servers have the keys of a URL
 * @throws ConfigError `jwks-file`
 */
function keysOf(provider: JwtProvider, lease: Lease, files: FileReader, cluster?: ClusterSpec): KeySet {
  const { jwks } = provider;
  if (jwks.kind === 'url') return lease.keySet({ ...provider, url: jwks.url }, cluster);
  if (jwks.kind === 'inline') return fixedKeys(jwks.keys);
  try {
    const bytes = files.read(jwks.path);
    const { maxJwksBytes } = provider;
    if (bytes === undefined) throw new KeysUnavailable('are not there: no such file');
    if (bytes.length > maxJwksBytes) {
      throw new KeysUnavailable(`are larger than the limit of ${maxJwksBytes} bytes (max_jwks_bytes)`);
    }
    return fixedKeys(readKeySet(JSON.parse(bytes.toString('utf8'))));
  } catch (error) {
    const reason = error instanceof KeysUnavailable ? error.message : `cannot be read: ${(error as Error).message}`;
    throw new ConfigError(
      {
        code: 'jwks-file',
        message: `the keys in ${quote(jwks.path)} of the JWT provider ${quote(provider.name)} ${reason}`,
        hint: 'give the path of a JSON Web Key Set, {"keys": [ … ]}, or its http:// or https:// URL',
      },
      { cause: error },
    );
  }
}

/** Listeners and upstreams alone, and no pages but those of health. */
function withoutServices(config: Config): Config {
  const bare = (mount: MountConfig): MountConfig => ({
    ...mount,
    services: [],
    rules: [],
    methods: [],
    options: {
      ...mount.options,
      index: false,
      docs: false,
      openapi: false,
      asyncapi: false,
      jwt: undefined,
      apiKeys: undefined,
      rateLimits: undefined,
      idempotency: undefined,
      headerRules: [],
    },
  });
  return {
    ...config,
    sources: { ...config.sources, protos: [], protoPaths: [], descriptorSets: [] },
    listeners: config.listeners.map((listener) => ({
      ...listener,
      root: bare(listener.root),
      mounts: listener.mounts.map(bare),
      routes: listener.routes && {
        ...listener.routes,
        transcoders: listener.routes.transcoders.map(({ name, mount }) => ({ name, mount: bare(mount) })),
      },
    })),
  };
}

/** `/health` is to say that the upstream does not serve, though it may be up. */
function notServing({ target }: PendingUpstream): ServedService {
  return { name: target, channel: offlineChannel };
}

/** Undefined where nothing is waited for. */
function refusalFor([first]: readonly PendingUpstream[]): StatusError | undefined {
  return first && StatusError.http(503, first.message, { headers: [['retry-after', '1']] });
}

/** What the transcoders of routes serve. Pages, agents and health are the listener's own. */
function transcoderMounts({ root, routes }: ListenerConfig): (readonly [RouteTranscoder, MountConfig])[] {
  if (routes === undefined) return [];
  const { transcoders, virtualHosts } = routes;
  const withoutPages = (mount: MountConfig): MountConfig => {
    const without = { docs: false, openapi: false, asyncapi: false, health: false, mcp: false };
    return { ...mount, options: { ...mount.options, ...without } };
  };
  const untouched = { ...root, services: [], options: { ...root.options, rejectUnknownMethod: false } };
  return [
    ...transcoders.map(({ name, mount }) => [name, withoutPages(mount)] as const),
    ...(hasUntouchedRoutes(virtualHosts) ? [[false, withoutPages(untouched)] as const] : []),
  ];
}

/** What documents tell of the parts of a listener. */
export function documentedParts(parts: readonly PreparedPart[]): DocumentedPart<Binding>[] {
  return parts.map(({ config: { prefix }, bindings, documentOptions: options, access, bindingFor }) => {
    return { prefix, bindings, options, access, bindingFor };
  });
}

function fallbackOf({ options }: MountConfig, lease: Lease): Fallback | undefined {
  const { fallback, fallbackTimeoutMs, connectTimeoutMs } = options;
  return fallback === undefined ? undefined : lease.fallback({ fallback, fallbackTimeoutMs, connectTimeoutMs });
}

/** The names of a mount's hosts, and the domains of virtual hosts, are names that its listener answers to. */
function gatewayOptions({ options, services, hosts }: MountConfig, domains: readonly string[]): GatewayOptions {
  return { ...options, services, allowedHosts: [...options.allowedHosts, ...hosts, ...domains] };
}

/** Only names and `*.suffix`: `*` says nothing of who may ask. */
function routedNames({ routes }: ListenerConfig): string[] {
  const domains = (routes?.virtualHosts ?? []).flatMap((host) => host.domains.map((name) => name.replace(/:\d+$/, '')));
  return domains.filter((name) => /^(?:\*\.)?[^*]+$/.test(name));
}

function handlerOf(root: PreparedPart, mounts: readonly PreparedPart[]): ExchangeHandler {
  if (mounts.length === 0) return root.gateway;
  return new MountRouter(
    mounts.map(({ config: { prefix, hosts }, gateway }) => ({ prefix, hosts, gateway })),
    root.gateway,
  );
}

/** The virtual hosts of a listener, with its clusters opened; undefined if it has none. */
function routesOf(
  { routes }: ListenerConfig,
  { clusters = [] }: Config,
  lease: Lease,
  health: OwnHealth | undefined,
  problems: ProblemList,
): RouteTable<Cluster> | undefined {
  if (routes === undefined) return undefined;
  const open = new Map<string, Cluster>();
  const clusterOf = (name: string): Cluster => {
    const known = open.get(name);
    if (known !== undefined) return known;
    const cluster = lease.cluster(clusters.find((spec) => spec.name === name)!);
    open.set(name, cluster);
    return cluster;
  };
  return problems.attempt(() => new RouteTable(routes, clusterOf, health));
}

/** Of a service's calls without any header: whom `/health` asks. */
function usualChannel(table: RouteTable<Cluster>, service: string): Channel {
  const headers = ['content-type', 'application/grpc'];
  const request = { method: 'POST', path: `/${service}/`, query: undefined, headers, host: '', secure: false };
  const action = table.matchAnyHost(request);
  return action?.kind === 'forward' ? action.cluster.channel : offlineChannel;
}

function channelsOf(mount: MountConfig, lease: Lease, problems: ProblemList): (service: string) => Channel {
  const table = problems.attempt(() => new UpstreamTable(upstreamSpecsOf(mount), lease));
  return (service) => table?.channelFor(service) ?? offlineChannel;
}

/** Leads nowhere. */
const offlineChannel: Channel = {
  target: 'none',
  start(_request, listener) {
    listener.onEnd({ code: Code.UNAVAILABLE, message: 'no upstream is configured', trailers: [] });
    return { send: () => true, halfClose() {}, pause() {}, resume() {}, cancel() {} };
  },
  connect: () => Promise.resolve(false),
  close() {},
};
