/** Text values: of paths, queries and headers. */
import t from 'tap';
import { Codec, ValueError } from '../../lib/codec/index.js';
import { Writer } from '../../lib/wire/index.js';
import { proto2, proto3 } from '../cases/json/schema.js';
import { badTexts, texts, withoutText } from '../cases/json/text.js';
import { schemaFromText } from '../support/schema.js';

const schema = schemaFromText({ 'j.proto': proto3, 'k.proto': proto2 });
const codec = new Codec(schema);

const fieldOf = (type: string, name: string) => schema.message(type)!.field(name)!;

function readText(type: string, name: string, text: string, using = codec): string {
  const out = new Writer();
  using.textReader(fieldOf(type, name))!(text, out);
  const wire = out.take();
  using.writer(schema.message(type)!)(wire, out);
  return out.take().toString();
}

function valueError(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ValueError) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}

void t.test('texts that are accepted', (t) => {
  for (const [type, name, text, json] of texts) t.equal(readText(type, name, text), json, `${name} ${text}`);
  t.end();
});

void t.test('paths of a field mask in snake_case are taken as they are, also those that JSON could not print', (t) => {
  const paths = (text: string): string[] => {
    const out = new Writer();
    codec.textReader(fieldOf('j.Known', 'mask'))!(text, out);
    // The field's own tag and length, then each path behind its tag and length.
    const message = out.take().subarray(2);
    const found: string[] = [];
    for (let at = 0; at < message.length; at += 2 + message[at + 1]!) {
      found.push(message.subarray(at + 2, at + 2 + message[at + 1]!).toString());
    }
    return found;
  };
  t.strictSame(paths('address_1,c_,foo__bar'), ['address_1', 'c_', 'foo__bar']);
  t.strictSame(paths('lineItems.line_1,aB.cD,Foo_Bar'), ['line_items.line_1', 'a_b.c_d', 'Foo_Bar']);
  t.end();
});

void t.test('texts that are refused', (t) => {
  for (const [type, name, text, message] of badTexts) {
    t.equal(
      valueError(() => readText(type, name, text)),
      message,
      `${name} ${text}`,
    );
  }
  t.end();
});

void t.test('types without a text form', (t) => {
  for (const [type, name, description] of withoutText) {
    t.equal(codec.textReader(fieldOf(type, name)), undefined, name);
    t.equal(codec.describeText(fieldOf(type, name)), description);
  }
  t.equal(codec.describeText(fieldOf('j.Scalars', 'i32')), 'a decimal integer from -2147483648 to 2147483647');
  t.equal(codec.describeText(fieldOf('j.Known', 'struct')), 'a JSON object');
  t.end();
});

void t.test('options', (t) => {
  const lenient = new Codec(schema, { lenientBools: true, caseInsensitiveEnums: true });
  for (const text of ['1', 'TRUE', 'True', 'true']) t.equal(readText('j.Scalars', 'bo', text, lenient), '{"bo":true}');
  for (const text of ['0', 'FALSE', 'false']) t.equal(readText('j.Vm', 'blank', text, lenient), '{"blank":false}');
  for (const text of ['yes', '2']) {
    t.match(
      valueError(() => readText('j.Scalars', 'bo', text, lenient)),
      /expected true or false/,
    );
  }
  for (const text of ['green', 'Green', 'GREEN'])
    t.equal(readText('j.Scalars', 'color', text, lenient), '{"color":"GREEN"}');
  t.match(
    valueError(() => readText('j.Scalars', 'color', 'gruen', lenient)),
    /did you mean "GREEN"/,
  );
  t.end();
});

void t.test('keys of maps', (t) => {
  const keyOf = (name: string) => fieldOf('j.Maps', name).map!.key;
  const cases: readonly (readonly [map: string, text: string, hex: string])[] = [
    ['ss', 'a', '0a0161'],
    ['ii', '-1', '08ffffffffffffffffff01'],
    ['bs', 'true', '0801'],
    ['ud', '5', '0805'],
    ['zb', '-1', '0801'],
    ['xf', '1', '090100000000000000'],
  ];
  for (const [map, text, hex] of cases) {
    const out = new Writer();
    codec.textReader(keyOf(map))!(text, out);
    t.equal(out.take().toString('hex'), hex, `${map}[${text}]`);
  }
  t.end();
});

void t.test('the same value has the same bytes, whether it comes as text or as JSON', (t) => {
  for (const [type, name, text] of texts) {
    const field = fieldOf(type, name);
    if (field.repeated) continue;
    const out = new Writer();
    codec.textReader(field)!(text, out);
    const fromText = out.take();
    codec.writer(schema.message(type)!)(fromText, out);
    const json = out.take();
    if (json.equals(Buffer.from('{}'))) continue;
    codec.reader(schema.message(type)!)(json, out);
    t.equal(out.take().toString('hex'), fromText.toString('hex'), `${name} ${text}`);
  }
  t.end();
});
