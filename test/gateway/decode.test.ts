/** Bodies that are decoded while they arrive: what the sink gets, and that the client is made to wait for it. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { collectBody } from '../../lib/gateway/body.js';
import { readBody } from '../../lib/gateway/decode.js';
import { StatusError } from '../../lib/status.js';
import { MemoryExchange } from '../support/exchange.js';

/** What becomes of a gzip'd body in pieces, by `collectBody`. */
function collect(pieces: readonly Buffer[], maxBytes: number): Promise<Buffer | StatusError | undefined> {
  const exchange = new MemoryExchange({ method: 'POST', body: pieces });
  return new Promise((resolve) => {
    collectBody(exchange, maxBytes, ['gzip'], { onBody: resolve, onFailure: resolve });
  });
}

void t.test('pieces of any size', async (t) => {
  const text = 'text '.repeat(1000);
  const coded = gzipSync(text);
  for (const size of [1, 7, coded.length]) {
    const pieces = Array.from({ length: Math.ceil(coded.length / size) }, (_, index) =>
      coded.subarray(index * size, (index + 1) * size),
    );
    t.equal(String(await collect(pieces, 10_000)), text, `${size} bytes each`);
  }
});

void t.test('nothing, coded without end, stops at a limit of the coded size', async (t) => {
  const failure = await collect(Array<Buffer>(20_000).fill(gzipSync('')), 1000);
  t.ok(failure instanceof StatusError, String(failure));
  t.equal((failure as StatusError).httpStatus, 413);
});

void t.test('a client that goes away', async (t) => {
  const exchange = new MemoryExchange({ method: 'POST', body: [gzipSync('text').subarray(0, 5)], open: true });
  const gone = new Promise((resolve) => {
    readBody(exchange, ['gzip', 'br'], {
      onData: () => undefined,
      onEnd: () => resolve('end'),
      onAbort: resolve,
    });
  });
  setImmediate(() => exchange.goAway());
  t.equal(await gone, undefined);
});

void t.test('a slow taker makes the client wait, and gets all', async (t) => {
  const size = 8 * 1024 * 1024;
  const random = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 251));
  const coded = gzipSync(Buffer.concat(Array<Buffer>(size / random.length).fill(random)), { level: 1 });
  const pieces = Array.from({ length: Math.ceil(coded.length / 1000) }, (_, index) =>
    coded.subarray(index * 1000, (index + 1) * 1000),
  );
  const exchange = new MemoryExchange({ method: 'POST', body: pieces });
  let length = 0;
  let waited = false;
  await new Promise<void>((resolve, reject) => {
    const reading = readBody(exchange, ['gzip'], {
      onData(chunk) {
        length += chunk.length;
        waited ||= exchange.paused;
        reading.pause();
        setImmediate(() => reading.resume());
      },
      onEnd: resolve,
      onAbort: reject,
    });
  });
  t.equal(length, size);
  t.ok(waited, 'the exchange was paused');
});

void t.test('after a stop the sink hears no more', async (t) => {
  const exchange = new MemoryExchange({ method: 'POST', body: [gzipSync(Buffer.alloc(10_000_000))] });
  let calls = 0;
  await new Promise<void>((resolve) => {
    const reading = readBody(exchange, ['gzip'], {
      onData() {
        calls++;
        reading.stop();
        setTimeout(resolve, 20);
      },
      onEnd: () => calls++,
      onAbort: () => calls++,
    });
  });
  t.equal(calls, 1);
  t.notOk(exchange.paused, 'what is left can be drained');
});
