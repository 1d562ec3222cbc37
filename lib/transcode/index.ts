export { Buffers, createContext, type TranscodeContext } from './context.js';
export { ignoredStatusChannel, type IgnoredStatus } from './diagnostics.js';
export { wrapJson } from './envelope.js';
export { createErrorFrameWriter, createErrorWriter } from './error-body.js';
export { defaultTranscodeOptions, type ErrorFormat, type TranscodeOptions } from './options.js';
export { checkPlan, compilePlan } from './plan.js';
