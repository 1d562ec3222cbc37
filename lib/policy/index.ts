export { compilePolicies, defaultPolicyOptions, type PolicyOptions } from './compile.js';
export { compileEncoder, type ContentCoding, type ReplyEncoder } from './compression.js';
export { compileCors, type Cors, type CorsOptions, normalOrigin } from './cors.js';
export { isLoopback } from './origin.js';
export type { Policy, PolicyRequest } from './policy.js';
