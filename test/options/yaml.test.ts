/** YAML → nodes: places, aliases, and what is too much for a configuration or a rules file. */
import t from 'tap';
import { parseYaml, plain } from '../../lib/options/index.js';
import { ProblemList } from '../../lib/status.js';

function read(text: string): { value: unknown; errors: readonly string[] } {
  const problems = new ProblemList();
  const node = parseYaml({ file: 'a.yaml', text }, problems);
  const errors = problems.errors.map(({ message, place }) => `${place?.line}:${place?.column} ${message}`);
  return { value: node && plain(node), errors };
}

void t.test('values', (t) => {
  const rows: readonly [text: string, value: unknown][] = [
    ['', null],
    ['a: 1\nb: [x, ~, true]\n', { a: 1, b: ['x', null, true] }],
    ['a: &x { b: 1 }\nc: [*x, *x]', { a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] }],
    ['a: &x 1\nb: &x 2\nc: *x', { a: 1, b: 2, c: 2 }],
    ['5: x', { 5: 'x' }],
    ['# nothing', null],
    ['a: &a b\n*a : c\n', { a: 'b', b: 'c' }],
    ['? a\n: b\n: c\n', { a: 'b', null: 'c' }],
    ['a: |\n  [[[[\n  {{{{', { a: '[[[[\n{{{{\n' }],
    [
      `a: '${'['.repeat(200)}'\nb: "${'{'.repeat(200)}"\n# ${'['.repeat(200)}`,
      { a: '['.repeat(200), b: '{'.repeat(200) },
    ],
    [`a: x${'['.repeat(200)}`, { a: `x${'['.repeat(200)}` }],
    ['a: 1\n...\n', { a: 1 }],
    [`${'\n'.repeat(2000)}a: 1`, { a: 1 }],
    ['{"__proto__": {"a": 1}}', JSON.parse('{"__proto__": {"a": 1}}')],
  ];
  for (const [text, value] of rows) t.strictSame(read(text), { value, errors: [] }, text);
  t.end();
});

/** Each level has ten of the one before. */
const laughs = ['a0: &a0 [x]', ...[1, 2, 3, 4, 5, 6, 7].map((n) => `a${n}: &a${n} [${`*a${n - 1},`.repeat(10)}]`)];

void t.test('what is no YAML, or too much', (t) => {
  const rows: readonly [text: string, error: RegExp][] = [
    ['a: [', /^1:\d+ not valid YAML/],
    ['a: 1\na: 2', /^2:1 not valid YAML: Map keys must be unique$/],
    ['a: *none', /^1:4 not valid YAML: nothing before \*none is marked &none$/],
    ['a: &x { b: *x }', /^1:12 an alias stands in what it stands for$/],
    [laughs.join('\n'), /^\d+:\d+ aliases make more than 1000000 values of this$/],
    [`a: 1\nb: ${'['.repeat(50_000)}${']'.repeat(50_000)}`, /^2:104 maps and lists are nested more than 100 deep$/],
    ['['.repeat(4_000_000), /^1:101 maps and lists are nested more than 100 deep$/],
    [`a: 1\n${' '.repeat(1001)}b: 1`, /^2:1 a line starts with more than 1000 spaces and dashes$/],
    [`a: '${'ü'.repeat(2 * 1024 ** 2)}'`, /^undefined:undefined the file is larger than 4194304 bytes$/],
    ['a: *b\nb: &b 1', /^1:4 not valid YAML: nothing before \*b is marked &b$/],
    ['a: 1\n---\nb: 2', /^2:1 there are several YAML documents, expected one$/],
    ['a: b: c', /^1:4 not valid YAML/],
    ['{ ? [a, b] : c }', /^1:5 a name in this map is a list itself, expected a text$/],
    ['? { a: b }\n: c', /^1:3 a name in this map is a map itself, expected a text$/],
    [`${'{ ? '.repeat(90)}a${'}'.repeat(90)}`, /^1:5 a name in this map is a map itself, expected a text$/],
    [`a: &x ${'['.repeat(60)}${']'.repeat(60)}\nb: ${'['.repeat(60)}*x${']'.repeat(60)}`, /aliases nest more than 100/],
  ];
  for (const [text, error] of rows) {
    const { value, errors } = read(text);
    t.match(errors[0], error, text.slice(0, 60));
    if (!/unique/.test(errors[0] ?? '')) t.equal(value, undefined);
  }
  t.end();
});

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);
/** Each further to the right than the one before. */
const steps = (depth: number, ...lines: readonly string[]): string =>
  Array.from({ length: depth }, (_, step) => lines.map((line) => `${' '.repeat(step)}${line}\n`).join('')).join('');
const chain = (depth: number): string =>
  `x: &x0 {}\n${Array.from({ length: depth }, (_, index) => `x${index}: &x${index + 1} { a: *x${index} }\n`).join('')}`;

void t.test('a hundred levels are read, more are refused, however they are written', (t) => {
  const rows: readonly [name: string, text: (depth: number) => string][] = [
    ['lists', (depth) => nested(depth, '[', ']')],
    ['maps', (depth) => nested(depth, '{ a: ', '}')],
    ['lists of maps', (depth) => nested(depth / 2, '[{ a: ', '}]')],
    ['maps on lines', (depth) => steps(depth, 'a:')],
    ['lists on lines', (depth) => steps(depth, '-')],
    ['lists on the column of their map', (depth) => steps(depth / 2, 'a:', '-')],
    ['lists in a line', (depth) => `${'- '.repeat(depth)}a`],
    ['aliases of aliases', (depth) => chain(depth - 2)],
  ];
  for (const [name, text] of rows) {
    t.strictSame(read(text(100)).errors, [], name);
    for (const depth of [102, 500, 900, 20_000]) {
      // Lines that go further to the right each are limited in their own way.
      const { value, errors } = read(text(/line|column/.test(name) ? Math.min(depth, 1200) : depth));
      t.equal(value, undefined, name);
      t.match(
        errors,
        [/^\d+:\d+ (?:maps and lists are nested|aliases nest) more than 100 deep$|^\d+:1 a line starts with/],
        name,
      );
    }
  }
  t.end();
});

void t.test('one broken line breaks many others, of which some are told', (t) => {
  t.ok(read('"a" '.repeat(5000)).errors.length <= 10);
  t.end();
});
