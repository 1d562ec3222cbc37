/** Long strings and bytes, which are searched and coded natively: around the lengths at which that begins, whatever is in them. */
import fc from 'fast-check';
import t from 'tap';
import { Codec, JsonScanner, JsonSyntaxError } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';
import { statusOf } from './values.js';

const schema = schemaFromText({
  'three.proto':
    'syntax = "proto3"; package l; import "google/protobuf/any.proto"; ' +
    'message Text { repeated string lines = 1; bytes data = 2; repeated google.protobuf.Any anys = 3; }',
  'two.proto': 'syntax = "proto2"; package l; message Loose { optional string line = 1; }',
});
const codec = new Codec(schema);

function read(json: Buffer): Buffer {
  const out = new Writer(16);
  codec.reader(schema.message('l.Text')!)(json, out);
  return out.take();
}

function print(type: string, wire: Buffer): string {
  const out = new Writer(16);
  codec.writer(schema.message(type)!)(wire, out);
  return out.take().toString('utf8');
}

/** The bytes in memory of their own, which start so many bytes after a multiple of eight. */
function shifted(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length + offset).fill('"\\\n');
  copy.set(bytes, offset);
  return copy.subarray(offset);
}

/** A run of what needs no escape, shorter or longer than all thresholds. */
const run = fc
  .tuple(
    fc.oneof(
      fc.nat(9),
      fc.integer({ min: 40, max: 60 }),
      fc.integer({ min: 250, max: 310 }),
      fc.integer({ min: 500, max: 600 }),
    ),
    fc.constantFrom('a', ' ', '\x7f', 'é', '語', '😀', '!#[]'),
  )
  .map(([count, text]) => text.repeat(count));

const offset = fc.nat(7);

const isWellFormed = (value: unknown): boolean => JSON.stringify(value).match(/\\ud[89a-f]/) === null;

/** What JSON.parse makes of bytes; undefined if they are no JSON, no UTF-8, or have half of a surrogate pair in them. */
function parsed(bytes: Buffer): string[] | undefined {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as string[];
    return isWellFormed(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The strings of an array, as the scanner reads them. */
function scanned(bytes: Buffer): string[] | undefined {
  const scanner = new JsonScanner(bytes, 10);
  const found: string[] = [];
  try {
    scanner.next();
    if (scanner.openArray()) {
      do {
        if (scanner.buf[scanner.pos] !== 0x22) return undefined;
        scanner.string();
        found.push(scanner.text.toString('utf8', scanner.textStart, scanner.textEnd));
      } while (scanner.moreElements());
    }
    scanner.expectEnd();
    return found;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

const good = fc.constantFrom('\\n', '\\"', '\\\\', '\\u0041', '\\ud83d\\ude00', '\\/', '","');
const bad = fc.constantFrom(
  '"',
  '\\',
  '\n',
  '\0',
  '\x1f',
  '\\ud83d',
  '\\ude00x',
  '\\x',
  '\\u12',
  '\xff',
  '\xe9',
  '\xc0\x80',
  '\xed\xa0\x80',
);

void t.test('strings are those of JSON.parse', (t) => {
  let read = 0;
  const property = fc.property(
    fc.array(fc.oneof({ weight: 3, arbitrary: run }, { weight: 2, arbitrary: good }), { maxLength: 8 }),
    fc.option(fc.tuple(fc.nat(), bad), { freq: 2 }),
    offset,
    (parts, damage, offset) => {
      const pieces = parts.map((part) => Buffer.from(part));
      // As bytes: some are no UTF-8.
      if (damage !== null) pieces.splice(damage[0] % (pieces.length + 1), 0, Buffer.from(damage[1], 'latin1'));
      const text = shifted(Buffer.concat([Buffer.from('["'), ...pieces, Buffer.from('"]')]), offset);
      const expected = parsed(text);
      if (expected !== undefined) read++;
      t.strictSame(scanned(text), expected);
    },
  );
  fc.assert(property, { numRuns: 600 });
  t.ok(read > 100, 'not all of them are damaged');
  t.end();
});

void t.test('strings are printed as JSON.stringify prints them', (t) => {
  const special = fc.constantFrom('\n', '"', '\\', '\0', '\x1f', '\x80', '\u2028', '""""', '\\\\\\');
  const property = fc.property(fc.array(fc.oneof(run, special), { maxLength: 8 }), offset, (parts, offset) => {
    const text = parts.join('');
    const out = new Writer(16);
    if (text !== '') {
      out.byte(10);
      out.string(text);
    }
    const wire = shifted(out.take(), offset);
    t.equal(print('l.Text', wire), JSON.stringify(text === '' ? {} : { lines: [text] }));
  });
  fc.assert(property, { numRuns: 400 });
  t.end();
});

void t.test('bytes in a string that are not UTF-8', (t) => {
  const broken = fc.constantFrom('\xff', '\xe9', '\xed\xa0\x80', '\xf0\x9f\x98', '"\x80\\');
  fc.assert(
    fc.property(run, broken, run, (before, middle, after) => {
      const bytes = Buffer.concat([Buffer.from(before), Buffer.from(middle, 'latin1'), Buffer.from(after)]);
      const out = new Writer(16);
      out.byte(10);
      out.bytes(bytes);
      const wire = out.take();
      t.equal(print('l.Loose', wire), JSON.stringify({ line: bytes.toString('utf8') }));
      t.equal(
        statusOf(() => print('l.Text', wire)),
        13,
      );
    }),
    { numRuns: 100 },
  );
  t.end();
});

/** Base64 as ProtoJSON takes it; undefined if it is none. */
function decoded(text: string): Buffer | undefined {
  const chars = text.replace(/={1,2}$/, '');
  const isPadded = chars !== text;
  if (!/^[\w+/-]*$/.test(chars) || chars.length % 4 === 1 || (isPadded && text.length % 4 !== 0)) return undefined;
  return Buffer.from(chars, 'base64');
}

void t.test('base64 is strict at any length', (t) => {
  const length = fc.oneof(fc.nat(20), fc.integer({ min: 250, max: 262 }), fc.integer({ min: 49_140, max: 49_160 }));
  const change = fc.tuple(fc.nat(), fc.constantFrom('', '=', '==', '-', '_', '+', '/', ' ', '.', 'é', '*', 'AA=='));
  const property = fc.property(
    length,
    fc.constantFrom('base64', 'base64url'),
    fc.option(change),
    fc.constantFrom('', '=', '=='),
    (length, encoding, change, tail) => {
      const bytes = Buffer.alloc(length);
      for (let index = 0; index < length; index++) bytes[index] = index * 151 + (index >> 8);
      let text = bytes.toString(encoding);
      if (change !== null) {
        const at = change[0] % (text.length + 1);
        text = text.slice(0, at) + change[1] + text.slice(at + (change[0] % 2));
      }
      text += tail;
      const json = Buffer.from(JSON.stringify({ data: text }));
      const expected = decoded(text);
      if (expected === undefined) {
        t.equal(
          statusOf(() => read(json)),
          3,
          text.slice(0, 100),
        );
        return;
      }
      const out = new Writer(16);
      out.byte(18);
      out.bytes(expected);
      const wire = read(json);
      t.ok(wire.equals(out.take()), 'the bytes');
      if (expected.length > 0) t.equal(print('l.Text', wire), `{"data":"${expected.toString('base64')}"}`);
    },
  );
  fc.assert(property, { numRuns: 400 });
  t.end();
});

void t.test('long strings before the type of an Any are read twice', (t) => {
  const lines = ['a"b\\'.repeat(200), 'x'.repeat(600), 'é\n'.repeat(300), 'z'.repeat(400)];
  const any = { lines, '@type': 'type.googleapis.com/l.Text' };
  const json = Buffer.from(JSON.stringify({ anys: [any, { anys: [any, any], '@type': 't/l.Text' }, any] }));
  const { anys } = JSON.parse(print('l.Text', read(json))) as { anys: unknown[] };
  t.strictSame(anys, [any, { anys: [any, any], '@type': 't/l.Text' }, any]);
  t.end();
});
