export type { Config, ListenerConfig, MountConfig, Reflection, Settings } from './config.js';
export { configJsonSchema } from './json-schema.js';
export { libraryName, type LibraryOptions } from './library.js';
export { type ConfigInput, type LibrarySettings, loadConfig } from './load.js';
export { presets, type PresetName } from './presets.js';
export { flagName, type Options, type OptionSpec, optionSpec, optionSpecs, upstreamTlsOf } from './options.js';
export { printConfig } from './print.js';
export { upstreamSpecsOf } from './upstreams.js';
export { OptionError } from './values.js';
