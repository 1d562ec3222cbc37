/**
 * Packages that few configurations need. Each is loaded at its first use: together they take longer to load than all the
 * rest of a start.
 */
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

/** `@opentelemetry/api`. */
export const opentelemetry = lazily<typeof OpenTelemetry>('@opentelemetry/api');
/** `@grpc/grpc-js`. */
export const grpcJs = lazily<typeof GrpcJs>('@grpc/grpc-js');
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
