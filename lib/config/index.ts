export type { Config, ListenerConfig, Settings } from './config.js';
export { type ConfigInput, loadConfig } from './load.js';
export { flagName, type Options, type OptionSpec, optionSpec, optionSpecs } from './options.js';
export { OptionError } from './values.js';
