/** The checked and complete configuration of a start, which `loadConfig` makes from flags and a file. */
import type { SchemaSources } from '../schema/index.js';
import type { Problem } from '../status.js';
import type { FilterSettings, LocalRepliesSettings, VirtualHostSettings } from '../routes/index.js';
import type { NamedCertificate } from '../server/index.js';
import type { ClusterSpec, UpstreamSpec } from '../upstream/index.js';
import type { MethodSetting } from './methods.js';
import type { Options, ProcessOptions } from './options.js';

/** Everything that `startProxy` needs. */
export interface Config {
  readonly sources: SchemaSources;
  readonly listeners: readonly ListenerConfig[];
  /** The options of the process. */
  readonly options: ProcessOptions;
  /** What virtual hosts lead to. Default none. */
  readonly clusters?: readonly ClusterSpec[] | undefined;
  /**
   * Upstreams whose schema is read by reflection: all, or those with these names (`default` is the one without a name).
   * Default none.
   */
  readonly reflection?: Reflection | undefined;
  /** Whether files are watched, and changes are applied while running. Default false. */
  readonly watch?: boolean | undefined;
  /** Processes that serve; `auto`: one for each core. Default 1. */
  readonly workers?: Workers | undefined;
  /** What is odd about what it was read from. */
  readonly warnings?: readonly Problem[] | undefined;
  /** Absolute path of the configuration file. */
  readonly file?: string | undefined;
}

export type Workers = number | 'auto';

/** The upstreams that are asked by reflection; true: all. */
export type Reflection = true | readonly string[];

/** An address, and what is served at it. */
export interface ListenerConfig {
  /** As written, for messages: `127.0.0.1:8080`. */
  readonly listen: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** A socket that is open already, instead of host and port. */
  readonly fd?: number | undefined;
  /** Certificates by the name that a client asks for. Default: none. */
  readonly certificates?: readonly NamedCertificate[] | undefined;
  /** What the listener itself serves, at prefix '' and for every host. */
  readonly root: MountConfig;
  /** What is served below path prefixes and for host names. */
  readonly mounts: readonly MountConfig[];
  /** Which cluster answers which requests. Undefined: the upstreams of the services do. */
  readonly routes?: RoutesConfig | undefined;
  /** What happens to requests before they are routed, in order. Default: nothing. */
  readonly filters?: readonly FilterSettings[] | undefined;
}

/** Virtual hosts, and how they are sought. */
export interface RoutesConfig {
  readonly virtualHosts: readonly VirtualHostSettings[];
  readonly ignorePort: boolean;
  readonly localReplies?: LocalRepliesSettings | undefined;
  /** What routes have in place of the services and options of the listener. */
  readonly transcoders: readonly TranscoderConfig[];
}

/** Services and options that routes name. */
export interface TranscoderConfig {
  readonly name: string;
  readonly mount: MountConfig;
}

/** Services, upstreams and options that are served together, and their place on the listener. */
export interface MountConfig {
  /** `/chainfire`; '' for the root. */
  readonly prefix: string;
  /** Names and `*.` wildcards in lower case; empty: every host. */
  readonly hosts: readonly string[];
  /** Names, packages and wildcards; undefined: all; empty: none. */
  readonly services: readonly string[] | undefined;
  /** Service configs whose rules replace annotations; for each RPC the last rule counts. */
  readonly rules: readonly string[];
  /** In the given order. Those of the mount replace those of the same name in outer levels. */
  readonly upstreams: readonly UpstreamSpec[];
  /** One for each selector, the least specific first. */
  readonly methods: readonly MethodSetting[];
  readonly options: Options;
}
