/** A reflection call and the signal that gives it up: cancelled once, also where it was given up before, and let go at its end. */
import { getEventListeners } from 'node:events';
import t from 'tap';
import type { CallListener, Channel } from '../../lib/exchange.js';
import { openSession } from '../../lib/schema/index.js';
import { Code } from '../../lib/status.js';

/** A server of which a test says when calls end. */
function server() {
  const state = { cancelled: 0, listener: undefined as CallListener | undefined };
  const channel: Channel = {
    target: 'none',
    start: (_request, listener) => {
      state.listener = listener;
      const cancel = (): void => {
        state.cancelled++;
        listener.onEnd({ code: Code.CANCELLED, message: '', trailers: [] });
      };
      return { send: () => true, halfClose() {}, pause() {}, resume() {}, cancel };
    },
    connect: () => Promise.resolve(true),
    close() {},
  };
  return { state, channel };
}

void t.test('a signal cancels the call, and who waits hears of it', async (t) => {
  const { state, channel } = server();
  const ending = new AbortController();
  const asked = openSession(channel, '/p', 1000, ending.signal).ask(Buffer.alloc(0));
  t.equal(getEventListeners(ending.signal, 'abort').length, 1);
  ending.abort();
  await t.rejects(asked, { code: Code.CANCELLED });
  t.equal(state.cancelled, 1);
});

void t.test('so does one that came before the call', async (t) => {
  const { state, channel } = server();
  const session = openSession(channel, '/p', 1000, AbortSignal.abort());
  t.equal(state.cancelled, 1);
  await t.rejects(session.ask(Buffer.alloc(0)), { code: Code.CANCELLED });
});

void t.test('a session that is closed but not ended by its server is cancelled, too', (t) => {
  const { state, channel } = server();
  const ending = new AbortController();
  openSession(channel, '/p', 1000, ending.signal).close();
  t.equal(state.cancelled, 0);
  ending.abort();
  t.equal(state.cancelled, 1);
  t.end();
});

void t.test('a call that has ended leaves nothing on the signal, however many there are', (t) => {
  const ending = new AbortController();
  for (let times = 0; times < 50; times++) {
    const { state, channel } = server();
    openSession(channel, '/p', 1000, ending.signal);
    state.listener!.onEnd({ code: Code.OK, message: '', trailers: [] });
  }
  t.equal(getEventListeners(ending.signal, 'abort').length, 0);
  t.end();
});
