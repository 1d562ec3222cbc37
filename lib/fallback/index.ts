export { Fallbacks, type Fallback, type FallbackOptions, type FallbackOutcome } from './fallback.js';
