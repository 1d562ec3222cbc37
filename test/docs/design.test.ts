/** docs/design.md: its table names the rooms that `lib/` has, and every path that it names exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/design.md'), 'utf8');
const rooms = [...page.matchAll(/^\| \d+ \| `([^`]+)` \| (.*) \|$/gm)].map(([, room, text]) => ({
  room: room!,
  text: text!,
}));

/** A module or folder below the root of the repository. */
function isThere(path: string): boolean {
  return ['', '.ts'].some((ending) => existsSync(join(root, `${path.replace(/\/$/, '')}${ending}`)));
}

/** The names in backquotes, without blocks of code. */
function namesIn(text: string): string[] {
  const prose = text.replaceAll(/^```[^]*?^```/gm, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!);
}

t.strictSame(
  rooms.map(({ room }) => room).sort(),
  readdirSync(join(root, 'lib'))
    .map((name) => name.replace(/\.ts$/, ''))
    .filter((name) => name !== 'index')
    .sort(),
  'the table has each room once',
);

t.strictSame(
  rooms.flatMap(({ room, text }) =>
    namesIn(text)
      .filter((name) => /^[a-z][\w-]*\/$/.test(name))
      .filter((folder) => !isThere(`lib/${room}/${folder}`))
      .map((folder) => `${room}/${folder}`),
  ),
  [],
  'the folders of a room exist',
);

const paths = namesIn(page).filter((name) => /^[a-z][\w.-]*(?:\/[\w.-]+)+\/?$/.test(name));
t.ok(paths.length > 30, 'paths are found');
t.strictSame(
  paths.filter((path) => !isThere(path) && !isThere(`lib/${path}`)),
  [],
  'each path is one of the repository or of lib/',
);
t.end();
