/** How far the heap of a serving process may grow before V8 collects it. */
import { setFlagsFromString } from 'node:v8';

/**
 * To three times what the last collection left. By default a small heap may grow by 8 MB only, buffers included, and 256 MB of
 * HttpBody cost three times as much (bench:peers). Call it after the start: V8 refuses code that was cached under other flags.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=200');
}

/** As V8 has it. Call it before the process ends, as Node then writes its compile cache. */
export function resetHeapGrowth(): void {
  setFlagsFromString('--heap-growing-percent=0');
}
