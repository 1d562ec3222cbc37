/**
 * Builds the test files into `build/test/`, for tap: each with what it imports of this repository, in common chunks. Two hundred
 * processes that each strip the types of 300 files for themselves spend more time on that than on most tests. `node --import
 * tsx test/x.test.ts` runs a file without this.
 */
import { build } from 'esbuild';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sourceOf = (name) => join(root, 'test', name);
const tests = readdirSync(join(root, 'test'), { recursive: true }).filter((name) => name.endsWith('.test.ts'));
/** They count the steps of `lib/` file by file, so they run as they are. */
const counting = tests.filter((name) => readFileSync(sourceOf(name), 'utf8').includes("from './steps.js'"));

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
  entryPoints: [...tests.filter((name) => !counting.includes(name)), 'support/property-seed.ts'].map(
    (name) => `test/${name}`,
  ),
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

for (const name of counting) {
  const file = join(root, 'build/test', name.replace(/ts$/, 'js'));
  mkdirSync(dirname(file), { recursive: true });
  const source = JSON.stringify(pathToFileURL(sourceOf(name)).href);
  writeFileSync(file, `import { register } from 'tsx/esm/api';\n\nregister();\nawait import(${source});\n`);
}
