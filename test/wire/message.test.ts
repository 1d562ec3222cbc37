/** Messages described as data: what is written, what is read, and what is merged, replaced or skipped. */
import t from 'tap';
import { bytes, defineMessage, int64, list, optional, packed, text, uint32, WireError } from '../../lib/wire/index.js';

const Inner = defineMessage({ name: [1, text], count: [2, uint32] });
const Outer = defineMessage(
  {
    title: [1, text],
    raw: [2, bytes],
    one: [3, optional(Inner)],
    all: [4, list(Inner)],
    numbers: [5, packed(uint32)],
    a: [6, optional(text)],
    b: [7, optional(text)],
    big: [200, int64],
  },
  ['a', 'b'],
);
const empty = {
  title: '',
  raw: Buffer.alloc(0),
  one: undefined,
  all: [],
  numbers: [],
  a: undefined,
  b: undefined,
  big: 0,
};

interface Row {
  readonly message: Parameters<typeof Outer.encode>[0];
  readonly hex: string;
}

const rows: readonly Row[] = [
  { message: {}, hex: '' },
  { message: { title: '', raw: Buffer.alloc(0), all: [], numbers: [] }, hex: '' },
  { message: { title: 'é' }, hex: '0a02c3a9' },
  { message: { raw: Buffer.from([0, 255]) }, hex: '120200ff' },
  { message: { one: { name: '', count: 0 } }, hex: '1a00' },
  { message: { one: { name: 'x', count: 300 } }, hex: '1a060a017810ac02' },
  {
    message: {
      all: [
        { name: 'x', count: 0 },
        { name: '', count: 1 },
      ],
    },
    hex: '22030a017822021001',
  },
  { message: { numbers: [1, 300, 0xffffffff] }, hex: '2a0801ac02ffffffff0f' },
  { message: { a: '' }, hex: '3200' },
  { message: { b: 'x' }, hex: '3a0178' },
];

for (const { message, hex } of rows) {
  const title = JSON.stringify(message);
  t.equal(Outer.encode(message).toString('hex'), hex, `${title} is written`);
  t.strictSame(Outer.decode(Buffer.from(hex, 'hex')), { ...empty, ...message }, `${title} is read`);
}

const read: readonly (readonly [what: string, hex: string, expected: object])[] = [
  ['the last of several texts counts', '0a01610a0162', { title: 'b' }],
  ['messages are merged', '1a030a01781a021005', { one: { name: 'x', count: 5 } }],
  ['of a oneof the last counts', '3201613a0162', { b: 'b' }],
  ['the other way round as well', '3a0162320161', { a: 'a' }],
  ['numbers may be unpacked', '28012a0202032804', { numbers: [1, 2, 3, 4] }],
  ['unknown fields and groups are skipped', '48014b48014c0a0161', { title: 'a' }],
  ['a field of another wire type is unknown', '08050a0161', { title: 'a' }],
  ['64 bits', 'c00c808080808001', { big: 2 ** 35 }],
  ['negative 64 bits', 'c00cffffffffffffffffff01', { big: -1 }],
  [
    'an unpaired surrogate is none when it is written',
    Outer.encode({ title: '\ud800' }).toString('hex'),
    { title: '\ufffd' },
  ],
];
for (const [what, hex, expected] of read) {
  t.strictSame(Outer.decode(Buffer.from(hex, 'hex')), { ...empty, ...expected }, what);
}

for (const hex of ['0a', '0a05', '0a0561', '1a020a05', '2a0280', '00', '0f']) {
  t.throws(() => Outer.decode(Buffer.from(hex, 'hex')), new WireError(), `${hex} is no message`);
}

t.strictSame(Outer.decode(Outer.encode({})), empty, 'lists are not shared between messages');
