/** The pages of docs/ that are read beside terminals: each command prints what stands below it. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { followStory, stepsOf } from './stories.js';

const pages = [
  'docs/getting-started.md',
  'docs/browser.md',
  'docs/from-grpc-gateway.md',
  'docs/library.md',
  'docs/http.md',
  'docs/rate-limits.md',
  'docs/mcp.md',
  'docs/validation.md',
  'docs/visibility.md',
  'docs/openapi.md',
];

for (const page of pages) {
  void t.test(page, async (t) => {
    const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
    t.ok(stepsOf(text).filter(({ kind }) => kind === 'type').length > 1);
    await followStory(t, page);
  });
}

void t.test('what a page has its reader do', (t) => {
  const page =
    '```proto\n// a.proto\nx\n```\n\n```console\n$ one \\\n  more\nout\n$ two\n```\n\n<!-- stop: one -->\n\n```sh\nnot run\n```\n';
  t.strictSame(
    stepsOf(page).map((step) => ('command' in step ? [step.command, step.output] : step)),
    [
      { kind: 'file', name: 'a.proto', text: '// a.proto\nx\n' },
      ['one \\\n  more', 'out'],
      ['two', ''],
      { kind: 'stop', name: 'one' },
    ],
  );
  t.end();
});
