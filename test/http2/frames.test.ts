/** Frames: however they are cut, whatever they are. A connection fed with nonsense ends with a reason, or goes on. */
import fc from 'fast-check';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import t from 'tap';
import { Connection, ConnectionError, errorCodeName, type StreamFailure } from '../../lib/http2/index.js';
import { FrameReader } from '../../lib/http2/frame.js';
import { FrameWriter } from '../../lib/http2/frame-writer.js';
import { FieldEncoder } from '../../lib/http2/hpack-encoder.js';
import { frame, goAway, number, settings } from '../support/http2-peer.js';

interface Seen {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: string;
}

function reader(maxBytes?: number, splitsData = false): { push: (chunk: Buffer) => void; seen: Seen[] } {
  const seen: Seen[] = [];
  const frames = new FrameReader(
    {
      onFrame: (type, flags, streamId, buffer, start, end) =>
        void seen.push({ type, flags, streamId, payload: buffer.toString('hex', start, end) }),
    },
    maxBytes,
    splitsData,
  );
  return {
    push: (chunk) => {
      const lent = Buffer.from(chunk);
      frames.push(lent);
      lent.fill(0xaa);
    },
    seen,
  };
}

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 12 }),
  flags: fc.integer({ min: 0, max: 255 }),
  streamId: fc.oneof(fc.constantFrom(0, 1, 3, 5, 2), fc.integer({ min: 0, max: 0x7fffffff })),
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
});

/** Cuts bytes at random places. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let pos = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(pos, pos + size));
    pos += size;
  }
  return [...chunks, bytes.subarray(pos)].filter((chunk) => chunk.length > 0);
}

void t.test('the same frames, however the bytes are cut', (t) => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.integer({ min: 0, max: 40 })), (frames, sizes) => {
      const bytes = Buffer.concat(frames.map((one) => frame(one.type, one.flags, one.streamId, one.payload)));
      const { push, seen } = reader();
      for (const chunk of cut(bytes, sizes)) push(chunk);
      return (
        JSON.stringify(seen) === JSON.stringify(frames.map((one) => ({ ...one, payload: one.payload.toString('hex') })))
      );
    }),
  );
  t.end();
});

/** Parts of DATA frames that follow each other on one stream, joined up to the one that was the end of a frame. */
function joined(seen: readonly Seen[], frames: readonly Seen[]): Seen[] {
  const rest = [...seen];
  return frames.map((frame) => {
    let { payload } = rest[0]!;
    let last = rest.shift()!;
    const isData = last.type === 0 && (frame.flags & 8) === 0;
    while (isData && payload.length < frame.payload.length && rest[0]?.type === 0) {
      if (last.flags !== 0) throw new Error('a part has flags');
      last = rest.shift()!;
      payload += last.payload;
    }
    return { ...last, payload };
  });
}

void t.test('DATA may come in parts: the same bytes, and flags with the last one', (t) => {
  const likely = anyFrame.map((frame) => ({ ...frame, type: frame.type % 2, flags: frame.flags & 0xf7 }));
  let splits = 0;
  fc.assert(
    fc.property(fc.array(likely, { maxLength: 12 }), fc.array(fc.nat(40), { minLength: 8 }), (frames, sizes) => {
      const bytes = Buffer.concat(frames.map((one) => frame(one.type, one.flags, one.streamId, one.payload)));
      const { push, seen } = reader(16_384, true);
      for (const chunk of cut(bytes, sizes)) push(chunk);
      const expected = frames.map((one) => ({ ...one, payload: one.payload.toString('hex') }));
      splits += seen.length - frames.length;
      t.strictSame(joined(seen, expected), expected);
      const empty = (list: readonly Seen[]): number => list.filter(({ payload }) => payload === '').length;
      t.equal(empty(seen), empty(expected), 'no part is empty');
    }),
  );
  t.ok(splits > 30, `${splits} parts more`);
  t.end();
});

void t.test('a frame that is too large is refused by its head', (t) => {
  const { push, seen } = reader(16_384);
  const head = frame(0, 0, 1, Buffer.alloc(16_385)).subarray(0, 9);
  push(head.subarray(0, 5));
  t.throws(() => push(head.subarray(5)), { message: 'sent a frame of 16385 bytes, expected 16384 at most' });
  t.strictSame(seen, []);
  const largest = reader(16_384);
  largest.push(frame(0, 0, 1, Buffer.alloc(16_384)));
  t.equal(largest.seen.length, 1);
  t.end();
});

void t.test('written frames are read again, in one batch: small, large, END_STREAM put on the last', (t) => {
  const writer = new FrameWriter();
  const { push, seen } = reader();
  const large = Buffer.alloc(16_000, 7);
  writer.headers(1, Buffer.alloc(40_000, 1), true);
  writer.data(1, Buffer.from('ab'), false);
  writer.numbers(3, 0, 5, 8);
  writer.endStream(1);
  for (let count = 0; count < 20; count++) {
    writer.data(3, large, false);
    writer.numbers(8, 0, 0, count + 1);
  }
  writer.endStream(7);
  const { size } = writer;
  const parts = writer.take();
  t.equal(
    parts.reduce((sum, part) => sum + part.length, 0),
    size,
  );
  t.ok(
    parts.some((part) => part === large),
    'a large payload is not copied',
  );
  for (const part of parts) push(part);
  t.strictSame(
    seen.map(({ type, flags, streamId, payload }) => [type, flags, streamId, payload.length / 2]).slice(0, 7),
    [
      [1, 1, 1, 16_384],
      [9, 0, 1, 16_384],
      [9, 4, 1, 40_000 - 2 * 16_384],
      [0, 1, 1, 2],
      [3, 0, 5, 4],
      [0, 0, 3, 16_000],
      [8, 0, 0, 4],
    ],
  );
  t.match(seen.at(-1), { type: 0, flags: 1, streamId: 7, payload: '' });
  t.equal(writer.take().length, 0);
  t.end();
});

/** A socket in memory: what is pushed comes out of it, what is written is counted. */
function fakeSocket(): Socket & { push(chunk: Buffer): boolean } {
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  return Object.assign(socket, { destroySoon: () => socket.destroy() }) as never;
}

/** A connection with one stream open, and what became of it. */
async function withStream(): Promise<{
  feed: (bytes: Buffer) => Promise<void>;
  closed: () => Error | 'closed' | undefined;
  failure: () => StreamFailure | undefined;
}> {
  const socket = fakeSocket();
  let closed: Error | 'closed' | undefined;
  let failure: StreamFailure | undefined;
  const nothing = (): void => undefined;
  const connection = new Connection(socket, {
    onReady: nothing,
    onRoom: nothing,
    onDraining: nothing,
    onTooManyPings: nothing,
    onClose: (error) => (closed = error ?? 'closed'),
  });
  const feed = async (bytes: Buffer): Promise<void> => {
    connection.receive(bytes);
    await new Promise(setImmediate);
  };
  await feed(settings());
  connection.open([':method', 'POST'], {
    onHeaders: nothing,
    onData: nothing,
    onTrailers: nothing,
    onEnd: nothing,
    onDrain: nothing,
    onFail: (found) => (failure = found),
  });
  // Its head leaves at the end of this turn.
  await new Promise(setImmediate);
  return { feed, closed: () => closed, failure: () => failure };
}

void t.test('any frames: the connection goes on, or it ends with a reason', async (t) => {
  const encoder = new FieldEncoder();
  const head = Buffer.from(encoder.encode([':status', '200']));
  const likely = fc.constantFrom(
    settings([4, 100_000]),
    settings([3, 1], [1, 0]),
    number(8, 1, 5),
    number(8, 0, 5),
    frame(1, 4, 1, head),
    frame(1, 0, 1, head),
    frame(9, 4, 1, ''),
    frame(0, 8, 1, '0300aabbcc'),
    frame(6, 0, 0, '0000000000000000'),
    goAway(1),
  );
  const one = fc.oneof(
    anyFrame.map((any) => frame(any.type, any.flags, any.streamId, any.payload)),
    likely,
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  );
  const reasons = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 12 }), async (frames) => {
      const { feed, closed } = await withStream();
      await feed(Buffer.concat(frames));
      const end = closed();
      if (end instanceof ConnectionError) reasons.add(end.message);
      return !(end instanceof Error) || end instanceof ConnectionError;
    }),
    { numRuns: 1500 },
  );
  t.ok(reasons.size > 5, [...reasons].join('\n'));
});

void t.test('rules whose breach ends the connection', async (t) => {
  const cases: readonly (readonly [bytes: Buffer, code: string, reason: string])[] = [
    [frame(0, 0, 0, '00'), 'PROTOCOL_ERROR', 'sent DATA without a stream'],
    [frame(0, 0, 3, '00'), 'PROTOCOL_ERROR', 'sent DATA on stream 3, which nobody opened'],
    [frame(1, 4, 2, '88'), 'PROTOCOL_ERROR', 'sent HEADERS on stream 2, which nobody opened'],
    [frame(1, 0xc, 1, '0588'), 'PROTOCOL_ERROR', 'sent more padding than its frame holds'],
    [frame(1, 0x24, 1, '8888'), 'FRAME_SIZE_ERROR', 'sent HEADERS that are cut short'],
    [frame(1, 4, 1, 'ff'), 'COMPRESSION_ERROR', 'sent headers that cannot be decoded: a header that is cut short'],
    [frame(0, 8, 1, ''), 'PROTOCOL_ERROR', 'sent more padding than its frame holds'],
    [frame(3, 0, 0, '00000008'), 'PROTOCOL_ERROR', 'sent RST_STREAM without a stream'],
    [frame(3, 0, 1, '0008'), 'FRAME_SIZE_ERROR', 'sent RST_STREAM of 2 bytes, expected 4'],
    [frame(4, 0, 1, ''), 'PROTOCOL_ERROR', 'sent SETTINGS on a stream'],
    [frame(4, 0, 0, '0001'), 'FRAME_SIZE_ERROR', 'sent SETTINGS of 2 bytes, expected 6'],
    [frame(4, 1, 0, '000100000000'), 'FRAME_SIZE_ERROR', 'sent an answer to SETTINGS of 6 bytes, expected 0'],
    [settings([2, 1]), 'PROTOCOL_ERROR', 'set ENABLE_PUSH to 1, which only a client may'],
    [settings([4, 2 ** 31]), 'FLOW_CONTROL_ERROR', 'set INITIAL_WINDOW_SIZE to 2147483648'],
    [settings([5, 100]), 'PROTOCOL_ERROR', 'set MAX_FRAME_SIZE to 100'],
    [frame(5, 4, 1, '0000000282'), 'PROTOCOL_ERROR', 'pushed a stream, which our settings forbid'],
    [frame(6, 0, 1, '0000000000000000'), 'PROTOCOL_ERROR', 'sent PING on a stream'],
    [frame(6, 0, 0, '00'), 'FRAME_SIZE_ERROR', 'sent PING of 1 bytes, expected 8'],
    [frame(7, 0, 1, '0000000000000000'), 'PROTOCOL_ERROR', 'sent GOAWAY on a stream'],
    [frame(7, 0, 0, '00000000'), 'FRAME_SIZE_ERROR', 'sent GOAWAY of 4 bytes, expected 8'],
    [frame(2, 0, 0, '0000000000'), 'PROTOCOL_ERROR', 'sent PRIORITY without a stream'],
    [frame(2, 0, 1, '00'), 'FRAME_SIZE_ERROR', 'sent PRIORITY of 1 bytes, expected 5'],
    [number(8, 0, 0), 'PROTOCOL_ERROR', 'opened the window of its connection by nothing'],
    [number(8, 0, 0x7fffffff), 'FLOW_CONTROL_ERROR', 'opened the window of its connection beyond 2^31 - 1'],
    [frame(8, 0, 0, '00'), 'FRAME_SIZE_ERROR', 'sent WINDOW_UPDATE of 1 bytes, expected 4'],
    [frame(9, 4, 1, '88'), 'PROTOCOL_ERROR', 'sent CONTINUATION without HEADERS'],
    [
      Buffer.concat([frame(1, 0, 1, '88'), frame(6, 0, 0, '0000000000000000')]),
      'PROTOCOL_ERROR',
      'sent another frame between HEADERS and CONTINUATION',
    ],
    [
      Buffer.concat([frame(1, 0, 1, '88'), ...Array.from({ length: 64 }, () => frame(9, 0, 1, ''))]),
      'ENHANCE_YOUR_CALM',
      'sent headers without end: 1 bytes in 65 frames so far',
    ],
    [
      Buffer.concat([
        // A value of 256 MiB.
        frame(1, 0, 1, '0001617fffffff7f'),
        ...Array.from({ length: 1024 }, () => frame(9, 0, 1, Buffer.alloc(16_384))),
      ]),
      'ENHANCE_YOUR_CALM',
      'sent headers without end: 16777224 bytes in 1025 frames so far',
    ],
  ];
  for (const [bytes, code, reason] of cases) {
    const { feed, closed, failure } = await withStream();
    await feed(bytes);
    const error = closed();
    t.ok(error instanceof ConnectionError, reason);
    t.strictSame([errorCodeName((error as ConnectionError).code), (error as Error).message], [code, reason]);
    t.strictSame(failure(), { kind: 'lost', reason });
  }
  const fresh = fakeSocket();
  let end: Error | undefined;
  const nothing = (): void => undefined;
  const connection = new Connection(fresh, {
    onReady: nothing,
    onRoom: nothing,
    onDraining: nothing,
    onTooManyPings: nothing,
    onClose: (error) => (end = error),
  });
  connection.receive(frame(6, 0, 0, '0000000000000000'));
  await new Promise(setImmediate);
  t.equal(end?.message, 'did not send its settings first');
});

void t.test('rules whose breach ends the stream alone, and what is no breach', async (t) => {
  const encoder = new FieldEncoder();
  const headers = (flags: number, ...fields: string[]): Buffer =>
    frame(1, flags | 4, 1, Buffer.from(new FieldEncoder().encode(fields)));
  const head = frame(1, 4, 1, Buffer.from(encoder.encode([':status', '200'])));
  const malformed = (reason: string): StreamFailure => ({ kind: 'malformed', reason });
  const cases: readonly (readonly [bytes: readonly Buffer[], failure: StreamFailure | undefined])[] = [
    [[frame(0, 0, 1, '00')], malformed('sent data before headers')],
    [[headers(0, 'x', '1')], malformed('sent an answer without a status')],
    [[headers(0)], malformed('sent an answer without a status')],
    [[headers(0, ':status', 'ok')], malformed('sent an answer without a status')],
    [[headers(0, ':status', '200', ':status', '200')], malformed('sent a header with a name that is none')],
    [[headers(0, ':status', '200', 'X-Upper', '1')], malformed('sent a header with a name that is none')],
    [
      [headers(0, ':status', '200', 'x', 'a\r\nb: c')],
      malformed('sent a header with a line break or NUL in its value'),
    ],
    [[head, headers(1, 'x', '\0')], malformed('sent a header with a line break or NUL in its value')],
    [[head, headers(1, ':status', '200')], malformed('sent a header with a name that is none')],
    [[head, headers(0, 'x', '1')], malformed('sent trailers that are not the end')],
    [[headers(1, ':status', '103')], malformed('ended its answer with status 103')],
    [[number(8, 1, 0)], malformed('opened a window by nothing')],
    [[number(8, 1, 0x7fffffff)], malformed('opened a window beyond 2^31 - 1')],
    [[number(3, 1, 8)], { kind: 'reset', code: 8 }],
    [[number(3, 1, 7)], { kind: 'refused' }],
    [[goAway(0)], { kind: 'refused' }],
    // 1xx, priorities, unknown frames and settings, padding, frames of a stream that has ended.
    [[headers(0, ':status', '103'), head], undefined],
    [[frame(2, 0, 1, '0000000000'), frame(0xee, 0xff, 9, 'aabb'), settings([0x99, 1])], undefined],
    [[head, frame(0, 8, 1, '02aabb0000')], undefined],
    [[headers(5, ':status', '200'), frame(0, 0, 1, '00'), number(8, 1, 1), number(3, 1, 0)], undefined],
    [[goAway(1)], undefined],
  ];
  for (const [bytes, expected] of cases) {
    const { feed, closed, failure } = await withStream();
    await feed(Buffer.concat(bytes));
    t.strictSame(failure(), expected);
    const gone = expected?.kind === 'refused' && bytes[0]![3] === 7;
    t.equal(closed(), gone ? 'closed' : undefined, 'the connection goes on');
  }
});
