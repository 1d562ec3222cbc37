/** The options of one gateway: what a listener serves and how. `config` fills in what was not given. */
import { defaultPolicyOptions, type PolicyOptions } from '../policy/index.js';
import { defaultProtocolOptions, type ProtocolOptions } from '../protocol/index.js';
import { defaultTranscodeOptions, type TranscodeOptions } from '../transcode/index.js';

export interface GatewayOptions extends TranscodeOptions, PolicyOptions, ProtocolOptions {
  /** Names, packages or wildcards (`pkg.*`) of the services to serve; empty: none. Default: all. (Envoy `services`.) */
  readonly services: readonly string[] | undefined;
  /** Serve methods without a rule at `POST /package.Service/Method`. Default false. (Envoy `auto_mapping`.) */
  readonly autoMapping: boolean;
  /** Two rules of one method and shape: refuse to start, or keep the first. Default `error`. */
  readonly onDuplicate: 'error' | 'first';
  /** A trailing slash matters. Default false. */
  readonly strictSlash: boolean;
  /** Serve `GET /health`. Default true. */
  readonly health: boolean;
  /** How long the health of one service may take, in milliseconds; then it is NOT_SERVING. Default 3000. */
  readonly healthTimeoutMs: number;
  /** Serve the OpenAPI document at `/openapi.json` and `/openapi.yaml`. Default true. */
  readonly openapi: boolean;
  /** Its title. Default: the name of the service, or of the packages. */
  readonly openapiTitle: string | undefined;
  /** The version of the API that it names. Default `1.0`. */
  readonly openapiVersion: string;
  /** Serve the interactive reference at `/docs`; without `openapi` there is none. Default true. */
  readonly docs: boolean;
  /** Serve the list of services and routes at `/`. Default true. */
  readonly index: boolean;
  /** Answer `grpc.reflection` for the services that native gRPC reaches. Default true. */
  readonly grpcReflection: boolean;
  /** Requests under way at once; more are answered 503. Default 10000. */
  readonly maxConcurrentRequests: number;
}

export const defaultGatewayOptions: GatewayOptions = Object.freeze({
  ...defaultTranscodeOptions,
  ...defaultPolicyOptions,
  ...defaultProtocolOptions,
  services: undefined,
  autoMapping: false,
  onDuplicate: 'error',
  strictSlash: false,
  health: true,
  healthTimeoutMs: 3000,
  openapi: true,
  openapiTitle: undefined,
  openapiVersion: '1.0',
  docs: true,
  index: true,
  grpcReflection: true,
  maxConcurrentRequests: 10_000,
} as const);
