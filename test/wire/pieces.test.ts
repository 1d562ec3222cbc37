/** Bytes that come in pieces: the same bytes, and no more memory than they are worth. */
import fc from 'fast-check';
import t from 'tap';
import { Pieces } from '../../lib/wire/index.js';
import { heldBytes } from '../support/memory.js';
import { countMoves } from '../support/moves.js';

type Step = readonly [kind: 'push' | 'copy' | 'take' | 'takeSome' | 'settle' | 'clear', size: number, more: number];

void t.test('what comes out is what went in, however it is cut', (t) => {
  const size = fc.oneof(
    fc.integer({ min: 0, max: 12 }),
    fc.integer({ min: 0, max: 5000 }),
    // Edges of what is small, and of a block.
    fc.constantFrom(1023, 1024, 1025, 2047, 2048, 2049, 16_383, 16_384, 16_385, 40_000),
  );
  // Of a copy: how much is expected, which may be wrong in both directions.
  const more = fc.integer({ min: 0, max: 100_000 });
  const step = fc.tuple(
    fc.constantFrom('push', 'push', 'push', 'copy', 'copy', 'take', 'takeSome', 'settle', 'clear'),
    size,
    more,
  ) as fc.Arbitrary<Step>;
  let next = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, isSlice) => {
      const pieces = new Pieces();
      let expected = Buffer.alloc(0);
      for (const [kind, size, more] of steps) {
        if (kind === 'push' || kind === 'copy') {
          const memory = Buffer.alloc(isSlice ? size + 70_000 : size);
          const piece = memory.subarray(0, size);
          for (let index = 0; index < size; index++) piece[index] = next++;
          expected = Buffer.concat([expected, piece]);
          if (kind === 'push') {
            pieces.push(piece);
          } else {
            pieces.copy(piece, more % 4 === 0 ? undefined : more);
            piece.fill(0xaa);
          }
        } else if (kind === 'settle') {
          pieces.settle();
        } else if (kind === 'clear' && size === 0) {
          pieces.clear();
          expected = Buffer.alloc(0);
        } else if (kind === 'take' || kind === 'takeSome') {
          const most = Math.min(size, expected.length);
          const taken = kind === 'take' ? pieces.take(most) : pieces.takeSome(most);
          if (kind === 'take' && taken.length !== most) return false;
          if (taken.length > most || (most > 0 && taken.length === 0)) return false;
          if (!taken.equals(expected.subarray(0, taken.length))) return false;
          expected = expected.subarray(taken.length);
        }
        if (pieces.length !== expected.length) return false;
        if (!Buffer.concat([...pieces]).equals(expected)) return false;
      }
      return pieces.takeAll().equals(expected) && pieces.length === 0;
    }),
    { numRuns: 400 },
  );
  t.end();
});

void t.test('what was taken stays as it is while more comes', (t) => {
  const pieces = new Pieces();
  const taken: Buffer[] = [];
  for (let count = 0; count < 5000; count++) {
    pieces.push(Buffer.from([count >> 8, count]));
    if (count % 7 === 6) taken.push(pieces.take(13));
  }
  const bytes = Buffer.concat([...taken, pieces.takeAll()]);
  for (let count = 0; count < 5000; count++) {
    if (bytes.readUInt16BE(count * 2) !== count) t.fail(`${count} is ${bytes.readUInt16BE(count * 2)}`);
  }
  t.end();
});

void t.test('a single piece is not copied, nor is a large one', async (t) => {
  const pieces = new Pieces();
  const small = Buffer.alloc(10);
  pieces.push(small);
  t.equal(pieces.takeAll(), small);
  const large = Array.from({ length: 10 }, () => Buffer.alloc(16_384));
  const { bytes } = await countMoves(() => {
    for (const piece of large) pieces.push(piece);
    for (const piece of large) t.equal(pieces.takeSome(16_384), piece);
  });
  t.equal(bytes, 0);
});

void t.test('memory and copies grow with the bytes', async (t) => {
  const cases: readonly (readonly [name: string, piece: () => Buffer, count: number, add: 'push' | 'copy'])[] = [
    ['single bytes', () => Buffer.alloc(1), 1_000_000, 'push'],
    ['single bytes, copied', () => Buffer.alloc(1), 1_000_000, 'copy'],
    ['small parts of large chunks', () => Buffer.alloc(64 * 1024).subarray(0, 3000), 300, 'push'],
    ['small parts of large chunks, copied', () => Buffer.alloc(64 * 1024).subarray(0, 3000), 300, 'copy'],
  ];
  for (const [name, piece, count, add] of cases) {
    const pieces = new Pieces();
    const before = await heldBytes();
    const { bytes } = await countMoves(() => {
      for (let index = 0; index < count; index++) pieces[add](piece());
    });
    const { length } = pieces;
    const held = (await heldBytes()) - before;
    t.ok(held < 2 * length + 100_000, `${name}: ${held} bytes are held for ${length}`);
    t.ok(bytes <= length, `${name}: ${bytes} bytes were copied for ${length}`);
    t.ok([...pieces].length < length / 1000 + 10, `${name}: ${[...pieces].length} Buffers`);
    const taking = await countMoves(() => {
      while (pieces.length > 0) pieces.take(Math.min(7, pieces.length));
    });
    t.ok(taking.bytes <= length, `${name}: ${taking.bytes} bytes were copied to take ${length}`);
    t.ok(taking.elements <= length);
  }
});

void t.test('what is left of a large piece does not keep it', async (t) => {
  const before = await heldBytes();
  const all = Array.from({ length: 100 }, () => {
    const pieces = new Pieces();
    pieces.push(Buffer.alloc(64 * 1024));
    pieces.take(64 * 1024 - 5);
    pieces.settle();
    return pieces;
  });
  const held = (await heldBytes()) - before;
  t.ok(held < 1024 ** 2, `${held} bytes`);
  t.equal(all[99]!.length, 5);
});
