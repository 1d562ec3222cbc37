export { flagName, libraryName, OptionError, type PresetName } from '../options/index.js';
export type { JwtProviderSettings, JwtSettings } from '../policy/index.js';
export type { Config, ListenerConfig, MountConfig, Reflection, Workers } from './config.js';
export { readOptions } from './level.js';
export type { EnvoyInput } from './envoy.js';
export { type ConfigInput, type LibrarySettings, loadConfig } from './load.js';
export { reportLoops } from './loops.js';
export {
  type GivenOptions,
  type LibraryOptions,
  mergeOptions,
  optionAliases,
  type Options,
  type OptionSpec,
  optionSpecs,
  optionTable,
  presets,
} from './options.js';
export { printConfig } from './print.js';
export { configJsonSchema, type Settings, workersValue } from './settings.js';
export { namesNoUpstream, upstreamSpecsOf } from './upstreams.js';
