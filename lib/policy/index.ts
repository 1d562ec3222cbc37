export { compilePolicies, defaultPolicyOptions, type PolicyOptions } from './compile.js';
export { compileEncoder, type ContentCoding, type ReplyEncoder } from './compression.js';
export { isLoopback } from './origin.js';
export type { Policy, PolicyRequest } from './policy.js';
