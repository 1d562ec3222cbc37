export { compareUpstreams, type Difference } from './compare.js';
export { reloadChannel, type ReloadEvent } from './diagnostics.js';
export { type RunningProxy, type StartOptions, startProxy } from './live.js';
export { needsRestart } from './live-listener.js';
export { loadReflected } from './reflect.js';
export { watchFiles } from './watch.js';
