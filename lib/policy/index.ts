export { compilePolicies, defaultPolicyOptions, type PolicyOptions } from './compile.js';
export { isLoopback } from './origin.js';
export type { Policy, PolicyRequest } from './policy.js';
