/**
 * Builds dist/: lib/ as one file for each entry and one for what they share, since loading 250 files takes longer than all
 * that a start does; and the bundle of Scalar that the page at /docs needs. Declarations are written by tsc.
 */
import { build } from 'esbuild';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });

await build({
  entryPoints: { index: 'lib/index.ts', cli: 'lib/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
});

mkdirSync('dist/docs');
const scalar = 'node_modules/@scalar/fastify-api-reference';
copyFileSync(`${scalar}/dist/js/standalone.js`, 'dist/docs/scalar.js');
copyFileSync(`${scalar}/LICENSE`, 'dist/docs/LICENSE');
