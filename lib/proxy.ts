/**
 * A configuration → what its listeners answer with. Loads the schema once and builds a gateway for each listener and mount.
 * Calls nobody and opens no port: `live` does, and `cli` lists the routes without.
 */
import { type Config, type ListenerConfig, type MountConfig, upstreamSpecsOf } from './config/index.js';
import type { Channel } from './exchange.js';
import {
  buildGateway,
  type BuiltGateway,
  type GatewayContext,
  type GatewayOptions,
  type ServedService,
  Site,
} from './gateway/index.js';
import { type Fallback, Fallbacks } from './fallback/index.js';
import {
  diskFiles,
  type FileReader,
  loadSchema,
  type ReflectedSet,
  type Schema,
  type SchemaSources,
} from './schema/index.js';
import { type Binding, checkMethodRules, RuleFiles } from './rule/index.js';
import type { DocumentedPart } from './openapi/index.js';
import { checkListenerTls, type ExchangeHandler } from './server/index.js';
import { Code, ConfigError, type Problem, ProblemList, StatusError } from './status.js';
import { ChannelPool, unusedUpstreams, UpstreamTable } from './upstream/index.js';

/** A configuration that was found good, not yet listening. */
export interface PreparedProxy {
  readonly listeners: readonly PreparedListener[];
  /** What is odd but no reason to refuse the start. */
  readonly warnings: readonly Problem[];
  /** Those that its routes may call. */
  readonly channels: ReadonlySet<Channel>;
}

export interface PreparedListener {
  readonly config: ListenerConfig;
  /** Its own routes first, then those of its mounts. */
  readonly parts: readonly PreparedPart[];
  readonly handler: ExchangeHandler;
}

/** A gateway and where it is mounted. */
export interface PreparedPart extends BuiltGateway {
  readonly config: MountConfig;
}

/** What is shared with preparations before and after this one. */
export interface SharedConnections {
  readonly pool: ChannelPool;
  readonly fallbacks: Fallbacks;
}

/** An upstream whose schema is not there yet. */
export interface PendingUpstream {
  readonly target: string;
  /** Why. */
  readonly message: string;
}

/** How strict a preparation is, and what is known besides the configuration. */
export interface PrepareOptions {
  /** Default: connections of its own, for a look at the routes alone. */
  readonly shared?: SharedConnections;
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
}

/**
 * Loads and checks everything that a configuration names.
 * @throws ConfigError with all problems that were found.
 */
export function prepareProxy(config: Config, options: PrepareOptions = {}): PreparedProxy {
  const problems = new ProblemList();
  const { pool, fallbacks } = options.shared ?? { pool: new ChannelPool(), fallbacks: new Fallbacks() };
  const { pending = [], files = diskFiles, reflected = [] } = options;
  if (pending.length > 0) config = withoutServices(config);
  const channels = new Set<Channel>();
  const schema = loadSchema({ ...config.sources, reflected }, problems, files);
  const types = withErrorDetails(schema, config.sources);
  const ruleFiles = new RuleFiles(schema, config.sources.workingDirectory, problems, files);
  const parts = config.listeners.flatMap(({ root, mounts }) => [root, ...mounts]);
  checkMethodRules(
    parts.flatMap(({ methods }) => methods),
    schema,
    problems,
  );
  const listeners = config.listeners.map((listener) => {
    const build = (mount: MountConfig, below: readonly PreparedPart[]): PreparedPart => {
      const context: GatewayContext = {
        schema,
        rules: ruleFiles.ruleSet(mount.rules),
        methods: mount.methods,
        types,
        channelFor: options.offline === true ? () => offlineChannel : channelsOf(mount, pool, channels, problems),
        listenHost: listener.host,
        prefix: mount.prefix,
        thorough: options.thorough ?? false,
        mounted: [...below.flatMap(({ services }) => services), ...pending.map(notServing)],
        mountedParts: documentedParts(below),
        fallback: fallbackOf(mount, fallbacks),
        refusal: refusalFor(pending),
      };
      return { config: mount, ...buildGateway(context, gatewayOptions(mount), problems) };
    };
    const mounts = listener.mounts.map((mount) => build(mount, []));
    const root = build(listener.root, mounts);
    if (options.offline !== true) {
      for (const warning of problems.attempt(() => checkListenerTls(listener.root.options)) ?? [])
        problems.warn(warning);
    }
    return { config: listener, parts: [root, ...mounts], handler: handlerOf(root, mounts) };
  });
  if (pending.length === 0) {
    warnOfUnusedUpstreams(
      listeners.flatMap(({ parts }) => parts),
      problems,
    );
  }
  ruleFiles.reportUnserved(
    listeners.flatMap(({ parts }) =>
      parts.map((part) => ({ paths: part.config.rules, services: part.services.map(({ name }) => name) })),
    ),
  );
  // Listeners share schema, rules and upstreams, and so their problems.
  const warnings = withoutRepeats([...problems.warnings, ...pool.warnings]);
  if (problems.errors.length > 0) {
    if (options.shared === undefined) pool.close();
    throw new ConfigError(withoutRepeats(problems.errors), { warnings });
  }
  return { listeners, warnings, channels };
}

/** Listeners and upstreams alone, and no page but `/health`. */
function withoutServices(config: Config): Config {
  const bare = (mount: MountConfig): MountConfig => ({
    ...mount,
    services: [],
    rules: [],
    methods: [],
    options: { ...mount.options, index: false, docs: false, openapi: false },
  });
  return {
    ...config,
    sources: { ...config.sources, protos: [], protoPaths: [], descriptorSets: [] },
    listeners: config.listeners.map((listener) => ({
      ...listener,
      root: bare(listener.root),
      mounts: listener.mounts.map(bare),
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

/** What documents tell of the parts of a listener. */
export function documentedParts(parts: readonly PreparedPart[]): DocumentedPart<Binding>[] {
  return parts.map(({ config: { prefix, options }, bindings }) => ({ prefix, bindings, options }));
}

/**
 * The types that may stand in an Any: those of the schema, and google.rpc's error details, which services send whether
 * their protos import them or not. A schema of its own, so that it cannot clash with what the user's files define.
 */
function withErrorDetails(schema: Schema, { annotationsRoot }: SchemaSources): Pick<Schema, 'message'> {
  const details = loadSchema(
    {
      protos: ['google/rpc/error_details.proto'],
      protoPaths: [annotationsRoot],
      descriptorSets: [],
      workingDirectory: annotationsRoot,
      annotationsRoot,
    },
    new ProblemList(),
  );
  return { message: (name) => schema.message(name) ?? details.message(name) };
}

function fallbackOf({ options }: MountConfig, all: Fallbacks): Fallback | undefined {
  const { fallback, fallbackTimeoutMs, connectTimeoutMs } = options;
  return fallback === undefined ? undefined : all.to({ fallback, fallbackTimeoutMs, connectTimeoutMs });
}

/** The names of a mount's hosts are names that its listener answers to. */
function gatewayOptions({ options, services, hosts }: MountConfig): GatewayOptions {
  return { ...options, services, allowedHosts: [...options.allowedHosts, ...hosts] };
}

function handlerOf(root: PreparedPart, mounts: readonly PreparedPart[]): ExchangeHandler {
  if (mounts.length === 0) return root.gateway;
  return new Site(
    mounts.map(({ config: { prefix, hosts }, gateway }) => ({ prefix, hosts, gateway })),
    root.gateway,
  );
}

/** @param opened takes the channels. */
function channelsOf(
  mount: MountConfig,
  pool: ChannelPool,
  opened: Set<Channel>,
  problems: ProblemList,
): (service: string) => Channel {
  const open: ChannelPool['open'] = (target, options) => {
    const channel = pool.open(target, options);
    opened.add(channel);
    return channel;
  };
  const table = problems.attempt(() => new UpstreamTable(upstreamSpecsOf(mount), { open }));
  return (service) => table?.channelFor(service) ?? offlineChannel;
}

/** A warning for each upstream whose name matches nothing that any listener serves: mostly misspelt. */
function warnOfUnusedUpstreams(parts: readonly PreparedPart[], problems: ProblemList): void {
  const services = parts.flatMap((part) => part.services.map(({ name }) => name));
  const names = new Set(parts.flatMap(({ config }) => config.upstreams.map(({ name }) => name)));
  for (const problem of unusedUpstreams(names, services)) problems.warn(problem);
}

function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
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
