export { type Overload, overloadChannel } from './diagnostics.js';
export { overloadOptions, type OverloadOptions } from './options.js';
export { SheddingShare } from './share.js';
export { Shedder, type ShedderClock } from './shedder.js';
