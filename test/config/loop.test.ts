/** An upstream that is the listener's own address, by whatever name: told before anything is opened. */
import t from 'tap';
import { ConfigError, loadConfig } from '../../lib/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';

const greeter = `syntax = "proto3";
package greeter.v1;
import "google/api/annotations.proto";
service Greeter { rpc Hello(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; }
`;

const rows: readonly [listen: string, upstream: string, isLoop: boolean][] = [
  ['127.0.0.1:9', '127.0.0.1:9', true],
  ['9', 'localhost:9', true],
  ['localhost:9', '127.0.0.1:9', true],
  ['0.0.0.0:9', 'dns:///localhost:9', true],
  ['0.0.0.0:9', '127.0.0.1:9', true],
  ['[::]:9', '[::1]:9', true],
  ['127.0.0.1:9', 'ipv4:127.0.0.1:8,127.0.0.1:9', true],
  ['10.0.0.1:9', '10.0.0.1:9', true],
  ['127.0.0.1:9', 'greeter.v1=127.0.0.1:9', true],
  ['127.0.0.1:9', '127.0.0.1:8', false],
  ['127.0.0.1:9', '[::1]:9', false],
  ['127.0.0.1:9', '10.0.0.1:9', false],
  ['0.0.0.0:9', 'greeter:9', false],
  ['127.0.0.1:9', 'unix:/127.0.0.1:9', false],
];

function problemsOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error instanceof ConfigError ? error.problems : error;
  }
}

void t.test('listener and upstream', (t) => {
  const workingDirectory = t.testdir({ 'greeter.proto': greeter });
  for (const [listen, upstream, isLoop] of rows) {
    const flags = { proto: ['greeter.proto'], upstreams: [upstream], listen: [listen] };
    const prepare = (): unknown => prepareProxy(loadConfig({ flags, workingDirectory }), { offline: true });
    const what = `${listen} ${upstream}`;
    if (!isLoop) {
      t.doesNotThrow(prepare, what);
      continue;
    }
    t.match(
      problemsOf(prepare),
      [{ code: 'upstream-loop', message: /is an address that photongate itself listens on/ }],
      what,
    );
  }
  t.end();
});
