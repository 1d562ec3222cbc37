/**
 * Imports in lib/ run only down the layers of docs/design.md: never up, never to a sibling of the same layer (but where
 * the table says so), never in a circle. Names are those of the files and folders right below lib/.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const lib = fileURLToPath(new URL('../lib', import.meta.url));

const layers: readonly (readonly string[])[] = [
  [
    'status',
    'uri',
    'headers',
    'html',
    'queue',
    'request-table',
    'clock',
    'wire',
    'channel-status',
    'exchange',
    'shared',
    'file-changes',
    'installation',
    'packages',
    'options',
    'pattern',
    'commands',
  ],
  ['schema', 'tls', 'metadata', 'http2', 'envoy', 'telemetry', 'cors', 'retry', 'overload'],
  ['rule', 'codec', 'validate'],
  ['router', 'framing', 'openapi'],
  ['transcode', 'protocol', 'upstream', 'policy', 'fallback'],
  ['builtin', 'routes', 'mcp', 'idempotency'],
  ['gateway', 'connections'],
  ['server'],
  ['config'],
  ['proxy'],
  ['threads'],
  ['live'],
  ['workers', 'admin'],
  ['embed', 'cli'],
];

/** Edges inside layer 0 that the design allows: errors, header lists and queues are vocabulary for the rest of it. */
const allowedSideways = new Set([
  'wire>status',
  'wire>queue',
  'exchange>channel-status',
  'exchange>status',
  'exchange>wire',
  'exchange>headers',
  'uri>headers',
  'options>status',
  'options>uri',
  'options>headers',
  'options>packages',
  'pattern>options',
  'pattern>packages',
  'commands>headers',
  'commands>options',
]);

/** Modules that may use less than "everything below": the column "may import" of the table. */
const forbidden = new Set([
  'upstream>schema',
  'upstream>rule',
  'upstream>codec',
  'upstream>router',
  'policy>schema',
  'policy>rule',
  'policy>codec',
  'policy>router',
  'protocol>rule',
  'transcode>router',
  'transcode>openapi',
  'router>codec',
  'framing>rule',
  'server>schema',
  'server>rule',
  'server>codec',
  'server>transcode',
  'server>upstream',
]);

/** Folders inside a room that must not import these others of the same room. */
const forbiddenInside: readonly (readonly [from: string, to: string])[] = [
  ['transcode/request', 'transcode/answer'],
  ['transcode/request', 'transcode/stream'],
  ['transcode/answer', 'transcode/request'],
  ['transcode/answer', 'transcode/stream'],
  ['schema/text', 'schema/set'],
  ['schema/text', 'schema/link'],
  ['schema/set', 'schema/link'],
];

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly file: string;
  readonly target: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

function moduleOf(file: string): string {
  return relative(lib, file).split(sep)[0]!.replace(/\.ts$/, '');
}

const files = sourceFiles(lib);

function importsOf(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(file, 'utf8'), true, true)
    .importedFiles.map((imported) => imported.fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => resolve(dirname(file), name.replace(/\.js$/, '.ts')));
}

const edges: Edge[] = files.flatMap((file) =>
  importsOf(file).map((target) => ({ from: moduleOf(file), to: moduleOf(target), file: relative(lib, file), target })),
);

const layerOf = new Map(layers.flatMap((names, layer) => names.map((name) => [name, layer] as const)));

void t.test('every module has a place in the table', (t) => {
  const unknown = [...new Set(files.map(moduleOf))].filter((name) => name !== 'index' && !layerOf.has(name));
  t.strictSame(unknown, []);
  t.end();
});

void t.test('imports run down', (t) => {
  const bad = edges
    .filter(({ from, to }) => from !== 'index' && from !== to)
    .filter(({ from, to }) => {
      if (allowedSideways.has(`${from}>${to}`)) return false;
      return to === 'index' || layerOf.get(to)! >= layerOf.get(from)! || forbidden.has(`${from}>${to}`);
    });
  t.strictSame(
    bad.map(({ from, to, file }) => `${file}: ${from} imports ${to}`),
    [],
  );
  t.end();
});

void t.test('imports inside a room run down', (t) => {
  const isIn = (folder: string, file: string): boolean => file.startsWith(`${folder}/`);
  const bad = edges.filter(({ file, target }) =>
    forbiddenInside.some(([from, to]) => isIn(from, file) && isIn(to, relative(lib, target))),
  );
  t.strictSame(
    bad.map(({ file, target }) => `${file} imports ${relative(lib, target)}`),
    [],
  );
  t.end();
});

void t.test('no file imports itself by a circle', (t) => {
  const graph = new Map(files.map((file) => [file, importsOf(file)]));
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].map((name) => relative(lib, name)).join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  t.strictSame(circles, []);
  t.end();
});
