/** A unary call has one message: a second one fails the request, and the call is cancelled. */
import t from 'tap';
import type { CallListener, Channel, Exchange, UnaryExchange } from '../../lib/exchange.js';
import { UnaryRun } from '../../lib/gateway/unary.js';

void t.test('a second message cancels the call', (t) => {
  let cancelled = 0;
  let listener!: CallListener;
  const nothing = (): void => undefined;
  const channel = {
    target: 'x',
    start: (_request: unknown, given: CallListener) => {
      listener = given;
      return { send: () => true, halfClose: nothing, pause: nothing, resume: nothing, cancel: () => void cancelled++ };
    },
  } as unknown as Channel;
  const unary = {
    metadata: [],
    timeoutMs: undefined,
    maxBodyBytes: 10,
    contentCodings: [],
    request: (body: Buffer) => body,
  } as unknown as UnaryExchange;
  const errors: unknown[] = [];
  const outcome = {
    report: nothing,
    onCallFailed: () => undefined,
    onReply: nothing,
    onError: (error: unknown) => void errors.push(error),
  };
  new UnaryRun({ hasBody: false, headers: [] } as unknown as Exchange, unary, channel, '/x', outcome).start();
  const frame = { compressed: false, payload: Buffer.from('m') };
  listener.onMessage(frame);
  t.strictSame([cancelled, errors.length], [0, 0]);
  listener.onMessage(frame);
  t.strictSame([cancelled, errors.length], [1, 1]);
  t.end();
});
