/**
 * Packages that few configurations need. Each is loaded at its first use: together they take longer to load than all the
 * rest of a start.
 */
import type * as Cel from '@bufbuild/cel';
import type * as CelExtensions from '@bufbuild/cel/ext';
import type * as Protobuf from '@bufbuild/protobuf';
import type * as Reflect from '@bufbuild/protobuf/reflect';
import type * as WellKnown from '@bufbuild/protobuf/wkt';
import type * as OpenTelemetry from '@opentelemetry/api';
import type * as GrpcJs from '@grpc/grpc-js';
import type * as Jose from 'jose';
import { createRequire } from 'node:module';
import type * as PromClient from 'prom-client';
import type * as Re2js from 're2js';
import type * as SonicBoom from 'sonic-boom';
import type * as Undici from 'undici';
import type * as Ws from 'ws';
import type * as Yaml from 'yaml';

const require = createRequire(import.meta.url);

function lazily<Package>(name: string): () => Package {
  let loaded: Package | undefined;
  return () => (loaded ??= require(name) as Package);
}

/** True if the package `name` can be loaded: a peer that only users of some option install. */
export function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** `@opentelemetry/api`. */
export const opentelemetry = lazily<typeof OpenTelemetry>('@opentelemetry/api');
let isGrpcJsLoaded = false;
const loadGrpcJs = lazily<typeof GrpcJs>('@grpc/grpc-js');

/** `@grpc/grpc-js`: a peer that only users of `upstream_client: grpc-js` install. */
export function grpcJs(): typeof GrpcJs {
  isGrpcJsLoaded = true;
  return loadGrpcJs();
}

/** True once it has been used: what it has open towards servers and control planes that are silent cannot be closed. */
export function isGrpcJsInUse(): boolean {
  return isGrpcJsLoaded;
}
/** `jose`. */
export const jose = lazily<typeof Jose>('jose');
/** `sonic-boom`. */
export const sonicBoom = lazily<typeof SonicBoom>('sonic-boom');
/** `prom-client`. */
export const promClient = lazily<typeof PromClient>('prom-client');
/** `re2js`. */
export const re2js = lazily<typeof Re2js>('re2js');
/** `undici`. */
export const undici = lazily<typeof Undici>('undici');
/** `ws`. */
export const ws = lazily<typeof Ws>('ws');
/** `yaml`. */
export const yaml = lazily<typeof Yaml>('yaml');

/** The packages that evaluate CEL: peers that only users of CEL rules install. */
export interface CelPackages {
  readonly cel: typeof Cel;
  readonly extensions: typeof CelExtensions;
  readonly protobuf: typeof Protobuf;
  readonly reflect: typeof Reflect;
  readonly wellKnown: typeof WellKnown;
}

/** `@bufbuild/cel` and `@bufbuild/protobuf`; undefined if one of them is not installed. */
export function celPackages(): CelPackages | undefined {
  return ifInstalled(() => ({
    cel: require('@bufbuild/cel') as typeof Cel,
    extensions: require('@bufbuild/cel/ext') as typeof CelExtensions,
    protobuf: require('@bufbuild/protobuf') as typeof Protobuf,
    reflect: require('@bufbuild/protobuf/reflect') as typeof Reflect,
    wellKnown: require('@bufbuild/protobuf/wkt') as typeof WellKnown,
  }));
}

/** What is used of a client of `@redis/client`, a peer that only users of Redis install. */
export interface RedisClient {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** Closes the connection, whatever waits for an answer. */
  destroy(): void;
}

/** The options of one that are used. */
export interface RedisClientOptions {
  readonly url: string;
  readonly disableOfflineQueue: boolean;
  readonly socket: {
    readonly connectTimeout: number;
    readonly reconnectStrategy: (retries: number) => number;
  };
  readonly credentialsProvider?: {
    readonly type: 'async-credentials-provider';
    readonly credentials: () => Promise<{ readonly username?: string; readonly password: string }>;
  };
}

/** `createClient` of `@redis/client`; undefined if it is not installed. */
export function redisClient(): ((options: RedisClientOptions) => RedisClient) | undefined {
  return ifInstalled(
    () => (require('@redis/client') as { createClient: (options: RedisClientOptions) => RedisClient }).createClient,
  );
}

interface XdsServer {
  readonly server_uri: string;
}

/**
 * What is used of `@grpc/grpc-js-xds`, a peer that only users of `xds:` targets install. It is described here, because its own
 * types would have to be installed for ours.
 */
export interface XdsPackage {
  /** Makes grpc-js know the scheme `xds:`. Further calls do nothing. */
  register(): void;
  /** Credentials as the control plane wants them, and `fallback` where it says nothing of security. */
  readonly XdsChannelCredentials: new (fallback: GrpcJs.ChannelCredentials) => GrpcJs.ChannelCredentials;
  /** Reads the bootstrap that the environment names, once it is valid; throws what is wrong with it. */
  loadBootstrapInfo(): {
    readonly xdsServers: readonly XdsServer[];
    readonly authorities: Readonly<Record<string, { readonly xdsServers?: readonly XdsServer[] } | undefined>>;
  };
}

let xds: XdsPackage | undefined;

/** `@grpc/grpc-js-xds`; undefined if it is not installed. */
export function xdsPackage(): XdsPackage | undefined {
  return (xds ??= ifInstalled(() => ({
    ...(require('@grpc/grpc-js-xds') as Omit<XdsPackage, 'loadBootstrapInfo'>),
    // No documented part of the package. Without it, a call would be the first to notice a bootstrap that is wrong.
    ...(require('@grpc/grpc-js-xds/build/src/xds-bootstrap') as Pick<XdsPackage, 'loadBootstrapInfo'>),
  })));
}

function ifInstalled<Packages>(load: () => Packages): Packages | undefined {
  try {
    return load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
