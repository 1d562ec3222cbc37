/** The service of `chaos.proto`, for servers and clients. */
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';

export interface Ask {
  readonly id: string;
  readonly count: number;
  readonly payload: string;
}

export interface Answer {
  readonly id: string;
  readonly seq: number;
  readonly digest: string;
}

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const protoFile = fileOf('chaos.proto');

const loaded = loadPackageDefinition(
  loadSync(protoFile, { keepCase: true, defaults: true, includeDirs: [fileOf('../../annotations')] }),
) as unknown as { chaos: { v1: { Chaos: { service: ServiceDefinition } } } };

export const chaosService = loaded.chaos.v1.Chaos.service;
