/**
 * A configuration → listeners that answer. Loads the schema once, builds a gateway for each listener, opens the ports.
 * What a program that embeds the whole proxy calls; `cli` adds signals and words.
 */
import { type Config, type ListenerConfig, type MountConfig, upstreamTlsOf } from './config/index.js';
import type { Channel } from './exchange.js';
import { buildGateway, type BuiltGateway, type GatewayContext, type GatewayOptions, Site } from './gateway/index.js';
import { type Fallback, Fallbacks } from './fallback/index.js';
import { loadSchema, type Schema, type SchemaSources } from './schema/index.js';
import { type Binding, checkMethodRules, RuleFiles } from './rule/index.js';
import type { DocumentedPart } from './openapi/index.js';
import { checkListenerTls, type ExchangeHandler, listen, type Listener } from './server/index.js';
import { Code, ConfigError, type Problem, ProblemList } from './status.js';
import { ChannelPool, unusedUpstreams, UpstreamTable } from './upstream/index.js';
import { packageVersion } from './version.js';

/** A configuration that was found good, not yet listening. */
export interface PreparedProxy {
  readonly listeners: readonly PreparedListener[];
  /** What is odd but no reason to refuse the start. */
  readonly warnings: readonly Problem[];
  readonly pool: ChannelPool;
  readonly fallbacks: Fallbacks;
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

/** A proxy that listens. */
export interface RunningProxy {
  /** The base URL of each listener, in order: `http://127.0.0.1:8080`, or https. */
  readonly urls: readonly string[];
  readonly prepared: PreparedProxy;
  /** Takes no more requests and lets those in flight end within their listener's `drain_timeout`; never rejects. */
  drain(): Promise<void>;
}

/** How strict a preparation is. */
export interface PrepareOptions {
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
  const pool = new ChannelPool();
  const fallbacks = new Fallbacks();
  const schema = loadSchema(config.sources, problems);
  const types = withErrorDetails(schema, config.sources);
  const ruleFiles = new RuleFiles(schema, config.sources.workingDirectory, problems);
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
        channelFor: options.offline === true ? () => offlineChannel : channelsOf(mount, pool, problems),
        listenHost: listener.host,
        prefix: mount.prefix,
        thorough: options.thorough ?? false,
        mounted: below.flatMap(({ services }) => services),
        mountedParts: documentedParts(below),
        fallback: fallbackOf(mount, fallbacks),
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
  warnOfUnusedUpstreams(
    listeners.flatMap(({ parts }) => parts),
    problems,
  );
  ruleFiles.reportUnserved(
    listeners.flatMap(({ parts }) =>
      parts.map((part) => ({ paths: part.config.rules, services: part.services.map(({ name }) => name) })),
    ),
  );
  // Listeners share schema, rules and upstreams, and so their problems.
  const warnings = withoutRepeats([...problems.warnings, ...pool.warnings]);
  if (problems.errors.length > 0) {
    pool.close();
    throw new ConfigError(withoutRepeats(problems.errors), { warnings });
  }
  return { listeners, warnings, pool, fallbacks };
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

function fallbackOf({ options: { fallback, fallbackTimeoutMs } }: MountConfig, all: Fallbacks): Fallback | undefined {
  return fallback === undefined ? undefined : all.to({ fallback, fallbackTimeoutMs });
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

function channelsOf(
  { upstreams, options }: MountConfig,
  pool: ChannelPool,
  problems: ProblemList,
): (service: string) => Channel {
  const { maxReceiveBytes, connectTimeoutMs, upstreamClient: client } = options;
  const userAgent = `photongate/${packageVersion()}`;
  const tls = problems.attempt(() => upstreamTlsOf(options));
  const specs = upstreams.map((spec) => ({
    ...spec,
    options: { maxReceiveBytes, connectTimeoutMs, client, userAgent, tls },
  }));
  const table = problems.attempt(() => new UpstreamTable(specs, pool));
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

/**
 * Starts a proxy: returns when every listener takes connections. Upstreams may be down.
 * @throws ConfigError where the configuration is bad or a port cannot be opened; nothing listens then.
 */
export async function startProxy(config: Config): Promise<RunningProxy> {
  const prepared = prepareProxy(config);
  const listeners: Listener[] = [];
  try {
    for (const {
      config: { host, port, root },
      handler,
    } of prepared.listeners) {
      listeners.push(await listen({ ...root.options, host, port }, handler));
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.drain(0)));
    prepared.pool.close();
    prepared.fallbacks.close();
    throw error;
  }
  return {
    urls: listeners.map(({ url }) => url),
    prepared,
    async drain() {
      const timeouts = prepared.listeners.map(({ config: { root } }) => root.options.drainTimeoutMs);
      await Promise.all(listeners.map((listener, index) => listener.drain(timeouts[index]!)));
      prepared.pool.close();
      prepared.fallbacks.close();
    },
  };
}
