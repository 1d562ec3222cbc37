/** The rules of strings. */
import { compilePattern } from '../pattern.js';
import { isHeaderName, isHeaderValue, stringFormats } from './formats.js';
import type { TypedRules } from './rules.js';
import type { Value } from './values.js';

/** Adds a check: the name of its rule, the end of its id if that is another one, its message, and what breaks it. */
export type AddCheck = (rule: string, message: string, breaks: (value: Value) => boolean, idSuffix?: string) => void;

/** @throws OptionError if a pattern is none */
export function checkString(rules: TypedRules, add: AddCheck): void {
  const onText =
    (breaks: (value: string) => boolean) =>
    (value: Value): boolean =>
      typeof value === 'string' && breaks(value);
  const exact = rules.text('const');
  if (exact !== undefined)
    add(
      'const',
      `must equal \`${exact}\``,
      onText((value) => value !== exact),
    );
  for (const [rule, words, isOff, size, unit] of SIZES) {
    const limit = rules.ordered(rule);
    if (limit === undefined) continue;
    const count = Number(limit);
    add(
      rule,
      `must be ${words}${limit} ${unit}`,
      onText((value) => isOff(size(value), count)),
    );
  }
  const pattern = rules.text('pattern');
  if (pattern !== undefined) {
    const compiled = compilePattern(pattern);
    add(
      'pattern',
      `does not match regex pattern \`${pattern}\``,
      onText((value) => !compiled.matcher(value).find()),
    );
  }
  for (const [rule, words, breaks] of PARTS) {
    const part = rules.text(rule);
    if (part !== undefined)
      add(
        rule,
        `${words} \`${part}\``,
        onText((value) => breaks(value, part)),
      );
  }
  for (const name of ['in', 'not_in'] as const) {
    const listed = rules.all(name);
    if (listed.length === 0) continue;
    const known = new Set(listed);
    const message = `must ${name === 'in' ? '' : 'not '}be in list [${listed.join(', ')}]`;
    add(
      name,
      message,
      onText((value) => known.has(value) !== (name === 'in')),
    );
  }
  for (const [name, { what, emptyWhat, test }] of stringFormats) {
    if (!rules.flag(name)) continue;
    const breaks = (value: string): boolean => (value !== '' || emptyWhat === undefined) && !test(value);
    add(name, `must be a valid ${what}`, onText(breaks));
    if (emptyWhat === undefined) continue;
    const message = `value is empty, which is not a valid ${emptyWhat}`;
    add(
      name,
      message,
      onText((value) => value === ''),
      `${name}_empty`,
    );
  }
  checkHeaders(rules, (...check) =>
    add('well_known_regex', check[0], onText(check[1]), `well_known_regex.${check[2]}`),
  );
}

/** buf.validate.KnownRegex */
const HEADER_NAME = 1;
const HEADER_VALUE = 2;

function checkHeaders(
  rules: TypedRules,
  add: (message: string, breaks: (value: string) => boolean, id: string) => void,
): void {
  const strict = rules.value('strict') !== false;
  const kind = rules.value('well_known_regex');
  if (kind === HEADER_NAME) {
    const breaks = (value: string): boolean => value !== '' && !isHeaderName(value, strict);
    add('must be a valid HTTP header name', breaks, 'header_name');
    add('value is empty, which is not a valid HTTP header name', (value) => value === '', 'header_name_empty');
  } else if (kind === HEADER_VALUE) {
    add('must be a valid HTTP header value', (value) => !isHeaderValue(value, strict), 'header_value');
  }
}

type Size = readonly [
  rule: string,
  words: string,
  isOff: (size: number, limit: number) => boolean,
  size: (value: string) => number,
  unit: string,
];

const differs = (size: number, limit: number): boolean => size !== limit;
const isLess = (size: number, limit: number): boolean => size < limit;
const isMore = (size: number, limit: number): boolean => size > limit;

const SIZES: readonly Size[] = [
  ['len', '', differs, characters, 'characters'],
  ['min_len', 'at least ', isLess, characters, 'characters'],
  ['max_len', 'at most ', isMore, characters, 'characters'],
  ['len_bytes', '', differs, utf8Bytes, 'bytes'],
  ['min_bytes', 'at least ', isLess, utf8Bytes, 'bytes'],
  ['max_bytes', 'at most ', isMore, utf8Bytes, 'bytes'],
];

function utf8Bytes(value: string): number {
  return Buffer.byteLength(value);
}

/** The number of code points. */
function characters(value: string): number {
  let count = value.length;
  for (let index = 0; index < value.length - 1; index++) {
    // A surrogate pair is one character.
    if ((value.charCodeAt(index) & 0xfc00) === 0xd800 && (value.charCodeAt(index + 1) & 0xfc00) === 0xdc00) count--;
  }
  return count;
}

type Part = readonly [rule: string, words: string, breaks: (value: string, part: string) => boolean];

const PARTS: readonly Part[] = [
  ['prefix', 'does not have prefix', (value, part) => !value.startsWith(part)],
  ['suffix', 'does not have suffix', (value, part) => !value.endsWith(part)],
  ['contains', 'does not contain substring', (value, part) => !value.includes(part)],
  ['not_contains', 'contains substring', (value, part) => value.includes(part)],
];
