/** The writer and the reader of wire primitives at their edges: lengths, growth, and where a buffer ends. */
import fc from 'fast-check';
import t from 'tap';
import { Reader, Writer } from '../../lib/wire/index.js';

/** A length-delimited value: so many plain bytes, then values. */
interface Tree {
  readonly size: number;
  readonly inside: readonly Tree[];
}

const leaf = (size: number): Tree => ({ size, inside: [] });

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))];
}

function expected({ size, inside }: Tree): Buffer {
  const content = Buffer.concat([Buffer.alloc(size, 'x'), ...inside.map(expected)]);
  return Buffer.concat([Buffer.from(varint(content.length)), content]);
}

function writeContent(out: Writer, { size, inside }: Tree, finish: (mark: number) => void): void {
  const mark = out.begin();
  for (let index = 0; index < size; index++) out.byte(0x78);
  for (const tree of inside) writeContent(out, tree, finish);
  finish(mark);
}

/** Written at once, and with lengths that wait; `before` bytes stand in front. */
function written(trees: readonly Tree[], before = 0): { atOnce: Buffer; later: Buffer } {
  const atOnce = new Writer(1);
  atOnce.raw(Buffer.alloc(before, 'b'));
  for (const tree of trees) writeContent(atOnce, tree, (mark) => atOnce.finish(mark));
  const later = new Writer(1);
  later.raw(Buffer.alloc(before, 'b'));
  const waiting = later.waitingCount;
  for (const tree of trees) writeContent(later, tree, (mark) => later.finishLater(mark));
  later.settle(waiting);
  t.equal(later.waitingCount, 0);
  return { atOnce: atOnce.take().subarray(before), later: later.take().subarray(before) };
}

/** Around where a length takes a byte more. */
const edges = [0, 1, 126, 127, 128, 129, 16_381, 16_382, 16_383, 16_384, 16_385];

void t.test('lengths at their edges', (t) => {
  for (const size of [...edges, 2 ** 21 - 1, 2 ** 21]) {
    const trees = [leaf(size), { size: 3, inside: [leaf(size), leaf(1)] }, { size: 0, inside: [leaf(size)] }];
    const wanted = Buffer.concat(trees.map(expected));
    const { atOnce, later } = written(trees, 5);
    t.ok(atOnce.equals(wanted), `${size} at once`);
    t.ok(later.equals(wanted), `${size} later`);
  }
  t.end();
});

const sizes = fc.oneof(fc.constantFrom(...edges.slice(0, 6)), fc.integer({ min: 0, max: 300 }));
const trees = (depth: number): fc.Arbitrary<Tree> =>
  fc.record({ size: sizes, inside: depth === 0 ? fc.constant([]) : fc.array(trees(depth - 1), { maxLength: 3 }) });
const tree = trees(5);

void t.test('any values in values', (t) => {
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 3 }), fc.nat({ max: 3 }), (trees, before) => {
      const wanted = Buffer.concat(trees.map(expected));
      const { atOnce, later } = written(trees, before);
      return atOnce.equals(wanted) && later.equals(wanted);
    }),
    { numRuns: 300 },
  );
  t.end();
});

void t.test('what is taken back leaves no length behind, and what waits outside stays', (t) => {
  fc.assert(
    fc.property(tree, tree, tree, (kept, dropped, last) => {
      const out = new Writer(1);
      const later = (mark: number): void => out.finishLater(mark);
      const mark = out.begin();
      writeContent(out, kept, later);
      const start = out.pos;
      out.begin();
      writeContent(out, dropped, later);
      out.rewind(start);
      // A document of its own in the middle: it puts in its own lengths alone.
      const waiting = out.waitingCount;
      writeContent(out, last, later);
      out.settle(waiting);
      if (out.waitingCount !== waiting) throw new Error('others were put in');
      out.finishLater(mark);
      out.settle(0);
      return out.take().equals(expected({ size: 0, inside: [kept, last] }));
    }),
    { numRuns: 300 },
  );
  const out = new Writer();
  writeContent(out, leaf(200), (mark) => out.finishLater(mark));
  out.reset();
  t.equal(out.waitingCount, 0, 'nothing waits in an empty writer');
  t.end();
});

void t.test('a buffer grows at any place, and nothing is lost', (t) => {
  const writes: readonly (readonly [name: string, write: (out: Writer) => void, hex: string])[] = [
    ['byte', (out) => out.byte(1), '01'],
    ['uint32', (out) => out.uint32(0xffffffff), 'ffffffff0f'],
    ['int32', (out) => out.int32(-1), 'ffffffffffffffffff01'],
    ['varint64', (out) => out.varint64(0, 1), '8080808010'],
    ['fixed32', (out) => out.fixed32(-2), 'feffffff'],
    ['fixed64', (out) => out.fixed64(1, 2), '0100000002000000'],
    ['float', (out) => out.float(1), '0000803f'],
    ['double', (out) => out.double(1), '000000000000f03f'],
    ['raw, short', (out) => out.raw(Buffer.alloc(24, 7)), '07'.repeat(24)],
    ['raw, long', (out) => out.raw(Buffer.alloc(25, 7)), '07'.repeat(25)],
    ['utf8', (out) => out.utf8('aé€😀'), '61c3a9e282acf09f9880'],
    ['ascii, short', (out) => out.ascii('a'.repeat(24)), '61'.repeat(24)],
    ['ascii, long', (out) => out.ascii('a'.repeat(25)), '61'.repeat(25)],
    ['string', (out) => out.string('é'.repeat(64)), `8001${'c3a9'.repeat(64)}`],
    ['bytes', (out) => out.bytes(Buffer.of(1, 2)), '020102'],
  ];
  for (const [name, write, hex] of writes) {
    for (let free = 0; free <= hex.length / 2 + 1; free++) {
      const out = new Writer(8 + free);
      out.raw(Buffer.alloc(8, 0xee));
      write(out);
      out.byte(0xdd);
      t.equal(out.take().toString('hex'), `${'ee'.repeat(8)}${hex}dd`, `${name} with ${free} bytes free`);
    }
  }
  t.end();
});

void t.test('a reader reads up to the end of its range and never past it', (t) => {
  const reads: readonly (readonly [name: string, hex: string, read: (reader: Reader) => unknown])[] = [
    ['a tag', '08', (reader) => reader.tag()],
    ['a long tag', 'f8ffffff0f', (reader) => reader.tag()],
    ['a varint', 'ffffffffffffffffff01', (reader) => reader.varint64()],
    ['uint32', 'ff01', (reader) => reader.uint32()],
    ['fixed32', '01020304', (reader) => reader.fixed32()],
    ['fixed64', '0102030405060708', (reader) => reader.fixed64()],
    ['float', '01020304', (reader) => reader.float()],
    ['double', '0102030405060708', (reader) => reader.double()],
    ['bytes', '03010203', (reader) => reader.bytes()],
    ['an unknown group', '0b08010c', (reader) => reader.skip(reader.tag())],
    ['unknown bytes', '0a020102', (reader) => reader.skip(reader.tag())],
    ['an unknown fixed32', '0d01020304', (reader) => reader.skip(reader.tag())],
    ['an unknown fixed64', '090102030405060708', (reader) => reader.skip(reader.tag())],
  ];
  for (const [name, hex, read] of reads) {
    const value = Buffer.from(hex, 'hex');
    // What stands behind the range would do as the rest of any of them.
    const buf = Buffer.concat([Buffer.of(0xff), value, Buffer.alloc(16, 1)]);
    const whole = new Reader(buf, 1, 1 + value.length);
    read(whole);
    t.ok(whole.done, `${name}: all of it was read`);
    for (let end = 1; end < 1 + value.length; end++) {
      t.throws(() => read(new Reader(buf, 1, end)), /ends in the middle of a value/, `${name}, cut at ${end - 1}`);
    }
  }
  t.throws(
    () => new Reader(Buffer.from('ffffffffffffffffffff01', 'hex')).varint64(),
    /longer than ten bytes/,
    'eleven bytes',
  );
  t.throws(() => new Reader(Buffer.from('f8ffffff1f', 'hex')).tag(), /invalid field number/, 'a tag of 33 bits');
  t.throws(() => new Reader(Buffer.from('07', 'hex')).tag(), /invalid field number/, 'field number 0');
  const nested = (depth: number): Buffer => Buffer.from('0b'.repeat(depth) + '0c'.repeat(depth), 'hex');
  const skip = (reader: Reader): void => reader.skip(reader.tag());
  t.doesNotThrow(() => skip(new Reader(nested(100))));
  t.throws(() => skip(new Reader(nested(101))), /more than 100 deep/);
  t.end();
});

void t.test('what was taken stays as it is, however large', (t) => {
  for (const size of [10, 200_000, 262_145, 1_000_000]) {
    for (const reserved of [0, 300_000, 5_000_000]) {
      const out = new Writer(16);
      out.reserve(reserved);
      out.raw(Buffer.alloc(size, 'a'));
      const taken = out.take();
      t.equal(out.pos, 0);
      out.raw(Buffer.alloc(size, 'b'));
      t.ok(taken.equals(Buffer.alloc(size, 'a')), `${size} of ${reserved}`);
      t.ok(out.take().equals(Buffer.alloc(size, 'b')));
      t.ok(size < 5000 || taken.buffer.byteLength <= 2 * size, 'and keeps no more alive than twice its size');
    }
  }
  t.end();
});
