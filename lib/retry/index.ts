export { type BudgetSettings, RetryBudget, RetryBudgets } from './budget.js';
export type { RetryContext } from './call.js';
export { retryingChannel } from './channel.js';
export { retriesKind, retryOptions, type RetrySettings } from './options.js';
export { compileRetries, type RetryPolicies, RetryPolicy } from './policy.js';
