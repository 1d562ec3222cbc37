/** Links of the documents that lead to other files here lead somewhere, and to a heading that is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['.', 'docs', 'examples', 'protos', 'test'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, folder, name)),
);

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

const withoutCode = (text: string): string => text.replaceAll(/^```[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');

t.ok(pages.length > 20, 'they are found');
let links = 0;
for (const page of pages) {
  for (const [, target] of withoutCode(readFileSync(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target!)) continue;
    links += 1;
    const [path, anchor] = target!.split('#');
    const file = path === '' ? page : join(dirname(page), decodeURIComponent(path!));
    const where = `${relative(root, page)}: ${target}`;
    if (!existsSync(file)) t.fail(where);
    if (anchor === undefined || !file.endsWith('.md')) continue;
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchorOf(text!));
    if (!headings.includes(anchor)) t.fail(`${where}: no such heading`);
  }
}
t.ok(links > 50, 'so are their links');
