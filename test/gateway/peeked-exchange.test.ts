/** A body that a filter has looked at: the reader gets all of it, and holds it back as if nobody had looked. */
import t from 'tap';
import type { BodySink, Exchange } from '../../lib/exchange.js';
import { PeekedExchange } from '../../lib/gateway/peeked-exchange.js';

/** What is asked of the exchange below. */
function exchangeBelow(): { exchange: Exchange; asked: string[]; sink: () => BodySink } {
  const asked: string[] = [];
  let sink: BodySink | undefined;
  const below = {
    hasBody: true,
    continue() {},
    read: (reader: BodySink) => void (sink = reader),
    pause: () => void asked.push('pause'),
    resume: () => void asked.push('resume'),
  };
  return { exchange: below as unknown as Exchange, asked, sink: () => sink! };
}

for (const isFull of [false, true]) {
  void t.test(isFull ? 'a reader that is full stays paused' : 'a reader with room goes on', async (t) => {
    const { exchange, asked, sink } = exchangeBelow();
    const peeked = new PeekedExchange(exchange);
    const start = peeked.peek(4);
    sink().onData(Buffer.from('123456'));
    t.same(await start, { bytes: Buffer.from('1234'), isWhole: false });
    t.same(asked, ['pause'], 'nothing more is taken while the filter decides');
    const got: string[] = [];
    const reader: BodySink = {
      onData(chunk) {
        got.push(chunk.toString());
        if (isFull) peeked.pause();
      },
      onEnd: () => void got.push('end'),
      onAbort: () => void got.push('abort'),
    };
    peeked.read(reader);
    await Promise.resolve();
    t.same(got, ['123456']);
    t.same(asked, isFull ? ['pause'] : ['pause', 'resume']);
    peeked.resume();
    t.equal(asked.at(-1), 'resume');
    sink().onData(Buffer.from('7'));
    sink().onEnd();
    t.same(got, ['123456', '7', 'end']);
  });
}
