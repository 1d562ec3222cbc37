import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  hexValue,
  isReserved,
  isUnreserved,
  normalizeSegment,
  quote,
  splitTarget,
  toOriginForm,
  UnescapeError,
  unescapePath,
  unescapeQuery,
  type UnescapeMode,
} from '../../lib/uri.js';

function holds<T>(t: Test, property: fc.IProperty<T>): void {
  t.doesNotThrow(() => fc.assert(property, { numRuns: 1000 }));
  t.end();
}

/** Text of the characters that decoding and normalising treat in different ways. */
const escapedText = fc
  .array(
    fc.constantFrom(
      'a',
      '~',
      '/',
      '+',
      '%',
      '%2',
      '%2f',
      '%2F',
      '%41',
      '%7E',
      '%C3%A9',
      '%c3',
      'é',
      '𝄞',
      '\ud800',
      ':',
      ' ',
    ),
  )
  .map((pieces) => pieces.join(''));

void t.test('splitTarget', (t) => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['/a/b', '/a/b', undefined],
    ['/a?x=1', '/a', 'x=1'],
    ['/a?', '/a', ''],
    ['/a?x=?&y=/', '/a', 'x=?&y=/'],
    ['/a#b?c', '/a#b', 'c'],
    ['/a%3Fb?c', '/a%3Fb', 'c'],
    ['?x', '', 'x'],
    ['//host/a?b', '//host/a', 'b'],
    ['/http://host/a', '/http://host/a', undefined],
    ['http://host/a/b?x=1', '/a/b', 'x=1'],
    ['HTTPS://user@host:8080/a', '/a', undefined],
    ['http://[::1]:80/a?b', '/a', 'b'],
    ['http://host', '/', undefined],
    ['http://host?x=/1', '/', 'x=/1'],
    ['http://host#f', '/#f', undefined],
    ['http:///a', '/a', undefined],
    ['http://', '/', undefined],
    ['h2+tls.x-1://host/a', '/a', undefined],
    ['host:443', 'host:443', undefined],
    ['*', '*', undefined],
    ['', '', undefined],
    ['1http://host/a', '1http://host/a', undefined],
  ];
  for (const [target, path, query] of cases) t.strictSame(splitTarget(target), { path, query }, target);
  t.end();
});

void t.test('toOriginForm leaves the origin form alone', (t) => {
  t.equal(toOriginForm('/a://b/c'), '/a://b/c');
  const slow = `${'a'.repeat(65536)}:/`;
  t.equal(toOriginForm(slow), slow);
  t.end();
});

void t.test('normalizeSegment', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', ''],
    ['shelves', 'shelves'],
    ["-._~!$&'()*+,;=:@", "-._~!$&'()*+,;=:@"],
    ['%7e%41%2D', '~A-'],
    ['%2f%2F', '%2F%2F'],
    ['%3a', '%3A'],
    ['%c3%a9', '%C3%A9'],
    ['é', '%C3%A9'],
    ['𝄞', '%F0%9D%84%9E'],
    ['a b', 'a%20b'],
    ['a|b"c', 'a%7Cb%22c'],
    ['%', '%'],
    ['%4', '%4'],
    ['%zz', '%zz'],
    ['%%41', '%A'],
    ['%2541', '%2541'],
    ['\ud800', '%EF%BF%BD'],
    ['\0', '%00'],
  ];
  for (const [segment, normal] of cases) t.equal(normalizeSegment(segment), normal, JSON.stringify(segment));
  t.end();
});

void t.test('segments of equal normal form decode to the same text', (t) => {
  const property = fc.property(escapedText, escapedText, (a, b) => {
    if (normalizeSegment(a) !== normalizeSegment(b)) return;
    assert.equal(decoded(a), decoded(b));
  });
  holds(t, property);
});

function decoded(text: string): string | undefined {
  try {
    return unescapePath(text, 'all_characters').toWellFormed();
  } catch (error) {
    assert.ok(error instanceof UnescapeError);
    return undefined;
  }
}

void t.test('each way to write a text has the same normal form', (t) => {
  const property = fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.nat(2)), (text, ways) => {
    const written = (variant: number) =>
      [...Buffer.from(text, 'utf8')]
        .map((byte, index) => {
          const char = String.fromCharCode(byte);
          const way = isUnreserved(byte) ? (ways[index % (ways.length || 1)] ?? 0) + variant : 1 + (variant % 2);
          const hex = byte.toString(16).padStart(2, '0');
          return way % 3 === 0 ? char : `%${way % 3 === 1 ? hex : hex.toUpperCase()}`;
        })
        .join('');
    assert.equal(normalizeSegment(written(0)), normalizeSegment(written(1)));
    assert.equal(unescapePath(written(0), 'all_characters'), text.toWellFormed());
  });
  holds(t, property);
});

void t.test('unescapePath', (t) => {
  const modes: readonly UnescapeMode[] = [
    'all_characters',
    'all_characters_except_slash',
    'all_characters_except_reserved',
  ];
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['', '', '', ''],
    ['a+b', 'a+b', 'a+b', 'a+b'],
    ['a%20b', 'a b', 'a b', 'a b'],
    ['a%2fb', 'a/b', 'a%2fb', 'a%2fb'],
    ['a%2Fb', 'a/b', 'a%2Fb', 'a%2Fb'],
    ['%3a%3A%2B', '::+', '::+', '%3a%3A%2B'],
    ['%25', '%', '%', '%'],
    ['%252F', '%2F', '%2F', '%2F'],
    ['%e3%81%82', 'あ', 'あ', 'あ'],
    ['é%C3%A9', 'éé', 'éé', 'éé'],
    ['%00', '\0', '\0', '\0'],
    ['\u007f\u0080%41', '\u007f\u0080A', '\u007f\u0080A', '\u007f\u0080A'],
    ['x/%41/y', 'x/A/y', 'x/A/y', 'x/A/y'],
  ];
  for (const [text, ...expected] of cases) {
    t.strictSame(
      modes.map((mode) => unescapePath(text, mode)),
      expected,
      text,
    );
  }
  t.end();
});

void t.test('what stays escaped is what is reserved', (t) => {
  for (let byte = 0; byte < 128; byte++) {
    const escape = `%${byte.toString(16).padStart(2, '0')}`;
    const char = String.fromCharCode(byte);
    const reserved = "!#$&'()*+,/:;=?@[]".includes(char);
    t.equal(isReserved(byte), reserved);
    t.equal(isUnreserved(byte), /[A-Za-z0-9._~-]/.test(char));
    t.equal(unescapePath(escape, 'all_characters_except_reserved'), reserved ? escape : char);
    t.equal(unescapePath(escape, 'all_characters_except_slash'), char === '/' ? escape : char);
  }
  t.notOk(isReserved(0x2f + 0x100));
  t.notOk(isUnreserved(0xe9));
  t.end();
});

void t.test('unescapeQuery', (t) => {
  t.equal(unescapeQuery('a+b%2Bc%20d', false), 'a b+c d');
  t.equal(unescapeQuery('a+b%2Bc%20d', true), 'a+b+c d');
  t.equal(unescapeQuery('+', false), ' ');
  t.equal(unescapeQuery('%2f', false), '/');
  t.end();
});

void t.test('malformed escapes', (t) => {
  const escapes = ['%', 'a%', '%4', 'a%4', '%zz', '%4g', '%-1', '%%41', '% 1'];
  for (const text of escapes) t.match(failureOf(text), /is not a percent-escape/, text);
  const bytes = ['%ff', '%c3', '%c3%28', '%ed%a0%80', '%c0%af', '%f5%80%80%80'];
  for (const text of bytes) t.match(failureOf(text), /is not UTF-8/, text);
  t.equal(
    failureOf('id%4'),
    '"%4" in "id%4" is not a percent-escape; write two hex digits after %, or %25 for a literal %',
  );
  t.equal(failureOf('%ff'), '"%ff" is not UTF-8 once percent-decoded; encode the text as UTF-8');
  t.end();
});

function failureOf(text: string): string | undefined {
  try {
    unescapeQuery(text, false);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof UnescapeError);
    return error.message;
  }
}

void t.test('unescaping gives what encodeURIComponent took', (t) => {
  const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
    const wellFormed = text.toWellFormed();
    assert.equal(unescapePath(encodeURIComponent(wellFormed), 'all_characters'), wellFormed);
    assert.equal(unescapeQuery(encodeURIComponent(wellFormed).replaceAll('%20', '+'), false), wellFormed);
  });
  holds(t, property);
});

void t.test('any text decodes or fails in words', (t) => {
  holds(
    t,
    fc.property(fc.oneof(escapedText, fc.string({ unit: 'binary' })), (text) => void decoded(text)),
  );
});

void t.test('hexValue', (t) => {
  const digits = [...'0123456789abcdefABCDEF'].map((char) => hexValue(char.charCodeAt(0)));
  t.strictSame(digits, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15]);
  for (const char of '/:@G`g \0') t.equal(hexValue(char.charCodeAt(0)), -1, JSON.stringify(char));
  t.equal(hexValue(Number.NaN), -1);
  t.equal(hexValue(0x161), -1);
  t.end();
});

void t.test('quote', (t) => {
  t.equal(quote('a"b\n'), String.raw`"a\"b\n"`);
  t.equal(quote('x'.repeat(100)), `"${'x'.repeat(80)}…"`);
  t.equal(quote('x'.repeat(80)), `"${'x'.repeat(80)}"`);
  t.equal(quote('abc', 2), '"ab…"');
  t.equal(quote('\ud800'), '"\ufffd"');
  t.equal(quote('𝄞𝄞', 1), '"\ufffd…"');
  t.end();
});
