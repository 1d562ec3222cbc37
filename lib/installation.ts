/**
 * The files of the package beside its code. This module stands right below lib/, because the build joins all of lib/ into
 * files right below dist/: relative addresses are the same in both.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The version that the package states, such as `0.1.0`. */
export function packageVersion(): string {
  return (version ??= readVersion());
}

let version: string | undefined;

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The folder of the protos that come with the package. */
export const annotationsFolder = fileURLToPath(new URL('../annotations', import.meta.url));

/** The folder of the service that `photongate new` copies. */
export const starterFolder = fileURLToPath(new URL('../examples/starter', import.meta.url));

/** What a thread for large messages runs: as it was built, because a thread reads no TypeScript. */
export const threadFile = new URL('../dist/thread.js', import.meta.url);

/** The folder that the build copies Scalar to, so that it is not a runtime dependency. */
export const docsAssetsFolder = new URL('../dist/docs/', import.meta.url);
