export { createContext, type TranscodeContext } from './context.js';
export { ignoredStatusChannel, type IgnoredStatus } from './diagnostics.js';
export { wrapJson } from './envelope.js';
export { defaultTranscodeOptions, type TranscodeOptions } from './options.js';
export { checkPlan, compilePlan } from './plan.js';
