/** What callers may not see, in messages in wire form: what is dropped, what is refused, and what hostile bytes do. */
import fc from 'fast-check';
import t from 'tap';
import { VisibleWire } from '../../lib/codec/index.js';
import { StatusError } from '../../lib/status.js';
import { WireError } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';

const whole = schemaFromText({
  'a.proto': `edition = "2023"; package p; import "google/protobuf/any.proto"; import "google/protobuf/field_mask.proto";
message M {
  int32 seen = 1; int32 secret = 2; M inner = 3; M group = 4 [features.message_encoding = DELIMITED];
  repeated M list = 5; map<string, M> map = 6; repeated E packed = 7; E single = 8; map<int32, E> enums = 9;
  google.protobuf.Any any = 10; google.protobuf.Any any_group = 11 [features.message_encoding = DELIMITED];
  google.protobuf.FieldMask mask = 12;
  Plain plain = 13;
  extensions 100;
}
extend M { int32 ext = 100; }
message Plain { int32 x = 1; Plain next = 2; }
message Gone { int32 x = 1; }
enum E { option allow_alias = true; ZERO = 0; ONE = 1; TWO = 2; ALSO = 2; THREE = 3; }`,
});
const schema = whole.without(new Set(['p.M.secret', 'p.ext', 'p.Gone', 'p.E.TWO', 'p.E.THREE']));
const visible = new VisibleWire(schema);
const message = visible.of(schema.message('p.M')!)!;

const hex = (text: string): string => Buffer.from(text).toString('hex');
const part = (tag: string, content: string): string =>
  tag + (content.length / 2).toString(16).padStart(2, '0') + content;
const anyOf = (type: string, value: string): string => part('0a', hex(`t/${type}`)) + part('12', value);

const rows: readonly (readonly [name: string, wire: string, stripped: string, refused?: string])[] = [
  ['nothing', '', ''],
  ['a visible field', '0801', '0801'],
  ['a hidden field', '08011002', '0801', 'p.M has no field 2'],
  ['a hidden field of another wire type', '0801120131', '0801', 'p.M has no field 2'],
  ['a hidden group', '0801130801140802', '08010802', 'p.M has no field 2'],
  ['a hidden extension', 'a00601', '', 'p.M has no field 100'],
  ['a field that nobody knows', 'b80101', 'b80101'],
  ['inside', '1a0410020801', '1a020801', 'inner: p.M has no field 2'],
  ['inside a group', '2310020801' + '24', '23080124', 'group: p.M has no field 2'],
  ['in a list', '2a0210012a020801', '2a002a020801', 'list: p.M has no field 2'],
  ['in a map', part('32', '0a016b' + '12021001'), part('32', '0a016b' + '1200'), 'map: p.M has no field 2'],
  ['packed enums', '3a03000301', '3a020001', 'packed: 3 is no value of p.E'],
  ['packed enums, none left', '3a0103', '', 'packed: 3 is no value of p.E'],
  ['enums in a list that is not packed', '38033801', '3801', 'packed: 3 is no value of p.E'],
  ['an enum', '4003', '', 'single: 3 is no value of p.E'],
  ['an enum whose number has a visible name', '4002', '4002'],
  ['an enum of an unknown number', '4009', '4009'],
  ['an enum with high bits', '4083808080800f', '', 'single: 3 is no value of p.E'],
  ['an enum in a map', '4a0408011003' + '4a0408021001', '4a0408021001', 'enums: a value is none of p.E'],
  ['an Any', part('52', anyOf('p.M', '10010801')), part('52', anyOf('p.M', '0801')), 'any: p.M has no field 2'],
  ['an Any of a hidden type', part('52', anyOf('p.Gone', '0801')), '5200', 'any: the type "p.Gone" is not known'],
  ['an Any of an unknown type', part('52', anyOf('x.Y', '1001')), part('52', anyOf('x.Y', '1001'))],
  [
    'an Any in a group',
    `5b${anyOf('p.M', '1001')}5c`,
    `5b${part('0a', hex('t/p.M'))}5c`,
    'any_group: p.M has no field 2',
  ],
  ['a hidden Any in a group', `5b${anyOf('p.Gone', '0801')}5c`, '5b5c', 'any_group: the type "p.Gone" is not known'],
  [
    'a mask',
    part('62', part('0a', hex('seen')) + part('0a', hex('secret')) + part('0a', hex('map.k.secret'))),
    part('62', part('0a', hex('seen'))),
    'mask: "secret" is no field; mask: "map.k.secret" is no field',
  ],
  ['a type of which nothing is hidden', '6a021001', '6a021001'],
];

void t.test('dropped and refused', (t) => {
  for (const [name, wire, stripped, refused] of rows) {
    const bytes = Buffer.from(wire, 'hex');
    t.equal(message.strip(bytes).toString('hex'), stripped, name);
    t.equal(message.refusal(bytes)?.message, refused, name);
  }
  t.equal(visible.of(schema.message('p.Plain')!), undefined, 'nothing to look for');
  t.end();
});

void t.test('messages in pieces, cut short or too deep', (t) => {
  const pieces = part('52', part('12', '1001')) + part('52', part('0a', hex('t/p.M')));
  let deep = '0801';
  for (let depth = 0; depth < 40; depth++) deep = part('1a', deep);
  t.equal(message.strip(Buffer.from(deep, 'hex')).toString('hex'), deep);
  let deeper = Buffer.from('0801', 'hex');
  for (let depth = 0; depth < 101; depth++) deeper = Buffer.concat([Buffer.from([0x23]), deeper, Buffer.from([0x24])]);
  for (const [wire, said] of [
    [Buffer.from(pieces, 'hex'), 'the message any is in pieces'],
    [Buffer.from('1a0208011a020801', 'hex'), 'the message inner is in pieces'],
    [Buffer.from(part('32', '120208011202' + '0801'), 'hex'), 'a value of map is in pieces'],
    [Buffer.from('1a0408', 'hex'), 'the message ends in the middle of a value'],
    [Buffer.from('230801', 'hex'), 'a group has no end'],
    [deeper, 'messages are nested deeper than 100 levels'],
  ] as const) {
    t.throws(() => message.strip(wire), { message: said });
    t.throws(() => message.refusal(wire), { message: said });
  }
  t.end();
});

void t.test('any bytes: a WireError or a message without anything hidden', (t) => {
  const field = fc.oneof(
    fc.constantFrom(...rows.map(([, wire]) => Buffer.from(wire, 'hex'))),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
      let stripped: Buffer;
      try {
        stripped = message.strip(Buffer.concat(fields));
      } catch (error) {
        if (error instanceof WireError) return;
        throw error;
      }
      t.equal(message.refusal(stripped), undefined);
      t.strictSame(message.strip(stripped), stripped);
    }),
    { numRuns: 3000 },
  );
  t.ok(message.refusal(Buffer.from('1002', 'hex')) instanceof StatusError);
  t.end();
});
