/**
 * Builds the test files into `build/test/`, for tap: each with what it imports of this repository, in common chunks. Two hundred
 * processes that each strip the types of 300 files for themselves spend more time on that than on most tests. `node --import
 * tsx test/x.test.ts` runs a file without this.
 */
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tests = readdirSync(join(root, 'test'), { recursive: true }).filter((name) => name.endsWith('.test.ts'));

/** A file says where it was written, not where it was built: fixtures, protos and children are found beside that. */
const ownPlaces = {
  name: 'own places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const url = pathToFileURL(path).href;
      const text = await readFile(path, 'utf8');
      const contents = text
        .replace(/\bimport\.meta\.resolve\('(\.[^']*)'\)/g, (_, name) => JSON.stringify(new URL(name, url).href))
        .replace(/\bimport\.meta\.url\b/g, JSON.stringify(url));
      return { contents, loader: 'ts' };
    });
  },
};

rmSync(join(root, 'build'), { recursive: true, force: true });

await build({
  absWorkingDir: root,
  entryPoints: [...tests, 'support/property-seed.ts'].map((name) => `test/${name}`),
  outdir: 'build/test',
  outbase: 'test',
  chunkNames: 'chunks/[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // For the places in reports of failures.
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  plugins: [ownPlaces],
});
