export { acceptQuery } from './accept-query.js';
export { createContext, type TranscodeContext } from './context.js';
export { prefersHtml } from './answer/accept.js';
export type { ErrorAnswer, ErrorFormatter, ErrorRequest } from './answer/custom-error.js';
export { ignoredStatusChannel, type IgnoredStatus } from './diagnostics.js';
export { wrapJson } from './answer/envelope.js';
export { isTranscoded } from './http-body.js';
export { defaultTranscodeOptions, transcodeOptions, type TranscodeOptions } from './options.js';
export { checkPlan, compilePlan } from './plan.js';
