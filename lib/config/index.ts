export type { Config, ListenerConfig, MountConfig, Settings } from './config.js';
export { configJsonSchema } from './json-schema.js';
export { type ConfigInput, loadConfig } from './load.js';
export { flagName, type Options, type OptionSpec, optionSpec, optionSpecs, upstreamTlsOf } from './options.js';
export { printConfig } from './print.js';
export { OptionError } from './values.js';
