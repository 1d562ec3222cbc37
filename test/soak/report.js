/**
 * Loaded into the proxy by `main.ts`: on SIGWINCH it appends to the file `SOAK_SAMPLES` what the process holds after all garbage
 * is collected.
 */
import { appendFileSync, readdirSync } from 'node:fs';

process.on('SIGWINCH', () => {
  for (let round = 0; round < 3; round++) globalThis.gc();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  // One of them reads the folder.
  const descriptors = readdirSync('/proc/self/fd').length - 1;
  appendFileSync(
    process.env.SOAK_SAMPLES,
    `${JSON.stringify({ rss, heap: heapUsed, buffers: arrayBuffers, descriptors, timers })}\n`,
  );
});
