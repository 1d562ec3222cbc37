/** The end of a stream is put on its own last frame, wherever the slab of memory ends. */
import t from 'tap';
import { FrameReader } from '../../lib/http2/frame.js';
import { FrameWriter } from '../../lib/http2/frame-writer.js';

void t.test('END_STREAM behind a change of slab marks no other frame', (t) => {
  // 64 KiB of slab; the frame behind the DATA leaves so many bytes of it, or is the first of the next one.
  for (let filler = 65_536 - 80; filler <= 65_536 - 9; filler++) {
    const writer = new FrameWriter();
    const seen: (readonly [type: number, flags: number, streamId: number, bytes: number])[] = [];
    const reader = new FrameReader(
      {
        onFrame: (type, flags, streamId, _buffer, start, end) => void seen.push([type, flags, streamId, end - start]),
      },
      70_000,
    );
    writer.raw(
      Buffer.concat([Buffer.from([filler >> 16, filler >> 8, filler, 0xee, 0, 0, 0, 0, 0]), Buffer.alloc(filler)]),
    );
    writer.data(1, Buffer.alloc(10, 7), false);
    writer.numbers(8, 0, 3, 5);
    writer.endStream(1);
    for (const part of writer.take()) reader.push(part);
    const data = seen.filter(([type]) => type === 0);
    t.strictSame(
      seen.filter(([type]) => type === 8),
      [[8, 0, 3, 4]],
      `filler of ${filler}`,
    );
    t.strictSame(
      data.map(([, flags]) => flags).filter((flags) => flags !== 0),
      [1],
      'one end',
    );
    t.equal(data.at(-1)![1], 1, 'on the last frame of the stream');
  }
  t.end();
});
