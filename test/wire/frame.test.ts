/** gRPC frames out of a byte stream, however it is cut. */
import fc from 'fast-check';
import t from 'tap';
import { encodeFrame, FrameReader } from '../../lib/wire/index.js';
import { heldBytes } from '../support/memory.js';

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
        const seen: Buffer[] = [];
        for (let pos = 0, turn = 0; pos < bytes.length; turn++) {
          const end = Math.min(bytes.length, pos + cuts[turn % cuts.length]!);
          // Each piece in memory of its own, as from a socket.
          for (const frame of reader.push(Buffer.from(bytes.subarray(pos, end)))) seen.push(frame.payload);
          pos = end;
        }
        return (
          reader.pending === 0 &&
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
