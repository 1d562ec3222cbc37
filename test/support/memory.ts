/** What is really held, garbage collected before it is counted. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of all buffers that are still reachable. */
export async function heldBytes(): Promise<number> {
  await collectAll();
  return process.memoryUsage().arrayBuffers;
}

/** The same with all objects: a small Buffer costs more than its bytes. Differs by some hundred kilobytes from time to time. */
export async function heldMemory(): Promise<number> {
  await collectAll();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

async function collectAll(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise(setImmediate);
  }
}
