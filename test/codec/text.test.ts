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

void t.test("the forms that grpc-gateway's runtime takes, by option", (t) => {
  const gateway = new Codec(schema, { lenientBools: true, grpcGatewayValues: true });
  const taken: readonly (readonly [type: string, name: string, texts: readonly string[], json: string])[] = [
    ['j.Scalars', 'bo', ['t', 'T', '1', 'true', 'TRUE', 'True'], '{"bo":true}'],
    ['j.Vm', 'blank', ['f', 'F', '0', 'false'], '{"blank":false}'],
    ['j.Scalars', 'i32', ['+7', '007', '7', '+007'], '{"i32":7}'],
    ['j.Scalars', 'i64', ['+9223372036854775807'], '{"i64":"9223372036854775807"}'],
    ['j.Scalars', 'db', ['.5', '+.5', '5e-1', '0.5', '+5.e-1'], '{"db":0.5}'],
    ['j.Scalars', 'fl', ['5.', '+5'], '{"fl":5}'],
    ['j.Known', 'int32', ['+5'], '{"int32":5}'],
    ['j.Known', 'empty', ['', '{}'], '{"empty":{}}'],
    ['j.Known', 'span', ['1h', '60m', '3600s', '+1h', '1h0m0s', '3600000ms', '.5h30m', '30m.5h'], '{"span":"3600s"}'],
    ['j.Known', 'span', ['0', '+0', '-0', '0h'], '{"span":"0s"}'],
    ['j.Known', 'span', ['-1.5ms', '-1500us', '-1500\u00b5s', '-1500\u03bcs', '-1500000ns'], '{"span":"-0.001500s"}'],
    ['j.Known', 'span', ['1.9ns'], '{"span":"0.000000001s"}'],
    ['j.Known', 'span', ['9223372036.854775807s', '2562047h47m16.854775807s'], '{"span":"9223372036.854775807s"}'],
    // Beyond Go's range, and yet a Duration.
    ['j.Known', 'span', ['315576000000s'], '{"span":"315576000000s"}'],
  ];
  for (const [type, name, texts, json] of taken) {
    for (const text of texts) t.equal(readText(type, name, text, gateway), json, `${name} ${text}`);
  }
  const refused: readonly (readonly [type: string, name: string, texts: readonly string[]])[] = [
    ['j.Scalars', 'bo', ['yes', 'tr', '2', ' t']],
    ['j.Scalars', 'i32', ['+', '++1', '+-1', '-+1', '1.0', '1e3', '0x1', '1_0', '+2147483648']],
    ['j.Scalars', 'u32', ['+1', '-1']],
    ['j.Scalars', 'db', ['.', '+', 'e5', 'inf', 'nan', '0x1p4', '1_0', '--1', '1e309']],
    ['j.Known', 'empty', ['x', '{ }', 'null']],
    [
      'j.Known',
      'span',
      ['', '1', '5', '1x', 's', '.s', '1h ', '1h 2m', '1,5s', '-', '1d', '2562048h', '1'.repeat(65) + 's'],
    ],
  ];
  for (const [type, name, texts] of refused) {
    for (const text of texts)
      t.match(
        valueError(() => readText(type, name, text, gateway)),
        /expected/,
        `${name} ${text}`,
      );
  }
  for (const [type, name, text] of [
    ['j.Scalars', 'bo', 'T'],
    ['j.Scalars', 'i32', '+7'],
    ['j.Scalars', 'db', '.5'],
    ['j.Known', 'span', '1h'],
  ] as const) {
    t.match(
      valueError(() => readText(type, name, text)),
      /expected/,
      `not without the option: ${text}`,
    );
  }
  t.equal(codec.textReader(fieldOf('j.Known', 'empty')), undefined);
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
