export { Fallbacks } from './fallback.js';
export { Http2Fallback } from './http2.js';
export { fallbackOptions } from './options.js';
export type { Fallback, FallbackOptions, FallbackOutcome, ForwardedHead, ForwardTls } from './types.js';
