/** Kinds of values: what each takes, what it says of the rest, and that what it prints is what it reads. */
import t from 'tap';
import {
  booleanValue,
  checkedText,
  choicesValue,
  enumValue,
  field,
  hostNamesValue,
  integerValue,
  type Kind,
  listOf,
  mapOf,
  nodeOf,
  oneOrMany,
  optional,
  orFalse,
  pathValue,
  Reader,
  type ReaderSettings,
  record,
  requiredField,
  sizeValue,
  textValue,
  timeFrom,
  timeValue,
  type Unit,
} from '../../lib/options/index.js';
import { ProblemList } from '../../lib/status.js';

type AnyKind = Kind<unknown, unknown, Unit>;

function read(kind: AnyKind, written: unknown, settings: ReaderSettings = {}): { value: unknown; errors: string[] } {
  const problems = new ProblemList();
  const reader = new Reader(problems, settings);
  const [value] = reader.attempt('it', undefined, () => kind.readNode(nodeOf(written), reader));
  return { value, errors: problems.errors.map(({ code, message }) => `${code} ${message}`) };
}

const item = checkedText({
  placeholder: 'X',
  description: 'an x',
  code: 'config-type',
  convert: (text) => (/^x/i.test(text) ? text.toUpperCase() : undefined),
});

const pages = record({
  fields: {
    title: requiredField(textValue, 'a title', '"pages" has no "title"'),
    max_age: field(timeValue, 'an age'),
    names: field(oneOrMany(item), 'names'),
  },
  about: '"pages"',
  expected: (name) => `${name} is a map`,
  otherNames: { ttl: 'max_age' },
});

void t.test('what is taken, and printed again', (t) => {
  const rows: readonly [kind: AnyKind, written: unknown, value: unknown, printed?: unknown][] = [
    [booleanValue, 'true', true, true],
    [enumValue('a', 'b'), 'b', 'b'],
    [integerValue(1, 9), '7', 7, 7],
    [sizeValue(1, 2 ** 40), '1.5KiB', 1536, 1536],
    [sizeValue(1, 2 ** 40), 4194304, 4194304, '4MiB'],
    [timeValue, '1.5m', 90_000, '90s'],
    [timeFrom(0), '0s', 0],
    [optional(timeValue), null, undefined, 'none'],
    [optional(timeValue), 'none', undefined],
    [hostNamesValue, 'a.b, *.c', ['a.b', '*.c'], ['a.b', '*.c']],
    [choicesValue('gzip', 'br'), ['br', 'gzip', 'br'], ['br', 'gzip'], ['br', 'gzip']],
    [choicesValue('gzip', 'br'), 'none', [], []],
    [oneOrMany(item), 'xa', ['XA'], ['XA']],
    [listOf(item, ''), ['xa', 'xb'], ['XA', 'XB'], ['XA', 'XB']],
    [orFalse(item), false, undefined],
    [mapOf(item, ''), { aB: 'xa' }, [{ name: 'aB', place: undefined, value: 'XA' }], { aB: 'XA' }],
    [pages, { title: 'T', max_age: '1s' }, { title: 'T', maxAgeMs: 1000 }],
  ];
  for (const [kind, written, value, printed = written] of rows) {
    t.strictSame(read(kind, written), { value, errors: [] }, JSON.stringify(written));
    t.strictSame(kind.print(value), printed, `${JSON.stringify(written)} printed`);
    t.strictSame(read(kind, printed), { value, errors: [] }, `${JSON.stringify(printed)} read again`);
  }
  t.end();
});

void t.test('what is refused', (t) => {
  const rows: readonly [kind: AnyKind, written: unknown, errors: readonly (string | RegExp)[]][] = [
    [booleanValue, 'yes', ['bad-option it: found "yes", expected true or false']],
    [enumValue('apple', 'pear'), 'aple', [/expected one of apple, pear; did you mean apple\?$/]],
    [integerValue(1, 9), 10, ['bad-option it: found "10", expected a whole number from 1 to 9']],
    [sizeValue(1, 10), '1.5', [/^bad-option it: found "1.5", expected a size/]],
    [timeValue, 5, [/^bad-option it: found "5", expected a time/]],
    [optional(timeValue), 'soon', [/expected none, or a time/]],
    [oneOrMany(item), ['xa', 'b', ['c']], ['config-type found "b", expected an x', /found "\[\\"c\\"\]"/]],
    [pages, {}, ['config-type "pages" has no "title"']],
    [pages, 5, ['config-type it is a map']],
    [
      pages,
      { title: 'T', ttl: 1, max_age: 5 },
      [/"pages" has: title, max_age, names; did you mean max_age\?$/, /^bad-option max_age: found "5"/],
    ],
  ];
  for (const [kind, written, expected] of rows) {
    const { errors } = read(kind, written);
    t.equal(errors.length, expected.length, JSON.stringify(written));
    expected.forEach((error, index) => t.match(errors[index], error));
  }
  t.end();
});

void t.test('what programs write', (t) => {
  const program = { isProgram: true };
  t.strictSame(read(timeValue, 1500, program).value, 1500, 'milliseconds');
  t.strictSame(read(pages, { title: 'T', maxAge: 5 }, program).value, { title: 'T', maxAgeMs: 5 });
  t.strictSame(read(pages, { title: 'T', maxAgeMs: 5 }, program).value, { title: 'T', maxAgeMs: 5 });
  t.match(read(pages, { title: 'T', maxAge: 'x' }, program).errors, [
    'bad-option it.max_age: found "x", expected a time',
  ]);
  const circle: Record<string, unknown> = {};
  circle['circle'] = circle;
  t.match(read(textValue, circle, program).errors[0], /^bad-option it: found/, 'a circle ends');
  t.match(read(textValue, () => 1, program).value, 'function');
  t.strictSame(read(pathValue, 'a', { folder: '/srv' }).value, '/srv/a', 'paths start at the folder');
  t.end();
});
