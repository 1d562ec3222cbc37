export type { ApiKey } from './api-key-file.js';
export type { ApiKeyOptions, ApiKeySettings } from './api-key-options.js';
export { ApiKeyFiles, type ApiKeySource, isApiKey, KeyChecker, type KnownKeys } from './api-keys.js';
export { challenge, expectedToken, sendsToken } from './bearer.js';
export { claimMetadata, type Claims, claimOf } from './claims.js';
export { compilePolicies, type ListenHost } from './compile.js';
export { compileEncoder, type ContentCoding, type ReplyEncoder } from './compression.js';
export { apiKeysChannel, jwksChannel, type KeyFetch, type KeysRead } from './diagnostics.js';
export { earlier, type Expiry } from './expiry.js';
export { fixedKeys, type KeyServers, type KeySet, type RemoteKeysOptions, RemoteKeySets } from './jwks.js';
export { Authenticator, type Identity, type TokenRules, verifyToken } from './jwt.js';
export { type ClaimRule, forwardedClaims, type RequiredClaims } from './credential-options.js';
export type { JwtOptions, JwtSettings } from './jwt-options.js';
export {
  type JwtProvider,
  type JwtProviderSettings,
  type KeySource,
  noKeys,
  providerFields,
  sharedFields,
} from './jwt-providers.js';
export { type JsonWebKeySet, KeysUnavailable, readKeySet } from './key-set.js';
export { defaultPolicyOptions, type PolicyOptions, policyOptions } from './options.js';
export { hostPolicy, isLoopback, originPolicy } from './origin.js';
export type { Policy, PolicyRequest } from './policy.js';
export { withoutParameter } from './query-parameter.js';
export { type RpcSelector, rpcSelector } from './rpc-selector.js';
