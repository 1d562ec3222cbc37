export { compileCors, type Cors, isPreflight } from './cors.js';
export { corsKind, type CorsOptions } from './options.js';
