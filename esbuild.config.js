/**
 * Builds dist/: lib/ as one file for each entry and one for what they share, since loading 250 files takes longer than all
 * that a start does; and the bundle of Scalar that the page at /docs needs. Declarations are written by tsc.
 */
import { build } from 'esbuild';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

rmSync('dist', { recursive: true, force: true });

await build({
  entryPoints: { index: 'lib/index.ts', cli: 'lib/cli/main.ts', thread: 'lib/threads/thread.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  // V8 keeps the text and scans it at each start, so it has no layout. Names stay, for stack traces.
  minifyWhitespace: true,
  lineLimit: 200,
});

// V8 holds a text of ASCII in one byte a character, any other in two or more. esbuild escapes all but regular expressions.
for (const name of readdirSync('dist').filter((name) => name.endsWith('.js'))) {
  const found = /.{0,30}[^\x00-\x7f]+.{0,30}/.exec(readFileSync(join('dist', name), 'utf8'));
  if (found !== null) throw new Error(`dist/${name} is not ASCII: ${found[0]}`);
}

mkdirSync('dist/docs');
const scalar = 'node_modules/@scalar/fastify-api-reference';
copyFileSync(`${scalar}/dist/js/standalone.js`, 'dist/docs/scalar.js');
copyFileSync(`${scalar}/LICENSE`, 'dist/docs/LICENSE');
