/** Flow control both ways, on a stream and on a connection: to the byte. And what a stream that waits costs. */
import t from 'tap';
import { frame, number, settings } from '../support/http2-peer.js';
import { TestConnection } from '../support/http2-connection.js';
import { heldMemory } from '../support/memory.js';
import { countMoves } from '../support/moves.js';

const DATA = 0;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;

function bytes(count: number, from = 0): Buffer {
  const all = Buffer.alloc(count);
  for (let index = 0; index < count; index++) all[index] = from + index;
  return all;
}

void t.test('a stream that waits costs what its bytes are worth, however many messages they are', async (t) => {
  for (const count of [20_000, 400_000]) {
    const peer = new TestConnection({}, settings([4, 0]));
    const { stream } = peer.open();
    const before = await heldMemory();
    const moves = await countMoves(() => {
      for (let index = 0; index < count; index++) stream.write(bytes(5, index));
    });
    const held = (await heldMemory()) - before;
    t.ok(held < 10 * count + 1_000_000, `${held} bytes are held for ${5 * count}`);
    stream.end();
    peer.feed(number(WINDOW_UPDATE, 0, 4_000_000));
    const sending = await countMoves(async () => {
      peer.feed(number(WINDOW_UPDATE, 1, 4_000_000));
      for (let turn = 0; turn < 40 && peer.dataOf(1).length < 5 * count; turn++) await peer.turn();
    });
    t.ok(moves.elements + sending.elements < 2 * count, `${moves.elements} and ${sending.elements} elements moved`);
    const data = peer.dataOf(1);
    t.equal(data.length, 5 * count);
    for (let index = 0; index < data.length; index += 5) {
      if (data[index] !== (index / 5) % 256) return void t.fail(`message ${index / 5} is not in its place`);
    }
    t.ok(peer.written(DATA, 1).length < count / 500 + 10, `${peer.written(DATA, 1).length} frames`);
    t.equal(peer.written(DATA, 1).at(-1)!.flags, END_STREAM);
  }
});

void t.test('the window of the connection, to the byte: one more ends it, and only for that', async (t) => {
  for (const [extra, isOver] of [
    [0, false],
    [1, true],
  ] as const) {
    // Below a quarter of it nothing is given back, so the second frame decides.
    const peer = new TestConnection({ connectionWindowBytes: 70_000, streamWindowBytes: 1_000_000 });
    peer.open();
    await peer.turn();
    peer.feed(peer.head(1));
    const { connection } = peer;
    (connection as unknown as { receiveWindow: number }).receiveWindow = 10_000;
    peer.feed(frame(DATA, 0, 1, Buffer.alloc(10_000 + extra)));
    t.equal(peer.end instanceof Error, isOver);
    if (isOver) t.match(peer.end, { message: 'sent more than the window of its connection allows' });
  }
});
