export { withoutToken } from './bearer.js';
export { claimMetadata } from './claims.js';
export { compilePolicies, defaultPolicyOptions, type PolicyOptions } from './compile.js';
export { compileEncoder, type ContentCoding, type ReplyEncoder } from './compression.js';
export { compileCors, type Cors, type CorsOptions, isPreflight, normalOrigin } from './cors.js';
export { jwksChannel, type KeyFetch } from './diagnostics.js';
export { fixedKeys, type KeySet, KeysUnavailable, readKeySet, RemoteKeySets } from './jwks.js';
export { Authenticator, type Identity } from './jwt.js';
export {
  type ClaimRule,
  defaultJwtOptions,
  defaultProviderOptions,
  type JsonWebKeySet,
  type JwtAlgorithm,
  jwtAlgorithms,
  type JwtOptions,
  type JwtProvider,
  type KeySource,
  type RequiredClaims,
  type RpcSelector,
} from './jwt-options.js';
export { isLoopback } from './origin.js';
export type { Policy, PolicyRequest } from './policy.js';
