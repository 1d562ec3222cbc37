/** Flags that Envoy and photongate both have: a start script of Envoy's goes on working. */
import t from 'tap';
import { readAsOurs } from '../../lib/cli/envoy-flags.js';

void t.test('with a bootstrap, the values are those of Envoy', (t) => {
  const read = (level: string): unknown => readAsOurs({ envoy: 'e.yaml', 'log-level': level, 'log-format': '%v' });
  t.strictSame(
    ['trace', 'debug', 'info', 'warning', 'warn', 'error', 'critical', 'off'].map(read),
    ['debug', 'debug', 'info', 'warn', 'warn', 'error', 'error', 'off'].map((level) => ({
      envoy: 'e.yaml',
      'log-level': level,
    })),
  );
  const ours = { 'log-level': 'trace', 'log-format': 'json' };
  t.strictSame(readAsOurs(ours), ours, 'without one, nothing changes');
  t.end();
});
