export { reloadChannel, type ReloadEvent } from './diagnostics.js';
export { type RunningProxy, startProxy } from './live.js';
export { loadReflected } from './reflect.js';
export { watchFiles } from './watch.js';
