/** After each failure the pause is longer, up to the longest. */
import t from 'tap';
import { Backend } from '../../lib/upstream/native/backend.js';
import { failures } from '../../lib/upstream/outcome.js';

void t.test('the pause grows by 1.6 with each failure, within a fifth, and no further than its limit', (t) => {
  const owner = { onConnectFailure: () => undefined };
  const options = {
    initialReconnectBackoffMs: 100,
    maxReconnectBackoffMs: 400,
    initialBackoffMs: 100,
    maxBackoffMs: 400,
  };
  const backend = new Backend('x', () => undefined, options, owner as never);
  const inside = backend as unknown as { connectFailed(status: unknown): void; backoffMs: number };
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    pauses.push(Math.round(inside.backoffMs));
    inside.connectFailed(failures.refused('x'));
  }
  t.strictSame(pauses, [100, 160, 256, 400, 400, 400]);
  t.end();
});
