/** What a start needs to know, checked and complete. Made from flags and a file by `loadConfig`. */
import type { SchemaSources } from '../schema/index.js';
import type { UpstreamSpec } from '../upstream/index.js';
import type { MethodRule } from '../rule/index.js';
import type { Options } from './options.js';
import type { RawValue } from './values.js';

/** Method options for a selector, and how they were written. */
export interface MethodSetting extends MethodRule {
  readonly raw: Readonly<Record<string, RawValue>>;
}

/** All that `startProxy` needs. */
export interface Config {
  readonly sources: SchemaSources;
  readonly listeners: readonly ListenerConfig[];
  /** Upstreams that are asked for their schema: all, or those of these names (`default` is the one without). Default none. */
  readonly reflection?: Reflection | undefined;
  /** True: the files are watched, and what changed in them is taken while running. Default false. */
  readonly watch?: boolean | undefined;
  /** The file that it was read from, whole path. */
  readonly file?: string | undefined;
}

/** True: all upstreams. */
export type Reflection = true | readonly string[];

/** An address, and what is served there. */
export interface ListenerConfig {
  /** As it was written, for messages: `127.0.0.1:8080`. */
  readonly listen: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What it serves by itself, at prefix '' and for every host. */
  readonly root: MountConfig;
  /** What it serves below path prefixes and for host names. */
  readonly mounts: readonly MountConfig[];
}

/** A world of its own: services, upstreams, options, and where they are found on the listener. */
export interface MountConfig {
  /** `/chainfire`; '' for the root. */
  readonly prefix: string;
  /** Names and `*.` wildcards in lower case; none: every host. */
  readonly hosts: readonly string[];
  /** Names, packages and wildcards; undefined: all; empty: none. */
  readonly services: readonly string[] | undefined;
  /** Service configs whose rules replace annotations; the last rule for an RPC counts. */
  readonly rules: readonly string[];
  /** In the order in which they were given; those of the mount hide those of the same name above it. */
  readonly upstreams: readonly UpstreamSpec[];
  /** One for each selector, the widest first. */
  readonly methods: readonly MethodSetting[];
  readonly options: Options;
}

/** What was given, by flags or by a file: nothing filled in. Lists replace, they do not add up. */
export interface Settings extends ServingSettings {
  readonly proto?: readonly string[];
  readonly protoPath?: readonly string[];
  readonly descriptorSet?: readonly string[];
  /** False takes back what the file says. */
  readonly reflection?: Reflection | false;
  readonly watch?: boolean;
  /** Addresses that all serve the same. */
  readonly listen?: readonly string[];
  /** Listeners with settings of their own; only a file has them. */
  readonly listeners?: readonly ListenerSettings[];
}

/** What can be said at the top, of a listener and of a mount. */
export interface ServingSettings {
  readonly services?: readonly string[];
  /** Paths of service configs. */
  readonly rules?: readonly string[];
  readonly upstreams?: readonly UpstreamSpec[];
  /** By selector; those of an inner level win, member by member. */
  readonly methods?: readonly MethodSetting[];
  readonly options?: Partial<Options>;
}

export interface ListenerSettings extends ServingSettings {
  readonly listen: readonly string[];
  readonly mounts?: readonly MountSettings[];
}

export interface MountSettings extends ServingSettings {
  readonly prefix: string;
  readonly hosts: readonly string[];
}

/** What is built member by member, and read-only for all others. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };
