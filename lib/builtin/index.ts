/** The proxy's own pages and services: list of routes, OpenAPI document, health, reflection. */
export { HealthRound, type ServiceChannel } from './health.js';
export { type BuiltinOptions, builtinOptions } from './options.js';
export { buildPages, healthPaths, type Page } from './pages.js';
export { reflectionTargets } from './reflection.js';
