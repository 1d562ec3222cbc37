/** gRPC frames out of a byte stream, however it is cut. */
import fc from 'fast-check';
import t from 'tap';
import { encodeFrame, FrameReader } from '../../lib/wire/index.js';
import { heldBytes } from '../support/memory.js';
import { countMoves } from '../support/moves.js';

void t.test('the cuts of a byte stream make no difference', (t) => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 0, max: 60_000 }).map((length) => new Uint8Array(length).fill(length)),
  );
  const cut = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 50_000 }));
  fc.assert(
    fc.property(
      fc.array(payload, { maxLength: 8 }),
      fc.array(cut, { minLength: 1, maxLength: 30 }),
      (payloads, cuts) => {
        const bytes = Buffer.concat(payloads.map((one) => encodeFrame(one)));
        const reader = new FrameReader(1e6);
        const copying = new FrameReader(1e6);
        const seen: Buffer[] = [];
        const copied: Buffer[] = [];
        for (let pos = 0, turn = 0; pos < bytes.length; turn++) {
          const end = Math.min(bytes.length, pos + cuts[turn % cuts.length]!);
          // Each piece in memory of its own, as from a socket.
          for (const frame of reader.push(Buffer.from(bytes.subarray(pos, end)))) seen.push(frame.payload);
          const lent = Buffer.from(bytes.subarray(pos, end));
          copying.appendCopy(lent);
          lent.fill(0xaa);
          for (let frame = copying.next(); frame !== undefined; frame = copying.next()) copied.push(frame.payload);
          pos = end;
        }
        return (
          reader.pending === 0 &&
          copying.pending === 0 &&
          copied.length === seen.length &&
          copied.every((one, index) => seen[index]!.equals(one)) &&
          seen.length === payloads.length &&
          payloads.every((one, index) => seen[index]!.equals(one))
        );
      },
    ),
    { numRuns: 300 },
  );
  t.end();
});

void t.test('a message in tiny pieces holds what it is worth, not all that came with them', async (t) => {
  const reader = new FrameReader(1e6);
  reader.push(Buffer.from([0, 0, 1, 0, 0]));
  const before = await heldBytes();
  for (let count = 0; count < 1000; count++) reader.push(Buffer.alloc(64 * 1024).subarray(0, 7));
  const held = (await heldBytes()) - before;
  t.ok(held < 1024 ** 2, `${held} bytes for 7000`);
  t.equal(reader.pending, 7005);
});

void t.test('a payload that comes in parts into memory that is used again is copied once', async (t) => {
  const sizes = [1, 1000, 20_000, 70_000, 900_000];
  for (const size of sizes) {
    const bytes = encodeFrame(Buffer.alloc(size, 7));
    const reader = new FrameReader(1e6);
    const { bytes: copied } = await countMoves(() => {
      for (let pos = 0; pos < bytes.length; pos += 16_384) reader.appendCopy(bytes.subarray(pos, pos + 16_384));
      t.equal(reader.next()?.payload.length, size);
    });
    t.equal(copied, size + 5);
  }
});
