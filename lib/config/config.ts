/** What a start needs to know, checked and complete. Made from flags and a file by `loadConfig`. */
import type { SchemaSources } from '../schema/index.js';
import type { UpstreamSpec } from '../upstream/index.js';
import type { Options } from './options.js';

export interface Config {
  readonly sources: SchemaSources;
  /** In the order in which they were given. */
  readonly upstreams: readonly UpstreamSpec[];
  readonly listeners: readonly ListenerConfig[];
}

export interface ListenerConfig {
  /** As it was written, for messages: `127.0.0.1:8080`. */
  readonly listen: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Names and wildcards; empty: all. */
  readonly services: readonly string[];
  readonly options: Options;
}

/** What was given, by flags or by a file: nothing filled in. Lists replace, they do not add up. */
export interface Settings {
  readonly proto?: readonly string[];
  readonly protoPath?: readonly string[];
  readonly descriptorSet?: readonly string[];
  readonly services?: readonly string[];
  readonly upstreams?: readonly UpstreamSpec[];
  /** Addresses that all serve the same. */
  readonly listen?: readonly string[];
  /** Listeners with settings of their own; only a file has them. */
  readonly listeners?: readonly ListenerSettings[];
  readonly options?: Partial<Options>;
}

export interface ListenerSettings {
  readonly listen: readonly string[];
  readonly services?: readonly string[];
  readonly options: Partial<Options>;
}
