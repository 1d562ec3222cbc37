/**
 * A configuration → what its listeners answer with. Loads the schema once and builds a gateway for each listener and mount.
 * Calls nobody and opens no port: `live` does, and `cli` lists the routes without.
 */
import { type Config, type ListenerConfig, type MountConfig, reportLoops, upstreamSpecsOf } from './config/index.js';
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
import { type Binding, checkRpcSelectors, RuleFiles } from './rule/index.js';
import type { DocumentedPart } from './openapi/index.js';
import {
  fixedKeys,
  type JwtProvider,
  type KeySet,
  KeysUnavailable,
  readKeySet,
  RemoteKeySets,
} from './policy/index.js';
import { checkListenerTls, type ExchangeHandler } from './server/index.js';
import { Code, ConfigError, type Problem, ProblemList, StatusError } from './status.js';
import { quote } from './uri.js';
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
  /** Public keys that tokens are checked with. */
  readonly keySets: RemoteKeySets;
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
  const { pool, fallbacks, keySets } = options.shared ?? sharedConnections();
  const { pending = [], files = diskFiles, reflected = [] } = options;
  if (pending.length > 0) config = withoutServices(config);
  const channels = new Set<Channel>();
  const schema = loadSchema({ ...config.sources, reflected }, problems, files);
  const types = withErrorDetails(schema, config.sources);
  const reflection = bundled(reflectionProtos, config.sources);
  const ruleFiles = new RuleFiles(schema, config.sources.workingDirectory, problems, files);
  const parts = config.listeners.flatMap(({ root, mounts }) => [root, ...mounts]);
  checkRpcSelectors(
    parts.flatMap(({ methods }) => methods),
    schema.files,
    problems,
  );
  checkRpcSelectors(
    parts.flatMap(({ options: { jwt } }) => [...(jwt?.except ?? []), ...(jwt?.require ?? [])]),
    [...schema.files, ...reflection.files],
    problems,
  );
  for (const listener of config.listeners) reportLoops(listener, problems);
  const listeners = config.listeners.map((listener) => {
    const build = (mount: MountConfig, below: readonly PreparedPart[]): PreparedPart => {
      const context: GatewayContext = {
        schema,
        rules: ruleFiles.ruleSet(mount.rules),
        methods: mount.methods,
        types,
        reflection,
        channelFor: options.offline === true ? () => offlineChannel : channelsOf(mount, pool, channels, problems),
        listenHost: listener.host,
        prefix: mount.prefix,
        thorough: options.thorough ?? false,
        mounted: [...below.flatMap(({ services }) => services), ...pending.map(notServing)],
        mountedParts: documentedParts(below),
        fallback: fallbackOf(mount, fallbacks),
        refusal: refusalFor(pending),
        keysOf: (provider) => keysOf(provider, keySets, files),
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

/** Connections of a proxy that stands by itself. */
export function sharedConnections(): SharedConnections {
  return { pool: new ChannelPool(), fallbacks: new Fallbacks(), keySets: new RemoteKeySets() };
}

/** Closes them, whatever is under way on them. */
export function closeConnections({ pool, fallbacks, keySets }: SharedConnections): void {
  pool.close();
  fallbacks.close();
  keySets.close();
}

/** @throws ConfigError `jwks-file` */
function keysOf(provider: JwtProvider, keySets: RemoteKeySets, files: FileReader): KeySet {
  const { jwks } = provider;
  if (jwks.kind === 'url') return keySets.of({ ...provider, url: jwks.url });
  if (jwks.kind === 'inline') return fixedKeys(jwks.keys);
  try {
    const text = files.read(jwks.path)?.toString('utf8');
    if (text === undefined) throw new KeysUnavailable('are not there: no such file');
    return fixedKeys(readKeySet(JSON.parse(text)));
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

/** Listeners and upstreams alone, and no page but `/health`. */
function withoutServices(config: Config): Config {
  const bare = (mount: MountConfig): MountConfig => ({
    ...mount,
    services: [],
    rules: [],
    methods: [],
    options: { ...mount.options, index: false, docs: false, openapi: false, jwt: undefined },
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
  return parts.map(({ config: { prefix, options }, bindings, access }) => ({ prefix, bindings, options, access }));
}

const reflectionProtos = ['v1', 'v1alpha'].map((version) => `grpc/reflection/${version}/reflection.proto`);

/** The types that may stand in an Any: those of the schema, and google.rpc's error details, which services send anyway. */
function withErrorDetails(schema: Schema, sources: SchemaSources): Pick<Schema, 'message'> {
  const details = bundled(['google/rpc/error_details.proto'], sources);
  return { message: (name) => schema.message(name) ?? details.message(name) };
}

/**
 * What is needed whether the user's protos import it or not, of the files that come with the package. A schema of its own,
 * so that it cannot clash with what the user's files define.
 */
function bundled(protos: readonly string[], { annotationsRoot }: SchemaSources): Schema {
  return loadSchema(
    {
      protos,
      protoPaths: [annotationsRoot],
      descriptorSets: [],
      workingDirectory: annotationsRoot,
      annotationsRoot,
    },
    new ProblemList(),
  );
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
