/**
 * Which policies a listener has, and in which order: decided once from its options.
 */
import type { ContentCoding } from './compression.js';
import { compileCors, type CorsOptions } from './cors.js';
import type { JwtOptions } from './jwt-options.js';
import { methodOverridePolicy } from './method-override.js';
import { hostPolicy, isLoopback, originPolicy } from './origin.js';
import type { Policy } from './policy.js';

export interface PolicyOptions {
  /** Refuse writes from pages of foreign origins. Default true. */
  readonly checkOrigin: boolean;
  /** Names, `*.example.com` too, that a listener on loopback answers to besides IP addresses and localhost; `*`: all. Default none. */
  readonly allowedHosts: readonly string[];
  /** Honour `X-HTTP-Method-Override` on POST. Default false. */
  readonly methodOverride: boolean;
  /** Content codings for answers, the best first. Default none. (Envoy: the filter `compressor`.) */
  readonly compression: readonly ContentCoding[];
  /** Pages of other origins that may call. Default none. (Envoy's CorsPolicy.) */
  readonly cors: CorsOptions | undefined;
  /** Who may call, by signed tokens. Default none: everybody. (Envoy's filter jwt_authn.) */
  readonly jwt: JwtOptions | undefined;
}

export const defaultPolicyOptions: PolicyOptions = Object.freeze({
  checkOrigin: true,
  allowedHosts: Object.freeze([]),
  methodOverride: false,
  compression: Object.freeze([]),
  cors: undefined,
  jwt: undefined,
});

/** The policies of a listener, in the order in which they run. `listenHost` is the address that it binds. */
export function compilePolicies(options: PolicyOptions, listenHost: string): readonly Policy[] {
  const policies: Policy[] = [];
  // The checks look at the method that was sent: an override must not get round them.
  if (isLoopback(listenHost) && !options.allowedHosts.includes('*')) policies.push(hostPolicy(options.allowedHosts));
  if (options.checkOrigin) policies.push(originPolicy(options.cors && compileCors(options.cors)));
  if (options.methodOverride) policies.push(methodOverridePolicy());
  return policies;
}
