/** Exports of lib/ are documented: a reader of one file should not need another to know what a name stands for. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const lib = fileURLToPath(new URL('../lib/', import.meta.url));
const MIN_SHARE = 0.9;

void t.test('most exports have a docstring', (t) => {
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const exports = files.flatMap((name) => exportsOf(name, readFileSync(lib + name, 'utf8')));
  const undocumented = exports.filter(({ isDocumented }) => !isDocumented).map(({ place }) => place);
  t.ok(exports.length > 500, `${exports.length} exports were found`);
  const share = 1 - undocumented.length / exports.length;
  t.ok(share >= MIN_SHARE, `${(share * 100).toFixed(1)} % of the exports have a docstring`, { undocumented });
  t.end();
});

void t.test('the head comment of a file documents no export', (t) => {
  const [first, second] = exportsOf('x.ts', '/** The file. */\nimport a from "a";\nexport const b = 1, c = 2;\n');
  t.strictSame(first, { place: 'x.ts:3 b', isDocumented: false });
  t.strictSame(second, { place: 'x.ts:3 c', isDocumented: false });
  t.strictSame(exportsOf('y.ts', '/** Y. */\nexport class Y {}\nexport { z } from "z";\nclass Own {}\n'), [
    { place: 'y.ts:2 Y', isDocumented: true },
  ]);
  t.end();
});

interface Export {
  readonly place: string;
  readonly isDocumented: boolean;
}

/** What a file declares and exports; of what it only passes on, the file that declares it speaks. */
function exportsOf(name: string, text: string): Export[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  return source.statements.filter(isExported).flatMap((statement) => {
    const { line } = source.getLineAndCharacterOfPosition(statement.getStart());
    const isDocumented = ts.getJSDocCommentsAndTags(statement).length > 0;
    return namesOf(statement).map((exported) => ({ place: `${name}:${line + 1} ${exported}`, isDocumented }));
  });
}

function isExported(statement: ts.Statement): boolean {
  return ts.canHaveModifiers(statement)
    ? (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false)
    : false;
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  return ts.isDeclarationStatement(statement) && statement.name !== undefined ? [statement.name.text] : [];
}
