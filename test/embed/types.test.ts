/** What the package's declarations import: a program that is checked without `skipLibCheck` may have no other types. */
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

/** Packages that bring their own types. */
const typed = new Set(['@grpc/grpc-js', 'jose', 'prom-client', 'undici', 'yaml']);

void t.test('declarations import nothing that a consumer may lack', (t) => {
  const foreign: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
      if (fileName.startsWith('.')) visit(resolve(dirname(path), fileName.replace(/\.js$/, '.d.ts')));
      else if (!isBuiltin(fileName) && !typed.has(fileName)) foreign.push(`${path}: ${fileName}`);
    }
  };
  // As the build has written them.
  const entry = fileURLToPath(new URL('../../dist/index.d.ts', import.meta.url));
  t.ok(existsSync(entry), 'npm run build comes first');
  visit(entry);
  t.ok(seen.size > 10, `${seen.size} declarations`);
  t.strictSame(foreign, []);
  t.end();
});
