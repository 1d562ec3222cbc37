/** Calls that are given up by thousands: a real server keeps the connections, and nobody else's call notices. */
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { ResetPacer } from '../../lib/http2/reset-pacer.js';
import { ChannelPool } from '../../lib/upstream/index.js';
import { callOnce } from '../upstream/service.js';

void t.test('so many at once, so many a second; what ends by itself is not reset', (t) => {
  let now = 0;
  let tooMany = 0;
  const reset: number[] = [];
  const pacer = new ResetPacer<number>(
    (item) => reset.push(item),
    () => tooMany++,
    () => now,
  );
  for (let item = 0; item < 100; item++) pacer.giveUp(item);
  t.equal(reset.length, 100);
  for (let item = 100; item < 199; item++) pacer.giveUp(item);
  t.strictSame([reset.length, tooMany], [100, 0]);
  pacer.giveUp(199);
  t.strictSame([reset.length, tooMany], [100, 1]);
  pacer.forget(100);
  now += 1000;
  pacer.resetDue();
  t.strictSame(reset.slice(100), [101, 102, 103, 104, 105, 106, 107, 108, 109, 110], 'the oldest first');
  now += 3_600_000;
  pacer.resetDue();
  t.equal(reset.length, 199, 'a pause adds no more than the burst');
  pacer.stop();
  t.end();
});

void t.test('a Node server and thousands of calls that are given up', async (t) => {
  const server = createServer();
  let ends = 0;
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined).on('close', () => ends++);
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    if (headers[':path'] === '/t.T/Neighbour') return stream.respond(head);
    // Half of them answer, the others never do.
    if (stream.id! % 4 !== 1) return;
    setTimeout(() => {
      if (!stream.destroyed) stream.respond({ ...head, 'grpc-status': '0' }, { endStream: true });
    }, 5);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pool = new ChannelPool();
  t.teardown(() => {
    pool.close();
    server.close();
  });
  const channel = pool.open(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.equal(await channel.connect(5000), true);
  let failed = 0;
  const listener = { onHeaders: () => undefined, onMessage: () => undefined };
  const start = (method: string, onEnd: (status: { code: number }) => void) =>
    channel.start({ path: `/t.T/${method}`, metadata: [], timeoutMs: undefined }, { ...listener, onEnd });
  // Strangers on connections old and new.
  const strangers = [];
  for (let count = 0; count < 3000; count++) {
    if (count % 300 === 0) {
      const stranger = start('Neighbour', () => failed++);
      stranger.halfClose();
      strangers.push(stranger);
    }
    const call = start('X', () => undefined);
    call.halfClose();
    await new Promise(setImmediate);
    call.cancel();
  }
  t.equal(failed, 0, 'no call of others has failed');
  t.ok(ends > 1000, `${ends} streams have ended at the service`);
  for (const stranger of strangers) stranger.cancel();
  const after = await callOnce(channel, { method: 'X', send: [], timeoutMs: 100 });
  t.ok(after.code === 0 || after.code === 4, 'the service is there');
});
